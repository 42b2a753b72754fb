"""Indexing: ``index`` is recorded at once, the archive directory is read behind it, and ``indexed`` follows.

Whoever began it must still be allowed to when it ends. What goes wrong on the way leaves the job where ``index`` put
it, with the reason in the run and, if the token still lets it, in the history; ``index`` again starts over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from jobpass import ids
from jobpass.authority.filters import DEFAULT_LEVEL, MAX_LEVEL, Plan, Reader
from jobpass.authority.gate import Submission
from jobpass.authority.index_ending import INDEXED, Ending
from jobpass.authority.recording import Recording
from jobpass.authority.resetting import probing
from jobpass.errors import ArchiveFailed, Conflict, Error, InvalidInput, InvalidToken, StoreUnavailable, UnknownJob
from jobpass.records import Change, Event, FileKind, FileSource, IndexedFile, IndexRun, Job, Page, Replayed
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.credentials import Credentials
    from jobpass.authority.gate import Gate
    from jobpass.authority.recording import Indexings
    from jobpass.clock import Clock
    from jobpass.ports import Archives, Judge, Randomness, Store
    from jobpass.tokens.keyring import Keyring

INDEX: Final = "index"

NO_LONGER: Final = "The token that began the indexing is not valid any more."
CUT_OFF: Final = "The indexing was cut off: send index again."
FAILED: Final = "The server failed; its log tells why."

log = logging.getLogger("jobpass.indexing")


class Asked(Struct, frozen=True):
    """How to index: by ``filters`` (a JSON array) or, if that is None, by the job's own patterns.

    ``level`` is that of archive files whose filter names none. With ``fixity`` files are read for their digest; with
    ``transition`` the event ``indexed`` follows.
    """

    filters: bytes | None = None
    level: str = DEFAULT_LEVEL
    fixity: bool = True
    transition: bool = True


class Progress(Struct, frozen=True):
    """How far the last indexing of a job is; ``run`` is None if there was none."""

    job: Job
    run: IndexRun | None
    running: bool


class Files(Struct, frozen=True):
    """One page of files, and the sources of the runs that recorded them, by number."""

    page: Page[IndexedFile]
    sources: dict[int, tuple[FileSource, ...]]


class Indexing:
    """What can be done with the files of jobs. Every method raises what the gate and the store raise."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        keyring: Keyring,
        archives: Archives,
        credentials: Credentials,
        audit: Audit,
        clock: Clock,
        randomness: Randomness,
        indexings: Indexings,
        namespace: str,
    ) -> None:
        self._store = store
        self._gate = gate
        self._archives = archives
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._indexings = indexings
        self._namespace = namespace
        # What is under way ends by the keyring of then.
        indexings.ending = Ending(store, gate, keyring, credentials, clock, randomness)

    async def begin(self, bearer: Bearer, uuid: str, asked: Asked) -> Event:
        """Record ``index`` and begin to read the job's archive directory; the event.

        Raises ``InvalidInput`` for filters that are not sound, ``ArchiveFailed`` if the directory is not one that may
        be read, ``Conflict`` if the job is being indexed; then nothing is recorded.
        """
        judge = self._judge_start(bearer, uuid, transition=asked.transition)
        probed = await self._store.apply(uuid, probing(judge))
        job = _job(probed)
        plan = await self._plan(job, await self._path(job), asked)
        started: asyncio.Future[Event] = asyncio.get_running_loop().create_future()

        async def run() -> None:
            async with self._store.hold(_hold(uuid)):
                after, event = _recorded(await self._store.apply(uuid, judge))
                started.set_result(event)
                try:
                    await self._carry_out(bearer, after, IndexRun(event.sequence, event.at, plan.sources), plan, asked)
                finally:
                    self._indexings.note(uuid, None)

        self._indexings.start(run(), started)
        return await asyncio.shield(started)

    async def progress(self, bearer: Bearer, uuid: str, wait_seconds: float = 0) -> Progress:
        """How far the last indexing of a job is: when it has ended, or after so much time."""
        job = await self._find(bearer, uuid)
        if wait_seconds > 0:
            await self._indexings.wait(uuid, wait_seconds)
            job = await self._find(bearer, uuid)
        live = self._indexings.run_of(uuid)
        if live is not None:
            return Progress(job, live, running=True)
        run = await self._store.find_run(uuid)
        if run is None or run.ended_at is not None:
            return Progress(job, run, running=False)
        if await self._is_held(uuid):  # another process is at it
            return Progress(job, run, running=True)
        return Progress(job, replace(run, error=CUT_OFF), running=False)

    async def files(
        self, bearer: Bearer, uuid: str, *, kind: FileKind | None, level: str | None, after: str | None, limit: int
    ) -> Files:
        """One page of the files that were recorded of a job."""
        await self._find(bearer, uuid)
        page = await self._store.list_files(uuid, kind=kind, level=level, after=after, limit=limit)
        sources = {}
        for number in {file.run for file in page.items}:
            run = await self._store.find_run(uuid, number)
            sources[number] = () if run is None else run.sources
        return Files(page, sources)

    async def _carry_out(self, bearer: Bearer, job: Job, run: IndexRun, plan: Plan, asked: Asked) -> None:
        """Record the files and end the run, whatever happens but a failure of the store."""
        recording = Recording(self._store, self._archives, self._clock, self._indexings, self._namespace, job)
        reason = None
        try:
            run = await recording.record(run, plan)
            if asked.transition:
                await self._indexings.ending.finish(bearer, job, run)
        except ArchiveFailed as failed:
            reason = failed.message
            await self._indexings.ending.explain(bearer, job, run, reason)
        except StoreUnavailable:
            raise
        except UnknownJob:
            return  # deleted, and with it all that was recorded
        except Error as error:  # the files are recorded, and the job stays where it is
            self._audit.note_refusal(error, INDEXED, bearer, bearer.address, job.uuid)
            reason = NO_LONGER if isinstance(error, InvalidToken) else error.message
        except Exception:
            log.exception("an indexing failed")
            reason = FAILED
        await recording.end(reason)

    def _judge_start(self, bearer: Bearer, uuid: str, *, transition: bool) -> Judge:
        """The judge of ``index``; nobody begins what they may not end."""
        at = self._clock.now()
        first = self._gate.judge_event(bearer, uuid, Submission(self._event_uuid(), INDEX, b"{}", at, None))
        second = self._gate.judge_event(bearer, uuid, Submission(self._event_uuid(), INDEXED, b"{}", at, None))

        def judge(job: Job | None, prior: Event | None) -> Change | Replayed:
            outcome = first(job, prior)
            if transition and isinstance(outcome, Change):
                second(outcome.after, None)
            return outcome

        return judge

    async def _path(self, job: Job) -> str:
        """The job's archive directory, if it may be read for the job: what others keep there is theirs."""
        system, given = job.archive_system, job.archive_path
        if given is None:
            raise ArchiveFailed("The job has no archive path.")
        if system is None:
            raise ArchiveFailed("The job names no archive system.")
        try:
            path = self._archives.check(system, given)
        except InvalidInput:  # the roots are others than when the job was made
            raise ArchiveFailed("The archive path is not one that a job may have here.") from None
        if await self._store.archive_neighbour(job.uuid, system, path, not_of=job.owner) is not None:
            raise ArchiveFailed("The archive path of somebody else's job is the same, contains it, or lies in it.")
        return path

    async def _plan(self, job: Job, path: str, asked: Asked) -> Plan:
        if not 0 < len(asked.level) <= MAX_LEVEL:
            raise InvalidInput.at("json.level", f"must have 1 to {MAX_LEVEL} characters")
        details = await self._store.find_details(job.uuid)
        if details is None:
            raise UnknownJob(job.uuid)
        reader = Reader(job.uuid, path, self._namespace, asked.level, fixity=asked.fixity)
        filters = asked.filters
        return await asyncio.to_thread(lambda: reader.own(details) if filters is None else reader.asked(filters))

    async def _is_held(self, uuid: str) -> bool:
        try:
            async with self._store.hold(_hold(uuid)):
                return False
        except Conflict:
            return True

    async def _find(self, bearer: Bearer, uuid: str) -> Job:
        job = await self._store.find_job(uuid)
        self._gate.admit(bearer, Access("jobs.read", self._clock.now(), job=uuid, address=bearer.address), job)
        if job is None:
            raise UnknownJob(uuid)
        return job

    def _event_uuid(self) -> str:
        return ids.random_typed_uuid("pipelinejob_event", self._randomness(16))


def links_of(file: IndexedFile, sources: Sequence[FileSource]) -> FileSource:
    """All links of a file: those of each of its sources, in order, each once."""
    own = [sources[number] for number in file.sources if number < len(sources)]
    return FileSource(
        tuple(dict.fromkeys(uuid for source in own for uuid in source.generated_by)),
        tuple(dict.fromkeys(uuid for source in own for uuid in source.derived_from)),
        tuple(dict.fromkeys(uuid for source in own for uuid in source.derived_using)),
    )


def _hold(uuid: str) -> str:
    return f"{uuid}/index"


def _job(probed: Change | Replayed) -> Job:
    if isinstance(probed, Replayed) or probed.after is None:
        raise UnknownJob("")
    return probed.after


def _recorded(outcome: Change | Replayed) -> tuple[Job, Event]:
    if isinstance(outcome, Replayed) or outcome.after is None or outcome.event is None:
        raise UnknownJob("")
    return outcome.after, outcome.event
