"""The end of an indexing: ``indexed``, or why it did not come, by the token that began it, as that stands then."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import msgspec

from jobpass import ids
from jobpass.authority.gate import MOVED, Submission
from jobpass.authority.resetting import unmoved
from jobpass.errors import Conflict, Error, RevokedToken, UnknownJob, UnknownKey

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.credentials import Credentials
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import Randomness, Store
    from jobpass.records import IndexRun, Job
    from jobpass.tokens.keyring import Keyring

INDEXED: Final = "indexed"
UPDATE: Final = "update"

LOOKS: Final = 5
"""How often ``indexed`` is tried anew for a job to which something happens at that very moment."""
HISTORY_PAGE: Final = 256

ELSEWHERE: Final = "The job has left the state that index put it in."

log = logging.getLogger("jobpass.indexing")


class Ending:
    """Ends what was begun, with one keyring."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        keyring: Keyring,
        credentials: Credentials,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self._store = store
        self._gate = gate
        self._keyring = keyring
        self._credentials = credentials
        self._clock = clock
        self._randomness = randomness

    async def finish(self, bearer: Bearer, job: Job, run: IndexRun) -> None:
        """Record ``indexed``, if the job is still where ``index`` put it and the bearer may."""
        data = msgspec.json.encode({"files": run.files, "bytes": run.bytes})
        await self._follow(bearer, job, run, INDEXED, data)

    async def explain(self, bearer: Bearer, job: Job, run: IndexRun, reason: str) -> None:
        """Note in the history why nothing came of it, if the bearer may."""
        try:
            await self._follow(bearer, job, run, UPDATE, msgspec.json.encode({"index_error": reason}))
        except Error as error:
            log.info("the history does not tell why an indexing failed: %s", error.code)

    async def _follow(self, bearer: Bearer, job: Job, run: IndexRun, name: str, data: bytes) -> None:
        """Record an event of who began the indexing, unless the job has left its state since, if only for a while."""
        bearer = await self._renewed(bearer)
        sequence = run.number
        for _ in range(LOOKS):
            sequence = await self._unchanged(job, sequence)
            submission = Submission(self._event_uuid(), name, data, self._clock.now(), None)
            judge = unmoved(self._gate.judge_event(bearer, job.uuid, submission), sequence)
            try:
                await self._store.apply(job.uuid, judge)
                return
            except Conflict as conflict:
                if conflict.message != MOVED:
                    raise
        raise Conflict(MOVED, uuid=job.uuid)

    async def _unchanged(self, job: Job, sequence: int) -> int:
        """How far the history goes, if since ``sequence`` every event has left the job in its state; else ``Conflict``.

        ``UnknownJob`` if it is another job by now.
        """
        while True:
            found = await self._store.find_job(job.uuid)
            if found is None or found.created_at != job.created_at:
                raise UnknownJob(job.uuid)
            events = await self._store.history(job.uuid, sequence, HISTORY_PAGE)
            if any(event.state != job.state for event in events):
                raise Conflict(ELSEWHERE, uuid=job.uuid)
            if not events:
                return sequence
            sequence = events[-1].sequence

    async def _renewed(self, bearer: Bearer) -> Bearer:
        """Who presented the token, as it stands now: with a root key that is still in use, and its record."""
        verified = bearer.verified
        if verified.kid not in {key.kid for key in self._keyring.keys if key.state != "retired"}:
            raise UnknownKey("The token names a key that this server does not have.", kid=verified.kid)
        if not bearer.legacy:
            return await self._credentials.identify(verified, bearer.address)
        if await self._store.find_legacy(verified.job_uuid or "") is None:
            raise RevokedToken("There is no record of this token.")
        return bearer

    def _event_uuid(self) -> str:
        return ids.random_typed_uuid("pipelinejob_event", self._randomness(16))
