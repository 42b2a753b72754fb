"""What comes from elsewhere with its history."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Protocol

from jobpass.records import ImportBatch, LegacyToken, Pipeline, Progress, Standing

Place = Callable[[Mapping[str, Standing], Mapping[str, Pipeline]], ImportBatch | None]
"""Pure: (the jobs, the pipelines that stand already, by uuid) → what an import writes; None: nothing."""


class ImportStore(Protocol):
    """What comes from elsewhere with its history: written in batches, and no news for anybody."""

    async def import_batch(self, jobs: Mapping[str, int], pipelines: Collection[str], place: Place) -> None:
        """Write durably, in one piece, what ``place`` says of the jobs and pipelines of these uuids that stand.

        ``jobs`` maps each uuid to how many of its first events ``place`` is shown. It may be called again with a later
        state; only its last answer counts. What it adds must not stand.
        """
        ...

    async def find_progress(self, source: str) -> Progress | None:
        """How far the import of this file came, if it has not ended."""
        ...

    async def forget_progress(self, source: str) -> None:
        """The import of this file has ended, or begins anew."""
        ...

    async def find_legacy(self, uuid: str) -> LegacyToken | None:
        """What the old token of a job is checked with; None as soon as the job's serial is another one."""
        ...

    async def has_legacy(self, at: datetime) -> bool:
        """Whether any is kept that does not end by time before; its job may have another token by now. At once."""
        ...

    async def count_legacy(self, at: datetime) -> int:
        """How many jobs have an old token that lives at that time."""
        ...

    async def end_legacy(self, before: datetime | None = None) -> int:
        """Forget what old tokens are checked with: all, or those that ended by ``before``; how many they were."""
        ...
