"""The bodies of the HTTP contract that are about job tokens, API keys and containment.

Those of the cloud's contract ignore members that they do not know, and answer with all that it documents; the others
are as in ``messages``. Times are RFC 3339, durations seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

Number = Annotated[int, Meta(ge=0, le=2**53)]
Label = Annotated[str, Meta(min_length=1, max_length=128)]
Names = Annotated[list[Annotated[str, Meta(min_length=1, max_length=128)]], Meta(max_length=100)]
Duration = Annotated[int, Meta(ge=1, le=2**53)]
Priority = Annotated[int, Meta(ge=0, le=2**31)]


class TokenGenerateRequest(Struct, frozen=True):
    """``POST /api/tokens``: what is null or absent is as the contract says.

    Beyond it: names of ``platforms`` and ``actions`` that the token is limited to, and whether it ``may_mint`` others.
    """

    label: Label | None = None
    duration: Duration | None = None
    priority: Priority | None = None
    user_id: Number | None = None
    is_explorer_token: bool | None = None
    platforms: Names | None = None
    actions: Names | None = None
    may_mint: bool | None = None


class TokenGenerateResponse(Struct, frozen=True):
    """A job token, this once; ``duration`` is what it really lives."""

    token: str
    token_id: int
    duration: int
    credential: str
    label: str
    expiration_date: datetime

    def __repr__(self) -> str:
        return f"TokenGenerateResponse(token=…, token_id={self.token_id!r}, label={self.label!r})"


class TokenUpdate(Struct, frozen=True):
    """``PUT /api/tokens/{id}``: what is absent or null stays."""

    label: Label | None = None
    priority: Priority | None = None


class ListTokenIds(Struct, frozen=True):
    """``POST /api/tokens/delete-by-ids``."""

    token_ids: Annotated[list[Number], Meta(max_length=1000)]


class DeleteTokensByKey(Struct, frozen=True):
    """``POST /api/tokens/delete``: the texts."""

    tokens: Annotated[list[str], Meta(max_length=1000)] | None = None

    def __repr__(self) -> str:
        return "DeleteTokensByKey(tokens=…)"


class RevokeToken(Struct, frozen=True):
    """The form of ``POST /api/tokens/revoke`` and ``…/reopen``: the text, or instead of it ``token_id``.

    ``compromised`` (``true``) makes a revocation final.
    """

    token: str | None = None
    token_id: int | None = None
    compromised: bool = False

    def __repr__(self) -> str:
        return f"RevokeToken(token=…, token_id={self.token_id!r})"


class DefaultResponse(Struct, frozen=True):
    """``{"message": "ok"}``."""

    message: str = "ok"


class TokenListed(Struct, frozen=True, kw_only=True):
    """A job token in a list. ``key`` is how its text begins."""

    id: int
    label: str
    key: str
    user_id: int
    priority: int
    count: int
    created_date: datetime
    expiration_date: datetime | None
    last_used_time: datetime | None
    is_revoked: bool
    credential: str
    parent: str | None
    state: str


class Token(Struct, frozen=True, kw_only=True):
    """A job token. ``token`` is how its text begins, ``count`` how often it was used, ``parent`` what it ends with.

    ``state`` is ``active``, ``expired``, ``revoked`` or ``compromised``.
    """

    id: int
    label: str
    token: str
    user_id: int
    email: str
    priority: int
    user_priority: int
    company_id: int | None
    company_name: str | None
    count: int
    created_date: datetime
    expiration_date: datetime | None
    last_used_time: datetime | None
    last_used_duration: int | None
    valid: bool
    is_apikey: bool
    is_explorer_token: bool
    credential: str
    parent: str | None
    issuer: str | None
    state: str
    revoked_date: datetime | None
    platforms: list[str] | None
    actions: list[str] | None
    may_mint: bool


class TokenUsageUnit(Struct, frozen=True):
    """What one token used of one platform."""

    platform_name: str
    nb_jobs: int
    duration_seconds: int
    credits: float = 0.0
    free_credits: float = 0.0


class TokenUsageResponse(Struct, frozen=True):
    """``GET /api/tokens/usage/report``: one token."""

    token_id: int
    total_jobs: int
    usage: list[TokenUsageUnit]


class NewApiKey(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/apikeys``; without ``platforms`` for all of them."""

    label: Label | None = None
    platforms: Names | None = None
    duration: Duration | None = None


class ApiKeyAnswer(Struct, frozen=True, kw_only=True):
    """An API key. ``key`` is the whole text in the answer that makes it, and elsewhere how that begins."""

    id: int
    key: str
    label: str
    user_id: int
    platforms: list[str] | None
    duration: int
    created_date: datetime
    expiration_date: datetime | None
    last_used_time: datetime | None
    count: int
    state: str
    revoked_date: datetime | None
    credential: str
    parent: str | None

    def __repr__(self) -> str:
        return f"ApiKeyAnswer(id={self.id!r}, label={self.label!r}, state={self.state!r})"


class ApiKeyList(Struct, frozen=True):
    """``GET /api/apikeys``; ``next`` is the ``offset`` of the next page, null at the end."""

    api_keys: list[ApiKeyAnswer]
    next: int | None


class FingerprintBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A token without its signature: prefix, identifier (hex), conditions, and the SHA-256 (hex) of the whole text."""

    prefix: Annotated[str, Meta(max_length=7)]
    identifier: Annotated[str, Meta(max_length=128, pattern="^[0-9a-f]*$")]
    caveats: Annotated[list[Annotated[str, Meta(max_length=8192)]], Meta(max_length=64)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class ContainRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/tokens/contain``: the leaked text, or its fingerprint. Nothing ends unless ``revoke``.

    With ``rotate_jobs`` the jobs that were touched have new serials as well.
    """

    token: Annotated[str, Meta(max_length=8192)] | None = None
    fingerprint: FingerprintBody | None = None
    revoke: bool = False
    rotate_jobs: bool = False

    def __repr__(self) -> str:
        return f"ContainRequest(token=…, revoke={self.revoke!r})"


class Kin(Struct, frozen=True):
    """A credential in a line."""

    credential: str
    kind: str
    label: str
    user_id: int
    issued_at: datetime
    expires_at: datetime | None
    state: str


class TouchedJob(Struct, frozen=True):
    """What one job had from a token and its line."""

    uuid: str
    user_id: int
    events: int
    first_at: datetime
    last_at: datetime


class TouchedEvent(Struct, frozen=True):
    """One event that a token of the line authorised."""

    job_uuid: str
    sequence: int
    event_uuid: str
    name: str
    at: datetime
    state: str
    credential: str
    address: str | None


class AuditTouch(Struct, frozen=True):
    """One entry of the audit about what a token of the line did."""

    at: datetime
    name: str
    credential: str | None
    address: str | None
    subject: str | None
    data: Any  # unread where it is sent


class Stopped(Struct, frozen=True):
    """What the end stopped: credentials that lived until then, jobs whose document tokens did, and webhooks."""

    credentials: list[Kin]
    jobs: list[str]
    webhooks: list[str] = []


class Traced(Struct, frozen=True, kw_only=True):
    """What is known of a leaked token, as it is sent and as it is read."""

    kind: str
    credential: str
    living: bool
    user_id: int | None
    email: str | None
    label: str | None
    job_uuid: str | None
    issued_at: datetime | None
    expires_at: datetime | None
    ancestors: list[Kin]
    descendants: list[Kin]
    jobs: list[TouchedJob]
    events: list[TouchedEvent]
    audit: list[AuditTouch]
    addresses: dict[str, int]
    counted: int
    more: bool


class ContainAnswer(Traced, frozen=True, kw_only=True):
    """What is known of a token, and with ``stopped`` what its end stopped.

    ``living`` says whether it opened anything until now. ``jobs`` sum up ``counted`` events, of which ``events`` are
    the first; ``more`` says that there are others. ``addresses`` says from where, with the number of times.
    """

    stopped: Stopped | UnsetType = UNSET
