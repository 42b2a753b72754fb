"""Which store keeps the record of a data folder: the file in it, or the database that its settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from jobpass.compose.folder import DATABASE, is_initialised
from jobpass.errors import KeyringError, SetupError

if TYPE_CHECKING:
    from jobpass.clock import Clock
    from jobpass.ports import Store
    from jobpass.settings import Settings
    from jobpass.tokens.keyring import Keyring

Where = Path | str
"""A file of SQLite, or a URL of PostgreSQL."""


def place_of(folder: Path, settings: Settings) -> Where:
    """Where the record of a data folder is."""
    return folder / DATABASE if settings.store is None else settings.store


async def open_store(where: Where, clock: Clock | None = None, *, make: bool = False) -> Store:
    """The store, migrated if need be; raises as its ``open``, ``SetupError`` without the driver.

    A file is made if it is not there, a schema in a database only with ``make``: its name may be misspelt. A database
    compares its clock with ``clock``, the machine's unless told.
    """
    if isinstance(where, Path):
        from jobpass.stores.sqlite import SqliteStore

        return await SqliteStore.open(where)
    with driver_needed():
        from jobpass.stores.postgres import PostgresStore
    return await PostgresStore.open(where, clock, make=make)


@contextmanager
def driver_needed() -> Iterator[None]:
    """Around an import of what needs the driver of PostgreSQL: ``SetupError`` if it is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "asyncpg":
            raise
        raise SetupError("PostgreSQL needs a driver that is not there: pip install 'jobpass[postgres]'.") from None


async def is_fresh(store: Store) -> bool:
    """Whether nobody has an account in the store."""
    return not (await store.list_principals(after=None, limit=1)).items


async def is_ready(folder: Path, settings: Settings) -> bool:
    """Whether there is a record for the folder, be it in a file or in a database that the settings name.

    ``SetupError`` if the database has none in the schema that they name, but in another one.
    """
    if settings.store is None:
        return is_initialised(folder)
    with driver_needed():
        from jobpass.stores.postgres import is_made
    if not await is_made(settings.store):
        return False
    store = await open_store(settings.store)
    try:
        return not await is_fresh(store)
    finally:
        await store.close()


async def expect_keyring(store: Store, keyring: Keyring, folder: Path) -> None:
    """Raise ``KeyringError`` unless the root key that the record begins with is in the keyring.

    A database is reached from many folders; with another folder's keyring no token and no history would verify.
    """
    first = (await store.list_audit(limit=1)).items
    if first and first[0].kid not in {key.kid for key in keyring.keys}:
        raise KeyringError(f"The database belongs to another keyring: the one in {folder} has no key {first[0].kid}.")


def expect_file(settings: Settings, instead: str) -> None:
    """Raise ``SetupError`` where only a file will do."""
    if settings.store is not None:
        raise SetupError(f"The record is in PostgreSQL: {instead}.")


async def finish_migration(url: str) -> tuple[int, int]:
    """Take away what only earlier releases need; the schema's version, and the oldest that is compatible now."""
    with driver_needed():
        from jobpass.stores.postgres import finish_migration
    return await finish_migration(url)
