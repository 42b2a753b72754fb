"""The audit chains in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final

from jobpass.records import NO_LINK, AuditEntry, Page
from jobpass.stores.listing import AUDIT_FILTERS, followed, read_cursor
from jobpass.stores.postgres.codecs import packed_all
from jobpass.stores.postgres.part import Part, filtered
from jobpass.stores.postgres.queries import QUERIES
from jobpass.stores.postgres.statements import many, one, take
from jobpass.stores.rows.audit import audit_from, audit_row
from jobpass.stores.rows.columns import micro
from jobpass.stores.rules import check_placed

FILTERS: Final = AUDIT_FILTERS | {"credentials": " AND credential = ANY(:credentials::text[])"}


class AuditChains(Part):
    """``ports.AuditStore``."""

    async def append_audit(self, node: str, place: Callable[[int, bytes], list[AuditEntry]]) -> None:
        """As ``ports.AuditStore``; whoever holds the counter is the only one who appends."""

        async def append(connection: Any) -> None:
            sequence, link = await one(connection, "audit_head", node) or (0, NO_LINK)
            entries = place(sequence, link)
            check_placed(entries, node, sequence)
            if entries:
                first = await take(connection, "audit", len(entries))
                numbered = [(number, *audit_row(entry)) for number, entry in enumerate(entries, first)]
                await many(connection, "insert_audit", numbered)

        await self._write(append, "audit")

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
            "credentials": None if credentials is None else packed_all(credentials),
            "since": micro(since),
            "until": micro(until),
            "after": read_cursor(after, await self._newest("audit")),
            "limit": limit,
        }
        if since is not None and after is None:
            # What comes before is passed over by the index; a page with a cursor begins late enough.
            first = (await self._named(QUERIES["first_audit"], values))[0][0]
            if first is None:
                return Page([], None)
            values["after"] = first - 1
        rows = await self._named(filtered("list_audit", FILTERS, values), values)
        return followed(rows, audit_from)

    async def audit_nodes(self) -> list[str]:
        """As ``ports.AuditStore``."""
        return [row[0] for row in await self._rows(QUERIES["audit_nodes"])]
