"""API keys: what workers prove themselves with; made, seen and ended by operators, and good on no user's route."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from jobpass.authority.issuing import Issued, Issuing
from jobpass.authority.job_tokens import DEFAULT_LABEL, check, check_reopening, end_of, limits
from jobpass.authority.standing import principal_of, session_of
from jobpass.errors import Conflict, InvalidInput, UnknownCredential
from jobpass.records import Credential, EndedBy, Session, Terms
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.credentials import Credentials
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import Store

DEFAULT_SECONDS: Final = 365 * 86_400

Sessions = list[Session]  # named here: below, ``list`` is a method


class ApiKeys:
    """What operators do with the keys of workers."""

    def __init__(
        self, store: Store, gate: Gate, credentials: Credentials, issuing: Issuing, audit: Audit, clock: Clock
    ) -> None:
        self._store = store
        self._gate = gate
        self._credentials = credentials
        self._issuing = issuing
        self._audit = audit
        self._clock = clock

    async def create(
        self,
        bearer: Bearer,
        *,
        label: str | None = None,
        platforms: tuple[str, ...] | None = None,
        duration_seconds: int = DEFAULT_SECONDS,
    ) -> Issued:
        """A new key, whose text is given this once; for all platforms, or for those of these names.

        Raises ``InvalidInput`` for a platform that is not known, and for what cannot be; ``AlreadyExists`` for a label
        that another key of the operator's has.
        """
        at = self._admit(bearer, "api_keys.manage")
        terms = Terms(platforms=platforms, mints=False)
        check(label, duration_seconds, terms)
        for name in platforms or ():
            if await self._store.find_platform(name) is None:
                raise InvalidInput.at("json.platforms", "names a platform that is not known")
        caveats = (*bearer.verified.caveats, *limits(terms))
        issued = await self._issuing.issue(
            "apikey",
            principal_of(bearer),
            label or DEFAULT_LABEL,
            at,
            end_of(at, duration_seconds, caveats),
            caveats,
            numbered=label is None,
            issuer=session_of(bearer).credential.id,
            terms=terms,
        )
        await self._record("api_key.created", bearer, issued.credential, label=issued.credential.label)
        return issued

    async def list(
        self, bearer: Bearer, *, expired: bool = False, revoked: bool = False, offset: int = 0, limit: int
    ) -> Sessions:
        """All keys in order of issue."""
        at = self._admit(bearer, "api_keys.read")
        living_at = None if expired else at
        found = await self._store.list_credentials(
            "apikey", living_at=living_at, revoked=revoked, offset=offset, limit=limit
        )
        return [replace(one, credential=self._credentials.counted(one.credential)) for one in found]

    async def show(self, bearer: Bearer, number: int) -> Session:
        """One key; ``UnknownCredential`` if there is none."""
        self._admit(bearer, "api_keys.read")
        session = await self._find(number)
        return replace(session, credential=self._credentials.counted(session.credential))

    async def revoke(self, bearer: Bearer, number: int, *, compromised: bool = False) -> Session:
        """End a key at once, with ``compromised`` for good."""
        at = self._admit(bearer, "api_keys.manage")
        session = await self._find(number)
        by: EndedBy = "compromised" if compromised else "revoked"
        ended = await self._store.end_credential(session.credential.id, at, by)
        await self._record("api_key.revoked", bearer, session.credential, compromised=compromised, ended=len(ended))
        return await self._find(number)

    async def reopen(self, bearer: Bearer, number: int) -> Session:
        """Take a revocation back; ``Conflict`` as for job tokens."""
        at = self._admit(bearer, "api_keys.manage")
        session = await self._find(number)

        def change(standing: Credential, parent: Credential | None) -> Credential:
            check_reopening(standing, parent, at)
            return replace(standing, revoked_at=None, ended_by=None)

        if not session.principal.active:
            raise Conflict("The owner of the key is disabled.")
        reopened = await self._store.change_credential(session.credential.id, change)
        await self._record("api_key.reopened", bearer, reopened)
        return replace(session, credential=reopened)

    async def delete(self, bearer: Bearer, number: int) -> None:
        """End a key for good and forget it, as far as lists go."""
        at = self._admit(bearer, "api_keys.manage")
        session = await self._find(number)
        await self._store.end_credential(session.credential.id, at, "deleted")
        await self._record("api_key.deleted", bearer, session.credential)

    async def _find(self, number: int) -> Session:
        session = await self._store.find_credential(number)
        if session is None or session.credential.kind != "apikey":
            raise UnknownCredential("There is no such API key.", id=number)
        return session

    def _admit(self, bearer: Bearer, action: str) -> datetime:
        at = self._clock.now()
        self._gate.admit(bearer, Access(action, at, address=bearer.address))
        return at

    async def _record(self, name: str, bearer: Bearer, credential: Credential, **data: Any) -> None:
        await self._audit.record(name, bearer=bearer, subject=credential.id, **data)
