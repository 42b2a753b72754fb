"""Emptying a directory of this machine that somebody may be changing meanwhile."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable
from typing import Final

from jobpass.archives.cursor import BoundaryError, Cursor, told
from jobpass.archives.threads import Stop
from jobpass.archives.words import CHANGING, MOUNTED, MOVED, summed, words
from jobpass.errors import ArchiveFailed

PASSES: Final = 4
"""How often a directory is looked through in which something new turns up: a writer may be faster than this."""
_RACED: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST})
"""Gone, another kind of thing by now, or filled again: the next pass sees what there is."""


def clear(cursor: Cursor, stop: Stop) -> int:
    """Remove all that is in the cursor's directory; how many files and links those were."""
    try:
        return _Clearing(cursor, stop).run()
    except FileNotFoundError:
        raise ArchiveFailed(MOVED) from None
    except OSError as error:
        raise told(error) from None


class _Clearing:
    def __init__(self, cursor: Cursor, stop: Stop) -> None:
        self._cursor = cursor
        self._stop = stop
        self._removed = 0
        self._failures: Counter[str] = Counter()

    def run(self) -> int:
        for _ in range(PASSES):
            self._pass()
            if self._failures:
                raise summed(self._failures)
            with os.scandir(self._cursor.descriptor) as entries:
                if next(entries, None) is None:
                    return self._removed
        raise ArchiveFailed(CHANGING)

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
                    self._try_remove(entered.pop(), os.rmdir)

    def _sweep(self) -> list[str]:
        """Remove all from the directory but directories, which are returned."""
        # Listed before anything is removed: in a directory that grows meanwhile, that would not come to an end.
        with os.scandir(self._cursor.descriptor) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for name, is_directory in found:
            self._stop.check()
            if not is_directory and self._try_remove(name, os.unlink):
                self._removed += 1
        return [name for name, is_directory in found if is_directory]

    def _try_enter(self, name: str) -> bool:
        self._stop.check()
        try:
            self._cursor.enter(name, writing=True)
        except OSError as error:
            self._note(error)
            return False
        return True

    def _try_remove(self, name: str, how: Callable[..., None]) -> bool:
        try:
            how(name, dir_fd=self._cursor.descriptor)
        except OSError as error:
            self._note(error)
            return False
        return True

    def _note(self, error: OSError) -> None:
        if isinstance(error, BoundaryError):
            self._failures[MOUNTED] += 1
        elif error.errno not in _RACED:
            self._failures[words(error)] += 1
