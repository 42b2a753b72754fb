"""Holding a name against everybody else on the same database: a locked file in a folder beside it."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jobpass.errors import StoreUnavailable
from jobpass.stores.rules import held

TRIES = 100
"""How often in a row a lock may be let go of just before it is taken; then it counts as held, and nobody waits."""

# The kernel frees a lock with the last descriptor of its opening, and so when the process dies. Every call here
# returns at once, and on the caller's thread: a lock taken in another one could be lost by a caller who goes away.


@contextmanager
def hold_name(database: Path, name: str) -> Iterator[None]:
    """Hold ``name`` until the context ends; ``Conflict`` if somebody has it, ``StoreUnavailable`` if nobody can.

    ``database`` is a resolved path, so that all who open the same file meet.
    """
    file = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    try:
        folder = _open_folder(database)
        try:
            lock = _lock(folder, file, database)
        except BaseException:
            os.close(folder)
            raise
    except BlockingIOError:
        raise held(name) from None
    except OSError as error:
        raise StoreUnavailable(f"The lock cannot be had: {error.strerror}.", reason="SQLITE_CANTOPEN") from error
    try:
        yield
    finally:
        # First the name, then the lock: who opened the file before will find that it has lost its name.
        with suppress(OSError):
            os.unlink(file, dir_fd=folder)
        os.close(lock)
        os.close(folder)


def _open_folder(database: Path) -> int:
    path = Path(f"{database}.holds")
    made = False
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
        made = True
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    if made:
        _give_away(folder, database)
    return folder


def _lock(folder: int, file: str, database: Path) -> int:
    """The descriptor of the locked file; ``BlockingIOError`` if somebody else has the lock."""
    for _ in range(TRIES):
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
        try:
            _give_away(lock, database)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _has_name(lock, folder, file):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)  # whoever held it took its name away between our opening and our locking
    raise BlockingIOError


def _has_name(lock: int, folder: int, file: str) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), os.stat(file, dir_fd=folder, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _give_away(descriptor: int, database: Path) -> None:
    """What root makes belongs to whom the database belongs to, as SQLite does with its own files beside it."""
    if os.geteuid() == 0:
        owner = database.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
