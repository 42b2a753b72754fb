"""The audit chains in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from jobpass.ports import Placement, Places
from jobpass.records import AuditEntry, Page
from jobpass.stores.listing import AUDIT_FILTERS, followed, read_cursor
from jobpass.stores.postgres.codecs import packed_all
from jobpass.stores.postgres.noting import AUDIT, append
from jobpass.stores.postgres.part import Part, filtered
from jobpass.stores.postgres.queries import QUERIES
from jobpass.stores.rows.audit import audit_from
from jobpass.stores.rows.columns import micro

FILTERS: Final = AUDIT_FILTERS | {"credentials": " AND credential = ANY(:credentials::text[])"}


class AuditChains(Part):
    """``ports.AuditStore``."""

    async def append_audit(self, node: str, place: Places) -> None:
        """As ``ports.AuditStore``."""
        await self._write(lambda connection: append(connection, Placement(node, place)), AUDIT)

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
            "after": read_cursor(after, await self._newest(AUDIT)),
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
