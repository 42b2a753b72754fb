"""Jobs: make, read, and move them by events."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from jobpass import ids
from jobpass.authority import details as sound
from jobpass.authority.gate import Submission
from jobpass.authority.history import verify_job
from jobpass.authority.resetting import READY
from jobpass.authority.standing import is_operators_login, principal_of
from jobpass.errors import ArchiveFailed, Conflict, InvalidInput, JobExists, RevokedToken, UnknownJob
from jobpass.records import NO_LINK, Change, Details, Event, Job, Linked, Page, Relation, Replayed
from jobpass.tokens.access import Access
from jobpass.tokens.caveats import Caveat, ExpiresAt
from jobpass.tokens.mint import mint_document

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.gate import Gate, Sending
    from jobpass.authority.resetting import Resetting
    from jobpass.clock import Clock
    from jobpass.lifecycle.registry import Lifecycles
    from jobpass.ports import Archives, JobStore, Randomness
    from jobpass.tokens.keyring import Keyring
    from jobpass.tokens.token import Verified

EVENTS_DRAWN = 256
"""Event uuids whose randomness is drawn at once: asking the system for each took a tenth of an event's time."""
GIVEN = ("login", "job")
"""Kinds of token whose holders are given a job's document token with the answer to an event."""
MAX_GRACE_SECONDS = 86_400
"""How long a replaced document token may live on."""

NO_LINKS: Mapping[Relation, str] = MappingProxyType({})

Events = list[Event]  # named here: below, ``list`` is a method
Conditions = list[Linked]

log = logging.getLogger("jobpass.jobs")


class Found(Struct, frozen=True):
    """A job with its data (that of its ``create`` event) and its details."""

    job: Job
    data: bytes
    details: Details


class Made(Found, frozen=True):
    """A job that was asked for, with its document token."""

    token: str

    def __repr__(self) -> str:
        return f"Made(job={self.job!r}, token=…)"


class Accepted(Struct, frozen=True, gc=False):
    """An event that stands in the history; ``token`` is the job's token if the caller may have it from here."""

    event: Event
    token: str | None

    def __repr__(self) -> str:
        return f"Accepted(event={self.event!r}, token=…)"


class Jobs:
    """What can be done with jobs. Every method raises what the gate and the store raise."""

    def __init__(
        self,
        store: JobStore,
        gate: Gate,
        keyring: Keyring,
        lifecycles: Lifecycles,
        audit: Audit,
        clock: Clock,
        randomness: Randomness,
        resetting: Resetting,
        archives: Archives,
        namespace: str,
    ) -> None:
        self._store = store
        self._gate = gate
        self._keyring = keyring
        self._lifecycles = lifecycles
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._resetting = resetting
        self._archives = archives
        self._namespace = namespace
        self._uuid_bytes: list[bytes] = []

    async def create(
        self,
        bearer: Bearer,
        pipeline_uuid: str,
        data: bytes,
        parsed: dict[str, Any],
        *,
        child_of: tuple[str, ...] = (),
        lifecycle: str = "pipeline",
        archive_path: str | None = None,
        session: str | None = None,
        archive_system: str | None = None,
        details: Details = Details(),  # noqa: B008 - a frozen value
        uuid: str | None = None,
        make_archive_path: bool = False,
    ) -> Made:
        """Make the job of these parameters, or find it again for its owner. ``parsed`` is ``data`` decoded.

        Without ``uuid`` it follows from pipeline, parents and data. ``details`` without ``generated_by`` get the
        pipeline there; those of a job that stands are not changed. Raises ``InvalidInput`` for what is not sound or
        not known, ``JobExists`` if the job stands with other parameters or another owner, and if its directory would be
        that of another owner's job, contain it, or lie in it. With ``make_archive_path`` the directory is made, too; if
        that cannot be done, the log says so.
        """
        at = self._clock.now()
        owner = self._owner(bearer, Access("jobs.create", at, address=bearer.address))
        if await self._store.find_pipeline(pipeline_uuid) is None:
            raise InvalidInput.at("json.pipeline_uuid", "is not a known pipeline")
        sound.check(child_of, details)
        if archive_path is not None:
            archive_path = self._archives.check(archive_system, archive_path)
            archive_system = self._archives.resolve(archive_system)
        derived = ids.job_uuid(pipeline_uuid, list(child_of), parsed, self._namespace)
        wanted = Job(
            uuid=derived if uuid is None else sound.own_uuid(uuid),
            lifecycle=lifecycle,
            state=self._lifecycles.get(lifecycle).initial,
            last_event="",
            sequence=0,
            head=NO_LINK,
            kid=self._keyring.signing_kid,
            serial=ids.serial(self._randomness(8)),
            owner=owner,
            pipeline_uuid=pipeline_uuid,
            created_at=at,
            updated_at=at,
            child_of=child_of,
            archive_path=archive_path,
            session=session,
            archive_system=archive_system,
        )
        if not details.generated_by:
            details = replace(details, generated_by=(pipeline_uuid,))
        submission = Submission(self._event_uuid(), "create", data, at, None)
        judge = self._gate.judge_creation(bearer, wanted, submission, details)
        job, event = _standing(await self._store.apply(wanted.uuid, judge, apart=wanted))
        if event is None:
            standing = await self._found(job)
            data, details = standing.data, standing.details
            if not sound.same_data(data, parsed):
                raise JobExists("This job exists already with other data.", uuid=job.uuid, field="data")
        if make_archive_path and job.archive_path is not None:
            await self._make_directory(job, job.archive_path)
        return Made(job, data, details, self._token(bearer, job))

    async def submit_event(
        self,
        bearer: Bearer,
        uuid: str,
        name: str,
        data: bytes = b"null",
        key: str | None = None,
        *,
        action: Sending = "jobs.event",
    ) -> Accepted:
        """Record an event of a job, once it is decided and legal; returns when it is on the disk.

        ``data`` is sound JSON text. ``token`` of the answer is None when the caller presented a document token (it has
        it) or an admin token (it gets none).
        """
        submission = Submission(self._event_uuid(), name, data, self._clock.now(), key)
        if name == READY:
            outcome = await self._resetting.ready(bearer, uuid, submission)
        else:
            outcome = await self._store.apply(uuid, self._gate.judge_event(bearer, uuid, submission, action), key)
        job, event = _standing(outcome)
        if event is None:
            raise UnknownJob(uuid)
        return Accepted(event, self._token(bearer, job) if bearer.verified.kind in GIVEN else None)

    async def reset(
        self, bearer: Bearer, uuid: str, data: bytes = b"null", key: str | None = None, *, no_clear_path: bool = False
    ) -> Accepted:
        """Send ``reset``, empty the archive directory unless ``no_clear_path``, and send ``ready``: the latter's event.

        For an admin token. Raises ``ArchiveFailed`` if the directory could not be emptied; then the job stays reset,
        and ``ready`` tries again.
        """
        outcome = await self._resetting.reset(bearer, uuid, data, key, no_clear_path=no_clear_path)
        _, event = _standing(outcome)
        if event is None:
            raise UnknownJob(uuid)
        return Accepted(event, None)

    async def cancel(self, bearer: Bearer, uuid: str) -> Job:
        """Take a job away to which nothing has happened but its ``create``; ``Conflict`` if something has.

        For its document token, its owner, or an admin token. The audit is written first, as in ``delete``; if the job
        starts at that very moment, a second entry says that it was not canceled.
        """
        judge = self._gate.judge_cancellation(bearer, uuid, self._clock.now())
        job = await self._store.find_job(uuid)
        judge(job, None)
        if job is None:
            raise UnknownJob(uuid)
        await self._audit.record(
            "job.canceled", bearer=bearer, subject=uuid, sequence=job.sequence, head=job.head.hex(), state=job.state
        )
        try:
            await self._store.apply(uuid, judge)
        except Conflict:
            await self._audit.record("job.not_canceled", bearer=bearer, subject=uuid)
            raise
        return job

    async def token(self, bearer: Bearer, uuid: str) -> str:
        """The job's document token again, for its owner or an admin token; the same text until it is rotated."""
        job = await self._find(bearer, uuid, "jobs.token")
        await self._audit.record("job.token", bearer=bearer, subject=uuid)
        return self._token(bearer, job)

    async def rotate(self, bearer: Bearer, uuid: str, grace_seconds: int = 0) -> str:
        """A new document token; the one before ends after ``grace_seconds`` (0 to 86,400), at once if 0."""
        if not 0 <= grace_seconds <= MAX_GRACE_SECONDS:
            raise InvalidInput.at("json.grace_seconds", f"must be 0 to {MAX_GRACE_SECONDS}")
        serial = ids.serial(self._randomness(8))
        judge = self._gate.judge_rotation(bearer, uuid, serial, self._clock.now(), grace_seconds)
        job, _ = _standing(await self._store.apply(uuid, judge))
        await self._audit.record("job.rotated", bearer=bearer, subject=uuid, grace_seconds=grace_seconds)
        return self._token(bearer, job)

    async def delete(self, bearer: Bearer, uuid: str) -> Job:
        """Take the job and its history away, for an admin token alone; the audit keeps its last link.

        The audit is written first: nothing vanishes without a word.
        """
        job = await self._find(bearer, uuid, "jobs.delete")
        async with self._store.hold(uuid):  # while its directory is emptied a job is not to be made anew
            await self._audit.record(
                "job.deleted", bearer=bearer, subject=uuid, sequence=job.sequence, head=job.head.hex(), state=job.state
            )
            await self._store.apply(uuid, self._gate.judge_deletion(bearer, uuid, self._clock.now()))
        return job

    async def read(self, bearer: Bearer, uuid: str) -> Found:
        """The job with all that is known of it."""
        return await self._found(await self._find(bearer, uuid))

    async def list(
        self,
        bearer: Bearer,
        *,
        state: str | None,
        pipeline_uuid: str | None,
        links: Mapping[Relation, str] = NO_LINKS,
        after: str | None,
        limit: int,
    ) -> Page[Job]:
        """The jobs that the bearer may see: all for an operator's login or an admin token, one for a document token. A
        page has fewer where the token is limited to other platforms than theirs.

        ``links`` are conditions, each on one relation: a uuid, or an identifier, which is any other text and stands
        for its typed uuids of every type.
        """
        at = self._clock.now()
        linked = [sound.condition(relation, text, self._namespace) for relation, text in links.items()]
        own = bearer.verified.job_uuid
        self._gate.admit(bearer, Access("jobs.read", at, job=own, address=bearer.address))
        if own is not None:
            job = await self._find(bearer, own)
            fits = state in (None, job.state) and pipeline_uuid in (None, job.pipeline_uuid) and after is None
            return Page([job] if fits and await self._meets(job, linked) else [], None)
        owner = None
        if bearer.verified.kind != "admin" and not is_operators_login(bearer):
            owner = principal_of(bearer).id
        page = await self._store.list_jobs(
            owner=owner, state=state, pipeline_uuid=pipeline_uuid, linked=linked, after=after, limit=limit
        )
        return Page(self._gate.shown(bearer, page.items, at), page.next)

    async def history(self, bearer: Bearer, uuid: str, after: int, limit: int) -> Events:
        """The events of a job above sequence ``after``, at most ``limit``."""
        await self._find(bearer, uuid)
        return await self._store.history(uuid, after, limit)

    async def verify(self, bearer: Bearer, uuid: str) -> tuple[Job, int | None]:
        """The job, and the sequence of the first bad or missing link of its history (None: it holds)."""
        await self._find(bearer, uuid)
        return await verify_job(self._store, uuid, self._keyring.chain_key)

    async def _find(self, bearer: Bearer, uuid: str, action: str = "jobs.read") -> Job:
        """The job, if the bearer may do that with it; ``UnknownJob`` both if it is hidden and if there is none."""
        job = await self._store.find_job(uuid)
        access = Access(action, self._clock.now(), job=uuid, address=bearer.address)
        self._gate.admit(bearer, access, job)
        if job is None:
            raise UnknownJob(uuid)
        return job

    async def _found(self, job: Job) -> Found:
        first = await self._store.history(job.uuid, 0, 1)
        details = await self._store.find_details(job.uuid)
        if not first or details is None:  # deleted since it was looked at
            raise UnknownJob(job.uuid)
        return Found(job, first[0].data, details)

    async def _meets(self, job: Job, linked: Conditions) -> bool:
        return not linked or sound.meets(job, (await self._found(job)).details, linked)

    async def _make_directory(self, job: Job, path: str) -> None:
        try:
            await self._archives.make(job.archive_system, path)
        except ArchiveFailed as failed:  # the job is made all the same: who writes there first may make it
            log.warning("the archive directory of job %s was not made: %s", job.uuid, failed.message)

    def _owner(self, bearer: Bearer, access: Access) -> int:
        self._gate.admit(bearer, access)
        if bearer.session is None:
            raise RevokedToken("The token has no record.")
        return bearer.session.principal.id

    def _token(self, bearer: Bearer, job: Job) -> str:
        """The job's document token, under the conditions of the token that asks: no answer gives more than it has."""
        return mint_document(self._keyring, job.kid, job.uuid, job.serial, handed_on(bearer.verified))

    def _event_uuid(self) -> str:
        if not self._uuid_bytes:
            drawn = self._randomness(16 * EVENTS_DRAWN)
            self._uuid_bytes = [drawn[start : start + 16] for start in range(0, len(drawn), 16)]
        return ids.random_typed_uuid("pipelinejob_event", self._uuid_bytes.pop())


def handed_on(verified: Verified) -> tuple[Caveat, ...]:
    """The conditions of a token that hold for what it is given: all but the window of an admin token.

    That window says how long the power over all jobs lasts; one job's token is asked for, and noted, by name.
    """
    if verified.kind != "admin":
        return verified.caveats
    window = next(place for place, caveat in enumerate(verified.caveats) if type(caveat) is ExpiresAt)
    return verified.caveats[:window] + verified.caveats[window + 1 :]


def _standing(outcome: Change | Replayed) -> tuple[Job, Event | None]:
    """The job after what the store did, and the event which that is about (None: nothing was recorded)."""
    if isinstance(outcome, Replayed):
        return outcome.job, outcome.event
    if outcome.after is None:
        raise UnknownJob(outcome.before.uuid if outcome.before is not None else "")
    return outcome.after, outcome.event
