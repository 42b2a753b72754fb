"""Job tokens: what people give to their programs, and those may give on, never wider and never for longer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from jobpass.authority.bookmarks import Bookmarks
from jobpass.authority.issuing import Issued, Issuing
from jobpass.authority.keeping import MOST_KIN, Keeping, Sessions
from jobpass.authority.standing import admitting, is_operators_login, principal_of, session_of
from jobpass.authority.terms import DEFAULT_LABEL, check, check_label, check_priority, effective, end_of, limits
from jobpass.errors import Denied, InvalidInput, InvalidToken, UnknownCredential
from jobpass.records import Credential, Principal, Session, Terms, Usage

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.credentials import Credentials
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import Placement, Store

DEFAULT_SECONDS: Final = 86_400
MOST_REPORTED: Final = 1000
"""Tokens in a report that names none."""

Usages = list[Usage]  # named here: below, ``list`` is a method


class Wanted(Struct, frozen=True):
    """A job token that somebody asks for; ``label`` None: the default one, numbered. ``owner`` None: who asks."""

    label: str | None = None
    duration_seconds: int = DEFAULT_SECONDS
    priority: int = 0
    owner: int | None = None
    terms: Terms = Terms()


class JobTokens:
    """What can be done with job tokens. An operator's login opens those of everybody, a job token shows
    its owner's, and changes itself and its own line only."""

    def __init__(
        self, store: Store, gate: Gate, credentials: Credentials, issuing: Issuing, audit: Audit, clock: Clock
    ) -> None:
        self._store = store
        self._credentials = credentials
        self._issuing = issuing
        self._admit = admitting(gate, clock)
        self._kept = Keeping(store, credentials, audit, "job", entry="token", called="token", short="token")
        self._bookmarks = Bookmarks()

    async def create(self, bearer: Bearer, wanted: Wanted) -> Issued:
        """A new job token, whose text is given this once, under all conditions of the token that asks.

        One that is made with a job token is its child: it ends with its parent, at the latest then. Raises
        ``InvalidInput`` for what cannot be, ``LimitExceeded`` for a priority above the user's or the parent's,
        ``AlreadyExists`` for a label that another of the user's has, ``Denied`` for somebody else's ``owner``.
        """
        at = self._admit(bearer, "tokens.create")
        owner = await self._owner(bearer, wanted.owner)
        check(wanted.label, wanted.duration_seconds, wanted.terms)
        session = session_of(bearer)
        parent = session.credential if session.credential.kind == "job" else None
        check_priority(wanted.priority, owner, parent)
        caveats = (*bearer.verified.caveats, *limits(wanted.terms))
        return await self._issuing.issue(
            "job",
            owner,
            wanted.label or DEFAULT_LABEL,
            at,
            end_of(at, wanted.duration_seconds, caveats, parent),
            caveats,
            numbered=wanted.label is None,
            note=lambda made: self._kept.placement("created", bearer, made, owner=owner.id, label=made.label),
            priority=wanted.priority,
            parent=None if parent is None else parent.id,
            issuer=session.credential.id,
            terms=effective(wanted.terms, caveats),
        )

    async def list(
        self,
        bearer: Bearer,
        *,
        user_id: int | None = None,
        expired: bool = False,
        revoked: bool = False,
        offset: int = 0,
        limit: int,
    ) -> Sessions:
        """Job tokens in order of issue: one's own, or for an operator's login those of a user or of everybody."""
        at = self._admit(bearer, "tokens.read")
        own = principal_of(bearer).id
        if not is_operators_login(bearer):
            if user_id not in (None, own):
                raise Denied(reasons=["the tokens of others are an operator's business"])
            user_id = own
        of = (user_id, expired, revoked)
        first = self._bookmarks.find(of, offset, at)
        found = await self._kept.list(
            at,
            owner=user_id,
            expired=expired,
            revoked=revoked,
            first=first or 0,
            offset=offset if first is None else 0,
            limit=limit,
        )
        if len(found) == limit:
            self._bookmarks.leave(of, offset + limit, found[-1].credential.number + 1, at)
        return found

    async def show(self, bearer: Bearer, number: int) -> Session:
        """One of them; ``UnknownCredential`` for what is none, or is not the caller's."""
        self._admit(bearer, "tokens.read")
        return self._kept.counted(await self._find(bearer, number))

    async def usage(
        self, bearer: Bearer, numbers: Iterable[int] | None, since: datetime | None, until: datetime | None
    ) -> dict[int, Usages]:
        """What was done with tokens, by number: with those named, or else with all of one's own that lists show.

        Jobs count that were made from ``since`` on and before ``until``. ``InvalidInput`` if ``until`` comes first,
        ``UnknownCredential`` as ``show``.
        """
        self._admit(bearer, "tokens.read")
        if since is not None and until is not None and until < since:
            raise InvalidInput.at("query.end_time", "comes before start_time")
        if numbers is None:
            own = principal_of(bearer).id
            found = await self._store.list_credentials("job", owner=own, revoked=True, limit=MOST_REPORTED)
            wanted = [one.credential.number for one in found]
        else:
            wanted = [(await self._find(bearer, number)).credential.number for number in dict.fromkeys(numbers)]
        report: dict[int, Usages] = {number: [] for number in wanted}
        for usage in await self._store.usage(wanted, since, until):
            report[usage.token].append(usage)
        return report

    async def update(
        self, bearer: Bearer, number: int, *, label: str | None = None, priority: int | None = None
    ) -> Session:
        """Another label or priority, bounded as for a new one."""
        self._admit(bearer, "tokens.manage")
        target = await self._own(bearer, number)
        if label is not None:
            check_label(label)
        acting = session_of(bearer).credential
        ceiling = acting if acting.kind == "job" else None

        def change(standing: Credential, parent: Credential | None) -> Credential:
            changed = replace(standing, label=standing.label if label is None else label)
            if priority is None:
                return changed
            for bound in (parent, ceiling):
                check_priority(priority, target.principal, bound)
            return replace(changed, priority=priority)

        def note(changed: Credential) -> Placement:
            return self._kept.placement("changed", bearer, changed, label=changed.label, priority=changed.priority)

        changed = await self._store.change_credential(target.credential.id, change, note=note)
        return Session(changed, target.principal)

    async def revoke(self, bearer: Bearer, which: int | str, *, compromised: bool = False) -> int:
        """End a token (by its number or its text) with all its children, at once; how many ended.

        With ``compromised`` for good. A token that has ended already ends no other way by this, except as compromised.
        """
        at = self._admit(bearer, "tokens.manage")
        target = await self._own(bearer, await self._number(which))
        return await self._kept.revoke(bearer, target.credential, at, compromised=compromised)

    async def reopen(self, bearer: Bearer, which: int | str) -> None:
        """Take a revocation back, of this token only.

        ``Conflict`` for one that was not revoked, has expired, is compromised, or whose parent or owner has ended.
        """
        at = self._admit(bearer, "tokens.manage")
        await self._kept.reopen(bearer, await self._own(bearer, await self._number(which)), at)

    async def delete(self, bearer: Bearer, which: Iterable[int | str]) -> int:
        """End tokens for good and forget them, as far as lists go; all of them, or none if one is not the caller's.

        Returns how many they were. What was issued with them ends, too.
        """
        at = self._admit(bearer, "tokens.manage")
        targets = [await self._own(bearer, await self._number(one)) for one in dict.fromkeys(which)]
        for target in targets:
            await self._kept.delete(bearer, target.credential, at)
        return len(targets)

    async def _owner(self, bearer: Bearer, user_id: int | None) -> Principal:
        """Whose the new token is: for another's it takes an operator's login."""
        principal = principal_of(bearer)
        if user_id in (None, principal.id):
            return principal
        if not is_operators_login(bearer):
            raise Denied(reasons=["a token for somebody else is an operator's to make"])
        owner = await self._store.find_principal(user_id or 0)
        if owner is None or not owner.active:
            raise InvalidInput.at("json.user_id", "is no active account")
        return owner

    async def _find(self, bearer: Bearer, number: int) -> Session:
        session = await self._kept.find(number)
        if not is_operators_login(bearer) and session.principal.id != principal_of(bearer).id:
            raise self._kept.unknown(number)
        return session

    async def _own(self, bearer: Bearer, number: int) -> Session:
        """The token, if it is the caller's to change: a job token changes only itself and what came of it."""
        session = await self._find(bearer, number)
        acting = session_of(bearer).credential
        if acting.kind == "job" and acting.id != session.credential.id:
            line = await self._store.find_lineage(session.credential.id, MOST_KIN)
            if acting.id not in {one.id for one in line.ancestors}:
                raise Denied(reasons=["a job token changes no token but itself and what was made with it"])
        return session

    async def _number(self, which: int | str) -> int:
        """The number of a token that is named by its number or by its text."""
        if isinstance(which, int):
            return which
        try:
            verified = self._credentials.verify(which)
        except InvalidToken:
            verified = None
        if verified is not None and verified.kind == "job" and verified.credential_id is not None:
            session = await self._store.find_session(verified.credential_id)
            if session is not None:
                return session.credential.number
        raise UnknownCredential("There is no such token.")
