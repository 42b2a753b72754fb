"""Imports in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from jobpass.ports import Place
from jobpass.records import LegacyToken, Progress, Standing
from jobpass.stores.memory.part import Part
from jobpass.stores.rules import check_import, still_stands_for


class Imports(Part):
    """``ports.ImportStore``."""

    def __init__(self) -> None:
        super().__init__()
        self._legacy: dict[str, LegacyToken] = {}
        self._progress: dict[str, Progress] = {}

    async def import_batch(self, jobs: Mapping[str, int], pipelines: Collection[str], place: Place) -> None:
        """As ``ports.ImportStore``."""
        self._check_open()
        standing = {
            uuid: Standing(self._jobs[uuid][1], self._details[uuid], tuple(self._histories[uuid][:count]))
            for uuid, count in jobs.items()
            if uuid in self._jobs
        }
        known = {uuid: self._pipelines[uuid][1] for uuid in pipelines if uuid in self._pipelines}
        batch = place(standing, known)
        if batch is None:
            return
        check_import(batch, standing, known)
        for pipeline in batch.pipelines:
            self._pipelines[pipeline.uuid] = len(self._pipelines) + 1, pipeline
        for one in batch.jobs:
            uuid = one.job.uuid
            self._jobs_made += 1
            self._jobs[uuid] = self._jobs_made, one.job
            self._histories[uuid] = list(one.events)
            self._details[uuid] = one.details
            if one.legacy is not None:
                self._legacy[uuid] = one.legacy
        self._progress[batch.progress.source] = batch.progress

    async def find_progress(self, source: str) -> Progress | None:
        """As ``ports.ImportStore``."""
        self._check_open()
        return self._progress.get(source)

    async def forget_progress(self, source: str) -> None:
        """As ``ports.ImportStore``."""
        self._check_open()
        self._progress.pop(source, None)

    async def find_legacy(self, uuid: str) -> LegacyToken | None:
        """As ``ports.ImportStore``."""
        self._check_open()
        legacy = self._legacy.get(uuid)
        return legacy if legacy is not None and still_stands_for(legacy, self._jobs[uuid][1]) else None

    async def has_legacy(self, at: datetime) -> bool:
        """As ``ports.ImportStore``."""
        self._check_open()
        return any(one.until > at for one in self._legacy.values())

    async def count_legacy(self, at: datetime) -> int:
        """As ``ports.ImportStore``."""
        self._check_open()
        return sum(one.until > at and still_stands_for(one, self._jobs[uuid][1]) for uuid, one in self._legacy.items())

    async def end_legacy(self, before: datetime | None = None) -> int:
        """As ``ports.ImportStore``."""
        self._check_open()
        ending = [uuid for uuid, one in self._legacy.items() if before is None or one.until <= before]
        for uuid in ending:
            del self._legacy[uuid]
        return len(ending)

    def _forget_legacy(self, uuid: str) -> None:
        self._legacy.pop(uuid, None)
