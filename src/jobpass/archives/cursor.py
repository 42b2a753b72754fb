"""Moving about in a directory tree that others may change meanwhile, without ever following a link.

The directory is held by a descriptor, and each step names one entry of it (``openat`` with ``O_NOFOLLOW``), so that
what is worked on is what was looked at, wherever paths lead by then. The way up is ``..``, checked to be the directory
that was left: the depth is not limited by the number of descriptors.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from jobpass.errors import ArchiveFailed

READ: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
PASS: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Enough to go through a directory that may not be listed."""
NOT_THERE: Final = "The archive system's directory is not there."
LINKED: Final = "The path leads through a link or something else that is no directory."
MOUNTED: Final = "Another file system is mounted there."
MOVED: Final = "Directories were moved while they were worked on."
_MOUNT_ID: Final = re.compile(r"^mnt_id:\s*(\d+)$", re.MULTILINE)


class Mount(NamedTuple):
    """Where a file is kept: the device, and on Linux the mount, which tells bind mounts of one device apart."""

    device: int
    id: int | None


class BoundaryError(OSError):
    """A directory is on another mount than the one that is worked on."""


def mount_of(descriptor: int) -> Mount:
    """The mount that an open file is on."""
    found = None
    with contextlib.suppress(OSError):  # no /proc here: the device must do
        found = _MOUNT_ID.search(Path(f"/proc/self/fdinfo/{descriptor}").read_text("ascii"))
    return Mount(os.fstat(descriptor).st_dev, int(found[1]) if found else None)


@contextlib.contextmanager
def at_root(base: str, root: Sequence[str]) -> Iterator[int]:
    """A descriptor of a root; the base is the operator's and may be a link. ``ArchiveFailed`` if it is not there."""
    try:
        descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise ArchiveFailed(NOT_THERE) from None
    try:
        descriptor = descend(descriptor, root)
    except FileNotFoundError:
        raise ArchiveFailed(NOT_THERE) from None
    except NotADirectoryError:
        raise ArchiveFailed(LINKED) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def descend(descriptor: int, names: Sequence[str], mount: Mount | None = None) -> int:
    """The descriptor of the directory that the names lead to; the one given is closed, also when this fails.

    Raises ``NotADirectoryError`` for a link (on some systems that is ``ELOOP``, which is mapped to it), ``BoundaryError``
    where ``mount`` is given and left.
    """
    for name in names:
        try:
            below = open_no_link(name, PASS, descriptor)
        finally:
            os.close(descriptor)
        descriptor = below
        if mount is not None and mount_of(descriptor) != mount:
            os.close(descriptor)
            raise BoundaryError(MOUNTED)
    return descriptor


def open_no_link(name: str, flags: int, directory: int) -> int:
    """``openat`` that has one error for a link, whatever else the flags ask."""
    try:
        return os.open(name, flags, dir_fd=directory)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotADirectoryError(errno.ENOTDIR, "a link") from None
        raise


class Cursor:
    """A place in the tree below one directory; close it when done."""

    def __init__(self, descriptor: int) -> None:
        """Takes over the descriptor of the top, which can be listed."""
        self.descriptor = descriptor
        self.mount = mount_of(descriptor)
        self._above: list[tuple[int, int]] = []

    def enter(self, name: str, *, writing: bool = False) -> None:
        """Go down into an entry; when ``writing``, with all rights on it, given to ourselves if it is ours.

        Raises ``NotADirectoryError`` for a link, ``BoundaryError`` for another mount, ``OSError`` for what cannot be
        entered; then the place is the same as before.
        """
        below = open_directory(name, self.descriptor, self.mount, writing=writing)
        here = os.fstat(self.descriptor)
        self._above.append((here.st_dev, here.st_ino))
        os.close(self.descriptor)
        self.descriptor = below

    def leave(self) -> None:
        """Go back up; ``ArchiveFailed`` if the directory is not where it was entered."""
        above = os.open("..", READ, dir_fd=self.descriptor)
        os.close(self.descriptor)
        self.descriptor = above
        there = os.fstat(above)
        if (there.st_dev, there.st_ino) != self._above.pop():
            raise ArchiveFailed(MOVED)

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self.descriptor)


def open_directory(name: str, parent: int, mount: Mount, *, writing: bool) -> int:
    """The descriptor of a directory that can be listed, and changed when ``writing``."""
    passing = open_no_link(name, PASS, parent)
    try:
        if mount_of(passing) != mount:
            raise BoundaryError(MOUNTED)
        if writing and not os.access(".", os.R_OK | os.W_OK | os.X_OK, dir_fd=passing, effective_ids=True):
            _give_rights(passing)
        return os.open(".", READ, dir_fd=passing)
    finally:
        os.close(passing)


def _give_rights(passing: int) -> None:
    # By the magic link of the open directory: by its name something else could be changed by now.
    os.chmod(f"/proc/self/fd/{passing}", stat.S_IMODE(os.fstat(passing).st_mode) | stat.S_IRWXU)  # noqa: PTH101
