"""Admin keys: ask, review, collect, revoke."""

from __future__ import annotations

import msgspec

from jobpass.server import present
from jobpass.server.body import read_told
from jobpass.server.call import Call
from jobpass.server.query import limit
from jobpass.wire.power import (
    AdminKeyAnswer,
    AdminKeyList,
    Approval,
    CollectedKey,
    Denial,
    LifetimeAnswer,
    NewAdminKey,
    Revocation,
)
from jobpass.wire.strict import decode

_new = msgspec.json.Decoder(NewAdminKey)
_approval = msgspec.json.Decoder(Approval)
_denial = msgspec.json.Decoder(Denial)
_revocation = msgspec.json.Decoder(Revocation)


async def request(call: Call) -> AdminKeyAnswer:
    """``POST /api/admin-keys``"""
    wanted = decode(await read_told(call), _new)
    key = await call.authority.admin_keys.request(
        call.bearer, wanted.use_case, wanted.storage, wanted.lifetime_seconds, wanted.scope
    )
    return present.admin_key(key)


async def list_keys(call: Call) -> AdminKeyList:
    """``GET /api/admin-keys``"""
    page = await call.authority.admin_keys.list(call.bearer, after=call.query.get("after"), limit=limit(call.query))
    return AdminKeyList([present.admin_key(key) for key in page.items], page.next)


async def lifetime(call: Call) -> LifetimeAnswer:
    """``GET /api/admin-keys/lifetime``: for every token that opens anything."""
    call.authority.admit(call.bearer, "jobs.read")
    return LifetimeAnswer(call.authority.admin_keys.lifetime_seconds)


async def show(call: Call) -> AdminKeyAnswer:
    """``GET /api/admin-keys/{id}``"""
    return present.admin_key(await call.authority.admin_keys.read(call.bearer, call.id))


async def change(call: Call) -> AdminKeyAnswer:
    """``PUT /api/admin-keys/{id}``"""
    wanted = decode(await read_told(call), _new)
    key = await call.authority.admin_keys.change(
        call.bearer, call.id, wanted.use_case, wanted.storage, wanted.lifetime_seconds, wanted.scope
    )
    return present.admin_key(key)


async def approve(call: Call) -> AdminKeyAnswer:
    """``POST /api/admin-keys/{id}/approve``"""
    approval = decode(await read_told(call), _approval)
    return present.admin_key(await call.authority.admin_keys.approve(call.bearer, call.id, approval.request_hash))


async def deny(call: Call) -> AdminKeyAnswer:
    """``POST /api/admin-keys/{id}/deny``"""
    denial = decode(await read_told(call), _denial)
    return present.admin_key(await call.authority.admin_keys.deny(call.bearer, call.id, denial.reason))


async def collect(call: Call) -> CollectedKey:
    """``POST /api/admin-keys/{id}/collect``"""
    return CollectedKey(await call.authority.admin_keys.collect(call.bearer, call.id))


async def revoke(call: Call) -> AdminKeyAnswer:
    """``POST /api/admin-keys/{id}/revoke``: the body may be absent."""
    body = await read_told(call)
    revocation = decode(body, _revocation) if body else Revocation()
    return present.admin_key(await call.authority.admin_keys.revoke(call.bearer, call.id, revocation.reason))
