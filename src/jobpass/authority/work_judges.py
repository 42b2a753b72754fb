"""Judges on jobs with work: each event with what it changes of the work, in one piece."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jobpass.authority.gate import SERVER, Submission
from jobpass.authority.platforms import MAX_DURATION_SECONDS
from jobpass.errors import Conflict, IllegalTransition, JobExists, UnknownJob
from jobpass.records import HELD, WAITING, Blob, Change, Details, Event, Job, Replayed, Work
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.gate import Gate
    from jobpass.ports import Judge

MAX_ATTEMPTS: Final = 3
"""Workers that may lose a job, or give it back; then it has failed."""
MAX_GIVEN_BACK: Final = 100
"""So often a job is given back without that being an attempt: many restarts of workers, but no worker that takes it and
gives it back for ever."""
WORKER_LOST: Final = "worker_lost"
"""The failure of a job whose workers fell silent."""
GIVEN_BACK: Final = "given_back"
"""The failure of a job whose last worker that may lose it gave it back."""
TIME_LIMIT: Final = "time_limit"
"""The failure of a job that took longer than it may; a worker says so by the same word."""
SEIZED: Final = "contained"
"""Why a worker has a job no more whose token leaked."""
OWNER_DISABLED: Final = "owner_disabled"
"""Why a job was canceled that nobody asked to cancel."""
TOO_LATE: Final = "Can not cancel job"
"""The contract's words for a job that has ended."""

_encode = msgspec.json.Encoder().encode


class Lease(Struct, frozen=True):
    """What a worker is given a job with: random bits for its token, and until when it has it."""

    serial: int
    worker: str
    worker_key: str
    until: datetime


class Report(Struct, frozen=True):
    """What a worker says of its job: the event, its data for the history, and the members of the work that it sets."""

    event: str
    data: Mapping[str, Any]
    sets: Mapping[str, Any]


class WorkJudges:
    """Makes judges. Holds no state but the gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def submission(self, bearer: Bearer, wanted: Job, event: Submission, most: int) -> Judge:
        """The judge of a new job in the queue: ``wanted`` is its row, with its work.

        One that stands is given back to its owner who asks for the same once more (``Work.asked``); ``Conflict`` for
        something else, or somebody else.
        """
        _, work = _standing(wanted)
        access = Access("jobs.create", event.at, job=wanted.uuid, platform=work.platform, address=bearer.address)

        def judge(job: Job | None, _prior: Event | None) -> Change | Replayed:
            allowed = self._gate.admit(bearer, access)
            if job is None:
                change = self._gate.record(wanted, wanted.state, allowed, event, new=True)
                return replace(change, details=Details(), most=most)
            if job.owner != wanted.owner or job.work is None:
                raise JobExists("This job exists already and belongs to somebody else.", uuid=job.uuid)
            if work.asked is None or job.work.asked != work.asked:
                raise Conflict("This idempotency key came before with another job.", uuid=job.uuid)
            return Change(job, job, None)

        return judge

    def lease(self, bearer: Bearer, event_uuid: str, at: datetime, lease: Lease) -> Judge:
        """The judge of a job's way to a worker; the history says to which, and for which time.

        No renewal goes further than to the end of the time that the job may take, and one lease: so much later a worker
        may still tell what came of it.
        """

        def judge(job: Job | None, _prior: Event | None) -> Change:
            job, work = _standing(job)
            access = Access("workers.lease", at, platform=work.platform, address=bearer.address)
            allowed = self._gate.admit(bearer, access)
            attempts = work.attempts + 1
            longest = timedelta(seconds=_longest_seconds(work))
            data = {"worker": lease.worker, "attempt": attempts, "platform": work.platform}
            change = self._gate.advance(job, allowed, _submission(event_uuid, "lease", data, at))
            return _with(
                change,
                attempts=attempts,
                worker=lease.worker,
                worker_key=lease.worker_key,
                lease=lease.serial,
                leased_until=lease.until,
                lease_ends_by=lease.until + longest,
                started_at=at,
                progress=0.0,
                progress_message="",
                intermediate=None,
            )

        return judge

    def report(self, bearer: Bearer, uuid: str, event_uuid: str, at: datetime, report: Report) -> Judge:
        """The judge of what the worker says that has the job; a report that changes nothing but the lease is no event
        of the history."""

        def judge(job: Job | None, _prior: Event | None) -> Change:
            if job is None:
                raise UnknownJob(uuid)
            platform = None if job.work is None else job.work.platform
            name = report.event
            access = Access("jobs.work", at, uuid, name, job.state, platform, bearer.address)
            allowed = self._gate.admit(bearer, access, job)
            job, work = _standing(job)
            change = self._gate.advance(job, allowed, _submission(event_uuid, name, report.data, at))
            sets = _renewing(work, report.sets)
            told = {field: value for field, value in sets.items() if field != "leased_until"}
            if name == "update" and all(getattr(work, field) == value for field, value in told.items()):
                return Change(job, replace(job, work=replace(work, **sets)), None)
            return _with(change, **sets)

        return judge

    def give_back(
        self, bearer: Bearer, uuid: str, event_uuid: str, at: datetime, reason: str, *, counts: bool
    ) -> Judge:
        """The judge of a worker that has the job and gives it back: it waits again, or has failed, after the last
        attempt or as it took too long. Without ``counts`` the lease was no attempt, up to ``MAX_GIVEN_BACK`` times."""

        def judge(job: Job | None, _prior: Event | None) -> Change:
            if job is None:
                raise UnknownJob(uuid)
            platform = None if job.work is None else job.work.platform
            access = Access("jobs.work", at, uuid, "requeue", job.state, platform, bearer.address)
            allowed = self._gate.admit(bearer, access, job)
            job, work = _standing(job)
            counted = counts or work.given_back >= MAX_GIVEN_BACK
            data = {"reason": reason, "worker": work.worker, "attempt": work.attempts, "counts": counted}
            change = self._gate.advance(job, allowed, _submission(event_uuid, "requeue", data, at))
            if _is_out_of_time(work):
                change = self._gate.advance(job, SERVER, _submission(event_uuid, "fail", data, at))
                return _with(change, **GONE, **_out_of_time(work, at))
            if not counted:
                return _with(change, **GONE, **REQUEUED, attempts=work.attempts - 1, given_back=work.given_back + 1)
            if work.attempts < MAX_ATTEMPTS:
                return _with(change, **GONE, **REQUEUED)
            change = self._gate.advance(job, SERVER, _submission(event_uuid, "fail", data, at))
            message = f"{work.attempts} workers gave this job back or fell silent while they had it. Last: {reason}"
            return _with(change, **GONE, failure_code=GIVEN_BACK, status_message=message, ended_at=at)

        return judge

    def cancellation(self, bearer: Bearer, uuid: str, event_uuid: str, at: datetime) -> Judge:
        """The judge of a wish to stop: what waits is canceled at once, what a worker has when that says so.

        ``Conflict`` for a job that has ended; asking once more changes nothing.
        """

        def judge(job: Job | None, _prior: Event | None) -> Change:
            platform = None if job is None or job.work is None else job.work.platform
            state = None if job is None else job.state
            access = Access("jobs.cancel", at, uuid, "cancel", state, platform, bearer.address)
            allowed = self._gate.admit(bearer, access, job)
            if job is None or job.work is None:
                raise UnknownJob(uuid)
            if job.state == "cancel_requested":
                return Change(job, job, None)
            try:
                change = self._gate.advance(job, allowed, _submission(event_uuid, "cancel", None, at))
            except IllegalTransition:
                raise Conflict(TOO_LATE, uuid=uuid, state=job.state) from None
            canceled = change.after is not None and change.after.state == "canceled"
            return _with(change, ended_at=at) if canceled else change

        return judge

    def abandonment(self, event_uuid: str, at: datetime) -> Judge:
        """The judge of a job whose owner is disabled: it is canceled if it waits, and else goes its way."""

        def judge(job: Job | None, _prior: Event | None) -> Change:
            job, _ = _standing(job)
            if job.state != WAITING:
                return Change(job, job, None)
            event = _submission(event_uuid, "cancel", {"reason": OWNER_DISABLED}, at)
            return _with(self._gate.advance(job, SERVER, event), ended_at=at)

        return judge

    def loss(self, event_uuid: str, at: datetime, due: datetime) -> Judge:
        """The judge of a lease that nobody renewed, or that could not be.

        The job waits again, or has failed, after the last attempt or as it took too long; one that was to be canceled
        is. Nothing changes if the lease was renewed, or the job has ended, meanwhile. ``due`` is the time by the clock
        that leases end by.
        """

        def judge(job: Job | None, _prior: Event | None) -> Change:
            job, work = _standing(job)
            if job.state not in HELD or work.leased_until is None or work.leased_until > due:
                return Change(job, job, None)
            sets: dict[str, Any]
            data: dict[str, Any] = {"reason": WORKER_LOST, "worker": work.worker, "attempt": work.attempts}
            if job.state == "cancel_requested":
                name, sets = "canceled", {"ended_at": at}
            elif _is_out_of_time(work):
                name, data["reason"] = "fail", TIME_LIMIT
                sets = _out_of_time(work, at)
            elif work.attempts < MAX_ATTEMPTS:
                name, sets = "requeue", dict(REQUEUED)
            else:
                name = "fail"
                message = f"{work.attempts} workers gave this job back or fell silent while they had it."
                sets = {"failure_code": WORKER_LOST, "status_message": message, "ended_at": at}
            change = self._gate.advance(job, SERVER, _submission(event_uuid, name, data, at))
            return _with(change, **GONE, **sets)

        return judge

    def seizure(
        self,
        bearer: Bearer,
        uuid: str,
        event_uuid: str,
        at: datetime,
        serial: int,
        action: Literal["jobs.rotate", "tokens.contain"],
    ) -> Judge:
        """The judge of a lease that is taken away because its token is in the wrong hands: the job waits again, or is
        canceled if it was to be. Nothing changes if it is another lease's by now, or has ended."""
        access = Access(action, at, job=uuid, address=bearer.address)

        def judge(job: Job | None, _prior: Event | None) -> Change:
            allowed = self._gate.admit(bearer, access, job)
            job, work = _standing(job)
            if job.state not in HELD or work.lease != serial:
                return Change(job, job, None)
            data = {"reason": SEIZED, "worker": work.worker, "attempt": work.attempts}
            to_stop = job.state == "cancel_requested"
            event = _submission(event_uuid, "canceled" if to_stop else "requeue", data, at)
            sets = {"ended_at": at} if to_stop else dict(REQUEUED)
            return _with(self._gate.advance(job, allowed, event), **GONE, **sets)

        return judge


GONE: Final[Mapping[str, Any]] = {
    "lease": None,
    "leased_until": None,
    "lease_ends_by": None,
    "worker": None,
    "worker_key": None,
}
"""What is forgotten of a job that no worker has any more: the token of the lease is dead."""
REQUEUED: Final[Mapping[str, Any]] = {
    "started_at": None,
    "progress": 0.0,
    "progress_message": "",
    "intermediate": None,
}
"""What is forgotten of a job that waits again."""


def told(blob: Blob | None) -> dict[str, Any] | None:
    """What a history says of a payload or a result."""
    return None if blob is None else {"bytes": blob.size, "sha256": blob.digest}


def lease_end(at: datetime, seconds: int) -> datetime:
    """When a lease ends that is given, or renewed, now."""
    return at + timedelta(seconds=seconds)


def _longest_seconds(work: Work) -> int:
    """How long the job may take."""
    return work.max_duration_seconds or MAX_DURATION_SECONDS


def _is_out_of_time(work: Work) -> bool:
    """Whether the lease was renewed after the job's time was over, by a worker that should have ended it."""
    return work.lease_ends_by is not None and work.leased_until == work.lease_ends_by


def _out_of_time(work: Work, at: datetime) -> dict[str, Any]:
    """What is set of a job that took too long."""
    message = f"It took longer than the {_longest_seconds(work)} s that it may."
    return {"failure_code": TIME_LIMIT, "status_message": message, "ended_at": at}


def _renewing(work: Work, sets: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a report sets, with the lease renewed no further than it may be."""
    until, latest = sets.get("leased_until"), work.lease_ends_by
    return sets if until is None or latest is None or until <= latest else {**sets, "leased_until": latest}


def _standing(job: Job | None) -> tuple[Job, Work]:
    if job is None or job.work is None:
        raise UnknownJob(job.uuid if job is not None else "")
    return job, job.work


def _submission(uuid: str, name: str, data: Mapping[str, Any] | None, at: datetime) -> Submission:
    return Submission(uuid, name, _encode(data), at, None)


def _with(change: Change, **sets: Any) -> Change:
    """The change with these members of the work set too."""
    after = change.after
    assert after is not None
    assert after.work is not None
    return replace(change, after=replace(after, work=replace(after.work, **sets)))
