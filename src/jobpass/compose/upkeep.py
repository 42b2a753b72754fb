"""What is done with a data folder beside serving it: copies, restoring one, root keys, anchors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jobpass.compose.folder import (
    DATABASE,
    SIDE_FILES,
    alone,
    is_initialised,
    make_folder,
    read_keyring,
    read_lifecycles,
    remove_database,
    rotated,
    sync,
    write_keyring,
)
from jobpass.compose.installation import open_authority, open_database, open_installation
from jobpass.compose.stores import expect_file
from jobpass.errors import Conflict, KeyringError, SetupError
from jobpass.settings import KEYRING_VARIABLE, environment, load
from jobpass.tokens.keyring import Keyring


class KeyUse(NamedTuple):
    """A root key: its id, its state, and how many jobs, living tokens and webhooks still need it."""

    kid: str
    state: str
    uses: int


async def back_up(folder: Path, file: Path) -> None:
    """Copy the folder's database, also while it is served, to a new file (mode 0600); the keyring is not in it.

    Raises ``AlreadyExists`` if there is something at ``file``, ``StoreUnavailable`` if the copy cannot be made.
    """
    from jobpass.stores.sqlite import SqliteStore

    expect_file(load(environment(), data=folder).settings, "pg_dump makes copies of it")
    async with open_installation(folder) as opened:
        assert isinstance(opened.store, SqliteStore)
        await opened.store.backup(file)
        await opened.authority.audit.record("backup.made", file=file.name)


async def restore(folder: Path, file: Path, *, rotate: bool, environ: Mapping[str, str] | None = None) -> int:
    """Make the folder's database from a copy; with ``rotate`` a fresh root key signs and all others are retired.

    The folder's keyring (or ``JOBPASS_KEYRING``) must be the one that the copy belongs to. Returns how many jobs were
    given new serials. Raises ``SetupError`` if there is a database in the folder, if the file is no copy, or if its
    keyring is another one; then the folder is as it was.
    """
    given = environment() if environ is None else environ
    expect_file(load(given, data=folder).settings, "pg_restore makes it of a copy")
    make_folder(folder)
    with alone(folder):
        _expect_no_database(folder)
        keyring = read_keyring(folder, given)
        if rotate and KEYRING_VARIABLE in given:
            raise SetupError(f"The keyring comes from {KEYRING_VARIABLE}: rotate it where it is kept.")
        unfinished = folder / f"{DATABASE}.new"
        remove_database(unfinished)
        try:
            count = await _fill(folder, file, unfinished, keyring, rotate=rotate, environ=given)
            unfinished.rename(folder / DATABASE)
            sync(folder)
        finally:
            remove_database(unfinished)
    return count


async def _fill(
    folder: Path, file: Path, unfinished: Path, keyring: Keyring, *, rotate: bool, environ: Mapping[str, str]
) -> int:
    from jobpass.stores.sqlite import restore_database

    restore_database(file, unfinished)
    used = _only_active(rotated(keyring)) if rotate else keyring
    settings = load(environ, data=folder).settings
    async with open_database(unfinished, used, read_lifecycles(folder), settings) as made:
        needed = set(await made.authority.count_kids())
        needed |= {entry.kid for entry in (await made.store.list_audit(limit=1)).items}
        strangers = ", ".join(sorted(needed - {key.kid for key in keyring.keys}))
        if strangers:
            raise KeyringError(f"The copy belongs to another keyring: the one in {folder} has no key {strangers}.")
        if rotate:
            # Before the database counts: a copy that is in use with its old keys would bring dead tokens back.
            write_keyring(folder, used, environ)
        count = await made.authority.rekey_jobs() if rotate else 0
        await made.authority.audit.record("restored", file=file.name, rotated=rotate, jobs_rekeyed=count)
    return count


def _only_active(keyring: Keyring) -> Keyring:
    for key in keyring.keys:
        if key.state == "verifying":
            keyring = keyring.retire(key.kid)
    return keyring


def _expect_no_database(folder: Path) -> None:
    if is_initialised(folder):
        raise SetupError(f"There is a database in {folder}: stop its server, move it away and keep it.")
    for ending in SIDE_FILES:
        if (folder / f"{DATABASE}{ending}").exists():
            raise SetupError(
                f"There is {DATABASE}{ending} in {folder}, which belongs to another database: move it too."
            )


async def list_keys(folder: Path) -> list[KeyUse]:
    """The root keys, newest first."""
    async with open_authority(folder) as authority:
        uses = await authority.count_kids()
        return [
            KeyUse(key.kid, key.state, 0 if key.state == "retired" else uses.get(key.kid, 0)) for key in authority.keys
        ]


async def rotate_key(folder: Path) -> str:
    """Have a fresh root key sign from now on, while the others still verify; its id. A server follows in a second."""
    given = environment()
    with alone(folder):
        async with open_authority(folder) as authority:
            keyring = rotated(read_keyring(folder, given))
            write_keyring(folder, keyring, given)
            await authority.use_keyring(keyring)
            await authority.audit.record("keys.rotated", subject=keyring.signing_kid)
    return keyring.signing_kid


async def retire_key(folder: Path, kid: str, *, force: bool) -> int:
    """End all tokens of a root key; histories that it signed still verify. A server follows in a second.

    Refuses with ``Conflict`` while jobs, living tokens or webhooks need it, unless forced; then jobs get new serials,
    and how many those were is returned. Raises ``KeyringError`` for the key that signs and for one that is not there.
    """
    given = environment()
    with alone(folder):
        async with open_authority(folder) as authority:
            keyring = read_keyring(folder, given).retire(kid)
            uses = (await authority.count_kids()).get(kid, 0)
            if uses and not force:
                needs = f"{uses} jobs, living tokens and webhooks need key {kid}: --force ends them."
                raise Conflict(needs, kid=kid, uses=uses)
            write_keyring(folder, keyring, given)
            await authority.use_keyring(keyring)
            count = await authority.rekey_jobs()
            await authority.audit.record("keys.retired", subject=kid, uses=uses, jobs_rekeyed=count)
    return count
