"""Issuing: a token's text, and its record."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jobpass import ids
from jobpass.errors import RevokedToken
from jobpass.records import Credential, Principal
from jobpass.tokens.mint import mint_credential

if TYPE_CHECKING:
    from jobpass.ports import AccountStore, Randomness
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
        issuer: Credential | None = None,
        **more: Any,
    ) -> Issued:
        """A token of ``owner``, asked for with ``issuer``, under ``caveats``; ``more`` are other members of the record.

        ``AlreadyExists`` for a label that is taken, unless it may be ``numbered``; ``InvalidInput`` for caveats that
        one token cannot hold; ``RevokedToken`` if ``issuer``, or the owner's account, ends at this very moment.
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
            issuer=None if issuer is None else issuer.id,
            **more,
        )
        made = await self._store.add_credential(credential, numbered=numbered)
        await expect_standing(self._store, made, issuer, at)
        return Issued(token, made, owner)


async def expect_standing(store: AccountStore, made: Credential, issuer: Credential | None, at: datetime) -> None:
    """Return if a credential that was just recorded stands, and what it was asked for with; before its text is given.

    Who ends all of a line, or of an account, ends what is recorded by then. What is recorded after that comes here: it
    ends, too, and ``RevokedToken`` is raised. The record itself is asked, since a session may be of a moment ago.
    """
    for one in (made,) if issuer is None else (made, issuer):
        found = await store.find_credential(one.number)
        if found is None or found.credential.revoked_at is not None or not found.principal.active:
            await store.end_credential(made.id, at, "deleted")
            raise RevokedToken("What the token was asked for with has ended.")
