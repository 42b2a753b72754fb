"""Archives that fsspec opens: object stores, whose directories are but the beginnings of names.

There are no links there. Names are handed over one at a time and as they are, since the back ends' own recursive
removal reads patterns in them.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jobpass.archives.reading import hash_of
from jobpass.archives.threads import Stop
from jobpass.archives.words import CHANGED, CHANGING, LINKED, NOT_THERE, summed, words
from jobpass.errors import ArchiveFailed, Error
from jobpass.records import FileFound

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PASSES: Final = 4
_TIMES: Final = ("mtime", "LastModified", "last_modified", "updated", "created")
"""Where the back ends say when a file was changed."""

log = logging.getLogger("jobpass.archives")


class _Opened(NamedTuple):
    """A place on its file system; both names are as the file system tells them."""

    files: AbstractFileSystem
    base: str
    name: str


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """A directory or file by the base's URL and a path in it; the options may hold secrets."""

    url: str
    options: Mapping[str, Any] = field(repr=False)
    path: str

    def make(self, stop: Stop) -> None:
        """See ``Place``, here and below; where directories are but names, nothing is there to be made."""
        with self._opened() as place:
            stop.check()
            place.files.makedirs(place.name, exist_ok=True)
            if place.files.isfile(place.name):
                raise ArchiveFailed(LINKED)

    def clear(self, stop: Stop) -> int:
        with self._opened() as place:
            was_there = place.files.isdir(place.name)
            removed = _clear(place, stop)
            if was_there and not place.files.exists(place.name):
                place.files.makedirs(place.name, exist_ok=True)
            return removed

    def walk(self, stop: Stop) -> Generator[FileFound, None, None]:
        with self._opened() as place:
            waiting = [place.name] if place.files.isdir(place.name) else []
            while waiting:
                stop.check()
                here = waiting.pop()
                entries = [entry for entry in place.files.ls(here, detail=True) if _is_in(here, entry["name"])]
                entries.sort(key=lambda entry: entry["name"])
                yield from (_found(place.base, entry) for entry in entries if entry["type"] == "file")
                waiting += [entry["name"] for entry in reversed(entries) if entry["type"] == "directory"]

    def digest(self, expected: FileFound, stop: Stop) -> str:
        with self._opened() as place:
            try:
                if _found(place.base, place.files.info(place.name)) != expected:
                    raise ArchiveFailed(CHANGED)
                with closing(place.files.open(place.name, "rb", cache_type="none")) as file:
                    return hash_of(file, expected.size, stop)
            except FileNotFoundError:
                raise ArchiveFailed(CHANGED) from None

    @contextmanager
    def _opened(self) -> Iterator[_Opened]:
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem

        try:
            files, base = url_to_fs(self.url, **self.options)
            if isinstance(files, LocalFileSystem):  # it works by names, which may be links
                raise ArchiveFailed("A directory of this machine is not given as file://.")
            files.invalidate_cache()
            base = base.rstrip("/")
            if base and not files.exists(base):
                raise ArchiveFailed(NOT_THERE)
            yield _Opened(files, base, base + self.path)
        except (Error, GeneratorExit):
            raise
        except ImportError:
            raise ArchiveFailed("The server lacks the package that this archive system needs.") from None
        except OSError as error:
            raise ArchiveFailed(f"{words(error)}.") from None
        except Exception as error:
            # Each back end has errors of its own, whose texts may tell what is secret: their kind must do.
            log.warning("an archive system failed: %s", type(error).__name__)
            raise ArchiveFailed("The archive system failed.") from None


def _is_in(directory: str, name: str) -> bool:
    """Whether it is below the directory; one that has only slashes after it would be taken for the directory."""
    return bool(name.rstrip("/").startswith(directory + "/"))


def _clear(place: _Opened, stop: Stop) -> int:
    removed = 0
    for _ in range(PASSES):
        files, directories = _below(place)
        if not files and not directories:
            return removed
        failures: Counter[str] = Counter()
        removed += _remove(files, place.files.rm_file, failures, stop)
        if not files:  # only where directories are things of their own do they outlast what was in them
            _remove(directories, place.files.rmdir, failures, stop)
        if failures:
            raise summed(failures)
    raise ArchiveFailed(CHANGING)


def _below(place: _Opened) -> tuple[list[str], list[str]]:
    """The files and the directories below the directory, deepest first."""
    place.files.invalidate_cache()
    found = place.files.find(place.name, withdirs=True, detail=True)
    names = sorted((name for name in found if _is_in(place.name, name)), reverse=True)
    directories = {name for name in names if found[name]["type"] == "directory"}
    return [name for name in names if name not in directories], [name for name in names if name in directories]


def _remove(names: list[str], how: Callable[[str], None], failures: Counter[str], stop: Stop) -> int:
    removed = 0
    for name in names:
        stop.check()
        try:
            how(name)
        except FileNotFoundError:
            continue
        except OSError as error:
            failures[words(error)] += 1
        else:
            removed += 1
    return removed


def _found(base: str, entry: Mapping[str, Any]) -> FileFound:
    said = next((entry[name] for name in _TIMES if entry.get(name) is not None), None)
    if isinstance(said, int | float):
        said = datetime.fromtimestamp(said, UTC)
    at = said if isinstance(said, datetime) and said.tzinfo else None
    return FileFound(entry["name"].removeprefix(base), entry["size"] or 0, at)
