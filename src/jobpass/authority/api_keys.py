"""API keys: what workers prove themselves with; made, seen and ended by operators, and good on no user's route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from jobpass.authority.issuing import Issued, Issuing
from jobpass.authority.keeping import Keeping, Sessions
from jobpass.authority.standing import admitting, principal_of, session_of
from jobpass.authority.terms import DEFAULT_LABEL, check, end_of, limits
from jobpass.errors import InvalidInput
from jobpass.records import Session, Terms

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.credentials import Credentials
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import Store

DEFAULT_SECONDS: Final = 365 * 86_400


class ApiKeys:
    """What operators do with the keys of workers."""

    def __init__(
        self, store: Store, gate: Gate, credentials: Credentials, issuing: Issuing, audit: Audit, clock: Clock
    ) -> None:
        self._store = store
        self._issuing = issuing
        self._admit = admitting(gate, clock)
        self._kept = Keeping(store, credentials, audit, "apikey", entry="api_key", called="API key", short="key")

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
            issuer=session_of(bearer).credential,
            terms=terms,
        )
        await self._kept.record("created", bearer, issued.credential, label=issued.credential.label)
        return issued

    async def list(
        self, bearer: Bearer, *, expired: bool = False, revoked: bool = False, offset: int = 0, limit: int
    ) -> Sessions:
        """All keys in order of issue."""
        at = self._admit(bearer, "api_keys.read")
        return await self._kept.list(at, expired=expired, revoked=revoked, offset=offset, limit=limit)

    async def show(self, bearer: Bearer, number: int) -> Session:
        """One key; ``UnknownCredential`` if there is none."""
        self._admit(bearer, "api_keys.read")
        return self._kept.counted(await self._kept.find(number))

    async def revoke(self, bearer: Bearer, number: int, *, compromised: bool = False) -> Session:
        """End a key at once, with ``compromised`` for good."""
        at = self._admit(bearer, "api_keys.manage")
        session = await self._kept.find(number)
        await self._kept.revoke(bearer, session.credential, at, compromised=compromised)
        return await self._kept.find(number)

    async def reopen(self, bearer: Bearer, number: int) -> Session:
        """Take a revocation back; ``Conflict`` as for job tokens."""
        at = self._admit(bearer, "api_keys.manage")
        session = await self._kept.find(number)
        return replace(session, credential=await self._kept.reopen(bearer, session, at))

    async def delete(self, bearer: Bearer, number: int) -> None:
        """End a key for good and forget it, as far as lists go."""
        at = self._admit(bearer, "api_keys.manage")
        await self._kept.delete(bearer, (await self._kept.find(number)).credential, at)
