"""Every operation of the SDK, once, without I/O; ``sync.Client`` and ``aio.AsyncClient`` carry out what it yields.

Each operation raises what the server answers (the classes of ``jobpass.errors``), ``ServerUnavailable`` if no answer
came, ``UnexpectedAnswer`` if something else answered, and ``InvalidInput`` before anything is sent if it cannot be.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from uuid import uuid4

from msgspec import Raw

from jobpass.client.asking import Bearer, Item, Stream, items, of_job, pages, sendable, to_body, to_json
from jobpass.client.compute import Compute
from jobpass.client.credentials import Credentials
from jobpass.client.exchange import Operation, Sleep
from jobpass.client.files import Files
from jobpass.client.pipelines import Pipelines
from jobpass.client.platforms import Platforms
from jobpass.client.power import Power
from jobpass.client.results import Event, EventPage, Job, JobPage
from jobpass.client.users import Users
from jobpass.client.webhooks import Webhooks
from jobpass.client.workers import Workers
from jobpass.errors import InvalidInput
from jobpass.lifecycle.resting import rests
from jobpass.wire import paths
from jobpass.wire.messages import (
    EventAnswer,
    LoginAnswer,
    LoginRequest,
    MeAnswer,
    Message,
    NewEvent,
    NewJob,
    ResetRequest,
    VerifyAnswer,
)
from jobpass.wire.power import DeletedAnswer

HISTORY_PAGE: Final = 64
"""Events asked for at a time, so that even with 1 MiB of data each they fit into ``MAX_ANSWER_BYTES``."""
WATCH_FIRST_SECONDS: Final = 0.25
WATCH_GROWTH: Final = 1.5

_KEY = re.compile(r"[!-~]{1,255}")


class Flow(Pipelines, Power, Users, Credentials, Platforms, Webhooks, Files, Compute, Workers):
    """The operations, with the token that they use."""

    def with_token(self, token: Bearer) -> Flow:
        """The same operations with another token."""
        other = Flow(token, self._timeout_seconds, self._retries)
        other.answers_arrive = self.answers_arrive
        return other

    def login(self, email: str, password: str) -> Operation[LoginAnswer]:
        """Get a login token and use it from now on. Not tried again once it was sent: a login counts."""
        body = to_body(LoginRequest(email, password))
        answer = yield from self._ask("POST", paths.LOGIN, LoginAnswer, body=body, again="unsent", bearer=False)
        self.token = sendable(answer.token)
        return answer

    def logout(self) -> Operation[None]:
        """End the login token, and forget it. ``InvalidToken`` says that it was dead already."""
        yield from self._ask("POST", paths.LOGOUT, Message)
        self.token = None

    def me(self) -> Operation[MeAnswer]:
        """Who the token speaks for."""
        return (yield from self._ask("GET", paths.ME, MeAnswer))

    def create_job(
        self,
        pipeline_uuid: str,
        data: Any = None,
        *,
        child_of: Iterable[str] = (),
        lifecycle: str = "pipeline",
        archive_path: str | None = None,
        session: str | None = None,
        archive_system: str | None = None,
        generated_by: Iterable[str] = (),
        acted_on: Iterable[str] = (),
        acted_using: Iterable[str] = (),
        archive_patterns: Iterable[Any] = (),
        product_patterns: Iterable[Any] = (),
        attributes: Mapping[str, Any] | None = None,
        uuid: str | None = None,
        make_archive_path: bool = False,
    ) -> Operation[Job]:
        """Make the job of these parameters, or find it again if it is one's own; ``token`` is its document token.

        ``data`` is a mapping (None counts as empty), or JSON text as ``msgspec.Raw``. The links are uuids;
        ``generated_by`` is the pipeline unless given. ``uuid`` is for who numbers jobs: else it follows from pipeline,
        parents and data. ``attributes`` mean nothing to Jobpass. With ``make_archive_path`` the server makes that
        directory; if it cannot, its log says why, and the job is made all the same.
        """
        new = NewJob(
            pipeline_uuid,
            Raw(to_json({} if data is None else data, "json.data")),
            _texts("child_of", child_of),
            lifecycle,
            archive_path,
            session,
            uuid,
            archive_system,
            _texts("generated_by", generated_by),
            _texts("acted_on", acted_on),
            _texts("acted_using", acted_using),
            Raw(to_json(list(archive_patterns), "json.archive_patterns")),
            Raw(to_json(list(product_patterns), "json.product_patterns")),
            Raw(to_json(dict(attributes or {}), "json.attributes")),
            make_archive_path,
        )
        return (yield from self._ask("POST", paths.JOBS, Job, body=to_body(new)))

    def cancel_job(self, uuid: str) -> Operation[None]:
        """Take a job away to which nothing has happened but its creation; else ``Conflict``: send ``fail`` instead."""
        yield from self._ask("POST", of_job(paths.JOB_CANCEL, uuid), DeletedAnswer, again="unsent")

    def reset_job(
        self, uuid: str, data: Any = None, no_clear_path: bool = False, *, idempotency_key: str | None = None
    ) -> Operation[EventAnswer]:
        """Send ``reset``, have what is in the job's archive path removed, and send ``ready``; for admin tokens.

        With ``no_clear_path`` nothing is removed; then ``data`` must be a mapping or None. ``ArchiveFailed`` says why
        something could not be removed: the job stays reset, and ``send(uuid, "ready")`` tries again. That takes its
        time: a client waits for it as long as its retries go on, and another call with the same key goes on waiting.
        """
        body = to_body(ResetRequest(Raw(to_json(data, "json.data")), no_clear_path))
        headers = {"idempotency-key": _key(idempotency_key)}
        path = of_job(paths.JOB_RESET, uuid)
        return (yield from self._ask("POST", path, EventAnswer, body=body, headers=headers))

    def job(self, uuid: str) -> Operation[Job]:
        """A job as it stands, with its ``data``."""
        return (yield from self._ask("GET", of_job(paths.JOB, uuid), Job))

    def jobs(
        self,
        *,
        state: str | None = None,
        pipeline_uuid: str | None = None,
        child_of: str | None = None,
        generated_by: str | None = None,
        acted_on: str | None = None,
        acted_using: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Operation[JobPage]:
        """One page of the jobs that the token may see; ``next`` of a page is the ``after`` of the one that follows.

        A link is told by a uuid, or by an identifier, which stands for all its typed uuids.
        """
        return (
            yield from self._ask(
                "GET",
                paths.JOBS,
                JobPage,
                state=state,
                pipeline_uuid=pipeline_uuid,
                child_of=child_of,
                generated_by=generated_by,
                acted_on=acted_on,
                acted_using=acted_using,
                after=after,
                limit=limit,
            )
        )

    def iter_jobs(
        self,
        *,
        state: str | None = None,
        pipeline_uuid: str | None = None,
        child_of: str | None = None,
        generated_by: str | None = None,
        acted_on: str | None = None,
        acted_using: str | None = None,
        limit: int | None = None,
    ) -> Stream[Job]:
        """All jobs that the token may see, ``limit`` a request; what is given is as of ``jobs``."""
        return pages(
            lambda after: self.jobs(
                state=state,
                pipeline_uuid=pipeline_uuid,
                child_of=child_of,
                generated_by=generated_by,
                acted_on=acted_on,
                acted_using=acted_using,
                after=after,
                limit=limit,
            ),
            lambda page: page.jobs,
        )

    def history(self, uuid: str, *, after: int = 0, limit: int | None = None) -> Operation[EventPage]:
        """One page of a job's events above sequence ``after``; the first event has sequence 1."""
        return (yield from self._ask("GET", of_job(paths.JOB_HISTORY, uuid), EventPage, after=after, limit=limit))

    def iter_history(self, uuid: str, *, after: int = 0, limit: int = HISTORY_PAGE) -> Stream[Event]:
        """All events of a job above sequence ``after``, ``limit`` a request."""
        following: int | None = after
        while following is not None:
            page = yield from self.history(uuid, after=following, limit=limit)
            yield from items(page.events)
            following = page.next

    def watch(
        self,
        uuid: str,
        *,
        after: int = 0,
        until: Collection[str] | None = None,
        interval_seconds: float = 5.0,
    ) -> Stream[Event]:
        """The events of a job above sequence ``after`` as they come, until it rests.

        It rests in a final state of its lifecycle, and where ``lifecycle.resting`` says so; ``until`` names other
        states, and an empty one watches for ever. It asks again after a quarter of a second, then ever less often while
        nothing happens, at least every ``interval_seconds``.
        """
        if not interval_seconds > 0:
            raise InvalidInput.at("interval_seconds", "must be more than 0")
        asked: int | None = None  # how far the history went when the job itself was last looked at
        pause = WATCH_FIRST_SECONDS
        while True:
            page = yield from self.history(uuid, after=after, limit=HISTORY_PAGE)
            for event in page.events:
                after, pause = event.sequence, WATCH_FIRST_SECONDS
                yield Item(event)
            if page.next is not None:
                continue
            if asked != after and (until is None or until):
                job = yield from self.job(uuid)
                if job.sequence > after:  # it went on meanwhile
                    continue
                asked = after
                if job.state in until if until is not None else _rests(job):
                    return
            yield Sleep(min(pause, interval_seconds))
            pause = min(pause * WATCH_GROWTH, interval_seconds)

    def send(
        self, uuid: str, name: str, data: Any = None, *, idempotency_key: str | None = None
    ) -> Operation[EventAnswer]:
        """Send event ``name`` to a job; when this returns, it is in the history, once.

        ``data`` is any value that JSON has, or JSON text as ``msgspec.Raw``. The same ``idempotency_key`` (1 to 255
        visible ASCII characters) again gives the first answer; without one, each call has a key of its own, except in
        process, where no answer is lost on the way and an event that may have been recorded is not sent again.
        """
        body = to_body(NewEvent(name, Raw(to_json(data, "json.data"))))
        path = of_job(paths.JOB_EVENTS, uuid)
        if idempotency_key is None and self.answers_arrive:
            return (yield from self._ask("POST", path, EventAnswer, body=body, again="refused"))
        headers = {"idempotency-key": _key(idempotency_key)}
        return (yield from self._ask("POST", path, EventAnswer, body=body, headers=headers))

    def verify(self, uuid: str) -> Operation[VerifyAnswer]:
        """Have the server check the chain of a job's history."""
        return (yield from self._ask("GET", of_job(paths.JOB_VERIFY, uuid), VerifyAnswer))

    def health(self) -> Operation[Message]:
        """Return if a server answers. Not tried again: it is a probe."""
        return (yield from self._ask("GET", paths.HEALTH, Message, again="never", bearer=False))

    def ready(self) -> Operation[Message]:
        """Return if the server can record events now, else ``StoreUnavailable``. Not tried again: it is a probe."""
        return (yield from self._ask("GET", paths.READY, Message, again="never", bearer=False))


def _key(given: str | None) -> str:
    key = uuid4().hex if given is None else given
    if not _KEY.fullmatch(key):
        raise InvalidInput.at("header.Idempotency-Key", "must be 1 to 255 visible ASCII characters")
    return key


def _texts(name: str, values: Iterable[str]) -> list[str]:
    if isinstance(values, str):
        raise InvalidInput.at(f"json.{name}", "must be a list of texts")
    return list(values)


def _rests(job: Job) -> bool:
    return rests(job.lifecycle, job.state, final=job.final)
