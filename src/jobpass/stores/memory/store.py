"""Jobs, histories and pipelines in memory, joined with the other parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from msgspec.structs import replace

from jobpass.ports import Judge
from jobpass.records import Change, Details, Event, Job, Linked, Page, Pipeline, Replayed
from jobpass.stores.listing import read_cursor
from jobpass.stores.memory.accounts import Accounts
from jobpass.stores.memory.admin_keys import AdminKeys
from jobpass.stores.memory.audit import AuditChains
from jobpass.stores.memory.credentials import Credentials
from jobpass.stores.memory.files import Files
from jobpass.stores.memory.imports import Imports
from jobpass.stores.memory.part import page
from jobpass.stores.memory.platforms import Platforms
from jobpass.stores.memory.webhooks import Webhooks
from jobpass.stores.memory.work import Works
from jobpass.stores.rules import archive_taken, around, check_answer, held, links, only_change, within


class MemoryStore(Accounts, Credentials, AdminKeys, Platforms, AuditChains, Webhooks, Imports, Files, Works):
    """Everything in dictionaries, gone with the process. No method awaits, so each is atomic on its event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._held: set[str] = set()

    async def apply(
        self, uuid: str, judge: Judge, key: str | None = None, *, apart: Job | None = None
    ) -> Change | Replayed:
        """As ``ports.JobStore``."""
        self._check_open()
        job = self._jobs[uuid][1] if uuid in self._jobs else None
        history = self._histories.get(uuid, [])
        standing = None if key is None else next((event for event in history if event.key == key), None)
        answer = judge(job, standing)
        check_answer(answer, uuid, job, standing, key)
        if isinstance(answer, Change):
            if answer.before is None and apart is not None and self._is_taken(apart):
                raise archive_taken()
            self._check_work(answer)
            self._write(uuid, answer)
        return answer

    async def apply_next(self, platforms: Collection[str], judge: Judge) -> Change | None:
        """As ``ports.WorkStore``."""
        self._check_open()
        uuid = self._next_waiting(platforms)
        return None if uuid is None else only_change(await self.apply(uuid, judge))

    def _is_taken(self, apart: Job) -> bool:
        system, path = apart.archive_system, apart.archive_path
        if system is None or path is None:
            return False
        return self._neighbour(apart.uuid, system, path, apart.owner) is not None

    def _write(self, uuid: str, change: Change) -> None:
        if change.after is None:
            del self._jobs[uuid], self._histories[uuid], self._details[uuid]
            self._forget_job(uuid)
            self._forget_files(uuid)
            self._forget_legacy(uuid)
            return
        if change.before is None:
            self._jobs_made += 1
            self._jobs[uuid] = self._jobs_made, change.after
            self._histories[uuid] = []
            self._details[uuid] = change.details or Details()
        else:
            self._jobs[uuid] = self._jobs[uuid][0], change.after
        if change.event is not None:
            self._histories[uuid].append(change.event)
            self._news.append((uuid, change.event))

    async def find_job(self, uuid: str) -> Job | None:
        """As ``ports.JobStore``."""
        self._check_open()
        return self._jobs[uuid][1] if uuid in self._jobs else None

    async def find_details(self, uuid: str) -> Details | None:
        """As ``ports.JobStore``."""
        self._check_open()
        return self._details.get(uuid)

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
        """As ``ports.JobStore``."""
        self._check_open()
        wanted = (
            (number, job)
            for number, job in self._jobs.values()
            if (owner is None or job.owner == owner)
            and (state is None or job.state == state)
            and (pipeline_uuid is None or job.pipeline_uuid == pipeline_uuid)
            and all(self._is_linked(job, condition) for condition in linked)
        )
        return page(wanted, read_cursor(after, self._jobs_made), limit)

    def _is_linked(self, job: Job, condition: Linked) -> bool:
        return not links(job, self._details[job.uuid])[condition.relation].isdisjoint(condition.targets)

    async def archive_neighbour(self, uuid: str, system: str, path: str, *, not_of: int | None = None) -> str | None:
        """As ``ports.JobStore``."""
        self._check_open()
        return self._neighbour(uuid, system, path, not_of)

    def _neighbour(self, uuid: str, system: str, path: str, not_of: int | None) -> str | None:
        containing, (above, below) = around(path), within(path)
        found = [
            (job.archive_path, number, job.uuid)
            for number, job in self._jobs.values()
            if job.uuid != uuid
            and job.owner != not_of
            and job.archive_system == system
            and job.archive_path is not None
            and (job.archive_path in containing or above < job.archive_path < below)
        ]
        return min(found)[2] if found else None

    async def count_lifecycles(self) -> dict[str, int]:
        """As ``ports.JobStore``."""
        self._check_open()
        return dict(Counter(job.lifecycle for _, job in self._jobs.values()))

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """As ``ports.JobStore``."""
        self._check_open()
        if name in self._held:
            raise held(name)
        self._held.add(name)
        try:
            yield
        finally:
            self._held.remove(name)

    async def history(self, uuid: str, after: int, limit: int) -> list[Event]:
        """As ``ports.JobStore``."""
        self._check_open()
        return [event for event in self._histories.get(uuid, []) if event.sequence > after][:limit]

    async def put_pipeline(self, pipeline: Pipeline) -> None:
        """As ``ports.JobStore``."""
        self._check_open()
        number, old = self._pipelines.get(pipeline.uuid, (len(self._pipelines) + 1, pipeline))
        kept = replace(pipeline, owner=old.owner, created_at=old.created_at)
        self._pipelines[pipeline.uuid] = number, kept

    async def find_pipeline(self, uuid: str) -> Pipeline | None:
        """As ``ports.JobStore``."""
        self._check_open()
        return self._pipelines[uuid][1] if uuid in self._pipelines else None

    async def list_pipelines(self, *, after: str | None, limit: int) -> Page[Pipeline]:
        """As ``ports.JobStore``."""
        self._check_open()
        return page(self._pipelines.values(), read_cursor(after, len(self._pipelines)), limit)

    async def check(self) -> None:
        """As ``ports.Store``."""
        self._check_open()

    async def tend(self) -> None:
        """As ``ports.Store``; there is nothing to do."""
        self._check_open()

    @asynccontextmanager
    async def chore(self, name: str) -> AsyncIterator[bool]:
        """As ``ports.Store``; there is nobody else."""
        del name
        self._check_open()
        yield True

    def clock_offset(self) -> float | None:
        """As ``ports.Store``; there is one clock."""
        return None

    async def close(self) -> None:
        """As ``ports.Store``."""
        self._closed = True
