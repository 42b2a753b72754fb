"""Which files are in a directory of this machine, and what is in them."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from jobpass.archives.cursor import Cursor, told
from jobpass.archives.threads import Stop
from jobpass.archives.words import CHANGED, MOVED, words
from jobpass.errors import ArchiveFailed
from jobpass.records import FileFound

PIECE_BYTES: Final = 1024 * 1024
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Readable(Protocol):
    """What a file is here: all that is asked of one."""

    def read(self, size: int, /) -> bytes | None:
        """At most so many bytes, none at the end."""
        ...


def walk(cursor: Cursor, names: Sequence[str], stop: Stop) -> Generator[FileFound, None, None]:
    """The files below the cursor's directory, to which the names lead within the archive system, in order."""
    return _Walk(cursor, names, stop).files()


class _Walk:
    def __init__(self, cursor: Cursor, names: Sequence[str], stop: Stop) -> None:
        self._cursor = cursor
        self._here = list(names)
        self._stop = stop

    def files(self) -> Generator[FileFound, None, None]:
        waiting: list[list[str]] = []  # for each level, the directories not yet entered, the next one last
        entered = True
        while entered or waiting:
            if entered:
                names, below = self._listing()
                yield from filter(None, map(self._found, names))
                waiting.append(below)
            entered = False
            if waiting[-1]:
                entered = self._try_enter(waiting[-1].pop())
            else:
                waiting.pop()
                if waiting:
                    self._leave()

    def _listing(self) -> tuple[list[str], list[str]]:
        """The names of what is no directory in order, and those of the directories backwards."""
        names: list[str] = []
        directories: list[str] = []
        try:
            with os.scandir(self._cursor.descriptor) as entries:
                for entry in entries:
                    self._stop.check()
                    (directories if entry.is_dir(follow_symlinks=False) else names).append(entry.name)
        except OSError as error:
            raise self._failed(words(error)) from None
        return sorted(names), sorted(directories, reverse=True)

    def _found(self, name: str) -> FileFound | None:
        """None for what is gone by now, and for links, pipes and the like."""
        self._stop.check()
        try:
            status = os.stat(name, dir_fd=self._cursor.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(words(error)) from None
        if not stat.S_ISREG(status.st_mode):
            return None
        return FileFound(self._path(name), status.st_size, _modified(status))

    def _try_enter(self, name: str) -> bool:
        path = self._path(name)
        try:
            self._cursor.enter(name)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise ArchiveFailed(f"{told(error).message} At {path!r}.") from None
        self._here.append(name)
        return True

    def _leave(self) -> None:
        try:
            self._cursor.leave()
        except OSError:
            raise ArchiveFailed(MOVED) from None
        self._here.pop()

    def _path(self, name: str) -> str:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise self._failed(f"The name {os.fsencode(name)!r} is not UTF-8") from None
        return "/".join(("", *self._here, name))

    def _failed(self, why: str) -> ArchiveFailed:
        return ArchiveFailed(f"{why}. In {'/'.join(('', *self._here))!r}.")


def digest(descriptor: int, expected: FileFound, stop: Stop) -> str:
    """The SHA-256 in hex of an open file, which must be the one that was found."""
    _expect(descriptor, expected)
    with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
        answer = hash_of(file, expected.size, stop)
    _expect(descriptor, expected)
    return answer


def hash_of(file: Readable, size: int, stop: Stop) -> str:
    """The SHA-256 in hex of a file that has so many bytes; ``ArchiveFailed`` for another number."""
    summed = hashlib.sha256()
    while piece := file.read(PIECE_BYTES):
        stop.check()
        size -= len(piece)
        if size < 0:
            break
        summed.update(piece)
    if size:
        raise ArchiveFailed(CHANGED)
    return summed.hexdigest()


def _expect(descriptor: int, expected: FileFound) -> None:
    status = os.fstat(descriptor)
    same = (status.st_size, _modified(status)) == (expected.size, expected.modified_at)
    if not stat.S_ISREG(status.st_mode) or not same:
        raise ArchiveFailed(CHANGED)


def _modified(status: os.stat_result) -> datetime | None:
    """None for a time that a file can have and a date cannot."""
    try:
        return _EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000)
    except OverflowError:
        return None
