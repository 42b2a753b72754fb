"""A data folder whose root key follows from a secret: made on the spot, and opened for one account."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jobpass.authority.accounts import LOGIN_SECONDS
from jobpass.authority.adoption import Adoption
from jobpass.authority.audit import follows
from jobpass.authority.secret import admin_key_id
from jobpass.clock import Clock, SystemClock
from jobpass.compose.folder import (
    DATABASE,
    KEYRING,
    alone,
    has_keyring,
    is_initialised,
    make_folder,
    read_keyring,
    read_lifecycles,
    write_private,
)
from jobpass.compose.installation import make_database, open_database
from jobpass.compose.stores import expect_file
from jobpass.errors import SetupError, StoreUnavailable
from jobpass.records import NO_LINK
from jobpass.settings import KEYRING_VARIABLE, Settings, environment, load
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.token import ADMIN_KEY_PREFIX

if TYPE_CHECKING:
    from jobpass.authority.authority import Authority
    from jobpass.authority.issuing import Issued
    from jobpass.compose.installation import Installation

log = logging.getLogger("jobpass.inprocess")

LIFE: Final = timedelta(seconds=LOGIN_SECONDS)


class Entrance(NamedTuple):
    """How a folder is entered: by which secret, for whom, with which text as the environment's admin key."""

    secret: str
    account: str | None = None
    admin_key: str | None = None

    def __repr__(self) -> str:
        return f"Entrance(secret=…, account={self.account!r}, admin_key=…)"


class OwnSession:
    """The log-ins of a client that speaks for an account of its own installation.

    A new one is made when half of the present one's life is over.
    """

    def __init__(self, authority: Authority, account: str, clock: Clock) -> None:
        self._authority = authority
        self._account = account
        self._clock = clock
        self._logins: list[Issued] = []
        self._renew_at: datetime | None = None
        self._renewing = threading.Lock()

    async def begin(self) -> None:
        """Log in; ``LoginFailed`` if the account is disabled."""
        login = await self._authority.accounts.login_in_process(self._account)
        begun = login.credential.issued_at
        # The one before may be on its way in a request; what is older has ended by itself.
        self._logins = [*(one for one in self._logins if begun < one.credential.issued_at + LIFE), login]
        self._renew_at = begun + LIFE / 2

    def token(self, run: Callable[[Callable[[], Coroutine[Any, Any, None]]], None]) -> str:
        """The token to use now; ``run`` carries out a coroutine where the authority lives. For any thread."""
        if self._renew_at is None or self._clock.now() >= self._renew_at:
            with self._renewing:
                if self._renew_at is None or self._clock.now() >= self._renew_at:
                    run(self.begin)
        return self._logins[-1].token

    async def end(self) -> None:
        """End what has not ended by itself."""
        try:
            for login in self._logins:
                await self._authority.accounts.end(login)
        except StoreUnavailable as error:  # nobody has the tokens any more, and they end by themselves
            log.warning("a log-in was not ended: %s", error.message)


class Opened(NamedTuple):
    """What was entered; the session only if an account was named."""

    authority: Authority
    session: OwnSession | None


@asynccontextmanager
async def enter(
    folder: Path, entrance: Entrance, environ: Mapping[str, str] | None = None, clock: Clock | None = None
) -> AsyncIterator[Opened]:
    """The authority over the folder, which is made if there is no database in it.

    Raises ``KeyringError`` for a weak secret, ``SetupError`` for a folder that was made with another one.
    """
    given = environment() if environ is None else environ
    clock = clock or SystemClock()
    settings = load(given, data=folder).settings
    expect_file(settings, "a secret opens only a folder with a file of its own")
    if not is_initialised(folder):
        await _make(folder, entrance.secret, given)
    keyring = keyring_of(folder, entrance.secret, given)
    async with open_database(folder / DATABASE, keyring, read_lifecycles(folder), settings, clock) as opened:
        await expect_own(opened, keyring, folder)
        if entrance.admin_key is not None:
            await _adopt(folder, opened, entrance, settings, clock)
        if entrance.account is None:
            yield Opened(opened.authority, None)
            return
        session = OwnSession(opened.authority, entrance.account, clock)
        await session.begin()
        try:
            yield Opened(opened.authority, session)
        finally:
            await session.end()


def keyring_of(folder: Path, secret: str, environ: Mapping[str, str]) -> Keyring:
    """The keyring of the secret, or the folder's (or of ``JOBPASS_KEYRING``) if there is one, which must hold its key.

    So root keys can be rotated as everywhere else.
    """
    derived = Keyring.from_secret(secret)
    if not has_keyring(folder, environ):
        return derived
    found = read_keyring(folder, environ)
    if not found.holds(derived):
        raise SetupError(f"{folder} was made with another secret, or its keyring has retired the key of this one.")
    return found


async def expect_own(opened: Installation, keyring: Keyring, folder: Path) -> None:
    """Raise ``SetupError`` unless the record begins with a link of this keyring."""
    first = (await opened.store.list_audit(limit=1)).items
    if not first or not follows(first[0], 0, NO_LINK, keyring.chain_key):
        raise SetupError(f"{folder} was made with another secret.")


async def _make(folder: Path, secret: str, environ: Mapping[str, str]) -> None:
    """Make the folder's database, unless somebody else does it at this moment."""
    keyring_of(folder, secret, environ)  # a secret or a keyring that cannot be leaves no folder behind
    make_folder(folder)
    with alone(folder):
        if not is_initialised(folder):
            await make_database(folder, keyring_of(folder, secret, environ))


async def _adopt(folder: Path, opened: Installation, entrance: Entrance, settings: Settings, clock: Clock) -> None:
    """Make the environment's admin key the one that is adopted; one that was reviewed (``jp_adk_…``) needs none."""
    authority, text = opened.authority, entrance.admin_key
    reviewed = text is None or text.startswith(ADMIN_KEY_PREFIX)
    key_id = None if text is None or reviewed else admin_key_id(entrance.secret, text)
    kid = Keyring.from_secret(entrance.secret).signing_kid
    adoption = Adoption(opened.store, authority.accounts, authority.audit, kid, settings.admin_lifetime_seconds)
    if not await adoption.stands(key_id):
        with alone(folder):
            await adoption.adopt(key_id, clock.now())


async def write_derived_keyring(
    folder: Path,
    secret: str,
    operator: tuple[str, str] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
) -> bool:
    """Write the keyring of the secret into a folder that was made with it, for who serves it.

    ``operator``, an address and a password, becomes one if the folder has none; whether it did is returned. Raises
    ``SetupError`` if there is a keyring, or if the folder was made with another secret; then nothing changes.
    """
    given = environment() if environ is None else environ
    expect_file(load(given, data=folder).settings, "a secret opens only a folder with a file of its own")
    if not is_initialised(folder):
        raise SetupError(f"There is no Jobpass data in {folder}.")
    keyring = Keyring.from_secret(secret)
    with alone(folder):
        if has_keyring(folder, given):
            raise SetupError(f"There is a keyring in {folder} or in {KEYRING_VARIABLE}; nothing was changed.")
        settings = load(given, data=folder).settings
        async with open_database(folder / DATABASE, keyring, read_lifecycles(folder), settings) as opened:
            await expect_own(opened, keyring, folder)
            made = operator is not None and not await _has_operator(opened)
            if operator is not None and made:
                await opened.authority.accounts.create(*operator, "operator")
            write_private(folder / KEYRING, keyring.dump().encode())
            await opened.authority.audit.record("keys.written", subject=keyring.signing_kid)
    return made


async def _has_operator(opened: Installation) -> bool:
    after: str | None = None
    while True:
        page = await opened.store.list_principals(after=after, limit=1000)
        if any(principal.role == "operator" and principal.active for principal in page.items):
            return True
        after = page.next
        if after is None:
            return False
