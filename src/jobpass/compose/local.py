"""A client that works in this process, without a server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jobpass.authority.passwords import Passwords
from jobpass.compose.folder import DATABASE, new_keyring
from jobpass.compose.installation import DEFAULT_EMAIL, join, make_password, open_authority
from jobpass.compose.serving import make_app
from jobpass.errors import InvalidInput
from jobpass.lifecycle.standard import STANDARD
from jobpass.settings import Settings

if TYPE_CHECKING:
    from jobpass.client.sync import Client
    from jobpass.server.app import App

_HERE: Final = "http://localhost"
"""The base URL of a client that asks no server: nothing resolves it."""


def open(url: str, token: str | None = None, *, environ: Mapping[str, str] | None = None) -> Client:  # noqa: A001
    """A client that works in this process, without a server; close it when done.

    ``sqlite://PATH`` names a data folder (``sqlite:///srv/jobs`` is absolute, ``sqlite://jobs`` relative) or the
    database in it; its ``token`` is one of its own, or comes with ``client.login``. ``memory:`` is an installation of
    its own that ends with the client, whose operator is logged in. Raises ``InvalidInput`` for another URL and
    ``SetupError`` for a folder that cannot be used.
    """
    from jobpass.client.inprocess import InProcessTransport
    from jobpass.client.sync import Client

    if url == "memory:":
        if token is not None:
            raise InvalidInput.at("token", "cannot belong to an installation that does not exist yet")
        password = make_password()
        client = Client(_HERE, transport=InProcessTransport(lambda: _app_in_memory(password)))
        client.login(DEFAULT_EMAIL, password)
        return client
    scheme, _, place = url.partition("://")
    if scheme != "sqlite" or not place:
        raise InvalidInput.at("url", "must be like sqlite:///path/to/data or memory:")
    folder = Path(place)
    if folder.name == DATABASE:
        folder = folder.parent
    return Client(_HERE, token, transport=InProcessTransport(lambda: _app_of(folder, environ)))


@asynccontextmanager
async def _app_of(folder: Path, environ: Mapping[str, str] | None) -> AsyncIterator[App]:
    async with open_authority(folder, environ=environ) as authority:
        yield make_app(authority, Settings())


@asynccontextmanager
async def _app_in_memory(password: str) -> AsyncIterator[App]:
    from argon2 import PasswordHasher

    from jobpass.stores.memory import MemoryStore

    # The one password is random and never leaves the process, so that hashing it slowly would protect nothing.
    passwords = Passwords(1, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    authority = join(MemoryStore(), new_keyring(), STANDARD, passwords, Settings())
    await authority.accounts.create(DEFAULT_EMAIL, password, "operator")
    try:
        yield make_app(authority, Settings())
    finally:
        await authority.close()
