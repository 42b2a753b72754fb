"""Containment of a leak: what a token is, what came of it, what it touched; then its end, with all that came of it."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from jobpass import ids
from jobpass.authority.bearer import Bearer
from jobpass.authority.keeping import MOST_KIN
from jobpass.authority.standing import is_of_lease, may_see
from jobpass.errors import Conflict, InvalidToken, UnknownCredential, UnknownJob
from jobpass.records import AuditEntry, Credential, Job, Lineage, Principal, Session, Touch
from jobpass.tokens.access import Access
from jobpass.tokens.caveats import first_expiry

if TYPE_CHECKING:
    from jobpass.authority.admin_keys import AdminKeys
    from jobpass.authority.audit import Audit
    from jobpass.authority.credentials import Credentials
    from jobpass.authority.gate import Gate
    from jobpass.authority.telling import Telling
    from jobpass.authority.workers import Workers
    from jobpass.clock import Clock
    from jobpass.ports import Randomness, Store
    from jobpass.tokens.fingerprint import Fingerprint
    from jobpass.tokens.token import Verified

ACTION: Final = "tokens.contain"
PAGE: Final = 1000
MOST_EVENTS: Final = 100_000
"""Events that are counted; ``TouchedJob`` speaks of these."""
SHOWN_EVENTS: Final = 1000
SHOWN_ENTRIES: Final = 1000
LASTING: Final = ("webhook.created", "webhook.rotated", "webhook.enabled")
"""Entries of the audit that tell of a webhook which goes on after the token has ended."""
LEAKED: Final = "it was made, or changed, with a token that leaked"


class TouchedJob(Struct):
    """What one job had from a token and its line."""

    uuid: str
    owner: int
    events: int
    first_at: datetime
    last_at: datetime


class Trace(Struct, frozen=True):
    """What is known of a token. ``session`` is its record, None for a document token, which is ``job``'s.

    ``living`` says whether it opened anything until now. ``touches`` are its first events and those of its line,
    ``jobs`` all jobs of ``counted`` events, which are all there are unless ``more``; ``addresses`` says where these and
    the audit's ``entries`` came from, with the number of times.
    """

    kind: str
    credential: str
    owner: Principal | None
    session: Session | None
    job: Job | None
    living: bool
    lineage: Lineage
    touches: tuple[Touch, ...]
    jobs: tuple[TouchedJob, ...]
    entries: tuple[AuditEntry, ...]
    addresses: dict[str, int]
    counted: int
    more: bool
    lease: int | None = None
    """The serial of the lease that the token is of, if it is a worker's."""


class Contained(Struct, frozen=True):
    """What an end stopped: the credentials that lived until then, the jobs whose document tokens did, and the webhooks
    that were told of events until then."""

    ended: tuple[Credential, ...]
    rotated: tuple[str, ...]
    disabled: tuple[str, ...] = ()


class Containment:
    """Traces leaked tokens and ends them: an operator those of everybody, a person the own ones."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        credentials: Credentials,
        admin_keys: AdminKeys,
        workers: Workers,
        telling: Telling,
        audit: Audit,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._store = store
        self._gate = gate
        self._credentials = credentials
        self._admin_keys = admin_keys
        self._workers = workers
        self._telling = telling
        self._audit = audit
        self._clock = clock
        self._randomness = randomness

    async def trace(self, caller: Bearer, leaked: Fingerprint) -> Trace:
        """What is known of the token; changes nothing. ``UnknownCredential`` for what is none of the caller's."""
        self._gate.admit(caller, Access(ACTION, self._clock.now(), address=caller.address))
        try:
            verified = self._credentials.recognise(leaked)
        except InvalidToken:
            raise _unknown() from None
        if verified.job_uuid is not None:
            return await self._trace_document(caller, verified, verified.job_uuid)
        session = await self._store.find_session(verified.credential_id or "")
        if session is None or not may_see(caller, session.principal.id):
            raise _unknown()
        lineage = await self._store.find_lineage(session.credential.id, MOST_KIN)
        bearer = Bearer(verified, session)
        return await self._traced(_names(session, lineage), bearer, session.principal, session, None, lineage)

    async def contain(self, caller: Bearer, leaked: Fingerprint, *, rotate_jobs: bool = False) -> Contained:
        """End the token as compromised, with everything that was asked for with it, at once and for good.

        A document token ends by a new serial of its job, that of a lease with the lease: the job waits again. With
        ``rotate_jobs`` the jobs that were touched have new serials, too: whoever had the token may have been given
        their document tokens.
        """
        trace = await self.trace(caller, leaked)
        at = self._clock.now()
        ended: list[Credential] = []
        disabled: list[str] = []
        if trace.session is not None:
            # First what goes at once; then the records that say so of admin keys.
            line = await self._store.end_credential(trace.session.credential.id, at, "compromised", issued=True)
            ended = [one for one in line if one.expires_at is None or one.expires_at > at]
            await self._end_admin_keys(caller, line, at)
            disabled = await self._disable_webhooks(_names(trace.session, trace.lineage))
        own = [trace.job.uuid] if trace.job is not None and trace.living else []
        touched = [one.uuid for one in trace.jobs] if rotate_jobs else []
        rotated: list[str] = []
        if own and trace.lease is not None:  # the job's own token was not in these hands
            rotated = own if await self._workers.seize(caller, own[0], trace.lease, ACTION) else []
            own = []
        others = [uuid for uuid in dict.fromkeys([*own, *touched]) if await self._rotate(caller, uuid, at)]
        rotated = [*dict.fromkeys([*rotated, *others])]
        await self._audit.record(
            "token.contained",
            bearer=caller,
            subject=trace.session.credential.id if trace.session is not None else trace.credential,
            kind=trace.kind,
            ended=[one.id for one in ended][:PAGE],
            ended_in_all=len(ended),
            rotated=rotated[:PAGE],
            disabled=disabled[:PAGE],
        )
        return Contained(tuple(ended), tuple(rotated), tuple(disabled))

    async def _trace_document(self, caller: Bearer, verified: Verified, uuid: str) -> Trace:
        bearer = Bearer(verified)
        job = await self._store.find_job(uuid)
        if job is None or not may_see(caller, job.owner):
            raise _unknown()
        owner = await self._store.find_principal(job.owner)
        return await self._traced([bearer.credential], bearer, owner, None, job, Lineage((), ()))

    async def _traced(
        self,
        names: list[str],
        bearer: Bearer,
        owner: Principal | None,
        session: Session | None,
        job: Job | None,
        lineage: Lineage,
    ) -> Trace:
        touches, more = await self._touches(names, job)
        await self._audit.flush()
        entries = (await self._store.list_audit(credentials=names, limit=SHOWN_ENTRIES)).items
        return Trace(
            kind=bearer.verified.kind,
            credential=bearer.credential,
            owner=owner,
            session=session,
            job=job,
            living=self._lives(bearer, job),
            lineage=lineage,
            touches=tuple(touches[:SHOWN_EVENTS]),
            jobs=tuple(_jobs_of(touches)),
            entries=tuple(entries),
            addresses=_addresses([*(one.event.address for one in touches), *(one.address for one in entries)]),
            counted=len(touches),
            more=more,
            lease=bearer.verified.serial if is_of_lease(bearer.verified, job) else None,
        )

    async def _touches(self, names: list[str], job: Job | None) -> tuple[list[Touch], bool]:
        found: list[Touch] = []
        after: str | None = None
        while len(found) < MOST_EVENTS:
            page = await self._store.touched(names, job=None if job is None else job.uuid, after=after, limit=PAGE)
            found += page.items
            after = page.next
            if after is None:
                return found, False
        return found, True

    def _lives(self, bearer: Bearer, job: Job | None) -> bool:
        """Whether the token has not ended yet; an admin key lives as long as its record, a worker's as its lease."""
        at, verified = self._clock.now(), bearer.verified
        if verified.kind == "admin" and first_expiry(verified.caveats) is None:  # the key itself has no window
            bearer = Bearer(replace(verified, lifetime_seconds=None), bearer.session)
        action = "jobs.work" if is_of_lease(verified, job) else "jobs.read"
        try:
            self._gate.standing(bearer, Access(action, at, job=None if job is None else job.uuid), job)
        except (InvalidToken, UnknownJob):
            return False
        return True

    async def _end_admin_keys(self, caller: Bearer, ended: Iterable[Credential], at: datetime) -> None:
        for one in ended:
            if one.kind == "admin":
                with suppress(Conflict, UnknownCredential):  # revoked already, or never requested by anybody
                    await self._admin_keys.end(caller, one.id, "It was contained as leaked.", at)

    async def _disable_webhooks(self, names: list[str]) -> list[str]:
        """Tell nothing more to webhooks that were made with these credentials, whose URL may be the thief's, or that
        had a new secret or were enabled with them; the owner may enable them again."""
        found: dict[str, None] = {}
        for name in LASTING:
            after: str | None = None
            while (page := await self._store.list_audit(name=name, credentials=names, after=after, limit=PAGE)).items:
                found |= {one.subject: None for one in page.items if one.subject is not None}
                after = page.next
        return [webhook for webhook in found if await self._telling.disable(webhook, LEAKED)]

    async def _rotate(self, caller: Bearer, uuid: str, at: datetime) -> bool:
        """A new serial for the job; False if it is gone, or is nobody's whom the caller may contain."""
        serial = ids.serial(self._randomness(8))
        try:
            await self._store.apply(uuid, self._gate.judge_rotation(caller, uuid, serial, at, 0, action=ACTION))
        except UnknownJob:
            return False
        return True


def _names(session: Session, lineage: Lineage) -> list[str]:
    """What records call a credential, and what came of it."""
    return [f"{one.kind}:{one.id}" for one in (session.credential, *lineage.descendants)]


def _jobs_of(touches: list[Touch]) -> list[TouchedJob]:
    found: dict[str, TouchedJob] = {}
    for touch in touches:
        at = touch.event.at
        job = found.setdefault(touch.job_uuid, TouchedJob(touch.job_uuid, touch.owner, 0, at, at))
        job.events += 1
        job.last_at = at
    return list(found.values())


def _addresses(seen: list[str | None]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for address in seen:
        if address is not None:
            counts[address] = counts.get(address, 0) + 1
    return counts


def _unknown() -> UnknownCredential:
    return UnknownCredential("There is no such token.")
