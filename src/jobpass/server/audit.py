"""The audit, in pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from jobpass.errors import InvalidInput
from jobpass.server import present
from jobpass.server.call import Call
from jobpass.server.query import MAX_SEQUENCE, integer, limit
from jobpass.wire.power import AuditPage

_Time = Annotated[datetime, Meta(tz=True)]


async def page(call: Call) -> AuditPage:
    """``GET /api/audit``"""
    query = call.query
    principal = integer(query, "principal", 0, 0, MAX_SEQUENCE) if "principal" in query else None
    found = await call.authority.audit.page(
        call.bearer,
        name=query.get("name"),
        principal=principal,
        since=_time(query, "since"),
        until=_time(query, "until"),
        after=query.get("after"),
        limit=limit(query),
    )
    return AuditPage([present.audit_entry(entry) for entry in found.items], found.next)


def _time(query: Mapping[str, str], name: str) -> datetime | None:
    """A time of RFC 3339 with its offset; ``InvalidInput`` at ``query.<name>``."""
    text = query.get(name)
    if text is None:
        return None
    try:
        return msgspec.convert(text, _Time)
    except msgspec.ValidationError:
        problem = "must be a time such as 2026-11-22T12:00:00Z"
        raise InvalidInput.at(f"query.{name}", problem) from None
