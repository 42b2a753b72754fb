"""The bodies of the HTTP contract that are about power: tokens, admin keys, accounts, lifecycles, the audit.

As in ``messages``: requests refuse unknown members, answers accept them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from jobpass.wire.messages import Email, Password

Text = Annotated[str, Meta(min_length=1, max_length=4000)]
Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Seconds = Annotated[int, Meta(ge=0, le=2**31)]
Role = Literal["author", "operator"]
PersonName = Annotated[str, Meta(max_length=100)]
Count = Annotated[int, Meta(ge=0, le=2**31)]
PlatformIds = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=1000)]


class TokenAnswer(Struct, frozen=True):
    """``POST …/token`` and ``…/token/rotate``: the job's document token."""

    token: str

    def __repr__(self) -> str:
        return "TokenAnswer(token=…)"


class RotateRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST …/token/rotate``: how long the token before lives on."""

    grace_seconds: Seconds = 0


class DeletedAnswer(Struct, frozen=True):
    """``DELETE /api/pipelinejobs/{uuid}``, and ``POST …/cancel``."""

    uuid: str
    deleted: bool


class NewAdminKey(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/admin-keys``: what is asked for. ``scope`` is an object of caveats by name, absent for everything."""

    use_case: Text
    storage: Text
    lifetime_seconds: Seconds | None = None
    scope: dict[str, Any] | None = None


class AdminKeyAnswer(Struct, frozen=True, kw_only=True):
    """A request for an admin key, and what became of it. ``request_hash`` names exactly what is asked."""

    id: str
    state: str
    requester: int
    use_case: str
    storage: str
    lifetime_seconds: int
    scope: dict[str, Any]
    request_hash: str
    requested_at: datetime
    reviewer: int | None
    reviewed_at: datetime | None
    reason: str | None
    collected_at: datetime | None
    revoked_at: datetime | None


class AdminKeyList(Struct, frozen=True):
    """``GET /api/admin-keys``; ``next`` is the ``after`` of the next page, null at the end."""

    admin_keys: list[AdminKeyAnswer]
    next: str | None


class Approval(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST …/approve``: what was reviewed."""

    request_hash: Hash


class Denial(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST …/deny``: why."""

    reason: Text


class Revocation(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST …/revoke``: why, if one wishes to say."""

    reason: Text | None = None


class CollectedKey(Struct, frozen=True):
    """``POST …/collect``: the key, this once."""

    key: str

    def __repr__(self) -> str:
        return "CollectedKey(key=…)"


class LifetimeAnswer(Struct, frozen=True):
    """``GET /api/admin-keys/lifetime``: L, of an admin key that asks for no other."""

    lifetime_seconds: int


class NewUser(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/users``. ``role`` and ``is_admin`` say the same; absent, the account is an author's.

    ``platform_ids`` null: all platforms. ``priority`` is the highest that a token of the account may have.
    """

    email: Email
    password: Password
    role: Role | UnsetType = UNSET
    is_admin: bool | UnsetType = UNSET
    first_name: PersonName = ""
    last_name: PersonName = ""
    priority: Count = 2
    company_id: Count | None = None
    platform_ids: PlatformIds | None = None
    active: bool = True
    max_jobs_in_queue: Count = 50
    max_concurrent_jobs: Count = 5

    def __repr__(self) -> str:
        return f"NewUser(email={self.email!r}, password=…, role={self.role!r})"


class UserUpdate(Struct, frozen=True, forbid_unknown_fields=True):
    """``PUT /api/users/{id}``: what is absent stays."""

    email: Email | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    is_admin: bool | UnsetType = UNSET
    active: bool | UnsetType = UNSET
    first_name: PersonName | UnsetType = UNSET
    last_name: PersonName | UnsetType = UNSET
    priority: Count | UnsetType = UNSET
    company_id: Count | UnsetType | None = UNSET
    platform_ids: PlatformIds | UnsetType | None = UNSET
    max_jobs_in_queue: Count | UnsetType = UNSET
    max_concurrent_jobs: Count | UnsetType = UNSET


class NewPassword(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/users/{id}/password``; ``present`` is asked of who changes an own one."""

    password: Password
    present: Password | None = None

    def __repr__(self) -> str:
        return "NewPassword(…)"


class UserAnswer(Struct, frozen=True):
    """An account."""

    id: int
    email: str
    role: str
    active: bool
    created_at: datetime
    is_admin: bool = False
    first_name: str = ""
    last_name: str = ""
    priority: int = 2
    company_id: int | None = None
    platform_ids: list[str] | None = None
    max_jobs_in_queue: int = 50
    max_concurrent_jobs: int = 5


class UserList(Struct, frozen=True):
    """``GET /api/users``; ``next`` is the ``after`` of the next page, null at the end."""

    users: list[UserAnswer]
    next: str | None


class LifecycleState(Struct, frozen=True):
    """A place where a job can be."""

    name: str
    description: str
    final: bool


class LifecycleEvent(Struct, frozen=True):
    """Something that can happen to a job."""

    name: str
    description: str
    admin_only: bool


class LifecycleAnswer(Struct, frozen=True):
    """A state machine. ``table`` maps state to event to the state after it; what it lacks is illegal.

    ``admin_only`` lists events, and actions that are none, which need an admin token.
    """

    name: str
    description: str
    initial: str
    states: list[LifecycleState]
    events: list[LifecycleEvent]
    table: dict[str, dict[str, str]]
    admin_only: list[str]


class LifecycleList(Struct, frozen=True):
    """``GET /api/lifecycles``."""

    lifecycles: list[LifecycleAnswer]


class AuditAnswer(Struct, frozen=True):
    """One entry of a node's audit chain; ``hash`` is its link in hex."""

    node: str
    sequence: int
    at: datetime
    name: str
    principal: int | None
    credential: str | None
    address: str | None
    subject: str | None
    data: Raw
    hash: str


class AuditPage(Struct, frozen=True):
    """``GET /api/audit``; ``next`` is where to go on, also for what is not yet written; null if nothing was found."""

    entries: list[AuditAnswer]
    next: str | None


class TokenForm(Struct, frozen=True):
    """The form of RFC 7662 §2.1 and RFC 7009 §2.1; the hint changes nothing."""

    token: Annotated[str, Meta(min_length=1)]
    token_type_hint: str | None = None

    def __repr__(self) -> str:
        return "TokenForm(token=…)"


class IntrospectionAnswer(Struct, frozen=True, kw_only=True):
    """What a token is (RFC 7662 §2.2). For one that is not active, ``active`` is all there is."""

    active: bool
    token_type: str | UnsetType = UNSET
    kind: str | UnsetType = UNSET
    sub: str | UnsetType = UNSET
    exp: int | UnsetType = UNSET
    iat: int | UnsetType = UNSET
    job: str | UnsetType = UNSET
    scope: str | UnsetType = UNSET


class Nothing(Struct, frozen=True):
    """``{}``: the answer of ``POST /oauth/revoke``."""
