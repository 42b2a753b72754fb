"""Principals in PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from jobpass.clock import to_microseconds
from jobpass.ports import Ends, Note
from jobpass.records import Login, Page, Principal, Profile, Renewal, Role
from jobpass.stores.listing import page, read_cursor
from jobpass.stores.postgres.codecs import packed_all
from jobpass.stores.postgres.part import Part
from jobpass.stores.postgres.queries import QUERIES
from jobpass.stores.postgres.statements import one, run, run_named, take
from jobpass.stores.rows.accounts import principal_from, principal_row, profile_text
from jobpass.stores.rows.columns import micro
from jobpass.stores.rules import address_taken, check_replacement, unknown_principal


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
        words = (email, role, active, to_microseconds(at), password_hash, profile_text(profile))

        async def add(connection: Any) -> Principal:
            if await one(connection, "has_address", email, 0) is not None:
                raise address_taken()
            number = await take(connection, "principal")
            await run(connection, "add_principal", number, *words)
            return Principal(number, email, role, active, at, profile)

        return await self._write(add, "principal", note=note)

    async def find_login(self, email: str) -> Login | None:
        """As ``ports.AccountStore``."""
        row = await self._one("find_login", email)
        return None if row is None else Login(principal_from(row[:-1]), row[-1])

    async def find_principal(self, principal_id: int) -> Principal | None:
        """As ``ports.AccountStore``."""
        row = await self._one("find_principal", principal_id)
        return None if row is None else principal_from(row)

    async def list_principals(self, *, after: str | None, limit: int) -> Page[Principal]:
        """As ``ports.AccountStore``."""
        start = read_cursor(after, await self._newest("principal"))
        return page(await self._rows(QUERIES["list_principals"], start, limit + 1), limit, principal_from)

    async def disabled_with_waiting(self, limit: int) -> list[int]:
        """As ``ports.AccountStore``."""
        return [row[0] for row in await self._rows(QUERIES["disabled_with_waiting"], limit)]

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

        async def put(connection: Any) -> Renewal:
            standing = await standing_principal(connection, principal_id, "hold_principal")
            changed = change(standing)
            check_replacement(changed, standing)
            if await one(connection, "has_address", changed.email, principal_id) is not None:
                raise address_taken()
            await run_named(connection, "change_principal", principal_row(changed, password_hash))
            return Renewal(standing, changed, await _end_owned(connection, standing, changed, ends))

        counters = ("principal",) if ends is None else ("principal", "credential")
        return await self._write(put, *counters, note=note, changes_sessions=True)

    async def count_kids(self, at: datetime | None = None) -> dict[str, int]:
        """As ``ports.AccountStore``."""
        bindings = {"at": micro(at)}
        return {row[0]: row[1] for row in await self._named(QUERIES["count_kids"], bindings)}


async def _end_owned(connection: Any, before: Principal, after: Principal, ends: Ends | None) -> int:
    """End what is to end of the principal's credentials; how many lived until now."""
    if ends is None:
        return 0
    kinds = packed_all(ends.kinds(before, after))
    bindings = {"owner": after.id, "kinds": kinds, "at": to_microseconds(ends.at)}
    row = await run_named(connection, "revoke_owned", bindings)
    await run_named(connection, "keep_ended", bindings)
    return 0 if row is None else int(row[0])


async def standing_principal(connection: Any, principal_id: int, query: str = "find_principal") -> Principal:
    """The principal as the transaction sees it; ``UnknownPrincipal`` if there is none."""
    row = await one(connection, query, principal_id)
    if row is None:
        raise unknown_principal(principal_id)
    return principal_from(row)


def uses_columns(uses: Mapping[str, tuple[int, datetime]]) -> tuple[list[str | None], list[int], list[int]]:
    """The bindings of ``note_uses``, in the order of the ids, so that two who note uses do not wait for each other."""
    noted = sorted(uses.items())
    counts = [count for _, (count, _) in noted]
    return packed_all(name for name, _ in noted), counts, [to_microseconds(at) for _, (_, at) in noted]
