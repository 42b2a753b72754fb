"""Principals in SQLite, and what is done to all credentials of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import apsw

from jobpass.clock import to_microseconds
from jobpass.ports import Ends, Note
from jobpass.records import Login, Page, Principal, Profile, Renewal, Role
from jobpass.stores.listing import page, read_cursor
from jobpass.stores.rows.accounts import principal_from, principal_row, profile_text
from jobpass.stores.rows.columns import micro
from jobpass.stores.rules import address_taken, check_replacement, unknown_principal
from jobpass.stores.sqlite.part import Part, array
from jobpass.stores.sqlite.queries import QUERIES


class Accounts(Part):
    """The principals of ``ports.AccountStore``."""

    async def add_principal(
        self,
        email: str,
        role: Role,
        password_hash: str,
        at: datetime,
        profile: Profile = Profile(),  # noqa: B008 - a frozen value
        *,
        active: bool = True,
        note: Note[Principal] | None = None,
    ) -> Principal:
        """As ``ports.AccountStore``."""
        bindings = (email, role, active, to_microseconds(at), password_hash, profile_text(profile))

        def add(cursor: apsw.Cursor) -> Principal:
            number = cursor.execute(QUERIES["add_principal"], bindings).get
            if number is None:
                raise address_taken()
            return Principal(number, email, role, active, at, profile)

        return await self._write(add, note=note)

    async def find_login(self, email: str) -> Login | None:
        """As ``ports.AccountStore``."""
        row = self._one("find_login", email)
        return None if row is None else Login(principal_from(row[:-1]), row[-1])

    async def find_principal(self, principal_id: int) -> Principal | None:
        """As ``ports.AccountStore``."""
        row = self._one("find_principal", principal_id)
        return None if row is None else principal_from(row)

    async def list_principals(self, *, after: str | None, limit: int) -> Page[Principal]:
        """As ``ports.AccountStore``."""
        start = read_cursor(after, self._newest("newest_principal"))
        return page(self._rows(QUERIES["list_principals"], (start, limit + 1)), limit, principal_from)

    async def disabled_with_waiting(self, limit: int) -> list[int]:
        """As ``ports.AccountStore``; in a thread."""
        return [row[0] for row in await self._rows_aside(QUERIES["disabled_with_waiting"], {"limit": limit})]

    async def change_principal(
        self,
        principal_id: int,
        change: Callable[[Principal], Principal],
        password_hash: str | None = None,
        *,
        ends: Ends | None = None,
        note: Note[Renewal] | None = None,
    ) -> Renewal:
        """As ``ports.AccountStore``."""

        def put(cursor: apsw.Cursor) -> Renewal:
            standing = standing_principal(cursor, principal_id)
            changed = change(standing)
            check_replacement(changed, standing)
            if cursor.execute(QUERIES["change_principal"], principal_row(changed, password_hash)).get is None:
                raise address_taken()
            return Renewal(standing, changed, _end_owned(cursor, standing, changed, ends))

        return await self._write(put, note=note, changes_sessions=True)

    async def note_uses(self, uses: Mapping[str, tuple[int, datetime]]) -> None:
        """As ``ports.AccountStore``."""
        bindings = [(count, to_microseconds(at), name) for name, (count, at) in uses.items()]
        if bindings:
            await self._write(lambda cursor: cursor.executemany(QUERIES["note_uses"], bindings), changes_sessions=True)

    async def count_kids(self, at: datetime | None = None) -> dict[str, int]:
        """As ``ports.AccountStore``."""
        bindings = {"at": micro(at)}
        return dict(await self._rows_aside(QUERIES["count_kids"], bindings))


def _end_owned(cursor: apsw.Cursor, before: Principal, after: Principal, ends: Ends | None) -> int:
    """End what is to end of the principal's credentials; how many lived until now."""
    if ends is None:
        return 0
    bindings = {"owner": after.id, "kinds": array(ends.kinds(before, after)), "at": to_microseconds(ends.at)}
    cursor.execute(QUERIES["revoke_owned"], bindings)
    revoked = cursor.connection.changes()
    cursor.execute(QUERIES["keep_ended"], bindings)
    return revoked


def standing_principal(cursor: apsw.Cursor, principal_id: int) -> Principal:
    """The principal as the transaction sees it; ``UnknownPrincipal`` if there is none."""
    row = cursor.execute(QUERIES["find_principal"], (principal_id,)).get
    if row is None:
        raise unknown_principal(principal_id)
    return principal_from(row)
