"""Principals and credentials in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from jobpass.records import Credential, Login, Page, Principal, Role, Session
from jobpass.stores.memory.part import Part, page
from jobpass.stores.rules import address_taken, check_replacement, id_taken, read_cursor


class Accounts(Part):
    """``ports.AccountStore``."""

    def __init__(self) -> None:
        super().__init__()
        self._credentials: dict[str, Credential] = {}

    async def add_principal(self, email: str, role: Role, password_hash: str, at: datetime) -> Principal:
        """As ``ports.AccountStore``."""
        self._check_open()
        if self._login(email) is not None:
            raise address_taken()
        principal = Principal(len(self._logins) + 1, email, role, True, at)
        self._logins[principal.id] = Login(principal, password_hash)
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

    async def change_principal(
        self, principal_id: int, change: Callable[[Principal], Principal], password_hash: str | None = None
    ) -> Principal:
        """As ``ports.AccountStore``."""
        self._check_open()
        standing = self._principal(principal_id)
        changed = change(standing)
        check_replacement(changed, standing)
        holder = self._login(changed.email)
        if holder is not None and holder.principal.id != principal_id:
            raise address_taken()
        kept = self._logins[principal_id].password_hash
        self._logins[principal_id] = Login(changed, kept if password_hash is None else password_hash)
        return changed

    async def add_credential(self, credential: Credential) -> Credential:
        """As ``ports.AccountStore``."""
        self._check_open()
        self._principal(credential.owner)
        if credential.id in self._credentials:
            raise id_taken("A credential")
        recorded = replace(credential, number=len(self._credentials) + 1)
        self._credentials[credential.id] = recorded
        return recorded

    async def find_session(self, credential_id: str) -> Session | None:
        """As ``ports.AccountStore``."""
        self._check_open()
        credential = self._credentials.get(credential_id)
        if credential is None:
            return None
        line = self._line(credential)
        ended = replace(
            credential,
            expires_at=_earliest(member.expires_at for member in line),
            revoked_at=_earliest(member.revoked_at for member in line),
        )
        return Session(ended, self._principal(credential.owner))

    async def revoke_credential(self, credential_id: str, at: datetime) -> bool:
        """As ``ports.AccountStore``."""
        self._check_open()
        credential = self._credentials.get(credential_id)
        if credential is None or credential.revoked_at is not None:
            return False
        self._credentials[credential_id] = replace(credential, revoked_at=at)
        return True

    async def revoke_owned(self, principal_id: int, kinds: Collection[str], at: datetime) -> int:
        """As ``ports.AccountStore``."""
        self._check_open()
        ending = [
            credential
            for credential in self._credentials.values()
            if credential.owner == principal_id and credential.kind in kinds and _lives(credential, at)
        ]
        for credential in ending:
            self._credentials[credential.id] = replace(credential, revoked_at=at)
        return len(ending)

    async def note_uses(self, uses: Mapping[str, tuple[int, datetime]]) -> None:
        """As ``ports.AccountStore``."""
        self._check_open()
        for name, (count, at) in uses.items():
            if name in self._credentials:
                credential = self._credentials[name]
                last = max(credential.last_used_at or at, at)
                self._credentials[name] = replace(credential, uses=credential.uses + count, last_used_at=last)

    async def count_kids(self, at: datetime | None = None) -> dict[str, int]:
        """As ``ports.AccountStore``."""
        self._check_open()
        needed = Counter(credential.kid for credential in self._credentials.values() if _lives(credential, at))
        for _, job in self._jobs.values():
            kids = {job.kid}
            if job.previous_kid is not None and (at is None or job.previous_until is None or job.previous_until > at):
                kids.add(job.previous_kid)
            needed.update(kids)
        needed.update(one.kid for one in self._webhooks.values() if one.disabled_at is None)
        return dict(needed)

    def _login(self, email: str) -> Login | None:
        return next((login for login in self._logins.values() if login.principal.email == email), None)

    def _line(self, credential: Credential) -> list[Credential]:
        """The credential and its ancestors, as far as they are recorded."""
        line = {credential.id: credential}
        while (parent := credential.parent) in self._credentials and parent not in line:
            credential = line[parent] = self._credentials[parent]
        return list(line.values())


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _lives(credential: Credential, at: datetime | None) -> bool:
    """Whether the credential was neither revoked nor, by ``at``, expired; None: time ends nothing."""
    if credential.revoked_at is not None:
        return False
    return at is None or credential.expires_at is None or credential.expires_at > at
