"""Jobs: make, list, show, move by events, and check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

from jobpass.authority.resetting import READY, RESET
from jobpass.errors import InvalidInput, UnknownJob
from jobpass.ids import parse_uuid
from jobpass.records import RELATIONS, Details
from jobpass.server import present
from jobpass.server.body import read_body
from jobpass.server.call import Call
from jobpass.server.query import MAX_SEQUENCE, integer, limit
from jobpass.wire.messages import (
    EventAnswer,
    HistoryPage,
    JobAnswer,
    JobList,
    NewJob,
    ResetRequest,
    VerifyAnswer,
)
from jobpass.wire.power import DeletedAnswer, RotateRequest, TokenAnswer
from jobpass.wire.strict import decode, decode_event, to_python

if TYPE_CHECKING:
    from jobpass.records import Event

KEY: Final = "header.Idempotency-Key"

PAGE_BYTES: Final = 8 * 1024 * 1024
"""A page of a history ends before it has more data than this, after one event at least."""
SLICE: Final = 50
"""Events that are read at once for a page, so that a page of large ones is not in memory before it is cut."""

_new_job = msgspec.json.Decoder(NewJob)
_rotate = msgspec.json.Decoder(RotateRequest)
_reset = msgspec.json.Decoder(ResetRequest)
_uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_key = re.compile(rb"[\x21-\x7e]{1,255}")


async def create(call: Call) -> JobAnswer:
    """``POST /api/pipelinejobs``"""
    wanted = decode(await read_body(call), _new_job)
    data = bytes(wanted.data)
    made = await call.authority.jobs.create(
        call.bearer,
        wanted.pipeline_uuid,
        data,
        _members(data),
        child_of=tuple(wanted.child_of),
        lifecycle=wanted.lifecycle,
        archive_path=wanted.archive_path,
        session=wanted.session,
        archive_system=wanted.archive_system,
        details=_details(wanted),
        uuid=wanted.uuid,
        make_archive_path=wanted.make_archive_path,
    )
    return present.found(made, call.authority.lifecycles, made.token)


async def list_jobs(call: Call) -> JobList:
    """``GET /api/pipelinejobs``"""
    query = call.query
    pipeline_uuid = query.get("pipeline_uuid")
    if pipeline_uuid is not None:
        parse_uuid(pipeline_uuid, "query.pipeline_uuid")
    page = await call.authority.jobs.list(
        call.bearer,
        state=query.get("state"),
        pipeline_uuid=pipeline_uuid,
        links={relation: query[relation] for relation in RELATIONS if relation in query},
        after=query.get("after"),
        limit=limit(query),
    )
    return JobList([present.job(job, call.authority.lifecycles) for job in page.items], page.next)


async def show(call: Call) -> JobAnswer:
    """``GET /api/pipelinejobs/{uuid}``"""
    return present.found(await call.authority.jobs.read(call.bearer, job_uuid(call)), call.authority.lifecycles)


async def history(call: Call) -> HistoryPage:
    """``GET /api/pipelinejobs/{uuid}/history``"""
    after = integer(call.query, "after", 0, 0, MAX_SEQUENCE)
    count, uuid = limit(call.query), job_uuid(call)
    events: list[Event] = []
    size = 0
    while True:
        wanted = min(SLICE, count - len(events))
        found = await call.authority.jobs.history(call.bearer, uuid, after, wanted)
        for event in found:
            size += len(event.data)
            if size > PAGE_BYTES and events:
                return present.history(events, more=True)
            events.append(event)
        if len(found) < wanted or len(events) == count:
            return present.history(events, more=len(events) == count)
        after = events[-1].sequence


async def verify(call: Call) -> VerifyAnswer:
    """``GET /api/pipelinejobs/{uuid}/verify``"""
    return present.verified(*await call.authority.jobs.verify(call.bearer, job_uuid(call)))


async def submit_event(call: Call) -> EventAnswer:
    """``POST /api/pipelinejobs/{uuid}/events``"""
    uuid, key = job_uuid(call), idempotency_key(call)
    event = decode_event(await read_body(call))
    bearer = call.bearer
    outcome = await call.authority.jobs.submit_event(bearer, uuid, event.name, bytes(event.data), key)
    call.counters.accepted(event.name)
    return present.accepted(uuid, outcome, call.text if bearer.verified.kind == "document" else None)


async def reset(call: Call) -> EventAnswer:
    """``POST /api/pipelinejobs/{uuid}/reset``: the body may be absent."""
    uuid, key, body = job_uuid(call), idempotency_key(call), await read_body(call)
    wanted = decode(body, _reset) if body else ResetRequest()
    outcome = await call.authority.jobs.reset(
        call.bearer, uuid, bytes(wanted.data), key, no_clear_path=wanted.no_clear_path
    )
    for name in (RESET, READY):
        call.counters.accepted(name)
    return present.accepted(uuid, outcome, None)


async def cancel(call: Call) -> DeletedAnswer:
    """``POST /api/pipelinejobs/{uuid}/cancel``"""
    job = await call.authority.jobs.cancel(call.bearer, job_uuid(call))
    return DeletedAnswer(job.uuid, deleted=True)


async def token(call: Call) -> TokenAnswer:
    """``POST /api/pipelinejobs/{uuid}/token``"""
    return TokenAnswer(await call.authority.jobs.token(call.bearer, job_uuid(call)))


async def rotate(call: Call) -> TokenAnswer:
    """``POST /api/pipelinejobs/{uuid}/token/rotate``: the body may be absent."""
    body = await read_body(call)
    wanted = decode(body, _rotate) if body else RotateRequest()
    return TokenAnswer(await call.authority.jobs.rotate(call.bearer, job_uuid(call), wanted.grace_seconds))


async def delete(call: Call) -> DeletedAnswer:
    """``DELETE /api/pipelinejobs/{uuid}``"""
    job = await call.authority.jobs.delete(call.bearer, job_uuid(call))
    return DeletedAnswer(job.uuid, deleted=True)


def _details(wanted: NewJob) -> Details:
    given = {name: getattr(wanted, name) for name in ("archive_patterns", "product_patterns", "attributes")}
    return Details(
        generated_by=tuple(wanted.generated_by),
        acted_on=tuple(wanted.acted_on),
        acted_using=tuple(wanted.acted_using),
        **{name: bytes(value) for name, value in given.items() if value is not msgspec.UNSET},
    )


def job_uuid(call: Call) -> str:
    """The uuid in the path; what cannot be one is a job that nobody knows."""
    if _uuid.fullmatch(call.id) is None:
        raise UnknownJob(call.id[:64])
    return call.id


def idempotency_key(call: Call) -> str | None:
    """The header ``Idempotency-Key``; ``InvalidInput`` if it cannot be one."""
    values = call.header_values(b"idempotency-key")
    if not values:
        return None
    if len(values) > 1:
        raise InvalidInput.at(KEY, "comes twice")
    if _key.fullmatch(values[0]) is None:
        raise InvalidInput.at(KEY, "must be 1 to 255 visible ASCII characters")
    return values[0].decode("ascii")


def _members(data: bytes) -> dict[str, Any]:
    members = to_python(data, "json.data")
    if not isinstance(members, dict):
        raise InvalidInput.at("json.data", "must be an object")
    return members
