"""Keeping: what job tokens and API keys have in common once they are issued, up to their end."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from jobpass.errors import Conflict, UnknownCredential
from jobpass.records import Credential, EndedBy, Session

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.credentials import Credentials
    from jobpass.ports import Placement, Store
    from jobpass.tokens.token import Kind

MOST_KIN: Final = 10_000
"""Ancestors and descendants of a credential that are looked at."""

Sessions = list[Session]  # named here: below, ``list`` is a method
Ended = list[Credential]


class Keeping:
    """The credentials of one kind; who may do that with which of them is decided before.

    ``entry`` begins the names of their entries in the audit; ``called`` is what people call one, ``short`` likewise.
    """

    def __init__(
        self, store: Store, credentials: Credentials, audit: Audit, kind: Kind, *, entry: str, called: str, short: str
    ) -> None:
        self._store = store
        self._credentials = credentials
        self._audit = audit
        self._kind = kind
        self._entry = entry
        self._called = called
        self._short = short

    async def find(self, number: int) -> Session:
        """The one of this number; ``UnknownCredential`` if there is none."""
        session = await self._store.find_credential(number)
        if session is None or session.credential.kind != self._kind:
            raise self.unknown(number)
        return session

    async def list(
        self,
        at: datetime,
        *,
        owner: int | None = None,
        expired: bool,
        revoked: bool,
        first: int = 0,
        offset: int,
        limit: int,
    ) -> Sessions:
        """Some in order of issue, with their uses of now: those of the number ``first`` or a higher one, from the
        ``offset``-th on; those that have ended by time or by decision only if asked for."""
        found = await self._store.list_credentials(
            self._kind,
            owner=owner,
            living_at=None if expired else at,
            revoked=revoked,
            first=first,
            offset=offset,
            limit=limit,
        )
        return [self.counted(session) for session in found]

    def counted(self, session: Session) -> Session:
        """The same with its uses of now."""
        return replace(session, credential=self._credentials.counted(session.credential))

    async def revoke(self, bearer: Bearer, target: Credential, at: datetime, *, compromised: bool) -> int:
        """End one with all its children, at once, with ``compromised`` for good; how many ended."""
        by: EndedBy = "compromised" if compromised else "revoked"

        def note(ended: Ended) -> Placement:
            return self.placement("revoked", bearer, target, compromised=compromised, ended=len(ended))

        return len(await self._store.end_credential(target.id, at, by, note=note))

    async def reopen(self, bearer: Bearer, target: Session, at: datetime) -> Credential:
        """Take the revocation of one back, of this one only; see ``check_reopening``."""

        def change(standing: Credential, parent: Credential | None) -> Credential:
            check_reopening(standing, parent, at)
            return replace(standing, revoked_at=None, ended_by=None)

        if not target.principal.active:
            raise Conflict(f"The owner of the {self._short} is disabled.")
        return await self._store.change_credential(
            target.credential.id, change, note=lambda reopened: self.placement("reopened", bearer, reopened)
        )

    async def delete(self, bearer: Bearer, target: Credential, at: datetime) -> None:
        """End one for good with all its children, and forget it, as far as lists go."""
        await self._store.end_credential(
            target.id, at, "deleted", note=lambda _: self.placement("deleted", bearer, target)
        )

    def placement(self, what: str, bearer: Bearer, target: Credential, **data: Any) -> Placement:
        """What the audit is told of what is done with one."""
        return self._audit.placement(f"{self._entry}.{what}", bearer=bearer, subject=target.id, **data)

    def unknown(self, number: int) -> UnknownCredential:
        """What is raised for a number that is none of these, or must stay hidden."""
        return UnknownCredential(f"There is no such {self._called}.", id=number)


def check_reopening(standing: Credential, parent: Credential | None, at: datetime) -> None:
    """``Conflict`` for a credential whose end cannot be taken back."""
    if standing.revoked_at is None:
        raise Conflict("The token is not revoked.")
    if standing.ended_by not in ("revoked", "parent"):
        raise Conflict("The token has ended for good.")
    for one in (standing, parent):
        if one is not None and one.expires_at is not None and at >= one.expires_at:
            raise Conflict("The token has expired.")
    if standing.parent is not None and (parent is None or parent.revoked_at is not None):
        raise Conflict("The token that this one was made with has ended.")
