"""Pipelines: register, list, show."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from jobpass.errors import UnknownPipeline
from jobpass.ids import MAX_DEPTH
from jobpass.server import present
from jobpass.server.body import read_body
from jobpass.server.call import Call
from jobpass.server.query import limit
from jobpass.wire.strict import BODY, decode, to_python

_object = msgspec.json.Decoder(dict[str, Raw])


async def put(call: Call) -> Raw:
    """``POST /api/pipelines``: every member is kept as it came."""
    body = await read_body(call)
    members = decode(body, _object, MAX_DEPTH)
    if members.pop("uuid", None) is not None:  # it is told beside the body, not in it
        stored = msgspec.json.encode(members)
    else:
        stored = body.strip()
    pipeline = await call.authority.pipelines.put(call.bearer, stored, to_python(body, BODY))
    return present.pipeline(pipeline)


async def list_pipelines(call: Call) -> Raw:
    """``GET /api/pipelines``"""
    page = await call.authority.pipelines.list(call.bearer, after=call.query.get("after"), limit=limit(call.query))
    return present.pipelines(page)


async def show(call: Call) -> Raw:
    """``GET /api/pipelines/{uuid}``"""
    if len(call.id) != 36 or not call.id.isascii():
        raise UnknownPipeline("There is no such pipeline.", uuid=call.id[:64])
    return present.pipeline(await call.authority.pipelines.read(call.bearer, call.id))
