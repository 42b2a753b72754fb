"""The files of jobs, and the runs that found them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct


class FileFound(Struct, frozen=True, gc=False):
    """A file in a job's archive directory: its path, absolute within the archive system, and its size in bytes.

    ``modified_at`` is None where the file system does not tell.
    """

    path: str
    size: int
    modified_at: datetime | None


FileKind = Literal["archive", "product"]


class FileSource(Struct, frozen=True):
    """Where files come from, as uuids: what generated them, and for products from what and using what."""

    generated_by: tuple[str, ...] = ()
    derived_from: tuple[str, ...] = ()
    derived_using: tuple[str, ...] = ()


class IndexRun(Struct, frozen=True):
    """One indexing of a job's archive directory; ``number`` is the sequence of the event that began it.

    The totals are None until they are known. One without ``ended_at`` is at work, or was cut off; ``error`` says why
    one did not do all that it should.
    """

    number: int
    begun_at: datetime
    sources: tuple[FileSource, ...]
    total_files: int | None = None
    total_bytes: int | None = None
    files: int = 0
    bytes: int = 0
    ended_at: datetime | None = None
    error: str | None = None


class IndexedFile(Struct, frozen=True, gc=False):
    """A file as the run of that number recorded it; ``digest`` is its SHA-256 in hex, if somebody wanted it.

    ``level`` is the processing level, None for products that are nothing else. ``sources`` are numbers of sources of
    the run.
    """

    path: str
    uuid: str
    kind: FileKind
    level: str | None
    size: int
    modified_at: datetime | None
    digest: str | None
    sources: tuple[int, ...]
    run: int
    indexed_at: datetime
