"""Every operation of the SDK, once, without I/O; ``sync.Client`` and ``aio.AsyncClient`` carry out what it yields.

Each operation raises what the server answers (the classes of ``jobpass.errors``), ``ServerUnavailable`` if no answer
came, ``UnexpectedAnswer`` if something else answered, and ``InvalidInput`` before anything is sent if it cannot be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from uuid import uuid4

import msgspec
from msgspec import Raw

from jobpass.client.exchange import Again, Operation, Reply, Request, Retries, Sleep, Step, exchange
from jobpass.client.results import Event, EventPage, Job, JobPage, read
from jobpass.errors import InvalidInput, MalformedToken, UnknownJob, UnknownPipeline
from jobpass.tokens.token import MAX_TEXT_CHARS
from jobpass.wire import paths
from jobpass.wire.messages import (
    EventAnswer,
    LoginAnswer,
    LoginRequest,
    MeAnswer,
    Message,
    NewEvent,
    NewJob,
    PipelineList,
    VerifyAnswer,
)

RESTING_STATES: Final = frozenset(
    {"FINISHED", "FAILED", "REJECTED", "VALIDATED", "FINALIZED", "RETIRED", "completed", "canceled", "error"}
)
"""States of the lifecycles ``pipeline`` and ``compute`` in which nothing is at work: where ``watch`` ends."""
HISTORY_PAGE: Final = 64
"""Events asked for at a time, so that even with 1 MiB of data each they fit into ``MAX_ANSWER_BYTES``."""
MAX_PARAMETER_CHARS: Final = 1024
WATCH_FIRST_SECONDS: Final = 0.25
WATCH_GROWTH: Final = 1.5

T = TypeVar("T")
_KEY = re.compile(r"[!-~]{1,255}")
_BEARER = re.compile(rf"[!-~]{{1,{MAX_TEXT_CHARS}}}")
_encode_json = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Item(Generic[T]):
    """One of many results."""

    value: T


Stream = Generator[Step | Item[T], Reply | None, None]
"""Like an ``Operation``, with results on the way: an ``Item`` is replied to with None."""


class Flow:
    """The operations, with the token that they use."""

    def __init__(self, token: str | None, timeout_seconds: float, retries: Retries) -> None:
        if not timeout_seconds > 0:
            raise InvalidInput.at("timeout_seconds", "must be more than 0")
        self.token = None if token is None else _sendable(token)
        self._timeout_seconds = timeout_seconds
        self._retries = retries

    def with_token(self, token: str | None) -> Flow:
        """The same operations with another token."""
        return Flow(token, self._timeout_seconds, self._retries)

    def login(self, email: str, password: str) -> Operation[LoginAnswer]:
        """Get a login token and use it from now on. Not tried again once it was sent: a login counts."""
        body = _body(LoginRequest(email, password))
        answer = yield from self._ask("POST", paths.LOGIN, LoginAnswer, body=body, again="unsent", bearer=False)
        self.token = _sendable(answer.token)
        return answer

    def logout(self) -> Operation[None]:
        """End the login token, and forget it. ``InvalidToken`` says that it was dead already."""
        yield from self._ask("POST", paths.LOGOUT, Message)
        self.token = None

    def me(self) -> Operation[MeAnswer]:
        """Who the token speaks for."""
        return (yield from self._ask("GET", paths.ME, MeAnswer))

    def create_pipeline(self, members: Mapping[str, Any]) -> Operation[dict[str, Any]]:
        """Register a pipeline, or change one's own; its uuid follows from ``id`` and ``components``.

        ``id``, ``name``, ``components`` and ``processing_levels`` are needed. Returns its members with ``uuid``.
        """
        body = _json(dict(members), "json")
        return (yield from self._ask("POST", paths.PIPELINES, dict[str, Any], body=body))

    def pipeline(self, uuid: str) -> Operation[dict[str, Any]]:
        """The members of a pipeline, with ``uuid``."""
        if not _is_segment(uuid):
            raise UnknownPipeline("There is no such pipeline.", uuid=uuid)
        return (yield from self._ask("GET", paths.fill(paths.PIPELINE, uuid=uuid), dict[str, Any]))

    def pipelines(self, *, after: str | None = None, limit: int | None = None) -> Operation[PipelineList]:
        """One page of pipelines, in order of creation; ``next`` of a page is the ``after`` of the one that follows."""
        return (yield from self._ask("GET", paths.PIPELINES, PipelineList, after=after, limit=limit))

    def iter_pipelines(self, *, limit: int | None = None) -> Stream[dict[str, Any]]:
        """All pipelines, ``limit`` a request."""
        after: str | None = None
        while True:
            page = yield from self.pipelines(after=after, limit=limit)
            yield from _items(page.pipelines)
            after = page.next
            if after is None:
                return

    def create_job(
        self,
        pipeline_uuid: str,
        data: Any = None,
        *,
        child_of: Iterable[str] = (),
        lifecycle: str = "pipeline",
        archive_path: str | None = None,
        session: str | None = None,
    ) -> Operation[Job]:
        """Make the job of these parameters, or find it again if it is one's own; ``token`` is its document token.

        ``data`` is a mapping (None counts as empty), or JSON text as ``msgspec.Raw``.
        """
        if isinstance(child_of, str):
            raise InvalidInput.at("json.child_of", "must be a list of texts")
        raw = Raw(_json({} if data is None else data, "json.data"))
        new = NewJob(pipeline_uuid, raw, list(child_of), lifecycle, archive_path, session)
        return (yield from self._ask("POST", paths.JOBS, Job, body=_body(new)))

    def job(self, uuid: str) -> Operation[Job]:
        """A job as it stands, with its ``data``."""
        return (yield from self._ask("GET", _of_job(paths.JOB, uuid), Job))

    def jobs(
        self,
        *,
        state: str | None = None,
        pipeline_uuid: str | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Operation[JobPage]:
        """One page of the jobs that the token may see; ``next`` of a page is the ``after`` of the one that follows."""
        return (
            yield from self._ask(
                "GET", paths.JOBS, JobPage, state=state, pipeline_uuid=pipeline_uuid, after=after, limit=limit
            )
        )

    def iter_jobs(
        self, *, state: str | None = None, pipeline_uuid: str | None = None, limit: int | None = None
    ) -> Stream[Job]:
        """All jobs that the token may see, ``limit`` a request."""
        after: str | None = None
        while True:
            page = yield from self.jobs(state=state, pipeline_uuid=pipeline_uuid, after=after, limit=limit)
            yield from _items(page.jobs)
            after = page.next
            if after is None:
                return

    def history(self, uuid: str, *, after: int = 0, limit: int | None = None) -> Operation[EventPage]:
        """One page of a job's events above sequence ``after``; the first event has sequence 1."""
        return (yield from self._ask("GET", _of_job(paths.JOB_HISTORY, uuid), EventPage, after=after, limit=limit))

    def iter_history(self, uuid: str, *, after: int = 0, limit: int = HISTORY_PAGE) -> Stream[Event]:
        """All events of a job above sequence ``after``, ``limit`` a request."""
        following: int | None = after
        while following is not None:
            page = yield from self.history(uuid, after=following, limit=limit)
            yield from _items(page.events)
            following = page.next

    def watch(
        self,
        uuid: str,
        *,
        after: int = 0,
        until: Collection[str] = RESTING_STATES,
        interval_seconds: float = 5.0,
    ) -> Stream[Event]:
        """The events of a job above sequence ``after`` as they come, until it rests in a state of ``until``.

        An empty ``until`` watches for ever. It asks again after a quarter of a second, then ever less often while
        nothing happens, at least every ``interval_seconds``.
        """
        if not interval_seconds > 0:
            raise InvalidInput.at("interval_seconds", "must be more than 0")
        state: str | None = None
        pause = WATCH_FIRST_SECONDS
        while True:
            page = yield from self.history(uuid, after=after, limit=HISTORY_PAGE)
            for event in page.events:
                after, state, pause = event.sequence, event.state, WATCH_FIRST_SECONDS
                yield Item(event)
            if page.next is not None:
                continue
            if state is None:  # nothing came at all: it may have come to rest before
                state = (yield from self.job(uuid)).state
            if state in until:
                return
            yield Sleep(min(pause, interval_seconds))
            pause = min(pause * WATCH_GROWTH, interval_seconds)

    def send(
        self, uuid: str, name: str, data: Any = None, *, idempotency_key: str | None = None
    ) -> Operation[EventAnswer]:
        """Send event ``name`` to a job; when this returns, it is in the history, once.

        ``data`` is any value that JSON has, or JSON text as ``msgspec.Raw``. The same ``idempotency_key`` (1 to 255
        visible ASCII characters) again gives the first answer; without one, each call has a key of its own.
        """
        key = uuid4().hex if idempotency_key is None else idempotency_key
        if not _KEY.fullmatch(key):
            raise InvalidInput.at("header.Idempotency-Key", "must be 1 to 255 visible ASCII characters")
        body = _body(NewEvent(name, Raw(_json(data, "json.data"))))
        path = _of_job(paths.JOB_EVENTS, uuid)
        return (yield from self._ask("POST", path, EventAnswer, body=body, headers={"idempotency-key": key}))

    def verify(self, uuid: str) -> Operation[VerifyAnswer]:
        """Have the server check the chain of a job's history."""
        return (yield from self._ask("GET", _of_job(paths.JOB_VERIFY, uuid), VerifyAnswer))

    def health(self) -> Operation[Message]:
        """Return if a server answers. Not tried again: it is a probe."""
        return (yield from self._ask("GET", paths.HEALTH, Message, again="never", bearer=False))

    def ready(self) -> Operation[Message]:
        """Return if the server can record events now, else ``StoreUnavailable``. Not tried again: it is a probe."""
        return (yield from self._ask("GET", paths.READY, Message, again="never", bearer=False))

    def _ask(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        again: Again = "always",
        bearer: bool = True,
        **params: str | int | None,
    ) -> Operation[T]:
        """Send one request, with the token if ``bearer``, and read its answer as a ``kind``."""
        sent = {"accept": "application/json", "accept-encoding": "identity", **(headers or {})}
        if body is not None:
            sent["content-type"] = "application/json"
        if bearer and self.token is not None:
            sent["authorization"] = f"Bearer {self.token}"
        query = {name: _parameter(name, value) for name, value in params.items() if value is not None}
        request = Request(method, path, sent, body, query, again, self._timeout_seconds)
        return read((yield from exchange(request, self._retries)), kind)


def _items(values: Iterable[T]) -> Generator[Item[T], Reply | None, None]:
    for value in values:
        yield Item(value)


def _of_job(template: str, uuid: str) -> str:
    if not _is_segment(uuid):
        raise UnknownJob(uuid)
    return paths.fill(template, uuid=uuid)


def _is_segment(text: str) -> bool:
    """Whether ``text`` can be one segment of a path: nothing, dots and slashes would name another path."""
    return text not in ("", ".", "..") and "/" not in text and len(text) <= MAX_PARAMETER_CHARS


def _parameter(name: str, value: str | int) -> str:
    text = str(value)
    if len(text) > MAX_PARAMETER_CHARS or not text.isprintable():  # half a surrogate pair is not printable either
        raise InvalidInput.at(f"query.{name}", f"must be at most {MAX_PARAMETER_CHARS} printable characters")
    return text


def _sendable(token: str) -> str:
    """``token``, if a header can carry it; the error of the HTTP library would show it."""
    if not _BEARER.fullmatch(token):
        raise MalformedToken("The text is not a token.")
    return token


def _json(value: Any, field: str) -> bytes:
    """``value`` as JSON text; what JSON has not (NaN, dates, sets, circles) is ``InvalidInput``, never made to fit."""
    if isinstance(value, Raw):
        return bytes(value)
    return _encoded(lambda: _encode_json(value).encode(), field)


def _body(message: msgspec.Struct) -> bytes:
    return _encoded(lambda: msgspec.json.encode(message), "json")


def _encoded(encode: Callable[[], bytes], field: str) -> bytes:
    try:
        return encode()
    except (TypeError, ValueError, RecursionError):  # half a surrogate pair in a text is a ValueError too
        raise InvalidInput.at(field, "cannot be written as JSON") from None
