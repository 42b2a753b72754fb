"""Archives on this machine."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final

from jobpass.archives import clearing, reading
from jobpass.archives.cursor import Cursor, make_directories, open_directory, open_entry, opened_parent, told
from jobpass.archives.threads import Stop
from jobpass.archives.words import CHANGED
from jobpass.errors import ArchiveFailed
from jobpass.records import FileFound

DEPTH: Final = 64
"""Directories below the root that one job has made for it; a path has room for two thousand."""


@dataclass(frozen=True, slots=True)
class LocalPlace:
    """A directory or file by the base's path and names that lead there through no link.

    ``root`` leads from the base to where jobs' directories begin: the base and the root must be there, or what is
    mounted there is missing. ``names`` lead on to the place.
    """

    base: str
    root: Sequence[str]
    names: Sequence[str]

    def make(self, stop: Stop) -> None:
        """See ``Place``, here and below."""
        if len(self.names) > DEPTH:
            raise ArchiveFailed(f"More than {DEPTH} directories are not made for a job.")
        try:
            make_directories(self.base, self.root, self.names, stop)
        except OSError as error:
            raise told(error) from None

    def clear(self, stop: Stop) -> int:
        cursor = self._cursor(writing=True)
        if cursor is None:
            return 0
        try:
            return clearing.clear(cursor, stop)
        finally:
            cursor.close()

    def walk(self, stop: Stop) -> Generator[FileFound, None, None]:
        cursor = self._cursor(writing=False)
        if cursor is None:
            return
        try:
            yield from reading.walk(cursor, [*self.root, *self.names], stop)
        finally:
            cursor.close()

    def digest(self, expected: FileFound, stop: Stop) -> str:
        try:
            with opened_parent(self.base, self.root, self.names) as (parent, mount):
                # Without O_NONBLOCK a pipe that was put there would hold the thread for ever.
                file = open_entry(self.names[-1], os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY, parent, mount)
            try:
                return reading.digest(file, expected, stop)
            finally:
                os.close(file)
        except (FileNotFoundError, NotADirectoryError):
            raise ArchiveFailed(CHANGED) from None
        except OSError as error:
            raise told(error) from None

    def _cursor(self, *, writing: bool) -> Cursor | None:
        """At the directory; None if it is not there."""
        try:
            with opened_parent(self.base, self.root, self.names) as (parent, mount):
                return Cursor(open_directory(self.names[-1], parent, mount, writing=writing), mount)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise told(error) from None
