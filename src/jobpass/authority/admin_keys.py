"""Admin keys: requested with a reason, reviewed by somebody else, collected once, revoked at once.

An approval names by hash exactly what was asked, so a request that changed in between is not approved by it. The key is
a macaroon made at collection and kept nowhere; its credential's record is what admin tokens are checked against.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from jobpass import ids
from jobpass.authority.standing import admitting, expect_whole, may_see, principal_of, session_of
from jobpass.errors import Conflict, Denied, InvalidInput, MalformedToken, UnknownCredential
from jobpass.records import AdminKey, Credential, Page
from jobpass.tokens.caveats import Caveat, first_expiry, read_all
from jobpass.tokens.mint import mint_admin_key

if TYPE_CHECKING:
    from datetime import datetime

    from jobpass.authority.audit import Audit
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import Placement, Randomness, Store
    from jobpass.tokens.keyring import Keyring

DEFAULT_LIFETIME_SECONDS: Final = 3600
"""L: an admin token lives more than L and at most 2 L seconds."""
MIN_LIFETIME_SECONDS: Final = 1
MAX_LIFETIME_SECONDS: Final = 7 * 86_400
MAX_TEXT: Final = 4000
"""Characters of a use case, of how the key is kept, of a reason."""

WITHDRAWN: Final = "Its requester was disabled, or is an operator no more."
PAGE: Final = 100

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class AdminKeys:
    """Requests for administrative power and their reviews."""

    def __init__(
        self,
        store: Store,
        gate: Gate,
        keyring: Keyring,
        audit: Audit,
        clock: Clock,
        randomness: Randomness,
        *,
        lifetime_seconds: int = DEFAULT_LIFETIME_SECONDS,
        single_operator: bool = False,
    ) -> None:
        self._store = store
        self._admit = admitting(gate, clock)
        self._keyring = keyring
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._single_operator = single_operator
        self.lifetime_seconds = lifetime_seconds

    async def request(
        self, bearer: Bearer, use_case: str, storage: str, lifetime_seconds: int | None, scope: dict[str, Any] | None
    ) -> AdminKey:
        """Ask for a key. ``scope`` is an object of caveats by name; ``InvalidInput`` for what cannot be asked."""
        at = self._admit(bearer, "admin_keys.request")
        wanted = self._wanted(
            ids.credential_id(self._randomness(16)),
            principal_of(bearer).id,
            use_case,
            storage,
            lifetime_seconds,
            scope,
            at,
        )
        await self._store.add_admin_key(wanted, note=lambda key: self._placement("admin_key.requested", bearer, key))
        return wanted

    async def change(
        self,
        bearer: Bearer,
        key_id: str,
        use_case: str,
        storage: str,
        lifetime_seconds: int | None,
        scope: dict[str, Any] | None,
    ) -> AdminKey:
        """Ask for something else under the same id: what was approved is not any more. For the requester only."""
        at = self._admit(bearer, "admin_keys.request")

        def judge(key: AdminKey) -> AdminKey:
            _requester_only(bearer, key)
            _expect(key, "requested", "approved", "denied")
            return self._wanted(key.id, key.requester, use_case, storage, lifetime_seconds, scope, at)

        return await self._step(bearer, key_id, judge, "admin_key.requested")

    async def read(self, bearer: Bearer, key_id: str) -> AdminKey:
        """One request: for its requester and for operators; ``UnknownCredential`` for everybody else."""
        self._admit(bearer, "admin_keys.read")
        key = await self._store.find_admin_key(key_id)
        if key is None or not may_see(bearer, key.requester):
            raise _unknown(key_id)
        return key

    async def list(self, bearer: Bearer, *, after: str | None, limit: int) -> Page[AdminKey]:
        """Requests in order of asking: all for an operator, one's own for an author."""
        self._admit(bearer, "admin_keys.read")
        principal = principal_of(bearer)
        requester = None if principal.role == "operator" else principal.id
        return await self._store.list_admin_keys(requester=requester, after=after, limit=limit)

    async def approve(self, bearer: Bearer, key_id: str, request_hash: str) -> AdminKey:
        """Approve exactly what ``request_hash`` names. By another operator than the requester, with a whole token: the
        key will not be under its conditions."""
        at = self._admit(bearer, "admin_keys.review")
        expect_whole(bearer, "approves no admin key")
        reviewer = principal_of(bearer).id

        def judge(key: AdminKey) -> AdminKey:
            _expect(key, "requested")
            if key.requester == reviewer and not self._single_operator:
                raise Denied(reasons=["the requester of an admin key is not its reviewer"])
            if key.request_hash != request_hash:
                raise Conflict("The request is another one than the one reviewed.", request_hash=key.request_hash)
            return replace(key, state="approved", reviewer=reviewer, reviewed_at=at, reason=None)

        return await self._step(bearer, key_id, judge, "admin_key.approved")

    async def deny(self, bearer: Bearer, key_id: str, reason: str) -> AdminKey:
        """Refuse a request, with the reason that the requester will read."""
        at = self._admit(bearer, "admin_keys.review")
        reviewer = principal_of(bearer).id
        text = _text("json.reason", reason)

        def judge(key: AdminKey) -> AdminKey:
            _expect(key, "requested", "approved")
            return replace(key, state="denied", reviewer=reviewer, reviewed_at=at, reason=text)

        return await self._step(bearer, key_id, judge, "admin_key.denied")

    async def collect(self, bearer: Bearer, key_id: str) -> str:
        """The key, once, for its requester; then ``Conflict``. It is under all conditions of the token that asks."""
        at = self._admit(bearer, "admin_keys.request")
        if first_expiry(bearer.verified.caveats) is not None:
            raise Denied(reasons=["a token that is limited in time is given no admin key, which is not"])

        def judge(key: AdminKey) -> AdminKey:
            _requester_only(bearer, key)
            _expect(key, "approved")
            return replace(key, state="collected", collected_at=at)

        key = await self._step(bearer, key_id, judge, "admin_key.collected")
        kid = self._keyring.signing_kid
        # A crash between the two leaves a key that opens nothing and must be asked for again.
        await self._store.add_credential(
            Credential(
                id=key.id,
                kind="admin",
                owner=key.requester,
                label=key.use_case[:255],
                issued_at=at,
                expires_at=None,
                kid=kid,
                issuer=session_of(bearer).credential.id,
            )
        )
        standing = await self._store.find_admin_key(key_id)
        if standing is None or standing.state != "collected":  # revoked since it was collected
            await self._store.end_credential(key.id, at)
            raise Conflict("The admin key is revoked.", state="revoked")
        caveats = (*scope_caveats(_decode(key.scope)), *bearer.verified.caveats)
        return mint_admin_key(self._keyring, key.id, key.lifetime_seconds, caveats, kid)

    async def revoke(self, bearer: Bearer, key_id: str, reason: str | None) -> AdminKey:
        """End a key and all its tokens, at once. By its requester or an operator."""
        at = self._admit(bearer, "admin_keys.read")
        return await self.end(bearer, key_id, _text("json.reason", reason) if reason is not None else None, at)

    async def end(self, bearer: Bearer, key_id: str, reason: str | None, at: datetime) -> AdminKey:
        """The same, for a bearer who was admitted to end it."""

        def judge(key: AdminKey) -> AdminKey:
            if not may_see(bearer, key.requester):
                raise _unknown(key_id)
            _expect(key, "requested", "approved", "collected")
            return replace(key, state="revoked", revoked_at=at, reason=reason)

        found = await self._store.find_admin_key(key_id)
        if found is not None and may_see(bearer, found.requester):
            await self._store.end_credential(key_id, at)  # the power goes first, whatever happens then
        key = await self._step(bearer, key_id, judge, "admin_key.revoked")
        await self._store.end_credential(key_id, at)  # again: it may have been collected between the two
        return key

    async def withdraw(self, bearer: Bearer, requester: int, at: datetime) -> None:
        """End what somebody has asked for and not collected, who is disabled or is an operator no more: what was
        approved was for who they were then. The bearer was admitted to do that to them."""
        after: str | None = None
        while True:
            page = await self._store.list_admin_keys(requester=requester, after=after, limit=PAGE)
            for key in page.items:
                if key.state in ("requested", "approved"):
                    with suppress(Conflict):  # revoked or denied meanwhile
                        await self.end(bearer, key.id, WITHDRAWN, at)
            after = page.next
            if after is None:
                return

    async def _step(self, bearer: Bearer, key_id: str, judge: Callable[[AdminKey], AdminKey], name: str) -> AdminKey:
        def checked(key: AdminKey | None) -> AdminKey:
            if key is None:
                raise _unknown(key_id)
            return judge(key)

        return await self._store.change_admin_key(key_id, checked, note=lambda key: self._placement(name, bearer, key))

    def _placement(self, name: str, bearer: Bearer, key: AdminKey) -> Placement:
        shown = _shown(key)
        if key.reviewer is not None and key.reviewer == key.requester:
            shown["own_request"] = True
        return self._audit.placement(name, bearer=bearer, subject=key.id, **shown)

    def _wanted(
        self,
        key_id: str,
        requester: int,
        use_case: str,
        storage: str,
        lifetime_seconds: int | None,
        scope: dict[str, Any] | None,
        at: datetime,
    ) -> AdminKey:
        lifetime = self.lifetime_seconds if lifetime_seconds is None else lifetime_seconds
        if not MIN_LIFETIME_SECONDS <= lifetime <= MAX_LIFETIME_SECONDS:
            problem = f"must be {MIN_LIFETIME_SECONDS} to {MAX_LIFETIME_SECONDS} seconds"
            raise InvalidInput.at("json.lifetime_seconds", problem)
        scope_caveats(scope or {})
        asked = AdminKey(
            id=key_id,
            state="requested",
            requester=requester,
            use_case=_text("json.use_case", use_case),
            storage=_text("json.storage", storage),
            lifetime_seconds=lifetime,
            scope=_encode(scope or {}),
            request_hash="",
            requested_at=at,
        )
        return replace(asked, request_hash=request_hash(asked))


def request_hash(key: AdminKey) -> str:
    """The hex SHA-256 of what is asked: a JSON object with sorted members and no white space."""
    asked = {
        "id": key.id,
        "lifetime_seconds": key.lifetime_seconds,
        "requester": key.requester,
        "scope": _decode(key.scope),
        "storage": key.storage,
        "use_case": key.use_case,
    }
    return hashlib.sha256(_encode(asked)).hexdigest()


def scope_caveats(scope: dict[str, Any]) -> tuple[Caveat, ...]:
    """The caveats of a scope object such as ``{"jobs": [...], "cidr": [...]}``; ``InvalidInput`` for what is none.

    An end in time is not among them: the tokens of a key end by themselves, and the key by revocation.
    """
    try:
        caveats = read_all([_encode([name, value]) for name, value in scope.items()])
    except MalformedToken:
        raise InvalidInput.at("json.scope", "is not an object of caveats by name") from None
    if first_expiry(caveats) is not None:
        raise InvalidInput.at("json.scope", "holds no expires_at: the tokens of a key end by themselves")
    return caveats


def _shown(key: AdminKey) -> dict[str, Any]:
    return {
        "state": key.state,
        "use_case": key.use_case,
        "storage": key.storage,
        "lifetime_seconds": key.lifetime_seconds,
        "scope": _decode(key.scope),
        "request_hash": key.request_hash,
    } | ({"reason": key.reason} if key.reason else {})


def _text(field: str, text: str) -> str:
    if not text.strip() or len(text) > MAX_TEXT:
        raise InvalidInput.at(field, f"must have 1 to {MAX_TEXT} characters")
    return text


def _requester_only(bearer: Bearer, key: AdminKey) -> None:
    if not may_see(bearer, key.requester):
        raise _unknown(key.id)
    if principal_of(bearer).id != key.requester:
        raise Denied(reasons=["only the requester of an admin key does this"])


def _expect(key: AdminKey, *states: str) -> None:
    if key.state not in states:
        raise Conflict(f"The admin key is {key.state}.", state=key.state)


def _unknown(key_id: str) -> UnknownCredential:
    return UnknownCredential("There is no such admin key.", id=key_id)
