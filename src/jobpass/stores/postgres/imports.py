"""Imports in PostgreSQL: many jobs with their histories in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from jobpass.clock import to_microseconds
from jobpass.ports import Place
from jobpass.records import RELATIONS, ImportBatch, Imported, LegacyToken, Pipeline, Progress, Standing
from jobpass.stores.postgres.codecs import packed_all
from jobpass.stores.postgres.part import Part
from jobpass.stores.postgres.statements import many, one, rows, run, take
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


class Imports(Part):
    """``ports.ImportStore``."""

    async def import_batch(self, jobs: Mapping[str, int], pipelines: Collection[str], place: Place) -> None:
        """As ``ports.ImportStore``."""

        async def work(connection: Any) -> None:
            standing, known = await _standing(connection, jobs), await _known(connection, pipelines)
            batch = place(standing, known)
            if batch is not None:
                check_import(batch, standing, known)
                await _insert(connection, batch)

        await self._write(work, "job", "pipeline")

    async def find_progress(self, source: str) -> Progress | None:
        """As ``ports.ImportStore``."""
        row = await self._one("find_progress", source)
        return None if row is None else Progress(*row)

    async def forget_progress(self, source: str) -> None:
        """As ``ports.ImportStore``."""
        await self._write(lambda connection: run(connection, "forget_progress", source))

    async def find_legacy(self, uuid: str) -> LegacyToken | None:
        """As ``ports.ImportStore``."""
        row = await self._one("find_legacy", uuid)
        return None if row is None else legacy_from(row)

    async def has_legacy(self, at: datetime) -> bool:
        """As ``ports.ImportStore``."""
        return bool(await self._value("has_legacy", to_microseconds(at)))

    async def count_legacy(self, at: datetime) -> int:
        """As ``ports.ImportStore``."""
        return int(await self._value("count_legacy", to_microseconds(at)))

    async def end_legacy(self, before: datetime | None = None) -> int:
        """As ``ports.ImportStore``."""
        until = micro(before)

        async def end(connection: Any) -> int:
            row = await one(connection, "end_legacy", until)
            return 0 if row is None else int(row[0])

        return await self._write(end)


async def _standing(connection: Any, jobs: Mapping[str, int]) -> dict[str, Standing]:
    standing = {}
    for row in await rows(connection, "find_jobs", packed_all(jobs)):
        job = job_from(row)
        details = await one(connection, "find_details", job.uuid)
        assert details is not None
        events = await rows(connection, "history", job.uuid, 0, jobs[job.uuid])
        standing[job.uuid] = Standing(job, details_from(details), tuple(map(event_from, events)))
    return standing


async def _known(connection: Any, pipelines: Collection[str]) -> dict[str, Pipeline]:
    found = await rows(connection, "find_pipelines", packed_all(pipelines))
    return {pipeline.uuid: pipeline for pipeline in (pipeline_from(row[1:]) for row in found)}


async def _insert(connection: Any, batch: ImportBatch) -> None:
    """Write the batch, each kind of row at once."""
    first = await take(connection, "pipeline", len(batch.pipelines))
    made = [(number, *pipeline_row(one).values()) for number, one in enumerate(batch.pipelines, first)]
    await many(connection, "add_pipeline", made)
    await insert_jobs(connection, batch.jobs)
    progress = batch.progress
    await run(connection, "put_progress", progress.source, progress.documents, progress.digest, progress.counts)


async def insert_jobs(connection: Any, imported: Collection[Imported]) -> None:
    """Write jobs with all that is theirs under new numbers; the caller holds their counter, and none of them stands."""
    jobs: list[Row] = []
    details: list[Row] = []
    targets: list[Row] = []
    events: list[Row] = []
    legacy: list[Row] = []
    for number, brought in enumerate(imported, await take(connection, "job", len(imported))):
        jobs.append((number, *job_row(brought.job)))
        details.append(details_row(number, brought.details))
        found = links(brought.job, brought.details)
        targets += [(number, relation, target) for relation in RELATIONS for target in found[relation]]
        events += [event_row(number, event) for event in brought.events]
        if brought.legacy is not None:
            legacy.append(legacy_row(number, brought.legacy))
    await many(connection, "insert_job", jobs)
    await many(connection, "insert_details", details)
    await many(connection, "insert_link", targets)
    await many(connection, "insert_event", events)
    await many(connection, "insert_legacy", legacy)
