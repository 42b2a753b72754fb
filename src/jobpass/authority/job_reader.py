"""What there is to know of jobs, for those who may."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from jobpass.authority import details as sound
from jobpass.authority.history import verify_job
from jobpass.authority.standing import is_operators_login, principal_of
from jobpass.errors import UnknownJob
from jobpass.records import Details, Event, Job, Linked, Page, Relation
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import JobStore
    from jobpass.tokens.keyring import Keyring

NO_LINKS: Mapping[Relation, str] = MappingProxyType({})

Events = list[Event]  # named here: below, ``list`` is a method
Conditions = list[Linked]


class Found(Struct, frozen=True):
    """A job with its data (that of its ``create`` event) and its details."""

    job: Job
    data: bytes
    details: Details


class JobReader:
    """What can be read of jobs. Every method raises what the gate and the store raise."""

    def __init__(self, store: JobStore, gate: Gate, keyring: Keyring, clock: Clock, namespace: str) -> None:
        self._store = store
        self._gate = gate
        self._keyring = keyring
        self._clock = clock
        self._namespace = namespace

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
