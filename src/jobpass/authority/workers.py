"""What workers do: say that they are there, take jobs, and report on them with the token of the lease."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from jobpass import ids
from jobpass.authority.blobs import Blobs, Chunks, Kept
from jobpass.authority.outcome import small_object
from jobpass.authority.platforms import status_at
from jobpass.authority.presence import HEARTBEAT_SECONDS, noted
from jobpass.authority.standing import anew, session_of
from jobpass.authority.work_judges import Lease, Report, WorkJudges, lease_end, told
from jobpass.errors import Error, InvalidInput, RevokedToken, TooMany, UnknownJob, UnknownPlatform
from jobpass.records import Change, Job, Platform, Replayed, Work
from jobpass.tokens.access import Access
from jobpass.tokens.caveats import Actions, Events, ExpiresAt
from jobpass.tokens.mint import mint_document

if TYPE_CHECKING:
    from datetime import datetime

    from jobpass.authority.bearer import Bearer
    from jobpass.authority.gate import Gate
    from jobpass.authority.holds import Holds
    from jobpass.authority.lease_time import LeaseTime
    from jobpass.clock import Clock
    from jobpass.ports import Randomness, Signals, Store
    from jobpass.tokens.keyring import Keyring

LEASE_SECONDS: Final = 30
"""A lease that is not renewed ends after so long."""
LONGEST_SECONDS: Final = 864_000 + 86_400
"""No token of a lease lives longer: the longest job, and a day."""
MAX_SPECS_BYTES: Final = 256 * 1024
MAX_INTERMEDIATE_BYTES: Final = 16 * 1024
POLLS: Final = 2048
"""Workers that wait for a job at a time."""
POLLS_EACH: Final = 256
"""Of one API key's."""
LAPSED_AT_ONCE: Final = 256
REPORTS: Final = ("update", "complete", "fail", "canceled", "requeue")
"""The events that a worker may send."""

Reported = Literal["update", "complete", "fail", "canceled"]


class Leased(Struct, frozen=True):
    """A job that is the worker's now, with the token to report on it, and its payload in chunks."""

    job: Job
    work: Work
    token: str
    payload: Chunks

    def __repr__(self) -> str:
        return f"Leased(job={self.job.uuid!r}, token=…)"


class Workers:
    """What can be done with API keys and with tokens of leases."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        keyring: Keyring,
        clock: Clock,
        randomness: Randomness,
        blobs: Blobs,
        signals: Signals,
        polls: Holds,
        time: LeaseTime,
        lease_seconds: int = LEASE_SECONDS,
    ) -> None:
        self._store = store
        self._gate = gate
        self._judges = WorkJudges(gate)
        self._keyring = keyring
        self._clock = clock
        self._randomness = randomness
        self._blobs = blobs
        self._signals = signals
        self._polls = polls
        self._time = time
        self.lease_seconds = lease_seconds

    async def heartbeat(
        self, bearer: Bearer, platform: str, specs: bytes | None = None, perfs: bytes | None = None
    ) -> int:
        """A worker of the platform is there, and says what that can do; the seconds until it is to say so again.

        ``specs`` and ``perfs`` are JSON objects. Raises ``UnknownPlatform``, ``InvalidInput``.
        """
        at = self._clock.now()
        self._gate.admit(bearer, Access("workers.lease", at, platform=platform, address=bearer.address))
        words = {"specs": specs, "perfs": perfs}
        given = {name: text for name, text in words.items() if text is not None}
        for name, text in given.items():
            small_object(text, f"json.{name}", MAX_SPECS_BYTES)

        def change(standing: Platform | None) -> Platform:
            if standing is None or standing.retired_at is not None:
                raise UnknownPlatform("There is no such platform.", name=platform[:100])
            return replace(standing, seen_at=at, presence=noted(standing, at), **given)

        await self._store.change_platform(platform, change)
        return HEARTBEAT_SECONDS

    async def next(
        self,
        bearer: Bearer,
        worker: str,
        platforms: tuple[str, ...],
        wait_seconds: float,
        there: Callable[[], bool] = lambda: True,
    ) -> Leased | None:
        """The job that waits first for one of these platforms; None if there is none within ``wait_seconds``.

        ``there`` says whether the worker still waits: one that is gone takes no job along.

        Raises ``UnknownPlatform``, ``Denied`` for a platform that the key is not for, ``TooMany`` if too many wait
        with one key.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_seconds
        asker = session_of(bearer).credential.id
        if wait_seconds > 0 and not self._polls.may(asker, loop.time()):
            raise TooMany("Too many wait for a job with this API key.", retry_after_seconds=1)
        topics = [f"queue:{name}" for name in platforms]
        with self._polls.holding(asker), self._signals.listen(topics) as listener:
            while True:
                usable = await self._usable(bearer, platforms)
                if not there():
                    return None
                if usable and await self._store.waiting_on(usable):
                    leased = await self._lease(bearer, worker, usable)
                    if leased is not None:
                        return leased
                left = until - loop.time()
                if left <= 0 or self._signals.ending:
                    return None
                # Once a second also without a signal: a token ends, a platform comes back, somebody has room again.
                await listener.wait(min(left, 1.0))
                bearer = await anew(self._store, bearer)

    async def standing(self, bearer: Bearer, uuid: str) -> None:
        """Raise ``RevokedToken`` or ``UnknownJob`` unless the token is that of the job's present lease: before a body
        is read."""
        job = await self._store.find_job(uuid)
        access = Access("jobs.work", self._clock.now(), job=uuid, address=bearer.address)
        self._gate.admit(bearer, access, job)
        if job is None or job.work is None:
            raise UnknownJob(uuid)
        await self._check_key(job.work)

    async def progress(
        self, bearer: Bearer, uuid: str, progress: float | None, message: str | None, intermediate: bytes | None
    ) -> Job:
        """Renew the lease, and note how far the work is: 0 to 1; what is None stays as it was."""
        sets: dict[str, Any] = {"leased_until": lease_end(self._time.now(), self.lease_seconds)}
        data: dict[str, Any] = {}
        if progress is not None:
            if not 0 <= progress <= 1:
                raise InvalidInput.at("json.progress", "must be 0 to 1")
            sets["progress"] = data["progress"] = float(progress)
        if message is not None:
            sets["progress_message"] = data["message"] = message
        if intermediate is not None:
            sets["intermediate"] = small_object(intermediate, "json.intermediate_result", MAX_INTERMEDIATE_BYTES)
            data["intermediate_bytes"] = len(intermediate)
        return await self._report(bearer, uuid, "update", data, sets)

    async def complete(
        self, bearer: Bearer, uuid: str, results: Chunks, most: int, results_type: str | None, shots: int | None
    ) -> Job:
        """The work is done: ``results`` is the text of a JSON object, at most ``most`` bytes."""
        kept = await self._blobs.receive(results, most)
        if kept is None:
            raise InvalidInput.at("json.results", "is required")
        sets = {"results": kept.blob, "results_type": results_type, "shots": shots, "progress": 1.0}
        data = {"results": told(kept.blob), "results_type": results_type, "shots": shots}
        return await self._end(bearer, uuid, "complete", data, sets, kept)

    async def canceled(self, bearer: Bearer, uuid: str, results: Chunks, most: int, results_type: str | None) -> Job:
        """The work was stopped, as was asked for; what it had by then may come along."""
        kept = await self._blobs.receive(results, most)
        blob = None if kept is None else kept.blob
        sets = {"results": blob, "results_type": results_type}
        return await self._end(bearer, uuid, "canceled", {"results": told(blob)}, sets, kept)

    async def fail(self, bearer: Bearer, uuid: str, code: str, message: str) -> Job:
        """The work ended without success."""
        sets = {"failure_code": code, "status_message": message}
        return await self._end(bearer, uuid, "fail", {"failure_code": code, "message": message}, sets)

    async def requeue(self, bearer: Bearer, uuid: str, reason: str, *, counts: bool = True) -> Job:
        """The worker gives the job back, which waits for another one, or has failed after the last attempt.

        Without ``counts`` the reason is the worker's own, and this was no attempt (see ``WorkJudges.give_back``).
        """
        await self.standing(bearer, uuid)
        at = self._clock.now()
        judge = self._judges.give_back(bearer, uuid, self._event_uuid(), at, reason, counts=counts)
        job = await self._judged(uuid, self._store.apply(uuid, judge))
        self._publish_waiting(job)
        return job

    async def seize(
        self, bearer: Bearer, uuid: str, serial: int, action: Literal["jobs.rotate", "tokens.contain"]
    ) -> bool:
        """Take a lease away whose token leaked, for who may do ``action`` with the job; False if it has ended."""
        judge = self._judges.seizure(bearer, uuid, self._event_uuid(), self._clock.now(), serial, action)
        outcome = await self._store.apply(uuid, judge)
        if not isinstance(outcome, Change) or outcome.event is None or outcome.after is None:
            return False
        self._signals.publish(f"job:{uuid}")
        self._publish_waiting(outcome.after)
        return True

    async def tend(self) -> None:
        """A chore: take jobs back whose leases ended, and end those that took too long."""
        if not self._time.may_end():
            return
        at, due = self._clock.now(), self._time.now()
        for uuid in await self._store.lapsed(due, LAPSED_AT_ONCE):
            outcome = await self._store.apply(uuid, self._judges.loss(self._event_uuid(), at, due))
            if isinstance(outcome, Change) and outcome.event is not None and outcome.after is not None:
                self._signals.publish(f"job:{uuid}")
                self._publish_waiting(outcome.after)

    async def _usable(self, bearer: Bearer, platforms: tuple[str, ...]) -> list[str]:
        """Those of the platforms that take jobs now."""
        at = self._clock.now()
        usable = []
        for name in platforms:
            self._gate.admit(bearer, Access("workers.lease", at, platform=name, address=bearer.address))
            platform = await self._store.find_platform(name)
            if platform is None or platform.retired_at is not None:
                raise UnknownPlatform("There is no such platform.", name=name[:100])
            if status_at(platform, at) == "available":
                usable.append(name)
        return usable

    async def _lease(self, bearer: Bearer, worker: str, platforms: list[str]) -> Leased | None:
        at = self._clock.now()
        serial = ids.serial(self._randomness(8))
        until = lease_end(self._time.now(), self.lease_seconds)
        lease = Lease(serial, worker, session_of(bearer).credential.id, until)
        change = await self._store.apply_next(platforms, self._judges.lease(bearer, self._event_uuid(), at, lease))
        if change is None or change.after is None or change.after.work is None:
            return None
        job, work = change.after, change.after.work
        self._signals.publish(f"job:{job.uuid}")
        token = self._token(job, serial, at)
        return Leased(job, work, token, await self._blobs.read(work.payload))

    def _token(self, job: Job, serial: int, at: datetime) -> str:
        ends = int(at.timestamp()) + LONGEST_SECONDS
        narrow = (Actions(("jobs.work",)), Events(REPORTS), ExpiresAt(ends))
        return mint_document(self._keyring, job.kid, job.uuid, serial, narrow)

    async def _end(
        self,
        bearer: Bearer,
        uuid: str,
        event: Reported,
        data: Mapping[str, Any],
        sets: Mapping[str, Any],
        kept: Kept | None = None,
    ) -> Job:
        ends = {"ended_at": self._clock.now(), "leased_until": None}
        job = await self._report(bearer, uuid, event, data, {**sets, **ends}, kept)
        # Whoever owns it has room for another one.
        if job.work is not None:
            self._signals.publish(f"queue:{job.work.platform}")
        return job

    async def _report(
        self,
        bearer: Bearer,
        uuid: str,
        event: Reported,
        data: Mapping[str, Any],
        sets: Mapping[str, Any],
        kept: Kept | None = None,
    ) -> Job:
        try:
            await self.standing(bearer, uuid)
        except Error:
            if kept is not None:
                await kept.drop()
            raise
        judge = self._judges.report(bearer, uuid, self._event_uuid(), self._clock.now(), Report(event, data, sets))
        write = self._store.apply(uuid, judge)
        return await self._judged(uuid, write if kept is None else kept.naming(write))

    async def _judged(self, uuid: str, write: Awaitable[Change | Replayed]) -> Job:
        """The job after the write of what a worker said of it; who waits for its events is told."""
        outcome = await write
        assert isinstance(outcome, Change)
        assert outcome.after is not None
        if outcome.event is not None:
            self._signals.publish(f"job:{uuid}")
        return outcome.after

    async def _check_key(self, work: Work) -> None:
        """The lease ends with the API key that it was given to."""
        session = None if work.worker_key is None else await self._store.find_session(work.worker_key)
        if session is None or not session.principal.active:
            raise RevokedToken("The API key of the lease has ended.")
        credential, at = session.credential, self._clock.now()
        expired = credential.expires_at is not None and credential.expires_at <= at
        if credential.revoked_at is not None or expired:
            raise RevokedToken("The API key of the lease has ended.")

    def _publish_waiting(self, job: Job) -> None:
        if job.work is not None and job.state == "waiting":
            self._signals.publish(f"queue:{job.work.platform}")

    def _event_uuid(self) -> str:
        return ids.random_typed_uuid("pipelinejob_event", self._randomness(16))
