"""Issuing: a token's text, and its record."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from jobpass import ids
from jobpass.records import Credential, Principal, Terms
from jobpass.tokens.mint import mint_credential

if TYPE_CHECKING:
    from jobpass.ports import AccountStore, Note, Randomness
    from jobpass.tokens.caveats import Caveat
    from jobpass.tokens.keyring import Keyring
    from jobpass.tokens.token import Kind


class Issued(Struct, frozen=True):
    """A fresh token with its record and owner; the text is kept nowhere."""

    token: str
    credential: Credential
    principal: Principal

    def __repr__(self) -> str:
        return f"Issued(token=…, credential={self.credential!r})"


class Issuing:
    """Mints and records the tokens that have a record of their own."""

    def __init__(self, store: AccountStore, keyring: Keyring, randomness: Randomness) -> None:
        self._store = store
        self._keyring = keyring
        self._randomness = randomness

    async def issue(
        self,
        kind: Kind,
        owner: Principal,
        label: str,
        at: datetime,
        expires_at: datetime,
        caveats: Iterable[Caveat] = (),
        *,
        numbered: bool = False,
        password_hash: str | None = None,
        note: Note[Credential],
        priority: int = 0,
        parent: str | None = None,
        issuer: str | None = None,
        terms: Terms = Terms(),  # noqa: B008 - a frozen value
    ) -> Issued:
        """A token of ``owner``, under ``caveats``; ``note`` is what the audit is told of its record.

        ``AlreadyExists`` for a label that is taken, unless it may be ``numbered``; ``InvalidInput`` for caveats that
        one token cannot hold; ``RevokedToken`` as ``ports.AccountStore.add_credential``, which is given
        ``password_hash``.
        """
        kid = self._keyring.signing_kid
        credential_id = ids.credential_id(self._randomness(16))
        # The text first: what cannot be one is not recorded.
        token = mint_credential(self._keyring, kind, credential_id, caveats, kid)
        credential = Credential(
            credential_id,
            kind,
            owner.id,
            label,
            at,
            expires_at,
            kid=kid,
            priority=priority,
            parent=parent,
            issuer=issuer,
            terms=terms,
        )
        made = await self._store.add_credential(credential, numbered=numbered, password_hash=password_hash, note=note)
        return Issued(token, made, owner)
