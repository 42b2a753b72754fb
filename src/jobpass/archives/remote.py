"""Archives that fsspec opens: object stores, whose directories are but the beginnings of names.

There are no links there. Names are handed over one at a time and as they are: the back ends' own recursive removal
reads patterns in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jobpass.archives.clearing import CHANGING, words
from jobpass.archives.cursor import NOT_THERE
from jobpass.archives.threads import Stop
from jobpass.errors import ArchiveFailed

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

PASSES: Final = 4


class Place(NamedTuple):
    """A directory of a job on an opened file system, whose base may be empty (its topmost directory)."""

    files: AbstractFileSystem
    base: str
    directory: str


def clear(url: str, options: Mapping[str, Any], path: str, stop: Stop) -> int:
    """Remove what is below ``path``; how many files those were."""
    with _opened(url, options, path) as place:
        was_there = place.files.isdir(place.directory)
        removed = 0
        for _ in range(PASSES):
            files, directories = _below(place)
            if not files and not directories:
                break
            failures: Counter[str] = Counter()
            removed += _remove(files, place.files.rm_file, failures, stop)
            if not files:  # only where directories are things of their own do they outlast what was in them
                _remove(directories, place.files.rmdir, failures, stop)
            if failures:
                raise ArchiveFailed(" ".join(f"{why} on {n}." for why, n in sorted(failures.items())))
        else:
            raise ArchiveFailed(CHANGING)
        if was_there and not place.files.exists(place.directory):
            place.files.makedirs(place.directory, exist_ok=True)
        return removed


@contextmanager
def _opened(url: str, options: Mapping[str, Any], path: str) -> Iterator[Place]:
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    try:
        files, base = url_to_fs(url, **options)
        if isinstance(files, LocalFileSystem):
            raise ArchiveFailed("The archive system's directory is not given as file://.")
        files.invalidate_cache()
        base = base.rstrip("/")
        if base and not files.exists(base):
            raise ArchiveFailed(NOT_THERE)
        yield Place(files, base, base + path)
    except ImportError:
        raise ArchiveFailed("The server lacks the package that its archive system needs.") from None
    except OSError as error:
        raise ArchiveFailed(f"{words(error)}.") from None


def _below(place: Place) -> tuple[list[str], list[str]]:
    """The files and the directories below the directory, deepest first."""
    place.files.invalidate_cache()
    found = place.files.find(place.directory, withdirs=True, detail=True)
    start = place.directory + "/"
    # A name that is only slashes from there on would be taken for the directory itself.
    names = sorted((name for name in found if name.rstrip("/").startswith(start)), reverse=True)
    folders = {name for name in names if found[name]["type"] == "directory"}
    return [name for name in names if name not in folders], [name for name in names if name in folders]


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
