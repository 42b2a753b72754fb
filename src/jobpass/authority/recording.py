"""The work of an indexing: an archive directory is walked, and what fits the plan is recorded in batches.

The directory is walked twice, the first time for how much there is to do, so that memory stays flat.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from contextlib import aclosing, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from jobpass import ids
from jobpass.errors import ArchiveFailed, StoreUnavailable
from jobpass.records import FileFound, IndexedFile, IndexRun, Job

if TYPE_CHECKING:
    from jobpass.authority.filters import Plan, Sorted
    from jobpass.authority.index_ending import Ending
    from jobpass.clock import Clock
    from jobpass.ports import Archives, FileStore

AT_ONCE: Final = 2
"""Indexings that read at the same time; others wait."""
DIGESTS_AT_ONCE: Final = min(3, len(os.sched_getaffinity(0)))
"""Files that all indexings read at the same time; one thread of the archives is left for others."""
WRITTEN_AT_ONCE: Final = 250
"""Files in one write, for which all other writers wait."""
SWEPT_AT_ONCE: Final = 1000
SORT_SECONDS: Final = 120.0
"""Time of a processor for the patterns of one indexing; sound ones need some microseconds a file."""

Fits = list[tuple[FileFound, "Sorted"]]

log = logging.getLogger("jobpass.indexing")


class Indexings:
    """What is being indexed by this process, by job. Outlives a change of the keyring.

    ``ending`` is the part that ends what is under way.
    """

    ending: Ending

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(AT_ONCE)
        self.reading = asyncio.Semaphore(DIGESTS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._runs: dict[str, IndexRun] = {}
        self._ended: dict[str, asyncio.Event] = {}

    def start(self, work: Coroutine[Any, Any, None], started: asyncio.Future[Any]) -> None:
        """Carry out ``work``; what it raises before ``started`` is answered is answered there, later it is logged."""
        # Looked at, so that it is not reported as forgotten if nobody waits any more.
        started.add_done_callback(lambda done: done.cancelled() or done.exception())
        task = asyncio.create_task(self._watch(work, started))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def note(self, uuid: str, run: IndexRun | None) -> None:
        """How far the indexing of a job is; None: it has ended."""
        if run is not None:
            self._runs[uuid] = run
            self._ended.setdefault(uuid, asyncio.Event())
        elif uuid in self._runs:
            del self._runs[uuid]
            self._ended.pop(uuid).set()

    def run_of(self, uuid: str) -> IndexRun | None:
        """How far it is, if it is under way in this process."""
        return self._runs.get(uuid)

    async def wait(self, uuid: str, seconds: float) -> None:
        """Return when the indexing of a job, if it is under way in this process, has ended, or so much later."""
        ended = self._ended.get(uuid)
        if ended is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), seconds)

    async def stop(self) -> None:
        """Cut off what is under way, and return when nothing is any more."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(list(self._tasks))

    async def _watch(self, work: Coroutine[Any, Any, None], started: asyncio.Future[Any]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            started.cancel()
            raise
        except Exception as error:  # nobody waits for this task: its caller, or else the log, is told
            if not started.done():
                started.set_exception(error)
            elif isinstance(error, StoreUnavailable):
                log.error("an indexing was cut off: %s", error.message)
            else:
                log.exception("an indexing was cut off")


class Recording:
    """One indexing of ``job``, as ``index`` left it."""

    def __init__(
        self, store: FileStore, archives: Archives, clock: Clock, indexings: Indexings, namespace: str, job: Job
    ) -> None:
        self.job = job
        self._store = store
        self._archives = archives
        self._clock = clock
        self._indexings = indexings
        self._namespace = namespace
        self._run: IndexRun | None = None
        self._seconds = 0.0

    async def record(self, run: IndexRun, plan: Plan) -> IndexRun:
        """Record the files of the job's directory that fit; the run as it is then.

        Raises ``ArchiveFailed``; what was recorded by then stays.
        """
        self._note(run)
        await self._store.put_files(self.job, run)
        async with self._indexings.slots:
            run = self._note(await self._count(run, plan))
            await self._store.put_files(self.job, run)
            needed = set(plan.needed)
            async with aclosing(self._sorted(plan)) as batches:
                async for fits, others in batches:
                    needed.difference_update(file.path for file, _ in fits)
                    needed.difference_update(others)
                    run = await self._put(run, fits, others)
            if needed:
                raise ArchiveFailed(f"A file that others are derived from is not there: {min(needed)!r}.")
            after: int | None = 0
            while after is not None:
                after = await self._store.sweep_files(self.job, run.number, after, SWEPT_AT_ONCE)
        return run

    async def end(self, error: str | None) -> None:
        """The run has ended; ``error`` says why it did not do all that it should."""
        if self._run is not None:
            ended = replace(self._run, ended_at=self._clock.now(), error=error)
            await self._store.put_files(self.job, ended)

    def _note(self, run: IndexRun) -> IndexRun:
        self._run = run
        self._indexings.note(self.job.uuid, run)
        return run

    async def _count(self, run: IndexRun, plan: Plan) -> IndexRun:
        files = size = 0
        async with aclosing(self._sorted(plan)) as batches:
            async for fits, _ in batches:
                files += len(fits)
                size += sum(file.size for file, _ in fits)
        return replace(run, total_files=files, total_bytes=size)

    async def _sorted(self, plan: Plan) -> AsyncGenerator[tuple[Fits, list[str]], None]:
        """The files that fit with what they are, and the paths of the others, in batches."""
        async with aclosing(self._archives.walk(self.job.archive_system, self.job.archive_path or "")) as walk:  # type: ignore[type-var]
            async for batch in walk:
                yield await asyncio.to_thread(self._sort, plan, batch)

    def _sort(self, plan: Plan, batch: list[FileFound]) -> tuple[Fits, list[str]]:
        fits: Fits = []
        others: list[str] = []
        before = time.thread_time()
        for file in batch:
            found = plan.sort(file)
            if found is None:
                others.append(file.path)
            else:
                fits.append((file, found))
            if self._seconds + time.thread_time() - before > SORT_SECONDS:
                raise ArchiveFailed("The patterns take too long: they are too many, or too large.")
        self._seconds += time.thread_time() - before
        return fits, others

    async def _put(self, run: IndexRun, fits: Fits, others: Sequence[str]) -> IndexRun:
        """Record a batch, in several writes."""
        fitting, seen = iter(fits), iter(others)
        while True:
            now, there = list(islice(fitting, WRITTEN_AT_ONCE)), list(islice(seen, WRITTEN_AT_ONCE))
            if not now and not there:
                return run
            digests = await self._digests(now)
            at = self._clock.now()
            files = [self._file(run, *one, digest, at) for one, digest in zip(now, digests, strict=True)]
            run = replace(run, files=run.files + len(files), bytes=run.bytes + sum(file.size for file in files))
            await self._store.put_files(self.job, run, files, there)
            self._note(run)

    def _file(self, run: IndexRun, file: FileFound, what: Sorted, digest: str | None, at: Any) -> IndexedFile:
        uuid = ids.typed_uuid("file", file.path, self._namespace)
        return IndexedFile(
            file.path,
            uuid,
            what.kind,
            what.level,
            file.size,
            file.modified_at,
            digest,
            what.sources,
            run.number,
            at,
        )

    async def _digests(self, fits: Fits) -> list[str | None]:
        """The digest of each file, None where none is wanted; several are read at once."""
        found: list[str | None] = [None] * len(fits)
        wanted = iter([(place, file) for place, (file, what) in enumerate(fits) if what.fixity])
        readers = [asyncio.create_task(self._read(wanted, found)) for _ in range(min(DIGESTS_AT_ONCE, len(fits)))]
        if not readers:
            return found
        try:
            await asyncio.gather(*readers)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.wait(readers)
        return found

    async def _read(self, wanted: Iterator[tuple[int, FileFound]], found: list[str | None]) -> None:
        for place, file in wanted:
            async with self._indexings.reading:
                try:
                    found[place] = await self._archives.digest(self.job.archive_system, file)
                except ArchiveFailed as failed:
                    raise ArchiveFailed(f"{failed.message} At {file.path!r}.") from None
            live = self._indexings.run_of(self.job.uuid)
            if live is not None:  # what a look at the progress is told; the write follows
                live = replace(live, files=live.files + 1, bytes=live.bytes + file.size)
                self._indexings.note(self.job.uuid, live)
