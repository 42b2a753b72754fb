"""Reset and ready: between the two the archive directory is emptied, by one at a time, and once for one request.

What was begun goes on to its end whatever becomes of the request: a directory is never left to a thread that nobody
waits for, and a job is left where ``reset`` put it or where ``ready`` leads.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Hashable
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from jobpass import ids
from jobpass.authority.gate import MOVED, Submission
from jobpass.errors import ArchiveFailed, Conflict, Denied, InvalidInput, InvalidToken, UnknownJob
from jobpass.records import Change, Event, Job, Replayed
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.credentials import Credentials
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import Archives, JobStore, Judge, Randomness

RESET: Final = "reset"
READY: Final = "ready"
"""Both are admin-only in every lifecycle that has them."""
SPARES: Final = "no_clear_path"
"""The member of a ``reset``'s data that, if it is true, leaves the archive directory as it is."""

Outcome = Change | Replayed

_members = msgspec.json.Decoder(dict[str, Raw])
_true = Raw(b"true")


class Underway:
    """What is being reset now. Outlives a change of the keyring."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[Outcome]] = {}

    async def run(self, name: Hashable, work: Callable[[], Coroutine[Any, Any, Outcome]]) -> Outcome:
        """Do ``work`` to its end, also if the caller is cancelled; who asks by the same name meanwhile shares it."""
        task = self._tasks.get(name)
        if task is None:
            task = self._tasks[name] = asyncio.create_task(work())
            task.add_done_callback(lambda _: self._tasks.pop(name, None))
        return await asyncio.shield(task)

    async def finish(self) -> None:
        """Return when nothing is under way any more."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))


class Resetting:
    """The way from ``reset`` to ``ready``."""

    def __init__(
        self,
        store: JobStore,
        gate: Gate,
        archives: Archives,
        credentials: Credentials,
        audit: Audit,
        clock: Clock,
        randomness: Randomness,
        underway: Underway,
    ) -> None:
        self._store = store
        self._gate = gate
        self._archives = archives
        self._credentials = credentials
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._underway = underway

    async def ready(self, bearer: Bearer, uuid: str, ready: Submission) -> Outcome:
        """Record ``ready``; if the job has an archive path, empty that first, unless the last ``reset`` spares it.

        Raises ``ArchiveFailed`` if that cannot be done: then the job stays where it is, with the reason in its history.
        """
        probed = await self._store.apply(uuid, probing(self._gate.judge_event(bearer, uuid, ready)), ready.key)
        if isinstance(probed, Replayed):
            return probed

        async def alone() -> Outcome:
            async with self._store.hold(uuid):
                return await self._finish(bearer, uuid, ready, spare=False)

        return await self._underway.run(_name(uuid, ready), alone)

    async def reset(self, bearer: Bearer, uuid: str, data: bytes, key: str | None, *, no_clear_path: bool) -> Outcome:
        """Record ``reset`` with ``data``, then ``ready`` as above; what ``ready`` did.

        With the same ``key`` again nothing is recorded or removed twice, and what did not end goes on.
        """
        at = self._clock.now()
        reset = Submission(
            self._event_uuid(), RESET, sparing(data) if no_clear_path else data, at, _derived(key, RESET)
        )
        ready = Submission(self._event_uuid(), READY, b"null", at, _derived(key, READY))
        judge = self._gate.judge_reset(bearer, uuid, reset, ready)
        if isinstance(await self._store.apply(uuid, probing(judge), reset.key), Replayed):
            done = await self._store.apply(uuid, probing(self._gate.judge_event(bearer, uuid, ready)), ready.key)
            if isinstance(done, Replayed):
                return done

        async def alone() -> Outcome:
            async with self._store.hold(uuid):
                await self._store.apply(uuid, judge, reset.key)
                return await self._finish(bearer, uuid, ready, spare=no_clear_path)

        return await self._underway.run(_name(uuid, reset), alone)

    async def _finish(self, bearer: Bearer, uuid: str, ready: Submission, *, spare: bool) -> Outcome:
        """Empty and record, while the job is held. ``spare``: whoever asks counts on nothing being removed."""
        probed = await self._store.apply(uuid, probing(self._gate.judge_event(bearer, uuid, ready)), ready.key)
        if isinstance(probed, Replayed):
            return probed
        job = _job(probed)
        path = await self._to_be_cleared(job, spare=spare)
        if path is not None:
            await self._clear(bearer, job, path, ready)
            # That may have taken long: who was cut off meanwhile records nothing any more.
            bearer = await self._credentials.identify(bearer.verified, bearer.address)
        judge = self._gate.judge_event(bearer, uuid, replace(ready, at=self._clock.now()))
        return await self._store.apply(uuid, unmoved(judge, job.sequence), ready.key)

    async def _to_be_cleared(self, job: Job, *, spare: bool) -> str | None:
        """The archive path, unless the last ``reset`` spares it; in the standard lifecycles that is the last event."""
        if job.archive_path is None:
            return None
        for sequence in range(job.sequence, 0, -1):
            for event in await self._store.history(job.uuid, sequence - 1, 1):
                if event.name == RESET:
                    spared = spares(event.data)
                    if spare and not spared:
                        raise Conflict(f"The job was reset again meanwhile, without {SPARES}.", uuid=job.uuid)
                    return None if spared else job.archive_path
        return None

    async def _clear(self, bearer: Bearer, job: Job, path: str, ready: Submission) -> None:
        try:
            files = await self._empty(bearer, job, path)
        except ArchiveFailed as failed:
            await self._relapse(bearer, job, ready, failed.message)
            message = f"The archive path was not cleared: {failed.message}"
            raise ArchiveFailed(message, **(failed.detail | {"reason": failed.message, "state": job.state})) from None
        await self._audit.record(
            "job.archive_cleared", bearer=bearer, subject=job.uuid, system=job.archive_system, path=path, files=files
        )

    async def _empty(self, bearer: Bearer, job: Job, path: str) -> int:
        """Remove what is in the job's directory, and in no other job's; how many files those were."""
        system = job.archive_system
        if system is None:
            raise ArchiveFailed("The job names no archive system.")
        try:
            path = self._archives.check(system, path)
        except InvalidInput:  # the roots are others than when the job was made
            raise ArchiveFailed("The archive path is not one that a job may have here.") from None
        neighbour = await self._store.archive_neighbour(job.uuid, system, path)
        if neighbour is not None:
            shown = {"job": neighbour} if await self._may_read(bearer, neighbour) else {}
            raise ArchiveFailed("Another job's archive path is the same, contains it, or lies in it.", **shown)
        return await self._archives.clear(system, path)

    async def _relapse(self, bearer: Bearer, job: Job, ready: Submission, reason: str) -> None:
        """Note the reason in the history, as another ``reset``."""
        data = msgspec.json.encode({"archive_error": reason})
        relapse = Submission(self._event_uuid(), RESET, data, self._clock.now(), None)
        judge = self._gate.judge_relapse(bearer, job.uuid, ready, relapse, job.sequence)
        try:
            await self._store.apply(job.uuid, judge)
        except (
            Conflict
        ):  # it moved, or its lifecycle has no such event here: the caller is told the reason all the same
            return

    async def _may_read(self, bearer: Bearer, uuid: str) -> bool:
        job = await self._store.find_job(uuid)
        try:
            self._gate.admit(bearer, Access("jobs.read", self._clock.now(), job=uuid, address=bearer.address), job)
        except (Denied, InvalidToken, UnknownJob):
            return False
        return True

    def _event_uuid(self) -> str:
        return ids.random_typed_uuid("pipelinejob_event", self._randomness(16))


def probing(judge: Judge) -> Judge:
    """What ``judge`` would say, without writing it: it refuses as ever, and a replay is one."""

    def probe(job: Job | None, prior: Event | None) -> Outcome:
        outcome = judge(job, prior)
        return outcome if isinstance(outcome, Replayed) else Change(job, job, None)

    return probe


def unmoved(judge: Judge, sequence: int) -> Judge:
    """``judge``, for a job that is still at ``sequence``; else ``Conflict``."""

    def still(job: Job | None, prior: Event | None) -> Outcome:
        outcome = judge(job, prior)
        if isinstance(outcome, Change) and job is not None and job.sequence != sequence:
            raise Conflict(MOVED, uuid=job.uuid)
        return outcome

    return still


def spares(data: bytes) -> bool:
    """Whether the data of a ``reset`` leave the archive directory as it is."""
    members = json.loads(data.decode(), parse_int=str, parse_float=str)
    return isinstance(members, dict) and members.get(SPARES) is True


def sparing(data: bytes) -> bytes:
    """The data of a ``reset``, an object or null, so that they do; ``InvalidInput`` for others."""
    if data == b"null":
        return b'{"%b":true}' % SPARES.encode()
    try:
        members = _members.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise InvalidInput.at("json.data", f"must be an object where {SPARES} is asked for") from None
    return msgspec.json.encode(members | {SPARES: _true})


def _job(probed: Change) -> Job:
    if probed.after is None:
        raise UnknownJob("")
    return probed.after


def _derived(key: str | None, event: str) -> str | None:
    return None if key is None else f"{key}:{event}"


def _name(uuid: str, submission: Submission) -> Hashable:
    """What makes two requests one; without an idempotency key nothing does."""
    return (uuid, submission.name, submission.key or object(), submission.data)
