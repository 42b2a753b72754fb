"""What a token is, and its end by decision: after RFC 7662 and RFC 7009.

Both ask for a caller who is known. Unknown, expired and revoked tokens look the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from jobpass.authority.standing import is_of_lease, may_see
from jobpass.errors import Denied, Error, InvalidToken
from jobpass.tokens.access import Access
from jobpass.tokens.caveats import Actions, Events, earliest_expiry
from jobpass.tokens.token import Verified

if TYPE_CHECKING:
    from jobpass.authority.admin_keys import AdminKeys
    from jobpass.authority.audit import Audit
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.credentials import Credentials
    from jobpass.authority.gate import Gate
    from jobpass.authority.jobs import Jobs
    from jobpass.authority.workers import Workers
    from jobpass.clock import Clock
    from jobpass.ports import Placement, Store
    from jobpass.records import Credential


class Introspected(Struct, frozen=True):
    """An active token. ``exp`` and ``iat`` are epoch seconds, ``scope`` the actions or events it is limited to."""

    kind: str
    sub: str
    credential: str
    exp: int | None
    iat: int | None
    job: str | None
    scope: str


class Introspection:
    """Tells about tokens and ends them, for callers with a login token."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        credentials: Credentials,
        jobs: Jobs,
        admin_keys: AdminKeys,
        workers: Workers,
        audit: Audit,
        clock: Clock,
    ) -> None:
        self._store = store
        self._gate = gate
        self._credentials = credentials
        self._jobs = jobs
        self._admin_keys = admin_keys
        self._workers = workers
        self._audit = audit
        self._clock = clock

    async def introspect(self, caller: Bearer, text: str) -> Introspected | None:
        """What the token is, or None for one that is not active or not the caller's business.

        An operator may ask about every token, an author about their own and those of their jobs.
        """
        self._gate.admit(caller, Access("tokens.introspect", self._clock.now(), address=caller.address))
        try:
            bearer = await self._credentials.identify(self._credentials.verify(text), caller.address)
            return await self._describe(caller, bearer)
        except InvalidToken:
            return None

    async def revoke(self, caller: Bearer, text: str) -> None:
        """End the token, if there is such a one and it is the caller's to end; nothing tells whether there was.

        A document token ends by a new serial of its job, that of a lease with the lease; a token of an admin key ends
        with its key.
        """
        at = self._clock.now()
        self._gate.admit(caller, Access("tokens.revoke", at, address=caller.address))
        try:
            bearer = await self._credentials.identify(self._credentials.verify(text), caller.address)
        except InvalidToken:
            return
        verified = bearer.verified
        if verified.job_uuid is not None:
            await self._end_document(caller, verified, verified.job_uuid)
        elif bearer.session is not None and may_see(caller, bearer.session.principal.id):
            credential = bearer.session.credential
            if verified.kind == "admin":
                await self._admin_keys.revoke(caller, credential.id, None)
            else:
                await self._store.end_credential(
                    credential.id, at, note=lambda ended: self._revoked(caller, credential) if ended else None
                )

    def _revoked(self, caller: Bearer, credential: Credential) -> Placement:
        return self._audit.placement("token.revoked", bearer=caller, subject=credential.id, kind=credential.kind)

    async def _end_document(self, caller: Bearer, verified: Verified, job_uuid: str) -> None:
        job = await self._store.find_job(job_uuid)
        try:
            if verified.serial is not None and is_of_lease(verified, job):
                await self._workers.seize(caller, job_uuid, verified.serial, "jobs.rotate")
            else:
                await self._jobs.rotate(caller, job_uuid, 0)
        except (Denied, InvalidToken):
            raise
        except Error:  # unknown or hidden: RFC 7009 §2.2 answers as if it had been ended
            return

    async def _describe(self, caller: Bearer, bearer: Bearer) -> Introspected | None:
        verified, at = bearer.verified, self._clock.now()
        if verified.job_uuid is not None:
            job = await self._store.find_job(verified.job_uuid)
            if job is None or not may_see(caller, job.owner):
                return None
            action = "jobs.work" if is_of_lease(verified, job) else "jobs.read"
            self._gate.standing(bearer, Access(action, at, job=job.uuid), job)
            return _described(bearer, f"job:{job.uuid}", None, None, job.uuid)
        session = bearer.session
        if session is None or not may_see(caller, session.principal.id):
            return None
        ends, issued = session.credential.expires_at, session.credential.issued_at
        return _described(
            bearer,
            str(session.principal.id),
            int(ends.timestamp()) if ends is not None else None,
            int(issued.timestamp()),
            None,
        )


def _described(bearer: Bearer, sub: str, ends: int | None, issued: int | None, job: str | None) -> Introspected:
    verified = bearer.verified
    expiries = [at for at in (ends, earliest_expiry(verified.caveats)) if at is not None]
    return Introspected(
        verified.kind, sub, bearer.credential, min(expiries, default=None), issued, job, " ".join(_scope(verified))
    )


def _scope(verified: Verified) -> list[str]:
    """What the caveats leave over, as far as a list of words can say it."""
    scope: list[str] = []
    for caveat in verified.caveats:
        if isinstance(caveat, Actions | Events):
            allowed: list[Any] = list(caveat.allowed)
            scope = [one for one in scope if one in allowed] if scope else allowed
    return scope
