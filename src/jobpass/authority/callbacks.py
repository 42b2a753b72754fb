"""Callbacks: events sent by calling a URL with a ticket in it."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Final

from jobpass.authority.bearer import Bearer
from jobpass.authority.buckets import Buckets, Rate
from jobpass.errors import RevokedToken, TooMany, UnknownJob, WrongKind
from jobpass.lifecycle.resting import settles
from jobpass.tokens import ticket
from jobpass.tokens.access import Access
from jobpass.tokens.attenuate import admin_token
from jobpass.tokens.caveats import write_all
from jobpass.tokens.token import ADMIN_KEY_PREFIX

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.authority.credentials import Credentials
    from jobpass.authority.gate import Gate
    from jobpass.authority.jobs import Accepted, Jobs
    from jobpass.clock import Clock
    from jobpass.lifecycle.registry import Lifecycles
    from jobpass.ports import Store
    from jobpass.tokens.token import Verified

CALLS: Final = Rate(60, 5.0)
"""Events of one ticket that bring nothing to rest, on this node: so many at once, then one each five seconds."""
TOLD: Final = Rate(1, 60.0)
"""How often it is written that one token came in a URL."""

NO_TICKET: Final = "A genuine token that is no ticket came in a URL, where others may have read it: end it."


class Callbacks:
    """Takes tickets, and nothing else, and the events that come with them. ``calls`` outlives a change of keyring."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        jobs: Jobs,
        credentials: Credentials,
        lifecycles: Lifecycles,
        audit: Audit,
        clock: Clock,
        calls: Buckets,
    ) -> None:
        self._store = store
        self._gate = gate
        self._jobs = jobs
        self._credentials = credentials
        self._lifecycles = lifecycles
        self._audit = audit
        self._clock = clock
        self._calls = calls

    async def identify(self, text: str, address: str | None) -> Bearer:
        """Who calls with this ticket; ``InvalidToken`` for all that is no living one.

        Another token that is genuine is written into the audit by its public name: a URL has shown it to others.
        """
        at = self._clock.now()
        verified = self._verify(text, at)
        if verified.kind != "document" or not ticket.is_ticket(verified.caveats, at):
            await self._tell(verified, address, at)
            raise WrongKind(NO_TICKET)
        bearer = Bearer(verified, None, address)
        self._gate.standing(bearer, Access(ticket.ACTION, at, job=verified.job_uuid, address=address), None)
        return bearer

    async def submit(self, bearer: Bearer, name: str, data: bytes) -> Accepted:
        """Record the event ``name`` of the ticket's job; ``data`` is sound JSON text.

        An event that can bring the job to rest counts once for a ticket: again, whatever its data, it gives the first
        answer. Others are recorded each time; ``TooMany`` if there are too many.
        """
        uuid = bearer.verified.job_uuid or ""
        job = await self._store.find_job(uuid)
        if job is None:
            raise RevokedToken("The token has ended: its job was deleted.")
        identity = _identity(bearer.verified)
        key = None
        if settles(self._lifecycles.get(job.lifecycle), name):
            key = f"callback:{identity}:{name}"
        else:
            self._count(identity)
        try:
            return await self._jobs.submit_event(bearer, uuid, name, data, key, action=ticket.ACTION)
        except UnknownJob:  # deleted since it was looked at
            raise RevokedToken("The token has ended: its job was deleted.") from None

    def _verify(self, text: str, at: datetime) -> Verified:
        """The proved token; of an admin key, which is none, the admin token that it makes."""
        return self._credentials.verify(admin_token(text, at) if text.startswith(ADMIN_KEY_PREFIX) else text)

    async def _tell(self, verified: Verified, address: str | None, at: datetime) -> None:
        bearer = Bearer(verified, None, address)
        key = (bearer.credential, "in a URL")
        if self._calls.wait(key, TOLD, at) > 0:
            return
        self._calls.add(key, TOLD, at)
        if verified.credential_id is not None:
            bearer = Bearer(verified, await self._store.find_session(verified.credential_id), address)
        await self._audit.record("token.in_url", bearer=bearer, subject=verified.job_uuid, kind=verified.kind)

    def _count(self, identity: str) -> None:
        at, key = self._clock.now(), (identity, "calls")
        wait = self._calls.wait(key, CALLS, at)
        if wait > 0:
            raise TooMany("Too many callbacks with this ticket.", retry_after_seconds=int(wait) + 1)
        self._calls.add(key, CALLS, at)


def _identity(verified: Verified) -> str:
    """What stays the same whatever the holder of a ticket adds to it, and however its text is written."""
    core = ticket.core(verified.caveats)
    if core is None:
        raise WrongKind(NO_TICKET)
    parts = (verified.kid, verified.job_uuid, verified.serial, *(text.decode() for text in write_all(core)))
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
