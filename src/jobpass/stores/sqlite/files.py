"""The files of jobs in SQLite."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import apsw

from jobpass.clock import to_microseconds
from jobpass.records import FileKind, IndexedFile, IndexRun, Job, Page
from jobpass.stores.listing import FILE_FILTERS, page, read_cursor
from jobpass.stores.rows.columns import Row
from jobpass.stores.rows.files import file_from, file_row, run_from, run_row
from jobpass.stores.rules import gone
from jobpass.stores.sqlite.part import Part, filtered
from jobpass.stores.sqlite.queries import QUERIES

ORPHANS_AT_ONCE: Final = 2000
"""Files of deleted jobs that one call removes: it writes, and all other writers wait for it."""


class Files(Part):
    """``ports.FileStore``."""

    async def put_files(
        self, job: Job, run: IndexRun, files: Sequence[IndexedFile] = (), seen: Collection[str] = ()
    ) -> None:
        """As ``ports.FileStore``."""

        def put(cursor: apsw.Cursor) -> None:
            number = _number(cursor, job)
            cursor.execute(QUERIES["put_run"], run_row(number, run))
            cursor.executemany(QUERIES["put_file"], (file_row(number, file) for file in files))
            cursor.executemany(QUERIES["see_file"], ((run.number, number, path) for path in seen))

        await self._write(put)

    async def sweep_files(self, job: Job, run: int, after: int, limit: int) -> int | None:
        """As ``ports.FileStore``."""

        def sweep(cursor: apsw.Cursor) -> int | None:
            number = _number(cursor, job)
            rows: list[Row] = cursor.execute(QUERIES["next_files"], (number, after, limit)).fetchall()
            cursor.executemany(QUERIES["delete_file"], ((identity,) for identity, seen in rows if seen != run))
            if len(rows) == limit:
                place: int = rows[-1][0]
                return place
            cursor.execute(QUERIES["delete_old_runs"], {"job": number, "run": run})
            return None

        return await self._write(sweep)

    async def find_run(self, uuid: str, number: int | None = None) -> IndexRun | None:
        """As ``ports.FileStore``."""
        rows = self._rows(QUERIES["find_run"], {"uuid": uuid, "run": number})
        return run_from(rows[0]) if rows else None

    async def list_files(
        self, uuid: str, *, kind: FileKind | None, level: str | None, after: str | None, limit: int
    ) -> Page[IndexedFile]:
        """As ``ports.FileStore``; with a condition, which may leave out very many, in a thread."""
        start = read_cursor(after, self._newest("newest_file"))
        values: Mapping[str, Any] = {"uuid": uuid, "kind": kind, "level": level, "after": start, "limit": limit + 1}
        sql = filtered("list_files", FILE_FILTERS, values)
        conditional = kind is not None or level is not None
        rows = await self._rows_aside(sql, values) if conditional else self._rows(sql, values)
        return page(rows, limit, file_from)

    async def _sweep_orphans(self) -> None:
        """Remove some of what deleted jobs left behind; without any it costs one look at an empty table."""
        rows = self._rows(QUERIES["find_orphan"], ())
        if not rows:
            return

        def sweep(cursor: apsw.Cursor) -> None:
            number = rows[0][0]
            found = cursor.execute(QUERIES["next_files"], (number, 0, ORPHANS_AT_ONCE)).fetchall()
            cursor.executemany(QUERIES["delete_file"], ((identity,) for identity, _ in found))
            if len(found) < ORPHANS_AT_ONCE:
                cursor.execute(QUERIES["delete_runs"], (number,))
                cursor.execute(QUERIES["forget_orphan"], (number,))

        await self._write(sweep)


def _number(cursor: apsw.Cursor, job: Job) -> int:
    number = cursor.execute(QUERIES["find_this_job"], (job.uuid, to_microseconds(job.created_at))).get
    if number is None:
        raise gone(job)
    return number  # type: ignore[no-any-return]
