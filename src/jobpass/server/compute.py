"""Compute jobs: the handlers of ``/api/jobs``, which are those of the older paths too, and of a platform's details."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET

from jobpass.authority.submissions import Asked
from jobpass.errors import InvalidInput, UnknownJob
from jobpass.ids import is_uuid
from jobpass.server import present_work as present
from jobpass.server.body import read_told
from jobpass.server.call import Call, Streamed
from jobpass.server.jobs import idempotency_key
from jobpass.server.query import MAX_SEQUENCE, OFFSET_MAX, integer, limit, moment
from jobpass.server.streaming import spliced
from jobpass.wire.compute import (
    WAIT_SECONDS,
    ComputeJobList,
    JobAvailability,
    JobCreate,
    JobId,
    JobResult,
    JobStatus,
    RerunJob,
)
from jobpass.wire.credentials import DefaultResponse
from jobpass.wire.strict import decode

if TYPE_CHECKING:
    from msgspec import Raw

BESIDE_BYTES: Final = 64 * 1024
"""What the members beside the payload may have together."""
LAST_EVENT: Final = "header.Last-Event-ID"

_create = msgspec.json.Decoder(JobCreate)
_rerun = msgspec.json.Decoder(RerunJob)


async def create(call: Call) -> JobId:
    """``POST /api/jobs``"""
    key = idempotency_key(call)
    call.body_limit_bytes = call.limits.payload_bytes + BESIDE_BYTES
    asked = decode(await read_told(call), _create)
    wanted = Asked(
        payload=_payload(call, asked.payload),
        name=asked.job_name,
        platform=asked.platform_name,
        platform_id=asked.platform_id,
        group=asked.job_group_name,
        process_id=asked.process_id,
        pcvl_version=asked.pcvl_version,
        max_duration_seconds=asked.max_duration,
    )
    job = await call.authority.submissions.submit(call.bearer, wanted, key)
    call.counters.accepted("create")
    return JobId(job.uuid)


async def rerun(call: Call) -> JobId:
    """``POST /api/jobs/{id}/rerun``: the body may be absent."""
    call.body_limit_bytes = call.limits.payload_bytes + BESIDE_BYTES
    body = await read_told(call)
    asked = decode(body, _rerun) if body else RerunJob()
    job = await call.authority.submissions.rerun(
        call.bearer,
        _uuid(call),
        name=asked.job_name,
        payload=None if asked.payload is UNSET or bytes(asked.payload) == b"null" else _payload(call, asked.payload),
        platform_id=asked.platform_id,
    )
    call.counters.accepted("create")
    return JobId(job.uuid)


async def status(call: Call) -> JobStatus:
    """``GET /api/jobs/{id}/status``: the answer may come when the job has ended, or a little later."""
    job = await call.authority.compute.status(call.bearer, _uuid(call), call.limits.hold_seconds)
    return present.status(job, call.authority.now())


async def result(call: Call) -> JobResult | Streamed:
    """``GET /api/jobs/{id}/result``"""
    job, results = await call.authority.compute.results(call.bearer, _uuid(call))
    answer = present.result(job, call.authority.now())
    return answer if results is None else spliced(answer, "results", results, text=True)


async def data(call: Call) -> Streamed:
    """``GET /api/jobs/{id}/data``"""
    job, payload = await call.authority.compute.payload(call.bearer, _uuid(call))
    return spliced(present.data(job, call.authority.now()), "payload", payload)


async def cancel(call: Call) -> DefaultResponse:
    """``POST /api/jobs/{id}/cancel``"""
    await call.authority.compute.cancel(call.bearer, _uuid(call))
    call.counters.accepted("cancel")
    return DefaultResponse()


async def list_jobs(call: Call) -> ComputeJobList:
    """``GET /api/jobs``"""
    query = {name: value for name, value in call.query.items() if value != ""}
    page = await call.authority.compute.list(
        call.bearer,
        user_id=integer(query, "user_id", 0, 0, OFFSET_MAX) if "user_id" in query else None,
        state=query.get("status"),
        platform=query.get("platform_name"),
        group=query.get("job_group_name"),
        since=moment(query, "since"),
        until=moment(query, "until"),
        after=query.get("after"),
        limit=limit(query),
    )
    at = call.authority.now()
    return ComputeJobList([present.listed(job, at) for job in page.items], page.next)


async def availability(call: Call) -> JobAvailability:
    """``GET /api/jobs/availability``"""
    return present.availability(await call.authority.compute.availability(call.bearer))


async def events(call: Call) -> Streamed:
    """``GET /api/jobs/{id}/events``: from the beginning, or behind the event that ``Last-Event-ID`` names.

    With ``wait`` it ends after those that are there, or the first that come within so many seconds.
    """
    wait = integer(call.query, "wait", 0, 0, WAIT_SECONDS) if "wait" in call.query else None
    if call.body is not None and wait is None:
        wait = 0  # an answer to this process comes as a whole
    found = await call.authority.compute.listen(call.bearer, _uuid(call), _last_event(call), wait_seconds=wait)
    return Streamed(present.event_stream(found, live=wait is None), b"text/event-stream")


def _payload(call: Call, raw: Raw) -> bytes:
    payload, most = bytes(raw), call.limits.payload_bytes
    if payload[:1] != b"{":
        raise InvalidInput.at("json.payload", "must be an object")
    if len(payload) > most:
        raise InvalidInput.at("json.payload", f"must have at most {most} bytes")
    return payload


def _uuid(call: Call) -> str:
    """The uuid in the path; what cannot be one is a job that nobody knows."""
    if not is_uuid(call.id):
        raise UnknownJob(call.id[:64])
    return call.id


def _last_event(call: Call) -> int:
    values = call.header_values(b"last-event-id")
    if not values:
        return 0
    text = values[0].decode("latin-1")
    if len(values) > 1 or not (text.isascii() and text.isdecimal()) or len(text) > 19 or int(text) > MAX_SEQUENCE:
        raise InvalidInput.at(LAST_EVENT, "must be the id of an event")
    return int(text)
