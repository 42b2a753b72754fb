"""Callbacks: the ticket is in the path, what happened in the query or in the body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Raw

from jobpass.errors import InvalidInput, UnknownEvent
from jobpass.ids import MAX_DEPTH
from jobpass.server import present
from jobpass.server.body import FORM, form_members, read_body
from jobpass.wire.callbacks import AGAVE_EVENTS
from jobpass.wire.problems import scrub
from jobpass.wire.strict import decode

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.server.call import Call
    from jobpass.wire.messages import EventAnswer

BODY_LIMIT_BYTES: Final = 64 * 1024
"""What the body of a callback may have, where the server's own limit is not smaller."""

Members = dict[str, Raw]

_members = msgspec.json.Decoder(Members)
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode
_event_name = re.compile(r"[a-z][a-z_]{0,63}")


async def by_get(call: Call) -> EventAnswer:
    """``GET /api/callbacks/{ticket}``: all is in the query."""
    return await _take(call, await _identify(call), {}, "query")


async def by_post(call: Call) -> EventAnswer:
    """``POST /api/callbacks/{ticket}``: what the query tells counts before what the body does."""
    bearer = await _identify(call)
    call.body_limit_bytes = min(call.body_limit_bytes, BODY_LIMIT_BYTES)
    if any(FORM.encode() in value.lower() for value in call.header_values(b"content-type")):
        return await _take(call, bearer, _raw(form_members(await read_body(call, FORM))), "form")
    body = await read_body(call)
    return await _take(call, bearer, decode(body, _members, MAX_DEPTH) if body else {}, "json")


async def _identify(call: Call) -> Bearer:
    """Who calls. The ticket is nothing but a ticket: from here on the call shows the job in its place."""
    ticket, call.id = call.id, ""
    call.presented = await call.authority.callbacks.identify(ticket, call.address)
    call.id = call.presented.verified.job_uuid or ""
    return call.presented


async def _take(call: Call, bearer: Bearer, body: Members, place: str) -> EventAnswer:
    query = _raw(call.query)
    name = _event(query, "query") or _event(body, place)
    if name is None:
        raise InvalidInput.at(f"{place}.status", "is required, or event")
    data = body | query
    data.pop("event", None)
    outcome = await call.authority.callbacks.submit(bearer, name, scrub(_encode(data)))
    call.counters.accepted(name)
    return present.accepted(call.id, outcome, None)


def _event(members: Members, place: str) -> str | None:
    """The event that is told, if one is; ``InvalidInput`` for a status that is not known, or if both are told."""
    if "event" in members and "status" in members:
        raise InvalidInput.at(f"{place}.event", "and status cannot both be told")
    if "status" in members:
        event = AGAVE_EVENTS.get(_read(members, "status", place))
        if event is None:
            raise InvalidInput.at(f"{place}.status", "is not a status that is known here")
        return event
    if "event" not in members:
        return None
    name = _read(members, "event", place)
    if _event_name.fullmatch(name) is None:
        raise UnknownEvent(name)
    return name


def _read(members: Members, name: str, place: str) -> str:
    try:
        return _text.decode(members[name])
    except msgspec.ValidationError:
        raise InvalidInput.at(f"{place}.{name}", "must be a text") from None


def _raw(texts: Mapping[str, str]) -> Members:
    return {name: Raw(_encode(text)) for name, text in texts.items()}
