"""New jobs for workers: what may be asked for, by whom, of which platform."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jobpass import ids
from jobpass.authority.blobs import CHUNK_BYTES
from jobpass.authority.gate import Submission
from jobpass.authority.payload import Summary, summarise
from jobpass.authority.platforms import MAX_DURATION_SECONDS, may_use, status_at
from jobpass.authority.standing import principal_of, session_of
from jobpass.authority.work_judges import WorkJudges, told
from jobpass.errors import Conflict, InvalidInput, LimitExceeded, UnknownJob, UnknownPlatform
from jobpass.lifecycle.standard import COMPUTE
from jobpass.records import NO_LINK, Blob, Change, Job, Platform, Principal, Work
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.blobs import Blobs
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import Randomness, Signals, Store
    from jobpass.tokens.keyring import Keyring

NAME_SHOWN: Final = 100
"""Characters of a platform's name that an error repeats."""

_encode = msgspec.json.Encoder().encode


class Asked(Struct, frozen=True):
    """What somebody wants done: a payload (sound JSON, an object) for a platform, by its name or its id."""

    payload: bytes
    name: str = ""
    platform: str | None = None
    platform_id: str | None = None
    group: str | None = None
    process_id: str | None = None
    pcvl_version: str | None = None
    max_duration_seconds: int | None = None


class _Commands(Struct):
    available_commands: list[str] | None = None


_decode_specs = msgspec.json.Decoder(_Commands).decode


class Submissions:
    """Puts jobs into the queue."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        keyring: Keyring,
        clock: Clock,
        randomness: Randomness,
        blobs: Blobs,
        signals: Signals,
    ) -> None:
        self._store = store
        self._gate = gate
        self._judges = WorkJudges(gate)
        self._keyring = keyring
        self._clock = clock
        self._randomness = randomness
        self._blobs = blobs
        self._signals = signals

    async def submit(self, bearer: Bearer, asked: Asked, key: str | None = None) -> Job:
        """A new job that waits; with a ``key`` that its owner used before, the job of then.

        Raises ``UnknownPlatform``, ``InvalidInput`` for what the platform or the payload does not allow, ``Conflict``
        for a platform that is not available, a process id of somebody else's, or a key that came with another job;
        ``LimitExceeded`` if the queue has enough of the owner's.
        """
        at = self._clock.now()
        self._admit(bearer, at, None)
        uuid = ids.random_uuid(self._randomness(16)) if key is None else _derived(principal_of(bearer).id, key)
        standing = None if key is None else await self._store.find_job(uuid)
        digest = None if key is None else _digest(asked)
        if standing is not None and standing.work is not None:  # whatever became of the platform meanwhile
            return await self._queue(bearer, uuid, replace(standing.work, asked=digest), at)
        platform = await self._platform(bearer, asked.platform, asked.platform_id, at)
        work = self._work(bearer, platform, asked, summarise(asked.payload))
        await self._check_process(bearer, asked.process_id)
        await self._expect_room(bearer, asked.payload)
        kept = await self._blobs.put(asked.payload)
        return await kept.naming(self._queue(bearer, uuid, replace(work, payload=kept.blob, asked=digest), at))

    async def rerun(
        self,
        bearer: Bearer,
        uuid: str,
        *,
        name: str | None = None,
        payload: bytes | None = None,
        platform_id: str | None = None,
    ) -> Job:
        """A new job like one of the caller's that has ended, which stays as it is; what is given is another."""
        at = self._clock.now()
        job = await self._store.find_job(uuid)
        old = None if job is None else job.work
        access = Access("jobs.read", at, job=uuid, platform=old.platform if old else None, address=bearer.address)
        self._gate.admit(bearer, access, job)
        self._admit(bearer, at, None)
        if job is None or old is None or job.owner != principal_of(bearer).id:
            raise UnknownJob(uuid)
        if job.state not in COMPUTE.final:
            raise Conflict("Can not rerun job", uuid=uuid, state=job.state)
        platform = await self._platform(bearer, None, platform_id or old.platform_id, at)
        asked = Asked(
            payload or b"", old.name if name is None else name, group=old.group, process_id=old.process_id,
            pcvl_version=old.pcvl_version, max_duration_seconds=old.max_duration_seconds,
        )  # fmt: skip
        summary = Summary(old.command, old.max_shots, old.max_samples, old.iterations)
        work = self._work(bearer, platform, asked, summary if payload is None else summarise(payload))
        work, fresh = replace(work, rerun_from=uuid), ids.random_uuid(self._randomness(16))
        if payload is None:
            return await self._queue(bearer, fresh, replace(work, payload=old.payload), at)
        await self._expect_room(bearer, payload)
        kept = await self._blobs.put(payload)
        return await kept.naming(self._queue(bearer, fresh, replace(work, payload=kept.blob), at))

    def _work(self, bearer: Bearer, platform: Platform, asked: Asked, summary: Summary) -> Work:
        """What is asked for, if the platform allows it; without its payload."""
        _check(platform, asked, summary)
        session = session_of(bearer)
        credential, profile = session.credential, session.principal.profile
        limits = [profile.priority, credential.priority] if credential.kind == "job" else [profile.priority]
        return Work(
            platform=platform.name,
            platform_id=platform.id,
            payload=Blob(0, 0, ""),
            name=asked.name,
            command=summary.command,
            priority=min(limits),
            token=credential.number,
            token_label=credential.label,
            group=asked.group,
            process_id=asked.process_id,
            pcvl_version=asked.pcvl_version,
            max_shots=summary.max_shots,
            max_samples=summary.max_samples,
            iterations=summary.iterations,
            max_duration_seconds=asked.max_duration_seconds or platform.max_duration_seconds,
        )

    async def _queue(self, bearer: Bearer, uuid: str, work: Work, at: datetime) -> Job:
        principal = principal_of(bearer)
        wanted = Job(
            uuid=uuid,
            lifecycle=COMPUTE.name,
            state=COMPUTE.initial,
            last_event="",
            sequence=0,
            head=NO_LINK,
            kid=self._keyring.signing_kid,
            serial=ids.serial(self._randomness(8)),
            owner=principal.id,
            pipeline_uuid=work.platform_id,
            created_at=at,
            updated_at=at,
            work=work,
        )
        event = Submission(
            ids.random_typed_uuid("pipelinejob_event", self._randomness(16)), "create", _encode(_shown(work)), at, None
        )
        judge = self._judges.submission(bearer, wanted, event, principal.profile.max_jobs_in_queue)
        outcome = await self._store.apply(uuid, judge)
        job = outcome.after if isinstance(outcome, Change) else outcome.job
        if job is None:
            raise UnknownJob(uuid)
        self._signals.publish(f"queue:{work.platform}")
        return job

    async def _platform(self, bearer: Bearer, name: str | None, platform_id: str | None, at: datetime) -> Platform:
        """The platform that is meant, if the bearer may use it, and it can be used now."""
        if name is None and platform_id is None:
            raise InvalidInput.at("json.platform_name", "is required")
        platform = None if name is None else await self._store.find_platform(name)
        if name is None:
            found = (one for one in await self._store.list_platforms() if one.id == platform_id)
            platform = next(found, None)
        if platform is not None and platform_id not in (None, platform.id):
            platform = None
        if platform is None or not may_use(principal_of(bearer), platform):
            raise UnknownPlatform("There is no such platform.", name=(name or platform_id or "")[:NAME_SHOWN])
        self._admit(bearer, at, platform.name)
        status = status_at(platform, at)
        if status != "available":
            raise Conflict(f"The platform {platform.name} is not available: {status}.", status=status)
        return platform

    async def _check_process(self, bearer: Bearer, process_id: str | None) -> None:
        """One process sends many jobs under one id; somebody else's is a mistake, or worse."""
        owner = None if process_id is None else await self._store.process_owner(process_id)
        if owner not in (None, principal_of(bearer).id):
            raise Conflict("This process_id belongs to somebody else.")

    async def _expect_room(self, bearer: Bearer, payload: bytes) -> None:
        """Refuse a large payload before it is kept; the store counts strictly, but only what it has been given."""
        if len(payload) > CHUNK_BYTES:
            principal = principal_of(bearer)
            load, most = await self._store.load_of(principal.id), principal.profile.max_jobs_in_queue
            if load.waiting + load.running >= most:
                raise LimitExceeded.of_queue(most)

    def _admit(self, bearer: Bearer, at: datetime, platform: str | None) -> Principal:
        self._gate.admit(bearer, Access("jobs.create", at, platform=platform, address=bearer.address))
        return principal_of(bearer)


def _check(platform: Platform, asked: Asked, summary: Summary) -> None:
    """Raise ``InvalidInput`` for what is beyond the platform."""
    fields: dict[str, list[str]] = {}
    known = _decode_specs(platform.specs).available_commands
    if known and summary.command not in known:
        fields["json.payload"] = [f"must have a command that {platform.name} has: {', '.join(known)[:500]}"]
    if summary.max_shots is not None and platform.max_shots is not None and summary.max_shots > platform.max_shots:
        fields["json.payload"] = [f"must not ask for more than {platform.max_shots} shots"]
    duration, most = asked.max_duration_seconds, platform.max_duration_seconds or MAX_DURATION_SECONDS
    if duration is not None and not 1 <= duration <= most:
        fields["json.max_duration"] = [f"must be 1 to {most} seconds"]
    if fields:
        problems = "; ".join(f"{field}: {sentences[0]}" for field, sentences in fields.items())
        raise InvalidInput(problems, fields)


def _shown(work: Work) -> dict[str, object]:
    """What the first event of the history says."""
    return {
        "platform": work.platform,
        "name": work.name,
        "command": work.command,
        "priority": work.priority,
        "group": work.group,
        "max_shots": work.max_shots,
        "max_samples": work.max_samples,
        "iterations": work.iterations,
        "max_duration": work.max_duration_seconds,
        "rerun_from": work.rerun_from,
        "payload": told(work.payload),
    }


def _derived(owner: int, key: str) -> str:
    """The uuid of the job that an owner asks for under an idempotency key: the same one each time, on every node."""
    return ids.random_uuid(hashlib.sha256(f"jobpass/compute/{owner}/{key}".encode()).digest()[:16])


def _digest(asked: Asked) -> str:
    """What tells a submission from another."""
    parts = _encode(replace(asked, payload=b""))
    return hashlib.sha256(len(parts).to_bytes(4, "big") + parts + asked.payload).hexdigest()
