"""Jobs, their histories, and the pipelines that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from jobpass.records import Change, Details, Event, Job, Linked, Page, Pipeline, Replayed

Judge = Callable[[Job | None, Event | None], Change | Replayed]
"""Pure: (the job or None, the event that stands under the same idempotency key or None) → what to write.

It refuses by raising an error of ``jobpass.errors``, which reaches the caller of ``apply`` as it is. It may be called
several times for one ``apply``, each time with a later state of the job; only the last answer counts.
"""


class JobStore(Protocol):
    """Jobs, their histories, and the pipelines that they belong to."""

    async def apply(
        self, uuid: str, judge: Judge, key: str | None = None, *, apart: Job | None = None
    ) -> Change | Replayed:
        """Write what ``judge`` says about the job, durably, in one piece; return it once it is on the disk.

        Calls for one job are judged one after the other, each on the result of the one before. ``key`` is the
        idempotency key under which the second argument of ``judge`` is looked up.

        ``apart`` is the job that ``judge`` may make: if it makes one, and a job of another owner is a neighbour of that
        archive path as ``archive_neighbour`` has it, nothing is written and ``JobExists`` raised. Of two that are made
        at once one is. In the same way ``LimitExceeded`` is raised for a job beyond ``Change.most``.
        """
        ...

    async def find_job(self, uuid: str) -> Job | None:
        """The job as last committed."""
        ...

    async def find_details(self, uuid: str) -> Details | None:
        """What the job was made with; None for an unknown job."""
        ...

    async def list_jobs(
        self,
        *,
        owner: int | None,
        state: str | None,
        pipeline_uuid: str | None,
        linked: Collection[Linked] = (),
        after: str | None,
        limit: int,
    ) -> Page[Job]:
        """Jobs in order of creation which meet every condition; ``after`` is the ``next`` of the page before. A cursor
        that was never given out raises ``InvalidInput`` on ``query.after``."""
        ...

    async def archive_neighbour(self, uuid: str, system: str, path: str, *, not_of: int | None = None) -> str | None:
        """The uuid of another job whose archive path on ``system`` is ``path``, lies in it, or contains it; or None.

        With ``not_of`` only jobs of other owners than this count. Paths are compared as texts, name by name: they are
        normalised when a job is made.
        """
        ...

    async def count_lifecycles(self) -> dict[str, int]:
        """How many jobs each lifecycle has that has any, by name."""
        ...

    def hold(self, name: str) -> AbstractAsyncContextManager[None]:
        """Hold ``name`` (a job's uuid) against everybody else who would hold it, in this process or another on the
        same store, until the context ends or the process dies. Does not wait: ``Conflict`` if somebody has it."""
        ...

    async def history(self, uuid: str, after: int, limit: int) -> list[Event]:
        """The events with a sequence above ``after``, in order, at most ``limit``; empty for an unknown job."""
        ...

    async def put_pipeline(self, pipeline: Pipeline) -> None:
        """Add the pipeline, or replace the one of the same uuid keeping its owner and ``created_at``."""
        ...

    async def find_pipeline(self, uuid: str) -> Pipeline | None:
        """The pipeline of this uuid."""
        ...

    async def list_pipelines(self, *, after: str | None, limit: int) -> Page[Pipeline]:
        """Pipelines in order of creation; ``after`` as in ``list_jobs``."""
        ...
