"""The audit chains in memory."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from jobpass.ports import Placement, Places
from jobpass.records import AuditEntry, Page
from jobpass.stores.listing import read_cursor
from jobpass.stores.memory.part import Part


class AuditChains(Part):
    """``ports.AuditStore``."""

    async def append_audit(self, node: str, place: Places) -> None:
        """As ``ports.AuditStore``."""
        self._check_open()
        self._append(Placement(node, place))

    async def list_audit(
        self,
        *,
        node: str | None = None,
        name: str | None = None,
        principal: int | None = None,
        credentials: Collection[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[AuditEntry]:
        """As ``ports.AuditStore``."""
        self._check_open()
        start = read_cursor(after, len(self._audit))
        wanted = [
            (number, entry)
            for number, entry in enumerate(self._audit[start:], start + 1)
            if (node is None or entry.node == node)
            and (name is None or entry.name == name)
            and (principal is None or entry.principal == principal)
            and (credentials is None or entry.credential in credentials)
            and (since is None or entry.at >= since)
            and (until is None or entry.at < until)
        ][:limit]
        return Page([entry for _, entry in wanted], str(wanted[-1][0]) if wanted else None)

    async def audit_nodes(self) -> list[str]:
        """As ``ports.AuditStore``."""
        self._check_open()
        return sorted({entry.node for entry in self._audit})
