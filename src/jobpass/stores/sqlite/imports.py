"""Imports in SQLite: many jobs with their histories in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

import apsw

from jobpass.clock import to_microseconds
from jobpass.ports import Place
from jobpass.records import ImportBatch, LegacyToken, Pipeline, Progress, Standing
from jobpass.stores.rows.columns import Row, micro
from jobpass.stores.rows.imports import legacy_from, legacy_row
from jobpass.stores.rows.jobs import (
    details_from,
    details_row,
    event_from,
    event_row,
    job_from,
    job_row,
    pipeline_from,
    pipeline_row,
)
from jobpass.stores.rules import check_import, links
from jobpass.stores.sqlite.part import Part, array
from jobpass.stores.sqlite.queries import QUERIES

_ROWS: Final = ("insert_imported", "insert_details", "insert_link", "insert_event", "insert_legacy")


class Imports(Part):
    """``ports.ImportStore``."""

    async def import_batch(self, jobs: Mapping[str, int], pipelines: Collection[str], place: Place) -> None:
        """As ``ports.ImportStore``."""

        def work(cursor: apsw.Cursor) -> None:
            standing, known = _standing(cursor, jobs), _known(cursor, pipelines)
            batch = place(standing, known)
            if batch is not None:
                check_import(batch, standing, known)
                _insert(cursor, batch)

        await self._write(work)

    async def find_progress(self, source: str) -> Progress | None:
        """As ``ports.ImportStore``."""
        row = self._one("find_progress", source)
        return None if row is None else Progress(*row)

    async def forget_progress(self, source: str) -> None:
        """As ``ports.ImportStore``."""
        await self._write(lambda cursor: cursor.execute(QUERIES["forget_progress"], (source,)).get)

    async def find_legacy(self, uuid: str) -> LegacyToken | None:
        """As ``ports.ImportStore``."""
        row = self._one("find_legacy", uuid)
        return None if row is None else legacy_from(row)

    async def has_legacy(self, at: datetime) -> bool:
        """As ``ports.ImportStore``."""
        return bool(self._rows(QUERIES["has_legacy"], (to_microseconds(at),))[0][0])

    async def count_legacy(self, at: datetime) -> int:
        """As ``ports.ImportStore``."""
        count: int = self._rows(QUERIES["count_legacy"], (to_microseconds(at),))[0][0]
        return count

    async def end_legacy(self, before: datetime | None = None) -> int:
        """As ``ports.ImportStore``."""
        bindings = {"before": micro(before)}

        def end(cursor: apsw.Cursor) -> int:
            return len(cursor.execute(QUERIES["end_legacy"], bindings).fetchall())

        return await self._write(end)


def _standing(cursor: apsw.Cursor, jobs: Mapping[str, int]) -> dict[str, Standing]:
    found = cursor.execute(QUERIES["find_jobs"], (array(jobs),)).fetchall()
    standing = {}
    for _, *row in found:
        job = job_from(tuple(row))
        details = details_from(cursor.execute(QUERIES["find_details"], (job.uuid,)).fetchall()[0])
        events = cursor.execute(QUERIES["history"], (job.uuid, 0, jobs[job.uuid])).fetchall()
        standing[job.uuid] = Standing(job, details, tuple(map(event_from, events)))
    return standing


def _known(cursor: apsw.Cursor, pipelines: Collection[str]) -> dict[str, Pipeline]:
    found = cursor.execute(QUERIES["find_pipelines"], (array(pipelines),)).fetchall()
    return {pipeline.uuid: pipeline for pipeline in (pipeline_from(row[1:]) for row in found)}


def _insert(cursor: apsw.Cursor, batch: ImportBatch) -> None:
    """Write the batch, each kind of row at once: their numbers are given here, since nobody else writes now."""
    for pipeline in batch.pipelines:
        cursor.execute(QUERIES["add_pipeline"], pipeline_row(pipeline))
    newest: int = cursor.execute(QUERIES["newest_job"]).get
    rows: dict[str, list[Row]] = {name: [] for name in _ROWS}
    jobs, details, targets, events, legacy = rows.values()
    for number, one in enumerate(batch.jobs, newest + 1):
        jobs.append((number, *job_row(one.job)))
        details.append(details_row(number, one.details))
        for relation, found in links(one.job, one.details).items():
            targets += [(number, relation, target) for target in found]
        events += [event_row(number, event) for event in one.events]
        if one.legacy is not None:
            legacy.append(legacy_row(number, one.legacy))
    for name, found_rows in rows.items():
        cursor.executemany(QUERIES[name], found_rows)
    progress = batch.progress
    cursor.execute(QUERIES["put_progress"], (progress.source, progress.documents, progress.digest, progress.counts))
