"""An installation: store, keyring, lifecycles and settings of a data folder, joined to an authority."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from jobpass.archives import FileArchives, System
from jobpass.authority.authority import Authority
from jobpass.authority.passwords import Passwords
from jobpass.clock import Clock, SystemClock
from jobpass.compose.folder import (
    DATABASE,
    alone,
    is_initialised,
    make_folder,
    make_keyring,
    read_keyring,
    read_lifecycles,
    remove_database,
    sync,
)
from jobpass.compose.stores import Where, expect_keyring, is_fresh, open_store, place_of
from jobpass.errors import SetupError
from jobpass.outbox.addresses import Allowed
from jobpass.outbox.places import Places
from jobpass.settings import KEYRING_VARIABLE, Settings, add_to_file, environment, load

if TYPE_CHECKING:
    from jobpass.lifecycle.registry import Lifecycles
    from jobpass.ports import Store
    from jobpass.tokens.keyring import Keyring

DEFAULT_EMAIL: Final = "operator@localhost"
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that looks like something else


class Installation(NamedTuple):
    """A data folder that is open."""

    authority: Authority
    store: Store


def make_password() -> str:
    """A password of 100 random bits, in groups that can be read out."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(5)) for _ in range(4))


async def init_data(
    folder: Path,
    email: str,
    password: str,
    *,
    single_operator: bool = False,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Make the folder's keyring and its database with one operator. Nothing that stands is changed.

    A keyring that is there already (or in ``JOBPASS_KEYRING``) is used. With ``single_operator`` the folder's settings
    say so. Raises ``SetupError`` if there is a database, ``InvalidInput`` for an address or password that cannot be;
    then no database is left behind.
    """
    given = environment() if environ is None else environ
    make_folder(folder)
    with alone(folder):
        settings = load(given, data=folder).settings
        if settings.store is not None:
            await _init_store(folder, settings.store, (email, password), given, single_operator=single_operator)
            return
        if is_initialised(folder):
            raise SetupError(f"{folder} is initialised already; nothing was changed.")
        if KEYRING_VARIABLE not in given:
            make_keyring(folder)
        operator = (email, password)
        await make_database(folder, read_keyring(folder, given), operator, single_operator=single_operator)


async def _init_store(
    folder: Path, url: str, operator: tuple[str, str], environ: Mapping[str, str], *, single_operator: bool
) -> None:
    """The same where the record is in a database that many reach, one of whom makes its first account."""
    store = await open_store(url, make=True)
    try:
        async with store.hold("jobpass init"):
            if not await is_fresh(store):
                raise SetupError("The database is initialised already; nothing was changed.")
            if KEYRING_VARIABLE not in environ:
                make_keyring(folder)
            keyring = read_keyring(folder, environ)
            await expect_keyring(store, keyring, folder)
            settings = Settings(password_slots=1)
            made = join(store, keyring, read_lifecycles(folder), Passwords(1), settings)
            await made.accounts.create(*operator, "operator")
            await made.audit.record("initialised", single_operator=single_operator)
        if single_operator:
            add_to_file(folder, "single_operator", value=True)
    finally:
        await store.close()


async def make_database(
    folder: Path, keyring: Keyring, operator: tuple[str, str] | None = None, *, single_operator: bool = False
) -> None:
    """Make the folder's database, with an operator's address and password; whoever calls holds the folder alone.

    Without an operator it has no account yet.
    """
    unfinished = folder / f"{DATABASE}.new"
    remove_database(unfinished)
    try:
        async with open_database(unfinished, keyring, read_lifecycles(folder), Settings(password_slots=1)) as made:
            if operator is not None:
                await made.authority.accounts.create(*operator, "operator")
            await made.authority.audit.record("initialised", single_operator=single_operator)
        if single_operator:
            add_to_file(folder, "single_operator", value=True)
        unfinished.rename(folder / DATABASE)  # from here on the folder counts as initialised
        sync(folder)
    finally:
        remove_database(unfinished)


@asynccontextmanager
async def open_authority(
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Authority]:
    """The authority over a data folder, closed at the end. Raises ``SetupError`` for a folder that cannot be used."""
    async with open_installation(folder, environ=environ, settings=settings, clock=clock) as opened:
        yield opened.authority


@asynccontextmanager
async def open_installation(
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    settings: Settings | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Installation]:
    """The same with its store. Without ``settings`` those of the folder and the environment are in force."""
    given = environment() if environ is None else environ
    in_force = settings or load(given, data=folder).settings
    if in_force.store is None and not is_initialised(folder):
        raise SetupError(f"There is no Jobpass data in {folder}: jobpass init --data {folder}")
    keyring, lifecycles = read_keyring(folder, given), read_lifecycles(folder)
    async with open_database(place_of(folder, in_force), keyring, lifecycles, in_force, clock) as opened:
        if in_force.store is not None:
            if await is_fresh(opened.store):
                raise SetupError(f"There is no Jobpass data in the database: jobpass init --data {folder}")
            await expect_keyring(opened.store, keyring, folder)
        yield opened


@asynccontextmanager
async def open_database(
    database: Where, keyring: Keyring, lifecycles: Lifecycles, settings: Settings, clock: Clock | None = None
) -> AsyncIterator[Installation]:
    """An installation by its parts."""
    store = await open_store(database, clock)
    passwords = Passwords(settings.password_slots or os.cpu_count() or 1)
    authority = join(store, keyring, lifecycles, passwords, settings, clock)
    try:
        yield Installation(authority, store)
    finally:
        await authority.close()


def join(
    store: Store,
    keyring: Keyring,
    lifecycles: Lifecycles,
    passwords: Passwords,
    settings: Settings,
    clock: Clock | None = None,
) -> Authority:
    """The authority over these parts."""
    return Authority(
        store,
        keyring,
        lifecycles,
        passwords,
        clock or SystemClock(),
        secrets.token_bytes,
        node=settings.node,
        admin_lifetime_seconds=settings.admin_lifetime_seconds,
        single_operator=settings.single_operator,
        archives=open_archives(settings),
        uuid_domain=settings.uuid_domain,
        destinations=Places(Allowed(settings.webhook_networks)),
        lease_seconds=settings.lease_seconds,
    )


def open_archives(settings: Settings) -> FileArchives:
    """The archive systems of the settings; nothing is touched yet."""
    systems = [System(name, made.url, made.roots, made.options) for name, made in settings.archives.items()]
    return FileArchives(systems, settings.default_archive)
