"""Principals in memory, and what needs which root key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from jobpass.ports import Ends, Note
from jobpass.records import WAITING, Login, Page, Principal, Profile, Renewal, Role
from jobpass.stores.listing import read_cursor
from jobpass.stores.memory.part import Part, page
from jobpass.stores.rules import address_taken, check_replacement, lives


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
        self._check_open()
        if self._login(email) is not None:
            raise address_taken()
        principal = Principal(len(self._logins) + 1, email, role, active, at, profile)
        self._logins[principal.id] = Login(self._note(note, principal), password_hash)
        return principal

    async def find_login(self, email: str) -> Login | None:
        """As ``ports.AccountStore``."""
        self._check_open()
        return self._login(email)

    async def find_principal(self, principal_id: int) -> Principal | None:
        """As ``ports.AccountStore``."""
        self._check_open()
        return self._logins[principal_id].principal if principal_id in self._logins else None

    async def list_principals(self, *, after: str | None, limit: int) -> Page[Principal]:
        """As ``ports.AccountStore``."""
        self._check_open()
        rows = ((number, login.principal) for number, login in self._logins.items())
        return page(rows, read_cursor(after, len(self._logins)), limit)

    async def disabled_with_waiting(self, limit: int) -> list[int]:
        """As ``ports.AccountStore``."""
        self._check_open()
        owners = {job.owner for _, job in self._jobs.values() if job.work is not None and job.state == WAITING}
        logins = [self._logins.get(owner) for owner in owners]
        found = [login.principal.id for login in logins if login is not None and not login.principal.active]
        return sorted(found)[:limit]

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
        self._check_open()
        standing = self._principal(principal_id)
        changed = change(standing)
        check_replacement(changed, standing)
        holder = self._login(changed.email)
        if holder is not None and holder.principal.id != principal_id:
            raise address_taken()
        kinds = () if ends is None else ends.kinds(standing, changed)
        owned = [one for one in self._credentials.values() if one.owner == principal_id and one.kind in kinds]
        living = [one for one in owned if ends is not None and lives(one, ends.at)]
        renewal = self._note(note, Renewal(standing, changed, len(living)))
        for one in living:
            assert ends is not None
            self._credentials[one.id] = replace(one, revoked_at=ends.at, ended_by="owner")
        for one in owned:
            if one.ended_by in ("revoked", "parent"):
                self._credentials[one.id] = replace(one, ended_by="owner")
        kept = self._logins[principal_id].password_hash
        self._logins[principal_id] = Login(changed, kept if password_hash is None else password_hash)
        return renewal

    async def count_kids(self, at: datetime | None = None) -> dict[str, int]:
        """As ``ports.AccountStore``."""
        self._check_open()
        needed = Counter(credential.kid for credential in self._credentials.values() if lives(credential, at))
        for _, job in self._jobs.values():
            kids = {job.kid}
            if job.previous_kid is not None and (at is None or job.previous_until is None or job.previous_until > at):
                kids.add(job.previous_kid)
            needed.update(kids)
        needed.update(one.kid for one in self._webhooks.values() if one.disabled_at is None)
        return dict(needed)

    def _login(self, email: str) -> Login | None:
        return next((login for login in self._logins.values() if login.principal.email == email), None)
