"""A client that works in this process, without a server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jobpass.authority.passwords import Passwords
from jobpass.compose.folder import DATABASE, new_keyring
from jobpass.compose.installation import DEFAULT_EMAIL, join, make_password, open_authority
from jobpass.compose.secret import Entrance, OwnSession, enter
from jobpass.compose.serving import make_app
from jobpass.errors import InvalidInput, StoreUnavailable
from jobpass.lifecycle.standard import STANDARD
from jobpass.settings import Settings, environment, load

if TYPE_CHECKING:
    from jobpass.authority.authority import Authority
    from jobpass.client.asking import Bearer
    from jobpass.client.inprocess import InProcess
    from jobpass.client.inprocess_call import App
    from jobpass.client.sync import Client

log = logging.getLogger("jobpass.inprocess")

TEND_SECONDS: Final = 1.0

_HERE: Final = "http://localhost"
"""The base URL of a client that asks no server: nothing resolves it."""


def open(  # noqa: A001
    url: str,
    token: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    secret: str | None = None,
    account: str | None = None,
    admin_key: str | None = None,
) -> Client:
    """A client that works in this process, without a server; close it when done.

    ``sqlite://PATH`` names a data folder (``sqlite:///srv/jobs`` is absolute, ``sqlite://jobs`` relative) or the
    database in it; its ``token`` is one of its own, or comes with ``client.login``. ``memory:`` is an installation of
    its own that ends with the client, whose operator is logged in. Raises ``InvalidInput`` for another URL and
    ``SetupError`` for a folder that cannot be used.

    With ``secret``, a random text of at least 16 characters, the root key follows from it: the folder needs no keyring,
    and is made on the spot if it has no database. Who holds the root key **is** the installation, and is asked for no
    password: the client speaks for ``account`` (an address), which is made as an author if it is missing; its log-in
    ends with the client. ``admin_key``, any text of at least 16 characters, is then the one admin key that is approved
    beforehand (``derive_admin_key``); the one before it is revoked, and one that was revoked stays so. Raises
    ``KeyringError`` for a weak secret, ``SetupError`` for a folder made with another one, ``LoginFailed`` for a
    disabled account.
    """
    entrance = _entrance(secret, account, admin_key)
    if entrance is not None and account is not None and token is not None:
        raise InvalidInput.at("token", "cannot be given with an account, which gets its own")
    if url == "memory:":
        if token is not None:
            raise InvalidInput.at("token", "cannot belong to an installation that does not exist yet")
        if entrance is not None:
            raise InvalidInput.at("secret", "is for a folder: nothing in memory is opened again")
        return _in_memory()
    scheme, _, place = url.partition("://")
    if scheme != "sqlite" or not place:
        raise InvalidInput.at("url", "must be like sqlite:///path/to/data or memory:")
    folder = Path(place)
    if folder.name == DATABASE:
        folder = folder.parent
    if entrance is None:
        settings = _settings_of(folder, environ)
        channel = _channel(lambda: _app_of(folder, environ), waits=settings.store is not None)
        return _client_of(channel, token, settings.public_url)
    return _with_secret(folder, entrance, token, environ)


def _entrance(secret: str | None, account: str | None, admin_key: str | None) -> Entrance | None:
    if secret is not None:
        return Entrance(secret, account, admin_key)
    for name, value in (("account", account), ("admin_key", admin_key)):
        if value is not None:
            raise InvalidInput.at(name, "is for an installation that is opened with its secret")
    return None


def _channel(lifespan: Callable[[], AbstractAsyncContextManager[App]], *, waits: bool = False) -> InProcess:
    import uvloop

    from jobpass.client.inprocess import InProcess

    return InProcess(lifespan, loop_factory=uvloop.new_event_loop, waits=waits)


def _client_of(channel: InProcess, token: Bearer, public_url: str | None = None) -> Client:
    from jobpass.client.sync import Client

    return Client(_HERE, token, channel=channel, public_url=public_url)


def _settings_of(folder: Path, environ: Mapping[str, str] | None) -> Settings:
    return load(environment() if environ is None else environ, data=folder).settings


def _in_memory() -> Client:
    password = make_password()
    client = _client_of(_channel(lambda: _app_in_memory(password)), None)
    client.login(DEFAULT_EMAIL, password)
    return client


def _with_secret(folder: Path, entrance: Entrance, token: str | None, environ: Mapping[str, str] | None) -> Client:
    sessions: list[OwnSession] = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[App]:
        async with enter(folder, entrance, environ) as opened:
            if opened.session is not None:
                sessions.append(opened.session)
            async with _tended(opened.authority):
                yield make_app(opened.authority, Settings()).answer

    channel = _channel(lifespan)
    if not sessions:
        return _client_of(channel, token, _settings_of(folder, environ).public_url)
    return _client_of(channel, lambda: sessions[0].token(channel.run), _settings_of(folder, environ).public_url)


@asynccontextmanager
async def _app_of(folder: Path, environ: Mapping[str, str] | None) -> AsyncIterator[App]:
    async with open_authority(folder, environ=environ) as authority, _tended(authority):
        yield make_app(authority, Settings()).answer


@asynccontextmanager
async def _tended(authority: Authority) -> AsyncIterator[None]:
    """Do the authority's upkeep while the context lasts: a process may live for weeks."""

    async def tend() -> None:
        while True:
            await asyncio.sleep(TEND_SECONDS)
            try:
                await authority.tend()
            except StoreUnavailable as error:  # also told to whoever asks for something
                log.warning("the upkeep of the store failed: %s", error.message)

    task = asyncio.create_task(tend())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def _app_in_memory(password: str) -> AsyncIterator[App]:
    from argon2 import PasswordHasher

    from jobpass.stores.memory import MemoryStore

    # The one password is random and never leaves the process, so that hashing it slowly would protect nothing.
    passwords = Passwords(1, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    authority = join(MemoryStore(), new_keyring(), STANDARD, passwords, Settings())
    await authority.accounts.create(DEFAULT_EMAIL, password, "operator")
    try:
        yield make_app(authority, Settings()).answer
    finally:
        await authority.close()
