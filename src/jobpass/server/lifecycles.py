"""Lifecycles as data."""

from __future__ import annotations

from jobpass.server import present
from jobpass.server.call import Call
from jobpass.wire.power import LifecycleList


async def list_lifecycles(call: Call) -> LifecycleList:
    """``GET /api/lifecycles``: for every token that opens anything."""
    call.authority.admit(call.bearer, "jobs.read")
    return LifecycleList([present.lifecycle(one) for one in call.authority.lifecycles])
