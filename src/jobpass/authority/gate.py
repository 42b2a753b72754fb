"""The one door: every access is decided here, and what is refused is raised here.

The gate hands the store a *judge*, a pure function from the job as it stands to the change that is to be written.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from jobpass.authority.chain import link
from jobpass.authority.decide import Allowed, Denied, decide, on_job_of
from jobpass.errors import (
    Conflict,
    Error,
    ExpiredToken,
    IdempotencyConflict,
    JobExists,
    OwnerDisabled,
    RevokedToken,
    UnknownEvent,
    UnknownJob,
)
from jobpass.errors import (
    Denied as DeniedError,
)
from jobpass.lifecycle.step import step
from jobpass.records import HELD, NO_LINK, Change, Details, Event, Job, Replayed
from jobpass.tokens import ticket
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.lifecycle.model import Lifecycle
    from jobpass.lifecycle.registry import Lifecycles
    from jobpass.ports import Judge
    from jobpass.records import Principal
    from jobpass.tokens.keyring import Keyring

Sending = Literal["jobs.event", "jobs.callback"]
"""The two ways in which an event comes: with a token in the header, and by a URL with a ticket in it."""

SERVER = Allowed("server", None)
"""Who records what happens to a job because somebody fell silent."""

MOVED = "The job has moved meanwhile: look at it again."
QUEUED_JOB = "This job is in a queue for workers: it is moved by the routes of compute jobs."
NOT_CANCELABLE = 'Cannot cancel a job once it is running. Send a "fail" event instead.'


class Submission(Struct, frozen=True, gc=False):
    """An event that somebody wants recorded. ``uuid`` is the event's, ``data`` JSON text, ``key`` for idempotency."""

    uuid: str
    name: str
    data: bytes
    at: datetime
    key: str | None


class Gate:
    """Decides accesses and makes judges. Holds no state but the keyring and the lifecycles."""

    def __init__(self, keyring: Keyring, lifecycles: Lifecycles) -> None:
        self._keyring = keyring
        self._lifecycles = lifecycles

    def admit(self, bearer: Bearer, access: Access, job: Job | None = None) -> Allowed:
        """Return if the access is allowed, else raise: ``UnknownJob``, ``InvalidToken`` or ``Denied``."""
        decision = decide(bearer, access, job)
        if isinstance(decision, Denied):
            raise _refusal(decision, access)
        return decision

    def standing(self, bearer: Bearer, access: Access, job: Job | None) -> None:
        """Raise ``InvalidToken`` or ``UnknownJob`` if the token has ended, whatever it would be allowed to do."""
        decision = decide(bearer, access, job)
        if isinstance(decision, Denied):
            refusal = _refusal(decision, access)
            if not isinstance(refusal, DeniedError):
                raise refusal

    def shown(self, bearer: Bearer, jobs: list[Job], at: datetime) -> list[Job]:
        """Those of a list's jobs that the token's own conditions let it see one by one."""
        if not bearer.verified.caveats:
            return jobs

        def may_be(job: Job) -> bool:
            access = Access("jobs.read", at, job=job.uuid, address=bearer.address)
            return isinstance(decide(bearer, access, job), Allowed)

        return [job for job in jobs if may_be(job)]

    def may_be_told(self, principal: Principal, owner: int) -> bool:
        """Whether the principal may see a job of ``owner``, where nobody asks: a webhook is told."""
        return principal.active and "jobs.read" in on_job_of(principal.id, principal.role, owner)

    def judge_event(
        self, bearer: Bearer, job_uuid: str, submission: Submission, action: Sending = "jobs.event"
    ) -> Judge:
        """The judge of an event: authorise, look for a replay, step, link.

        A callback is told apart by its event alone: who calls a URL again may say other things beside it.
        """

        def judge(job: Job | None, prior: Event | None) -> Change | Replayed:
            if job is None:
                raise UnknownJob(job_uuid)
            lifecycle = self._lifecycles.get(job.lifecycle)
            allowed = self._admit_event(bearer, job, lifecycle, submission, action)
            if prior is not None:
                same_data = prior.data == submission.data or action == ticket.ACTION
                if prior.name != submission.name or not same_data:
                    raise IdempotencyConflict("This idempotency key came before with another event.", uuid=job_uuid)
                return Replayed(job, prior)
            _refuse_work(job)
            return self.advance(job, allowed, submission)

        return judge

    def judge_creation(self, bearer: Bearer, wanted: Job, submission: Submission, details: Details) -> Judge:
        """The judge of a new job: ``wanted`` is its row, ``submission`` its ``create`` event.

        A job that stands already is given back unchanged to its owner who asks with the same parameters.
        """
        access = Access("jobs.create", submission.at, job=wanted.uuid, address=bearer.address)

        def judge(job: Job | None, _prior: Event | None) -> Change | Replayed:
            allowed = self.admit(bearer, access)
            if job is None:
                return replace(self.record(wanted, wanted.state, allowed, submission, new=True), details=details)
            _refuse_another(job, wanted)
            return Change(job, job, None)

        return judge

    def judge_rotation(
        self,
        bearer: Bearer,
        job_uuid: str,
        serial: int,
        at: datetime,
        grace_seconds: int,
        *,
        action: Literal["jobs.rotate", "tokens.contain"] = "jobs.rotate",
    ) -> Judge:
        """The judge of a new serial: the one before lives ``grace_seconds`` on, and what it replaced is dead.

        The row takes the root key that signs now; while a worker has the job it keeps its own, by which the token of
        the lease is known, too.
        """
        access = Access(action, at, job=job_uuid, address=bearer.address)

        def judge(job: Job | None, _prior: Event | None) -> Change | Replayed:
            self.admit(bearer, access, job)
            if job is None:
                raise UnknownJob(job_uuid)
            kept = grace_seconds > 0
            leased = job.work is not None and job.state in HELD
            after = replace(
                job,
                serial=serial,
                kid=job.kid if leased else self._keyring.signing_kid,
                previous_serial=job.serial if kept else None,
                previous_kid=job.kid if kept else None,
                previous_until=at + timedelta(seconds=grace_seconds) if kept else None,
                updated_at=at,
            )
            return Change(job, after, None)

        return judge

    def judge_reset(self, bearer: Bearer, job_uuid: str, reset: Submission, ready: Submission) -> Judge:
        """The judge of a ``reset`` that ``ready`` is to follow: nobody begins what they may not end."""
        first = self.judge_event(bearer, job_uuid, reset)
        second = self.judge_event(bearer, job_uuid, ready)

        def judge(job: Job | None, prior: Event | None) -> Change | Replayed:
            outcome = first(job, prior)
            if isinstance(outcome, Change):
                second(outcome.after, None)
            return outcome

        return judge

    def judge_relapse(
        self, bearer: Bearer, job_uuid: str, ready: Submission, relapse: Submission, sequence: int
    ) -> Judge:
        """The judge of a ``reset`` which tells why ``ready`` could not follow: for whoever may send that ``ready``.

        ``Conflict`` if the job is not at ``sequence`` any more, or if its lifecycle does not let a ``reset`` keep the
        state.
        """

        def judge(job: Job | None, _prior: Event | None) -> Change | Replayed:
            if job is None:
                raise UnknownJob(job_uuid)
            lifecycle = self._lifecycles.get(job.lifecycle)
            allowed = self._admit_event(bearer, job, lifecycle, ready)
            if job.sequence != sequence or step(lifecycle, job.state, relapse.name) != job.state:
                raise Conflict(MOVED, uuid=job_uuid)
            return self.record(job, job.state, allowed, relapse)

        return judge

    def judge_cancellation(self, bearer: Bearer, job_uuid: str, at: datetime) -> Judge:
        """The judge that takes a job away to which nothing has happened but its ``create``; ``Conflict`` for others.

        It counts as an event ``cancel``, so that a token which is narrowed to other events does not open it.
        """

        def judge(job: Job | None, _prior: Event | None) -> Change | Replayed:
            state = job.state if job is not None else None
            self.admit(bearer, Access("jobs.cancel", at, job_uuid, "cancel", state, None, bearer.address), job)
            if job is None:
                raise UnknownJob(job_uuid)
            _refuse_work(job)
            if job.sequence != 1 or job.state != self._lifecycles.get(job.lifecycle).initial:
                raise Conflict(NOT_CANCELABLE, uuid=job_uuid, state=job.state)
            return Change(job, None, None)

        return judge

    def judge_deletion(self, bearer: Bearer, job_uuid: str, at: datetime) -> Judge:
        """The judge that takes a job and its history away."""
        access = Access("jobs.delete", at, job=job_uuid, address=bearer.address)

        def judge(job: Job | None, _prior: Event | None) -> Change | Replayed:
            self.admit(bearer, access, job)
            if job is None:
                raise UnknownJob(job_uuid)
            return Change(job, None, None)

        return judge

    def _admit_event(
        self, bearer: Bearer, job: Job, lifecycle: Lifecycle, submission: Submission, action: Sending = "jobs.event"
    ) -> Allowed:
        name = submission.name
        access = Access(action, submission.at, job.uuid, name, job.state, None, bearer.address)
        decision = decide(bearer, access, job, admin_only=name in lifecycle.admin_only)
        if isinstance(decision, Denied):
            refusal = _refusal(decision, access)
            if isinstance(refusal, DeniedError) and name not in lifecycle.event:
                raise UnknownEvent(name)
            raise refusal
        return decision

    def advance(self, job: Job, allowed: Allowed, submission: Submission) -> Change:
        """The change that an event is in the job's lifecycle: ``IllegalTransition`` if it is none."""
        return self.record(
            job, step(self._lifecycles.get(job.lifecycle), job.state, submission.name), allowed, submission
        )

    def record(self, job: Job, state: str, allowed: Allowed, submission: Submission, *, new: bool = False) -> Change:
        """The change that appends the event to the job's history."""
        kid = self._keyring.signing_kid
        sequence = job.sequence + 1
        event = Event(
            sequence,
            submission.uuid,
            submission.name,
            submission.data,
            submission.at,
            state,
            allowed.credential,
            submission.key,
            kid,
            NO_LINK,
            allowed.address,
        )
        head = link(self._keyring.chain_key(kid), job.head, job.uuid, event)
        after = replace(job, state=state, last_event=event.name, sequence=sequence, head=head, updated_at=submission.at)
        return Change(None if new else job, after, replace(event, link=head))


def _refusal(denied: Denied, access: Access) -> Error:
    """The error that answers a denial: what must stay hidden first, then the token, then the permission."""
    grounds = {objection.ground: objection.reason for objection in reversed(denied.objections)}
    if "hidden" in grounds:
        return UnknownJob(access.job or "")
    if "disabled" in grounds:
        return OwnerDisabled("The token has ended: its owner is disabled.")
    if "ended" in grounds:
        return RevokedToken(f"The token has ended: {grounds['ended']}.")
    if "expired" in grounds:
        return ExpiredToken("The token has expired.")
    return DeniedError(reasons=[objection.reason for objection in denied.objections])


def _refuse_work(job: Job) -> None:
    """Raise ``Conflict`` for a job with work: its events come with what they change of that, by routes of their own."""
    if job.work is not None:
        raise Conflict(QUEUED_JOB, uuid=job.uuid)


def _refuse_another(job: Job, wanted: Job) -> None:
    """Raise ``JobExists`` if ``wanted`` is not the job that stands."""
    if job.owner != wanted.owner:
        raise JobExists("This job exists already and belongs to somebody else.", uuid=job.uuid)
    for field in ("pipeline_uuid", "child_of", "archive_path", "archive_system", "session", "lifecycle"):
        if getattr(job, field) != getattr(wanted, field):
            raise JobExists(f"This job exists already with another {field}.", uuid=job.uuid, field=field)
