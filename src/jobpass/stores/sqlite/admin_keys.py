"""Requests for administrative power in SQLite."""

from __future__ import annotations

from collections.abc import Callable

import apsw

from jobpass.ports import Note
from jobpass.records import AdminKey, Page
from jobpass.stores.listing import ADMIN_KEY_FILTERS, page, read_cursor
from jobpass.stores.rows.admin_keys import admin_key_from, admin_key_row
from jobpass.stores.rules import check_replacement, id_taken
from jobpass.stores.sqlite.accounts import standing_principal
from jobpass.stores.sqlite.part import Part, filtered
from jobpass.stores.sqlite.queries import QUERIES


class AdminKeys(Part):
    """``ports.AdminKeyStore``."""

    async def add_admin_key(self, key: AdminKey, *, note: Note[AdminKey] | None = None) -> None:
        """As ``ports.AdminKeyStore``."""

        def add(cursor: apsw.Cursor) -> AdminKey:
            standing_principal(cursor, key.requester)
            if cursor.execute(QUERIES["add_admin_key"], admin_key_row(key)).get is None:
                raise id_taken("An admin key")
            return key

        await self._write(add, note=note)

    async def find_admin_key(self, key_id: str) -> AdminKey | None:
        """As ``ports.AdminKeyStore``."""
        row = self._one("find_admin_key", key_id)
        return None if row is None else admin_key_from(row[1:])

    async def list_admin_keys(self, *, requester: int | None, after: str | None, limit: int) -> Page[AdminKey]:
        """As ``ports.AdminKeyStore``."""
        start = read_cursor(after, self._newest("newest_admin_key"))
        values = {"requester": requester, "after": start, "limit": limit + 1}
        return page(self._rows(filtered("list_admin_keys", ADMIN_KEY_FILTERS, values), values), limit, admin_key_from)

    async def change_admin_key(
        self, key_id: str, judge: Callable[[AdminKey | None], AdminKey], *, note: Note[AdminKey] | None = None
    ) -> AdminKey:
        """As ``ports.AdminKeyStore``."""

        def put(cursor: apsw.Cursor) -> AdminKey:
            row = cursor.execute(QUERIES["find_admin_key"], (key_id,)).get
            standing = None if row is None else admin_key_from(row[1:])
            changed = judge(standing)
            check_replacement(changed, standing)
            cursor.execute(QUERIES["change_admin_key"], (*admin_key_row(changed)[1:], row[0]))
            return changed

        return await self._write(put, note=note)
