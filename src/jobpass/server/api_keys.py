"""API keys: for operators, who hand them to workers."""

from __future__ import annotations

import msgspec

from jobpass.authority.api_keys import DEFAULT_SECONDS
from jobpass.errors import UnknownCredential
from jobpass.server import present_tokens as present
from jobpass.server.body import read_body
from jobpass.server.call import Call
from jobpass.server.query import OFFSET_MAX, boolean, integer, limit
from jobpass.wire.credentials import ApiKeyAnswer, ApiKeyList, DefaultResponse, NewApiKey
from jobpass.wire.strict import decode

_new = msgspec.json.Decoder(NewApiKey)


async def create(call: Call) -> ApiKeyAnswer:
    """``POST /api/apikeys``"""
    asked = decode(await read_body(call) or b"{}", _new)
    issued = await call.authority.api_keys.create(
        call.bearer,
        label=asked.label,
        platforms=None if asked.platforms is None else tuple(asked.platforms),
        duration_seconds=DEFAULT_SECONDS if asked.duration is None else asked.duration,
    )
    return present.api_key(issued.credential, call.authority.now(), issued.token)


async def list_keys(call: Call) -> ApiKeyList:
    """``GET /api/apikeys``"""
    offset, most = integer(call.query, "offset", 0, 0, OFFSET_MAX), limit(call.query)
    found = await call.authority.api_keys.list(
        call.bearer,
        expired=boolean(call.query, "include_expired"),
        revoked=boolean(call.query, "include_revoked"),
        offset=offset,
        limit=most + 1,
    )
    at = call.authority.now()
    keys = [present.api_key(session.credential, at) for session in found[:most]]
    return ApiKeyList(keys, offset + most if len(found) > most else None)


async def show(call: Call) -> ApiKeyAnswer:
    """``GET /api/apikeys/{id}``"""
    found = await call.authority.api_keys.show(call.bearer, _key_id(call))
    return present.api_key(found.credential, call.authority.now())


async def revoke(call: Call) -> ApiKeyAnswer:
    """``POST /api/apikeys/{id}/revoke``"""
    compromised = boolean(call.query, "compromised")
    found = await call.authority.api_keys.revoke(call.bearer, _key_id(call), compromised=compromised)
    return present.api_key(found.credential, call.authority.now())


async def reopen(call: Call) -> ApiKeyAnswer:
    """``POST /api/apikeys/{id}/reopen``"""
    found = await call.authority.api_keys.reopen(call.bearer, _key_id(call))
    return present.api_key(found.credential, call.authority.now())


async def delete(call: Call) -> DefaultResponse:
    """``DELETE /api/apikeys/{id}``"""
    await call.authority.api_keys.delete(call.bearer, _key_id(call))
    return DefaultResponse()


def _key_id(call: Call) -> int:
    return call.number(UnknownCredential, "API key")
