"""The files of jobs in PostgreSQL."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any, Final

from jobpass.clock import to_microseconds
from jobpass.records import FileKind, IndexedFile, IndexRun, Job, Page
from jobpass.stores.listing import FILE_FILTERS, page, read_cursor
from jobpass.stores.postgres.part import Part, filtered
from jobpass.stores.postgres.queries import QUERIES
from jobpass.stores.postgres.statements import many, one, rows, run, take
from jobpass.stores.rows.files import file_from, file_row, run_from, run_row
from jobpass.stores.rules import gone

ORPHANS_AT_ONCE: Final = 2000
"""Files of deleted jobs that one call removes: it writes, and what this node writes waits for it."""


class Files(Part):
    """``ports.FileStore``."""

    async def put_files(
        self, job: Job, run: IndexRun, files: Sequence[IndexedFile] = (), seen: Collection[str] = ()
    ) -> None:
        """As ``ports.FileStore``."""

        async def put(connection: Any) -> None:
            number = await _number(connection, job)
            await _put_run(connection, number, run)
            await _put_files(connection, number, files)
            if seen:
                await connection.execute(QUERIES["see_files"].sql, run.number, number, [_place(path) for path in seen])

        await self._write(put, "file")

    async def sweep_files(self, job: Job, run: int, after: int, limit: int) -> int | None:
        """As ``ports.FileStore``."""

        async def sweep(connection: Any) -> int | None:
            number = await _number(connection, job)
            found = await rows(connection, "next_files", number, after, limit)
            gone_by = [identity for identity, seen in found if seen != run]
            await connection.execute(QUERIES["delete_files"].sql, gone_by)
            if len(found) == limit:
                place: int = found[-1][0]
                return place
            await connection.execute(QUERIES["delete_old_runs"].sql, number, run)
            return None

        return await self._write(sweep)

    async def find_run(self, uuid: str, number: int | None = None) -> IndexRun | None:
        """As ``ports.FileStore``."""
        row = await self._one("find_run", uuid, number)
        return None if row is None else run_from(row)

    async def list_files(
        self, uuid: str, *, kind: FileKind | None, level: str | None, after: str | None, limit: int
    ) -> Page[IndexedFile]:
        """As ``ports.FileStore``."""
        start = read_cursor(after, await self._newest("file"))
        values = {"uuid": uuid, "kind": kind, "level": level, "after": start, "limit": limit + 1}
        return page(await self._named(filtered("list_files", FILE_FILTERS, values), values), limit, file_from)

    async def _sweep_orphans(self) -> None:
        """Remove some of what deleted jobs left behind; without any it costs one look at an empty table."""
        orphan = await self._one("find_orphan")
        if orphan is None:
            return
        number = orphan[0]

        async def sweep(connection: Any) -> None:
            found = await rows(connection, "next_files", number, 0, ORPHANS_AT_ONCE)
            await run(connection, "delete_files", [identity for identity, _ in found])
            if len(found) < ORPHANS_AT_ONCE:
                await run(connection, "delete_runs", number)
                await run(connection, "forget_orphan", number)

        await self._write(sweep)


async def _put_run(connection: Any, job: int, record: IndexRun) -> None:
    await run(connection, "put_run", *run_row(job, record))


async def _put_files(connection: Any, job: int, files: Sequence[IndexedFile]) -> None:
    """Record files; only one that is new takes a number, so that cursors end where files do."""
    if not files:
        return
    places = [_place(file.path) for file in files]
    known = {row[0] for row in await rows(connection, "known_places", job, places)}
    number = await take(connection, "file", len(set(places) - known))
    bindings = []
    for place, file in zip(places, files, strict=True):
        bindings.append((number, place, *file_row(job, file)))
        if place not in known:
            known.add(place)
            number += 1
    await many(connection, "put_file", bindings)


def _place(path: str) -> bytes:
    return hashlib.sha256(path.encode()).digest()


async def _number(connection: Any, job: Job) -> int:
    row = await one(connection, "find_this_job", job.uuid, to_microseconds(job.created_at))
    if row is None:
        raise gone(job)
    number: int = row[0]
    return number
