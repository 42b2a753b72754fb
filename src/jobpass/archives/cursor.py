"""Moving about in a directory tree that others may change meanwhile, without ever following a link.

A directory is held by a descriptor, and each step names one entry of it (``openat`` with ``O_NOFOLLOW``): what is
worked on is what was looked at, wherever its path leads by then. The way up is ``..``, checked to be the directory that
was left, so that the depth is not limited by the number of descriptors.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from jobpass.archives.threads import Stop
from jobpass.archives.words import LINKED, MOUNTED, MOVED, NOT_THERE, words
from jobpass.errors import ArchiveFailed

_DIRECTORY: Final = os.O_DIRECTORY | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | _DIRECTORY
_PASS: Final = getattr(os, "O_PATH", os.O_RDONLY) | _DIRECTORY
"""Enough to go through a directory that may not be listed (Linux)."""
_MODE: Final = 0o775
"""Of directories that are made, less the umask: a job's outputs come from who shares the server's group."""
Mount = tuple[str, int]
"""Where a file is kept: on Linux the number of the mount, which tells bind mounts of one device apart."""

_MOUNT_ID: Final = re.compile(rb"^mnt_id:\s*(\d+)$", re.MULTILINE)
_ABOUT_BYTES: Final = 4096


class BoundaryError(OSError):
    """A directory is on another mount than the one that is worked on."""


@contextmanager
def _opened_root(base: str, root: Sequence[str]) -> Iterator[int]:
    """A descriptor of the root; the base is the operator's, and may be a link. ``ArchiveFailed`` without them."""
    try:
        descriptor = _descend(os.open(base, _PASS), root)
    except FileNotFoundError:
        raise ArchiveFailed(NOT_THERE) from None
    except OSError as error:
        raise told(error) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def opened_parent(base: str, root: Sequence[str], names: Sequence[str]) -> Iterator[tuple[int, Mount]]:
    """A descriptor of the directory that holds the last name, and the root's mount, which the last must be on.

    No way down leads back to a mount that was left. Raises ``ArchiveFailed`` without the root, ``OSError`` for what is
    wrong below it.
    """
    with _opened_root(base, root) as top:
        mount = mount_of(top)
        parent = _descend(os.dup(top), names[:-1])
        try:
            yield parent, mount
        finally:
            os.close(parent)


def make_directories(base: str, root: Sequence[str], names: Sequence[str], stop: Stop) -> None:
    """Make what is missing of the way down from the root, and all on the root's mount.

    Raises ``ArchiveFailed`` without the root, ``OSError`` for what is in the way: a link, another mount, a file.
    """
    with _opened_root(base, root) as top:
        mount, here = mount_of(top), os.dup(top)
        try:
            for name in names:
                stop.check()
                with suppress(FileExistsError):
                    os.mkdir(name, _MODE, dir_fd=here)
                below = open_entry(name, _PASS, here, mount)
                os.close(here)
                here = below
        finally:
            os.close(here)


def told(error: OSError) -> ArchiveFailed:
    """The error in words that name nothing of this machine."""
    if isinstance(error, BoundaryError):
        return ArchiveFailed(f"{MOUNTED}.")
    return ArchiveFailed(LINKED if isinstance(error, NotADirectoryError) else f"{words(error)}.")


def mount_of(descriptor: int) -> Mount:
    """The mount that an open file is on."""
    with suppress(FileNotFoundError), Path(f"/proc/self/fdinfo/{descriptor}").open("rb", buffering=0) as about:
        found = _MOUNT_ID.search(about.read(_ABOUT_BYTES) or b"")
        if found:
            return "mount", int(found[1])
    return "device", os.fstat(descriptor).st_dev


def open_entry(name: str, flags: int, directory: int, mount: Mount | None) -> int:
    """The descriptor of an entry of a directory.

    Raises ``NotADirectoryError`` for a link, whatever else the flags ask, and ``BoundaryError`` for another mount than
    one that is given.
    """
    try:
        descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotADirectoryError(errno.ENOTDIR, "a link") from None
        raise
    if mount is not None and mount_of(descriptor) != mount:
        os.close(descriptor)
        raise BoundaryError(errno.EXDEV, MOUNTED)
    return descriptor


def open_directory(name: str, parent: int, mount: Mount, *, writing: bool) -> int:
    """The descriptor of a directory that can be listed; when ``writing``, with all rights, taken if it is ours.

    Raises what ``open_entry`` does.
    """
    passing = open_entry(name, _PASS, parent, mount)
    try:
        if writing and not os.access(".", os.R_OK | os.W_OK | os.X_OK, dir_fd=passing, effective_ids=True):
            # By the descriptor: under its name there may be something else by now.
            mode = stat.S_IMODE(os.fstat(passing).st_mode)
            os.chmod(f"/proc/self/fd/{passing}", mode | stat.S_IRWXU)  # noqa: PTH101 - a descriptor, not a path
        return os.open(".", _READ, dir_fd=passing)
    finally:
        os.close(passing)


def _descend(descriptor: int, names: Sequence[str]) -> int:
    """The directory that the names lead to; closes the descriptor that it was given."""
    for name in names:
        try:
            below = open_entry(name, _PASS, descriptor, None)
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


class Cursor:
    """A place in the tree of one directory, the top; close it when done."""

    def __init__(self, descriptor: int, mount: Mount) -> None:
        """Takes over the descriptor of the top, which can be listed and is on the mount."""
        self.descriptor = descriptor
        self._mount = mount
        self._above: list[tuple[int, int]] = []

    def enter(self, name: str, *, writing: bool = False) -> None:
        """Go down into an entry; after an error of ``open_directory`` the place is the same as before."""
        below = open_directory(name, self.descriptor, self._mount, writing=writing)
        self._above.append(_identity(self.descriptor))
        os.close(self.descriptor)
        self.descriptor = below

    def leave(self) -> None:
        """Go back up; ``ArchiveFailed`` if the directory is not where it was entered."""
        above = os.open("..", _READ, dir_fd=self.descriptor)
        os.close(self.descriptor)
        self.descriptor = above
        if _identity(above) != self._above.pop():
            raise ArchiveFailed(MOVED)

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self.descriptor)


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino
