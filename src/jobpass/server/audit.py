"""The audit, in pages."""

from __future__ import annotations

from jobpass.server import present
from jobpass.server.call import Call
from jobpass.server.query import MAX_SEQUENCE, integer, limit, moment
from jobpass.wire.power import AuditPage


async def page(call: Call) -> AuditPage:
    """``GET /api/audit``"""
    query = call.query
    principal = integer(query, "principal", 0, 0, MAX_SEQUENCE) if "principal" in query else None
    found = await call.authority.audit.page(
        call.bearer,
        name=query.get("name"),
        principal=principal,
        since=moment(query, "since"),
        until=moment(query, "until"),
        after=query.get("after"),
        limit=limit(query),
    )
    return AuditPage([present.audit_entry(entry) for entry in found.items], found.next)
