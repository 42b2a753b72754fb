"""People: make an account, log in, log out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from jobpass import ids
from jobpass.errors import InvalidInput, LoginFailed, RevokedToken
from jobpass.records import Credential, Principal, Role, Session
from jobpass.tokens.access import Access
from jobpass.tokens.mint import mint_credential

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.gate import Gate
    from jobpass.authority.passwords import Passwords
    from jobpass.clock import Clock
    from jobpass.ports import AccountStore, Randomness
    from jobpass.tokens.keyring import Keyring

LOGIN_SECONDS = 12 * 3600
"""How long a login token lives: a working day, after NIST SP 800-63B-4 §2.1.3 (at most 30 days, as AAL1)."""
MAX_EMAIL_LENGTH = 254
"""Characters of an address, RFC 5321 §4.5.3.1.3 less the angle brackets."""


class LoggedIn(Struct, frozen=True):
    """A fresh login token with its record and owner."""

    token: str
    credential: Credential
    principal: Principal

    def __repr__(self) -> str:
        return f"LoggedIn(token=…, credential={self.credential!r})"


class Accounts:
    """Principals and their login tokens."""

    def __init__(
        self,
        store: AccountStore,
        gate: Gate,
        keyring: Keyring,
        passwords: Passwords,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._store = store
        self._gate = gate
        self._keyring = keyring
        self._passwords = passwords
        self._clock = clock
        self._randomness = randomness

    async def create(self, email: str, password: str, role: Role) -> Principal:
        """A new account; ``InvalidInput`` for an address or password that cannot be, ``AlreadyExists`` if taken.

        It is the installation that calls this (``jobpass init``), not a bearer.
        """
        address = _address(email)
        return await self._store.add_principal(address, role, await self._passwords.hash(password), self._clock.now())

    async def login(self, email: str, password: str) -> LoggedIn:
        """A login token for the right password; ``LoginFailed`` after the same work for anything else."""
        login = await self._store.find_login(email.strip().lower())
        fits = await self._passwords.check(password, login.password_hash if login else None)
        if login is None or not fits or not login.principal.active:
            raise LoginFailed("Unknown address or wrong password.")
        at = self._clock.now()
        credential = Credential(
            id=ids.credential_id(self._randomness(16)),
            kind="login",
            owner=login.principal.id,
            label="login",
            issued_at=at,
            expires_at=at + timedelta(seconds=LOGIN_SECONDS),
        )
        credential = await self._store.add_credential(credential)
        return LoggedIn(mint_credential(self._keyring, "login", credential.id), credential, login.principal)

    async def logout(self, bearer: Bearer) -> None:
        """End the login token that is presented; it is dead when this returns."""
        at = self._clock.now()
        self._gate.admit(bearer, Access("account.logout", at, address=bearer.address))
        if bearer.session is None:
            raise RevokedToken("The token has no record.")
        await self._store.revoke_credential(bearer.session.credential.id, at)

    async def me(self, bearer: Bearer) -> Session:
        """Who the token speaks for, with its record."""
        self._gate.admit(bearer, Access("account.read", self._clock.now(), address=bearer.address))
        if bearer.session is None:
            raise RevokedToken("The token has no record.")
        return bearer.session


def _address(email: str) -> str:
    """The address as it is stored; ``InvalidInput`` if it cannot be one (one ``@``, something on both sides)."""
    address = email.strip().lower()
    local, at, domain = address.partition("@")
    printable = address.isprintable() and " " not in address
    if not (local and at and domain) or "@" in domain or len(address) > MAX_EMAIL_LENGTH or not printable:
        raise InvalidInput.at("json.email", "is not an e-mail address")
    return address
