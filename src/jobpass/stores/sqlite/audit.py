"""The audit chains in SQLite."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from jobpass.ports import Placement, Places
from jobpass.records import AuditEntry, Page
from jobpass.stores.listing import AUDIT_FILTERS, followed, read_cursor
from jobpass.stores.rows.audit import audit_from
from jobpass.stores.rows.columns import micro
from jobpass.stores.sqlite.noting import append
from jobpass.stores.sqlite.part import Part, array, filtered
from jobpass.stores.sqlite.queries import QUERIES

FILTERS: Final = AUDIT_FILTERS | {"credentials": " AND credential IN (SELECT value FROM json_each(:credentials))"}


class AuditChains(Part):
    """``ports.AuditStore``."""

    async def append_audit(self, node: str, place: Places) -> None:
        """As ``ports.AuditStore``."""
        await self._write(lambda cursor: append(cursor, Placement(node, place)))

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
        values = {
            "node": node,
            "name": name,
            "principal": principal,
            "credentials": None if credentials is None else array(credentials),
            "since": micro(since),
            "until": micro(until),
            "after": read_cursor(after, self._newest("newest_audit")),
            "limit": limit,
        }
        if since is not None and after is None:
            # What comes before is passed over by the index; a page with a cursor begins late enough.
            first = (await self._rows_aside(QUERIES["first_audit"], values))[0][0]
            if first is None:
                return Page([], None)
            values["after"] = first - 1
        rows = await self._rows_aside(filtered("list_audit", FILTERS, values), values)
        return followed(rows, audit_from)

    async def audit_nodes(self) -> list[str]:
        """As ``ports.AuditStore``."""
        return [row[0] for row in self._rows(QUERIES["audit_nodes"], ())]
