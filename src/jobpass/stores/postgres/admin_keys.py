"""Requests for administrative power in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobpass.ports import Note
from jobpass.records import AdminKey, Page
from jobpass.stores.listing import ADMIN_KEY_FILTERS, page, read_cursor
from jobpass.stores.postgres.accounts import standing_principal
from jobpass.stores.postgres.part import Part, filtered
from jobpass.stores.postgres.statements import one, run, take
from jobpass.stores.rows.admin_keys import admin_key_from, admin_key_row
from jobpass.stores.rules import check_replacement, id_taken


class AdminKeys(Part):
    """``ports.AdminKeyStore``."""

    async def add_admin_key(self, key: AdminKey, *, note: Note[AdminKey] | None = None) -> None:
        """As ``ports.AdminKeyStore``."""

        async def add(connection: Any) -> AdminKey:
            await standing_principal(connection, key.requester)
            if await one(connection, "has_admin_key", key.id) is not None:
                raise id_taken("An admin key")
            await run(connection, "add_admin_key", await take(connection, "admin_key"), *admin_key_row(key))
            return key

        await self._write(add, "admin_key", note=note)

    async def find_admin_key(self, key_id: str) -> AdminKey | None:
        """As ``ports.AdminKeyStore``."""
        row = await self._one("find_admin_key", key_id)
        return None if row is None else admin_key_from(row[1:])

    async def list_admin_keys(self, *, requester: int | None, after: str | None, limit: int) -> Page[AdminKey]:
        """As ``ports.AdminKeyStore``."""
        start = read_cursor(after, await self._newest("admin_key"))
        values = {"requester": requester, "after": start, "limit": limit + 1}
        return page(
            await self._named(filtered("list_admin_keys", ADMIN_KEY_FILTERS, values), values), limit, admin_key_from
        )

    async def change_admin_key(
        self, key_id: str, judge: Callable[[AdminKey | None], AdminKey], *, note: Note[AdminKey] | None = None
    ) -> AdminKey:
        """As ``ports.AdminKeyStore``."""

        async def put(connection: Any) -> AdminKey:
            row = await one(connection, "hold_admin_key", key_id)
            standing = None if row is None else admin_key_from(row[1:])
            changed = judge(standing)
            check_replacement(changed, standing)
            assert row is not None
            await run(connection, "change_admin_key", *admin_key_row(changed)[1:], row[0])
            return changed

        return await self._write(put, note=note)
