"""Emptying a directory of the local file system that somebody may be changing meanwhile."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from jobpass.archives.cursor import LINKED, MOUNTED, BoundaryError, Cursor, at_root, descend, mount_of, open_directory
from jobpass.archives.threads import Stop
from jobpass.errors import ArchiveFailed

PASSES: Final = 32
"""How often a directory is looked through in which something new turns up."""
CHANGING: Final = "Something is still writing there: the directory does not become empty."
_RACED: Final = frozenset({errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST})
"""Another kind of thing has the name now, or a directory was filled again: looked at in the next pass."""
_WORDS: Final = {errno.EACCES: "Permission was denied", errno.EPERM: "Permission was denied"}


def clear(base: str, root: Sequence[str], names: Sequence[str], stop: Stop) -> int:
    """Remove what is in the directory ``names`` below ``root`` below ``base``; how many files and links those were."""
    with at_root(base, root) as top:
        try:
            mount = mount_of(top)
            parent = descend(os.dup(top), names[:-1], mount)
            try:
                descriptor = open_directory(names[-1], parent, mount, writing=True)
            finally:
                os.close(parent)
        except FileNotFoundError:
            return 0
        except NotADirectoryError:
            raise ArchiveFailed(LINKED) from None
        except BoundaryError:
            raise ArchiveFailed(MOUNTED) from None
        except OSError as error:
            raise ArchiveFailed(f"{words(error)}.") from None
        return _Clearing(descriptor, stop).run()


def words(error: OSError) -> str:
    """What went wrong, without where: a path of this machine is nobody's business."""
    number = error.errno or 0
    return _WORDS.get(number) or os.strerror(number)


class _Clearing:
    def __init__(self, descriptor: int, stop: Stop) -> None:
        self._cursor = Cursor(descriptor)
        self._stop = stop
        self._removed = 0
        self._failures: Counter[str] = Counter()

    def run(self) -> int:
        try:
            for _ in range(PASSES):
                self._pass()
                if self._failures:
                    raise ArchiveFailed(" ".join(f"{why} on {n}." for why, n in sorted(self._failures.items())))
                with os.scandir(self._cursor.descriptor) as entries:
                    if next(entries, None) is None:
                        return self._removed
            raise ArchiveFailed(CHANGING)
        finally:
            self._cursor.close()

    def _pass(self) -> None:
        entered: list[str] = []
        waiting = [self._sweep()]  # for each level from the top down to here, the directories not yet entered
        while waiting:
            if waiting[-1]:
                name = waiting[-1].pop()
                if self._try_enter(name):
                    entered.append(name)
                    waiting.append(self._sweep())
            else:
                waiting.pop()
                if entered:
                    self._cursor.leave()
                    self._remove(entered.pop(), os.rmdir)

    def _sweep(self) -> list[str]:
        """Remove all from the directory but directories, which are returned."""
        directories = []
        with os.scandir(self._cursor.descriptor) as entries:
            for entry in entries:
                self._stop.check()
                if entry.is_dir(follow_symlinks=False):
                    directories.append(entry.name)
                else:
                    self._removed += self._remove(entry.name, os.unlink)
        return directories

    def _try_enter(self, name: str) -> bool:
        self._stop.check()
        try:
            self._cursor.enter(name, writing=True)
        except BoundaryError:
            self._failures["Another file system is mounted"] += 1
        except OSError as error:
            self._note(error)
        else:
            return True
        return False

    def _remove(self, name: str, how: Callable[..., None]) -> bool:
        try:
            how(name, dir_fd=self._cursor.descriptor)
        except OSError as error:
            self._note(error)
            return False
        return True

    def _note(self, error: OSError) -> None:
        if error.errno not in _RACED and not isinstance(error, FileNotFoundError):
            self._failures[words(error)] += 1
