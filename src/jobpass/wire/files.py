"""Indexing and the files that it found, as the HTTP contract has them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from msgspec import UNSET, Meta, Struct, UnsetType

from jobpass.wire.messages import Array

WAIT_SECONDS: Final = 5
"""How long an answer may be kept waiting at most: well within the time that clients wait for one."""

Level = Annotated[str, Meta(min_length=1, max_length=64)]


class IndexRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/pipelinejobs/{uuid}/index``; without ``filters`` the job's own patterns are used.

    ``level`` is that of archive files whose filter names none. With ``fixity`` the files are read for their digest,
    with ``transition`` the event ``indexed`` follows.
    """

    filters: Array | UnsetType = UNSET
    level: Level = "1"
    fixity: bool = True
    transition: bool = True


class IndexAnswer(Struct, frozen=True):
    """``GET /api/pipelinejobs/{uuid}/index``: how far the last indexing is, null and 0 if there was none.

    ``run`` is the sequence of the event ``index`` that began it. The totals are null until they are known; ``error``
    says why it did not do all that it should.
    """

    uuid: str
    state: str
    running: bool
    run: int | None = None
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    total_files: int | None = None
    total_bytes: int | None = None
    files: int = 0
    bytes: int = 0
    error: str | None = None


class FileAnswer(Struct, frozen=True):
    """A file of a job; ``sha256`` is in hex, null if nobody wanted it, ``level`` is null for what is only a product.

    ``run`` is the sequence of the ``index`` that recorded it so. The links are uuids.
    """

    path: str
    uuid: str
    kind: str
    level: str | None
    size: int
    modified_at: datetime | None
    sha256: str | None
    run: int
    indexed_at: datetime
    generated_by: list[str]
    derived_from: list[str]
    derived_using: list[str]


class FilePage(Struct, frozen=True):
    """``GET …/files``; ``next`` is the ``after`` of the next page, null at the end."""

    files: list[FileAnswer]
    next: str | None
