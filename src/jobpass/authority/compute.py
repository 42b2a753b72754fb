"""Compute jobs, as those see them who sent them: status, results, history as it happens, and the wish to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from jobpass import ids
from jobpass.authority.holds import Holds
from jobpass.authority.standing import anew, is_operators_login, principal_of
from jobpass.authority.work_judges import WorkJudges
from jobpass.errors import StoreUnavailable, TooMany, UnknownJob
from jobpass.lifecycle.standard import COMPUTE
from jobpass.records import WAITING, Change, Event, Job, Load, Page, Work
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.blobs import Blobs, Chunks
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import Randomness, Signals, Store

HELD_STATES: Final = ("waiting", "running")
"""Only of such jobs is the status worth waiting for."""
LOOK_SECONDS: Final = 1.0
"""So often it is looked whether who listens to a job still may."""
QUIET_SECONDS: Final = 15.0
"""After so long without an event a listener is told that the connection lives."""
HISTORY_AT_ONCE: Final = 100
AT_ONCE: Final = 100
"""Jobs looked at together where all of an owner's are canceled."""
LISTENERS_EACH: Final = 32
"""Streams of events of one asker."""


class Availability(Struct, frozen=True):
    """What somebody may still send, and has there; never more than there may be."""

    max_jobs_in_queue: int
    num_jobs_in_queue: int
    max_concurrent_jobs: int
    num_concurrent_jobs: int


class Compute:
    """What can be done with compute jobs once they are there. Every method raises what the gate and the store raise."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        clock: Clock,
        randomness: Randomness,
        blobs: Blobs,
        signals: Signals,
        holds: Holds,
        listeners: Holds,
    ) -> None:
        self._store = store
        self._gate = gate
        self._judges = WorkJudges(gate)
        self._clock = clock
        self._randomness = randomness
        self._blobs = blobs
        self._signals = signals
        self._holds = holds
        self._listeners = listeners

    async def status(self, bearer: Bearer, uuid: str, hold_seconds: float = 0) -> Job:
        """The job. If it waits or runs, the answer may come later: when it has ended, or after ``hold_seconds``.

        Nobody is held who was held in vain just before.
        """
        job = await self._find(bearer, uuid)
        loop = asyncio.get_running_loop()
        asker = _asker(bearer)
        if hold_seconds <= 0 or job.state not in HELD_STATES or not self._holds.may(asker, loop.time()):
            return job
        until = loop.time() + hold_seconds
        with self._holds.holding(asker), self._signals.listen([f"job:{uuid}"]) as listener:
            while (left := until - loop.time()) > 0:
                job = await self._find(bearer, uuid)
                if job.state not in HELD_STATES or self._signals.ending:
                    break
                await listener.wait(left)
        if job.state in HELD_STATES:
            self._holds.in_vain(asker, loop.time())
        return await self._find(await anew(self._store, bearer), uuid)

    async def read(self, bearer: Bearer, uuid: str) -> Job:
        """The job."""
        return await self._find(bearer, uuid)

    async def results(self, bearer: Bearer, uuid: str) -> tuple[Job, Chunks | None]:
        """The job, and the text of its results in chunks; None if there are none (yet)."""
        job = await self._find(bearer, uuid)
        blob = _work(job).results
        return job, None if blob is None else await self._blobs.read(blob)

    async def payload(self, bearer: Bearer, uuid: str) -> tuple[Job, Chunks]:
        """The job, and its payload in chunks."""
        job = await self._find(bearer, uuid)
        return job, await self._blobs.read(_work(job).payload)

    async def cancel(self, bearer: Bearer, uuid: str) -> Job:
        """Ask for the job to be stopped; ``Conflict`` if it has ended."""
        event = ids.random_typed_uuid("pipelinejob_event", self._randomness(16))
        judge = self._judges.cancellation(bearer, uuid, event, self._clock.now())
        outcome = await self._store.apply(uuid, judge)
        assert isinstance(outcome, Change)
        assert outcome.after is not None
        self._signals.publish(f"job:{uuid}")
        return outcome.after

    async def abandon(self, owner: int) -> int:
        """Cancel what waits of the jobs of a principal who is disabled; how many were. For the authority itself."""
        canceled = 0
        while waiting := (await self._store.list_work(owner=owner, state=WAITING, after=None, limit=AT_ONCE)).items:
            for job in waiting:
                event = ids.random_typed_uuid("pipelinejob_event", self._randomness(16))
                with suppress(UnknownJob):  # deleted meanwhile
                    outcome = await self._store.apply(job.uuid, self._judges.abandonment(event, self._clock.now()))
                    canceled += isinstance(outcome, Change) and outcome.event is not None
                    self._signals.publish(f"job:{job.uuid}")
        return canceled

    async def list(
        self,
        bearer: Bearer,
        *,
        user_id: int | None = None,
        state: str | None = None,
        platform: str | None = None,
        group: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int,
    ) -> Page[Job]:
        """One's own jobs in order of creation; for an operator's login everybody's, or those of ``user_id``.

        A page has fewer where the token is limited to other platforms than theirs.
        """
        at = self._clock.now()
        self._gate.admit(bearer, Access("jobs.read", at, platform=platform, address=bearer.address))
        principal = principal_of(bearer)
        owner: int | None = principal.id
        if is_operators_login(bearer):
            owner = user_id
        elif user_id not in (None, principal.id):
            return Page([], None)
        page = await self._store.list_work(
            owner=owner, state=state, platform=platform, group=group, since=since, until=until, after=after, limit=limit
        )
        return Page(self._gate.shown(bearer, page.items, at), page.next)

    async def availability(self, bearer: Bearer) -> Availability:
        """How many jobs the owner of the token may have, and has."""
        self._gate.admit(bearer, Access("jobs.read", self._clock.now(), address=bearer.address))
        principal = principal_of(bearer)
        profile, load = principal.profile, await self._store.load_of(principal.id)
        return _availability(profile.max_jobs_in_queue, profile.max_concurrent_jobs, load)

    async def listen(
        self, bearer: Bearer, uuid: str, after: int = 0, *, wait_seconds: float | None = None
    ) -> AsyncIterator[Event | None]:
        """The events of the job above the sequence ``after``, also those that come, until it has ended.

        Now and then None: nothing happened, and the connection lives. With ``wait_seconds`` it ends after those that
        are there, or after the first that come within that time. ``TooMany`` if the asker listens to many.
        """
        await self._find(bearer, uuid)
        self._expect_room(_asker(bearer))
        return self._events(bearer, uuid, after, _asker(bearer), wait_seconds)

    async def _events(
        self, bearer: Bearer, uuid: str, after: int, asker: str, wait_seconds: float | None
    ) -> AsyncIterator[Event | None]:
        loop = asyncio.get_running_loop()
        told_at, first = loop.time(), after
        until = None if wait_seconds is None else told_at + wait_seconds
        self._expect_room(asker)  # again: of those who ask at once, all find room before the first takes it
        with self._listeners.holding(asker), self._signals.listen([f"job:{uuid}"]) as listener:
            while True:
                job = await self._find(await anew(self._store, bearer), uuid)
                while after < job.sequence:
                    events = await self._store.history(uuid, after, HISTORY_AT_ONCE)
                    if not events:
                        return
                    for event in events:
                        yield event
                    after, told_at = events[-1].sequence, loop.time()
                if job.state in COMPUTE.final or (until is not None and (after > first or loop.time() >= until)):
                    return
                if self._signals.ending:
                    raise StoreUnavailable("The server stops: listen to another one.", reason="stopping")
                if loop.time() - told_at >= QUIET_SECONDS:
                    told_at = loop.time()
                    yield None
                await listener.wait(LOOK_SECONDS if until is None else min(LOOK_SECONDS, until - loop.time()))

    def _expect_room(self, asker: str) -> None:
        if not self._listeners.may(asker, asyncio.get_running_loop().time()):
            raise TooMany("Too many listen to the events of jobs.", retry_after_seconds=5)

    async def _find(self, bearer: Bearer, uuid: str, action: str = "jobs.read") -> Job:
        """The job, if it is one with work and the bearer may do that with it; else ``UnknownJob``."""
        job = await self._store.find_job(uuid)
        platform = None if job is None or job.work is None else job.work.platform
        access = Access(action, self._clock.now(), job=uuid, platform=platform, address=bearer.address)
        self._gate.admit(bearer, access, job)
        if job is None or job.work is None:
            raise UnknownJob(uuid)
        return job


def _work(job: Job) -> Work:
    assert job.work is not None  # ``_find`` has seen to it
    return job.work


def _asker(bearer: Bearer) -> str:
    """By whom waiting is counted: the owner of a token, or the job of a document token."""
    session = bearer.session
    return f"job:{bearer.verified.job_uuid}" if session is None else f"owner:{session.principal.id}"


def _availability(most_queued: int, most_running: int, load: Load) -> Availability:
    return Availability(
        most_queued, min(most_queued, load.waiting + load.running), most_running, min(most_running, load.running)
    )
