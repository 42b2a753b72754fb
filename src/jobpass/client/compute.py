"""The operations about compute jobs: send them to a platform's queue, see how they stand, have their results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from msgspec import Raw

from jobpass.client.asking import Asking, Stream, items, of_job, pages, path_of, to_body, to_json
from jobpass.client.exchange import Operation
from jobpass.client.results import ComputeData, ComputeResult, ComputeStatus, Event, PlatformDetails, read
from jobpass.errors import InvalidInput, NotFound, UnexpectedAnswer
from jobpass.wire import paths
from jobpass.wire.compute import ComputeJobList, JobAvailability, JobCreate, JobId, JobListed, RerunJob
from jobpass.wire.credentials import DefaultResponse

WATCH_SECONDS: Final = 8
"""How long one request waits for the next event of a job, well within the client's own patience."""
FINAL: Final = ("completed", "canceled", "error")


class Compute(Asking):
    """Jobs in the queue of a platform."""

    def submit(
        self,
        platform: str,
        payload: Mapping[str, Any] | Raw,
        *,
        name: str = "",
        group: str | None = None,
        max_duration_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> Operation[str]:
        """Put a job into the queue of a platform; its id. ``payload`` is an object, or JSON text as ``msgspec.Raw``.

        The same ``idempotency_key`` again gives the same job; without one each call has a key of its own. Raises
        ``UnknownPlatform``, ``InvalidInput`` for what the platform does not do, ``LimitExceeded`` if the queue has
        enough jobs of one's own.
        """
        new = JobCreate(
            job_name=name,
            payload=Raw(to_json(payload if isinstance(payload, Raw) else dict(payload), "json.payload")),
            platform_name=platform,
            job_group_name=group,
            max_duration=max_duration_seconds,
        )
        headers = {"idempotency-key": uuid4().hex if idempotency_key is None else idempotency_key}
        answer = yield from self._ask("POST", paths.COMPUTE_JOBS, JobId, body=to_body(new), headers=headers)
        return answer.job_id

    def compute_status(self, job_id: str) -> Operation[ComputeStatus]:
        """How a job stands; the server may take two seconds to answer, in which the job may end."""
        return (yield from self._ask("GET", of_job(paths.COMPUTE_STATUS, job_id), ComputeStatus))

    def compute_result(self, job_id: str) -> Operation[ComputeResult]:
        """The results of a job; there are none of one that has failed or was canceled, unless it left some."""
        return (yield from self._ask("GET", of_job(paths.COMPUTE_RESULT, job_id), ComputeResult))

    def compute_data(self, job_id: str) -> Operation[ComputeData]:
        """What was sent, with its payload."""
        return (yield from self._ask("GET", of_job(paths.COMPUTE_DATA, job_id), ComputeData))

    def cancel_compute(self, job_id: str) -> Operation[None]:
        """Ask for a job to be stopped; ``Conflict`` if it has ended."""
        yield from self._ask("POST", of_job(paths.COMPUTE_CANCEL, job_id), DefaultResponse)

    def rerun(
        self, job_id: str, *, name: str | None = None, payload: Mapping[str, Any] | Raw | None = None
    ) -> Operation[str]:
        """Put a job like this one, which has ended, into the queue; its id. What is given is another one than before.

        Not tried again once it was sent: it would be one job more.
        """
        if payload is None:
            asked = RerunJob(name)
        else:
            given = payload if isinstance(payload, Raw) else dict(payload)
            asked = RerunJob(name, Raw(to_json(given, "json.payload")))
        path = of_job(paths.COMPUTE_RERUN, job_id)
        return (yield from self._ask("POST", path, JobId, body=to_body(asked), again="unsent")).job_id

    def compute_jobs(
        self,
        *,
        status: str | None = None,
        platform: str | None = None,
        group: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        user_id: int | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Operation[ComputeJobList]:
        """One page of one's own jobs in order of creation, for an operator everybody's or ``user_id``'s; made from
        ``since`` on and before ``until``. ``next`` of a page is the ``after`` of the one that follows."""
        return (
            yield from self._ask(
                "GET",
                paths.COMPUTE_JOBS,
                ComputeJobList,
                status=status,
                platform_name=platform,
                job_group_name=group,
                since=_moment("since", since),
                until=_moment("until", until),
                user_id=user_id,
                after=after,
                limit=limit,
            )
        )

    def iter_compute_jobs(
        self,
        *,
        status: str | None = None,
        platform: str | None = None,
        group: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        user_id: int | None = None,
        limit: int | None = None,
    ) -> Stream[JobListed]:
        """All such jobs, ``limit`` a request; what is given is as of ``compute_jobs``."""
        return pages(
            lambda after: self.compute_jobs(
                status=status,
                platform=platform,
                group=group,
                since=since,
                until=until,
                user_id=user_id,
                after=after,
                limit=limit,
            ),
            lambda page: page.jobs,
        )

    def availability(self) -> Operation[JobAvailability]:
        """How many jobs one may have in the queue and with workers, and has."""
        return (yield from self._ask("GET", paths.COMPUTE_AVAILABILITY, JobAvailability))

    def platform_details(self, name: str) -> Operation[PlatformDetails]:
        """What a platform can do."""
        path = path_of(paths.PLATFORM_PROCESSOR, name, NotFound, "platform", by="name")
        return (yield from self._ask("GET", path, PlatformDetails))

    def watch_compute(self, job_id: str, *, after: int = 0) -> Stream[Event]:
        """The events of a compute job above sequence ``after`` as they happen, until it has ended; the server tells
        them at once."""
        path, ended = of_job(paths.COMPUTE_EVENTS, job_id), False
        while True:
            body = yield from self._fetch(
                "GET",
                path,
                headers={"accept": "text/event-stream", "last-event-id": str(after)},
                timeout_seconds=WATCH_SECONDS + self._timeout_seconds,
                wait=0 if ended else WATCH_SECONDS,
            )
            came = list(events_of(body))
            yield from items(came)
            if ended or (came and came[-1].state in FINAL):
                return
            if came:
                after = came[-1].sequence
            else:
                ended = yield from self._has_ended(job_id)

    def _has_ended(self, job_id: str) -> Operation[bool]:
        """Whether the job has ended, of which no event came for a while."""
        page = yield from self.compute_status(job_id)
        return page.status in FINAL


def events_of(stream: bytes) -> Iterator[Event]:
    """The events of a job in server-sent events (HTML Living Standard §9.2); ``UnexpectedAnswer`` if it broke off."""
    for block in stream.split(b"\n\n"):
        fields = dict(line.partition(b": ")[::2] for line in block.split(b"\n") if not line.startswith(b":"))
        name, data = fields.get(b"event"), fields.get(b"data")
        if name == b"problem":
            code = json.loads(data or b"{}").get("code")
            raise UnexpectedAnswer(f"The server told no more of the job: {code}.", status=200)
        if name is not None and name != b"end":
            yield read(data or b"", Event)


def _moment(name: str, at: datetime | None) -> str | None:
    if at is not None and at.tzinfo is None:
        raise InvalidInput.at(f"query.{name}", "must have an offset from UTC")
    return None if at is None else at.isoformat()
