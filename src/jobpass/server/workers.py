"""Workers: they say that they are there and take jobs with an API key, and report with the token of the lease."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import UNSET

from jobpass.errors import Error, InvalidInput, UnknownJob
from jobpass.ids import is_uuid
from jobpass.server import present_work as present
from jobpass.server.bearer import identify_text
from jobpass.server.body import listened_to, read_body, read_told, streamed_body
from jobpass.server.call import Call, Streamed
from jobpass.server.query import integer
from jobpass.server.streaming import spliced
from jobpass.wire.compute import (
    CompletedJob,
    FailReport,
    Heartbeat,
    HeartbeatAnswer,
    NextAnswer,
    NextRequest,
    ProgressReport,
    ReportAnswer,
    RequeueReport,
)
from jobpass.wire.strict import decode

if TYPE_CHECKING:
    from msgspec import Raw

    from jobpass.tokens.token import Kind

MAX_SHOTS: Final = 2**53
LEASE_KINDS: Final[tuple[Kind, ...]] = ("document",)

_heartbeat = msgspec.json.Decoder(Heartbeat)
_next = msgspec.json.Decoder(NextRequest)
_progress = msgspec.json.Decoder(ProgressReport)
_fail = msgspec.json.Decoder(FailReport)
_requeue = msgspec.json.Decoder(RequeueReport)
_type = re.compile(r"[A-Za-z0-9_.-]{1,64}")


async def heartbeat(call: Call) -> HeartbeatAnswer:
    """``POST /api/workers/heartbeat``"""
    told = decode(await read_told(call), _heartbeat)
    seconds = await call.authority.workers.heartbeat(
        call.bearer,
        told.platform,
        None if told.specs is UNSET else bytes(told.specs),
        None if told.perfs is UNSET else bytes(told.perfs),
    )
    return HeartbeatAnswer(seconds)


async def next_job(call: Call) -> NextAnswer | Streamed:
    """``POST /api/workers/jobs/next``: the answer comes with a job, or after the time that was to be waited."""
    asked = decode(await read_body(call), _next)
    workers = call.authority.workers
    platforms = tuple(dict.fromkeys(asked.platforms))
    if asked.completed is not None:
        await _complete(call, asked.completed)
    async with listened_to(call) as there:
        try:
            leased = await workers.next(call.bearer, asked.worker_id, platforms, asked.wait_s, there)
        except Error:
            if asked.completed is None:
                raise
            leased = None  # that was taken: whoever asks again, for a job alone, is told
    if leased is None:
        return NextAnswer(None)
    call.counters.accepted("lease")
    return spliced(present.leased(leased, workers.lease_seconds), "payload", leased.payload, within="job")


async def _complete(call: Call, done: CompletedJob) -> None:
    """The results which come along with the wish for another job."""
    if not is_uuid(done.job_id):
        raise UnknownJob(done.job_id[:64])
    lease = await identify_text(call, done.token, LEASE_KINDS)
    kind = _word(done.results_type, "json.completed.results_type")
    most = call.limits.result_bytes
    await call.authority.workers.complete(lease, done.job_id, _whole(done.results), most, kind, done.shots)
    call.counters.accepted("complete")


async def progress(call: Call) -> ReportAnswer:
    """``POST /api/workers/jobs/{id}/progress``: the body may be absent."""
    body = await read_told(call)
    told = decode(body, _progress) if body else ProgressReport()
    intermediate = bytes(told.intermediate_result)
    workers = call.authority.workers
    job = await workers.progress(
        call.bearer,
        _uuid(call),
        told.progress,
        told.progress_message,
        None if intermediate == b"null" else intermediate,
    )
    return present.reported(job, workers.lease_seconds)


async def complete(call: Call) -> ReportAnswer:
    """``POST /api/workers/jobs/{id}/complete``: the body is the text of the results, whatever its size."""
    workers, uuid = call.authority.workers, _uuid(call)
    kind, shots = _results_type(call), _shots(call)
    await workers.standing(call.bearer, uuid)  # before a large body is read
    async with streamed_body(call) as pieces:
        job = await workers.complete(call.bearer, uuid, pieces, call.limits.result_bytes, kind, shots)
    call.counters.accepted("complete")
    return present.reported(job, workers.lease_seconds)


async def canceled(call: Call) -> ReportAnswer:
    """``POST /api/workers/jobs/{id}/canceled``: the body is what there was by then, if there was anything."""
    workers, uuid, kind = call.authority.workers, _uuid(call), _results_type(call)
    await workers.standing(call.bearer, uuid)
    async with streamed_body(call) as pieces:
        job = await workers.canceled(call.bearer, uuid, pieces, call.limits.result_bytes, kind)
    call.counters.accepted("canceled")
    return present.reported(job, workers.lease_seconds)


async def fail(call: Call) -> ReportAnswer:
    """``POST /api/workers/jobs/{id}/fail``: the body may be absent."""
    body = await read_told(call)
    told = decode(body, _fail) if body else FailReport()
    workers = call.authority.workers
    job = await workers.fail(call.bearer, _uuid(call), told.failure_code, told.message)
    call.counters.accepted("fail")
    return present.reported(job, workers.lease_seconds)


async def requeue(call: Call) -> ReportAnswer:
    """``POST /api/workers/jobs/{id}/requeue``: the body may be absent."""
    body = await read_told(call)
    told = decode(body, _requeue) if body else RequeueReport()
    workers = call.authority.workers
    job = await workers.requeue(call.bearer, _uuid(call), told.reason, counts=told.counts)
    call.counters.accepted("requeue")
    return present.reported(job, workers.lease_seconds)


def _uuid(call: Call) -> str:
    if not is_uuid(call.id):
        raise UnknownJob(call.id[:64])
    return call.id


async def _whole(text: Raw) -> AsyncGenerator[bytes, None]:
    yield bytes(text)


def _results_type(call: Call) -> str | None:
    return _word(call.query.get("results_type"), "query.results_type")


def _word(kind: str | None, field: str) -> str | None:
    if kind is not None and _type.fullmatch(kind) is None:
        raise InvalidInput.at(field, "must be a word of at most 64 characters")
    return kind


def _shots(call: Call) -> int | None:
    return integer(call.query, "shots", 0, 0, MAX_SHOTS) if "shots" in call.query else None
