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

# The kernel frees a lock when the last descriptor of its opening is closed, so also when the process dies. All calls
# here return at once, and on the loop's thread: a lock taken in another thread would be lost by a cancelled caller.


@contextmanager
def hold_name(folder: Path, name: str) -> Iterator[None]:
    """Hold ``name`` until the context ends; ``Conflict`` if it is held, ``StoreUnavailable`` if ``folder`` fails."""
    file = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    try:
        directory = _open_folder(folder)
        try:
            lock = _lock(directory, file)
        except OSError:
            os.close(directory)
            raise
    except OSError as error:
        raise StoreUnavailable(f"The lock cannot be had: {error.strerror}.", reason="SQLITE_CANTOPEN") from error
    if lock is None:
        os.close(directory)
        raise held(name)
    try:
        yield
    finally:
        # First the name, then the lock: whoever opened the file before finds out that it has lost its name.
        with suppress(OSError):
            os.unlink(file, dir_fd=directory)
        os.close(lock)
        os.close(directory)


def _open_folder(folder: Path) -> int:
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _lock(directory: int, file: str) -> int | None:
    """The locked file's descriptor, or None if somebody else has the lock."""
    while True:
        lock = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _has_name(lock, directory, file):
                return lock
        except BlockingIOError:
            os.close(lock)
            return None
        except OSError:
            os.close(lock)
            raise
        os.close(lock)  # its holder let go of it between our opening and our locking


def _has_name(lock: int, directory: int, file: str) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), os.stat(file, dir_fd=directory, follow_symlinks=False))
    except FileNotFoundError:
        return False
