"""Platforms: where jobs are sent to; kept by operators, seen by who may use them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct
from msgspec.structs import replace

from jobpass import ids
from jobpass.authority.standing import is_operators_login, principal_of
from jobpass.errors import InvalidInput, UnknownPlatform
from jobpass.records import Platform, PlatformStatus, Principal
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import Note, Placement, PlatformStore, Randomness

NAME: Final = re.compile(r"[a-z]+:[A-Za-z0-9._-]+")
MAX_NAME_LENGTH: Final = 100
MAX_SHOTS: Final = 2**53
MAX_DURATION_SECONDS: Final = 864_000
"""Ten days: the longest job of the contract."""

Found = list[Platform]  # named here: below, ``list`` is a method


class Draft(Struct, frozen=True):
    """A platform as an operator describes it; ``constraints`` is a JSON object that stands before a worker's words."""

    name: str
    description: str = ""
    type: str = "simulator"
    status: PlatformStatus = "available"
    max_shots: int | None = None
    max_duration_seconds: int | None = None
    constraints: bytes = b"{}"
    maintenance_start_at: datetime | None = None
    maintenance_end_at: datetime | None = None


class Platforms:
    """What can be done with platforms."""

    def __init__(self, store: PlatformStore, gate: Gate, audit: Audit, clock: Clock, randomness: Randomness) -> None:
        self._store = store
        self._gate = gate
        self._audit = audit
        self._clock = clock
        self._randomness = randomness

    async def create(self, bearer: Bearer, draft: Draft) -> Platform:
        """A new platform; ``InvalidInput`` for what cannot be, ``AlreadyExists`` for a name that was ever taken."""
        at = self._admit(bearer, "platforms.manage")
        platform = Platform(
            id=ids.random_uuid(self._randomness(16)),
            name=draft.name,
            description=draft.description,
            type=draft.type,
            status=draft.status,
            created_at=at,
            max_shots=draft.max_shots,
            max_duration_seconds=draft.max_duration_seconds,
            constraints=draft.constraints,
            maintenance_start_at=draft.maintenance_start_at,
            maintenance_end_at=draft.maintenance_end_at,
        )
        _check(platform)
        await self._store.add_platform(platform, note=lambda one: self._placement("created", bearer, one))
        return platform

    async def list(self, bearer: Bearer) -> Found:
        """The platforms that the bearer's owner may use; for an operator's login all, retired ones too."""
        self._admit(bearer, "platforms.read")
        return [one for one in await self._store.list_platforms() if self._may_see(bearer, one)]

    async def list_public(self) -> Found:
        """What anybody is told of: the platforms that are not retired."""
        return [one for one in await self._store.list_platforms() if one.retired_at is None]

    async def read(self, bearer: Bearer, name: str) -> Platform:
        """One platform; ``UnknownPlatform`` for what is none, or is hidden from the bearer."""
        self._admit(bearer, "platforms.read", name)
        platform = await self._store.find_platform(name)
        if platform is None or not self._may_see(bearer, platform):
            raise _unknown(name)
        return platform

    async def update(self, bearer: Bearer, name: str, changes: dict[str, Any]) -> Platform:
        """Change what is named in ``changes``, by the fields of ``Draft`` but its name."""
        self._admit(bearer, "platforms.manage", name)
        return await self._change(
            name,
            lambda standing: replace(standing, **changes),
            lambda changed: self._placement("changed", bearer, changed, changed=sorted(changes)),
        )

    async def retire(self, bearer: Bearer, name: str) -> Platform:
        """No more jobs for this platform: it is shown to operators only. A second time changes nothing."""
        at = self._admit(bearer, "platforms.manage", name)
        return await self._change(
            name,
            lambda one: replace(one, retired_at=one.retired_at or at),
            lambda retired: self._placement("retired", bearer, retired),
        )

    async def _change(self, name: str, change: Callable[[Platform], Platform], note: Note[Platform]) -> Platform:
        def judge(standing: Platform | None) -> Platform:
            if standing is None:
                raise _unknown(name)
            changed = change(standing)
            _check(changed)
            return changed

        return await self._store.change_platform(name, judge, note=note)

    def _placement(self, what: str, bearer: Bearer, platform: Platform, **data: Any) -> Placement:
        """What the audit is told of what is done with one."""
        return self._audit.placement(
            f"platform.{what}", bearer=bearer, subject=platform.id, name_of=platform.name, **data
        )

    def _may_see(self, bearer: Bearer, platform: Platform) -> bool:
        return is_operators_login(bearer) or may_use(principal_of(bearer), platform)

    def _admit(self, bearer: Bearer, action: str, name: str | None = None) -> datetime:
        at = self._clock.now()
        self._gate.admit(bearer, Access(action, at, platform=name, address=bearer.address))
        return at


def may_use(principal: Principal, platform: Platform) -> bool:
    """Whether the principal may send jobs there, as far as that is about who it is."""
    allowed = principal.profile.platform_ids
    return platform.retired_at is None and (allowed is None or platform.id in allowed)


def status_at(platform: Platform, at: datetime) -> str:
    """How the platform stands: ``retired``, ``maintenance`` while that is planned, else what the operator says."""
    if platform.retired_at is not None:
        return "retired"
    start, end = platform.maintenance_start_at, platform.maintenance_end_at
    if start is not None and start <= at and (end is None or at < end):
        return "maintenance"
    return platform.status


def _check(platform: Platform) -> None:
    fields: dict[str, list[str]] = {}
    if not NAME.fullmatch(platform.name) or len(platform.name) > MAX_NAME_LENGTH:
        fields["json.name"] = [f"must look like sim:local, with at most {MAX_NAME_LENGTH} characters"]
    for name, most in (("max_shots", MAX_SHOTS), ("max_duration_seconds", MAX_DURATION_SECONDS)):
        value = getattr(platform, name)
        if value is not None and not 1 <= value <= most:
            fields[f"json.{name.removesuffix('_seconds')}"] = [f"must be 1 to {most}"]
    start, end = platform.maintenance_start_at, platform.maintenance_end_at
    if end is not None and (start is None or end <= start):
        fields["json.maintenance"] = ["must end after it starts"]
    if fields:
        raise InvalidInput("The platform cannot be like that.", fields)


def _unknown(name: str) -> UnknownPlatform:
    return UnknownPlatform("There is no such platform.", name=name[:MAX_NAME_LENGTH])
