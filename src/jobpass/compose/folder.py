"""A data folder on the disk: its database, its keyring, its lifecycles; private files; one process at a time."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from jobpass.errors import KeyringError, SetupError
from jobpass.lifecycle.parse import parse
from jobpass.lifecycle.registry import Lifecycles
from jobpass.lifecycle.standard import STANDARD
from jobpass.settings import KEYRING_VARIABLE
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mac import KEY_BYTES
from jobpass.tokens.token import KID_BYTES

DATABASE: Final = "jobpass.sqlite"
SIDE_FILES: Final = ("-wal", "-shm")
"""Endings of what SQLite keeps beside a database."""
KEYRING: Final = "keyring.json"
LIFECYCLES: Final = "lifecycles"
MAX_KEYRING_BYTES: Final = 1024 * 1024


def is_initialised(folder: Path) -> bool:
    """Whether the folder holds a database."""
    return (folder / DATABASE).exists()


def has_keyring(folder: Path, environ: Mapping[str, str]) -> bool:
    """Whether ``read_keyring`` finds anything, be it of use or not."""
    return KEYRING_VARIABLE in environ or os.path.lexists(folder / KEYRING)


def read_keyring(folder: Path, environ: Mapping[str, str]) -> Keyring:
    """The keyring of ``JOBPASS_KEYRING``, else of the folder.

    Raises ``KeyringError`` if there is none, if it cannot be read, and if the file is not this user's alone.
    """
    text = environ.get(KEYRING_VARIABLE)
    return Keyring.parse(text if text is not None else _read_private(folder / KEYRING))


def _read_private(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KeyringError(
            f"There is no keyring at {path}, nor in {KEYRING_VARIABLE}. Without it no token and no history of this "
            "folder can be verified: put back the one that belongs to it."
        ) from None
    except OSError as error:
        raise KeyringError(f"The keyring {path} cannot be read: {error.strerror}.") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyringError(f"The keyring {path} is not a file.")
        if status.st_uid != os.geteuid():
            raise KeyringError(f"The keyring {path} belongs to another user (uid {status.st_uid}).")
        if status.st_mode & 0o077:
            raise KeyringError(
                f"Others can use the keyring {path}: chmod 600 it, and rotate its keys if they may have."
            )
        return os.read(descriptor, MAX_KEYRING_BYTES)
    finally:
        os.close(descriptor)


def write_keyring(folder: Path, keyring: Keyring, environ: Mapping[str, str]) -> None:
    """Replace the folder's keyring; ``SetupError`` if the keyring comes from ``JOBPASS_KEYRING``."""
    if KEYRING_VARIABLE in environ:
        raise SetupError(f"The keyring comes from {KEYRING_VARIABLE}: change it where it is kept.")
    write_private(folder / KEYRING, keyring.dump().encode())


def new_keyring() -> Keyring:
    """A keyring with one fresh key."""
    return Keyring.generate(secrets.token_bytes(KID_BYTES), secrets.token_bytes(KEY_BYTES))


def rotated(keyring: Keyring) -> Keyring:
    """The keyring with a fresh key that signs from now on."""
    return keyring.rotate(secrets.token_bytes(KID_BYTES), secrets.token_bytes(KEY_BYTES))


def make_keyring(folder: Path) -> None:
    """Make the folder's keyring, unless there is one."""
    path = folder / KEYRING
    if not os.path.lexists(path):
        write_private(path, new_keyring().dump().encode())


def read_lifecycles(folder: Path) -> Lifecycles:
    """The standard lifecycles and those of the folder, each a TOML file in ``lifecycles``.

    Raises ``InvalidLifecycle``, which names file and line, and ``SetupError`` for a file that cannot be read.
    """
    found = []
    for path in sorted((folder / LIFECYCLES).glob("*.toml")):
        try:
            found.append(parse(path.read_text("utf-8"), str(path)))
        except OSError as error:
            raise SetupError(f"The lifecycle {path} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise SetupError(f"The lifecycle {path} is not UTF-8 text.") from None
    return STANDARD.adding(found)


def write_private(path: Path, content: bytes) -> None:
    """Put the content at ``path`` whole or not at all, readable by this user only, over what was there."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def make_folder(folder: Path) -> None:
    """Make the folder, for this user alone."""
    try:
        str(folder).encode()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except UnicodeEncodeError:  # the database could not be opened then
        raise SetupError(f"The data folder {folder} cannot be made: its name is not UTF-8.") from None
    except FileExistsError:
        raise SetupError(f"The data folder {folder} cannot be made: there is a file of this name.") from None
    except OSError as error:
        raise SetupError(f"The data folder {folder} cannot be made: {error.strerror}.") from None


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: of several processes that want it, one at a time goes on."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def sync(folder: Path) -> None:
    """Have the disk know what is in the folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_database(path: Path) -> None:
    """Remove a database that is not wanted, with what lies beside it."""
    for ending in ("", *SIDE_FILES):
        path.with_name(path.name + ending).unlink(missing_ok=True)
