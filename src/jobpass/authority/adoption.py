"""The admin key of the environment: approved beforehand by whoever sets both it and the root's secret.

At most one is adopted at a time. What an operator has revoked is never adopted again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from jobpass.authority.admin_keys import request_hash
from jobpass.errors import AlreadyExists, UnknownCredential
from jobpass.records import AdminKey, Credential

if TYPE_CHECKING:
    from datetime import datetime

    from jobpass.authority.accounts import Accounts
    from jobpass.authority.audit import Audit
    from jobpass.ports import Placement, Store

OWNER: Final = "environment@localhost"
"""The account that an adopted key belongs to; it has no usable password."""
USE_CASE: Final = "the key of the environment"
STORAGE: Final = "the environment of the processes that open the installation with its secret"
REPLACED: Final = "another key of the environment took its place"
_PAGE: Final = 100


class Adoption:
    """Adopts admin keys. ``kid`` names the root key that they are made from."""

    def __init__(self, store: Store, accounts: Accounts, audit: Audit, kid: str, lifetime_seconds: int) -> None:
        self._store = store
        self._accounts = accounts
        self._audit = audit
        self._kid = kid
        self._lifetime_seconds = lifetime_seconds

    async def stands(self, key_id: str | None) -> bool:
        """Whether nothing is left to do: the key, if one is named, was adopted once, and no other one lives.

        A key that was revoked does nothing any more, not even end another.
        """
        known = None if key_id is None else await self._store.find_admin_key(key_id)
        if known is not None and known.state != "collected":
            return True
        return (key_id is None or known is not None) and not await self._others(key_id)

    async def adopt(self, key_id: str | None, at: datetime) -> None:
        """Adopt the key of this id, if one is named, and end the one before it; one process at a time."""
        if await self.stands(key_id):
            return
        if key_id is not None and await self._store.find_admin_key(key_id) is None:
            await self._add(key_id, at)
        for other in await self._others(key_id):
            await self._revoke(other, at)

    async def _others(self, key_id: str | None) -> list[AdminKey]:
        """The living adopted keys but this one."""
        owner = await self._store.find_login(OWNER)
        found: list[AdminKey] = []
        after: str | None = None
        while owner is not None:
            page = await self._store.list_admin_keys(requester=owner.principal.id, after=after, limit=_PAGE)
            found += [key for key in page.items if key.state == "collected" and key.id != key_id]
            after = page.next
            if after is None:
                break
        return found

    async def _add(self, key_id: str, at: datetime) -> None:
        owner = await self._accounts.ensure(OWNER)
        key = AdminKey(
            id=key_id,
            state="collected",
            requester=owner.id,
            use_case=USE_CASE,
            storage=STORAGE,
            lifetime_seconds=self._lifetime_seconds,
            scope=b"{}",
            request_hash="",
            requested_at=at,
            collected_at=at,
        )
        key = replace(key, request_hash=request_hash(key))
        credential = Credential(
            id=key_id, kind="admin", owner=owner.id, label=USE_CASE, issued_at=at, expires_at=None, kid=self._kid
        )
        with suppress(AlreadyExists):  # an earlier process ended between the two
            # Before the request: whoever finds that and revokes it finds this, too.
            await self._store.add_credential(credential)
        await self._store.add_admin_key(
            key,
            note=lambda one: self._audit.placement(
                "admin_key.adopted", principal=owner.id, subject=one.id, request_hash=one.request_hash
            ),
        )

    async def _revoke(self, key: AdminKey, at: datetime) -> None:
        def judge(standing: AdminKey | None) -> AdminKey:
            if standing is None:
                raise UnknownCredential("There is no such admin key.", id=key.id)
            if standing.state != "collected":  # an operator was faster, and said why
                return standing
            return replace(standing, state="revoked", revoked_at=at, reason=REPLACED)

        await self._store.end_credential(key.id, at)
        await self._store.change_admin_key(key.id, judge, note=self._replaced)

    def _replaced(self, key: AdminKey) -> Placement | None:
        if key.reason != REPLACED:
            return None
        return self._audit.placement("admin_key.revoked", principal=key.requester, subject=key.id, reason=REPLACED)
