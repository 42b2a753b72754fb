"""The operations about platforms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Raw, UnsetType

from jobpass.client.asking import Asking, path_of, rfc3339, to_body, to_json
from jobpass.client.exchange import Operation
from jobpass.client.results import Platform, PlatformPage
from jobpass.errors import UnknownPlatform
from jobpass.wire import paths
from jobpass.wire.platforms import Maintenance, NewPlatform, PlatformUpdate, PublicPlatform, PublicPlatformList, Status


class Platforms(Asking):
    """Seeing platforms, and for operators keeping them."""

    def platforms(self) -> Operation[list[Platform]]:
        """The platforms that one may use; for an operator all, retired ones too."""
        found = yield from self._ask("GET", paths.PLATFORMS, PlatformPage)
        return found.platforms

    def public_platforms(self) -> Operation[list[PublicPlatform]]:
        """What anybody is told of the platforms that there are; without the token."""
        found = yield from self._ask("GET", paths.PLATFORMS_PUBLIC, PublicPlatformList, bearer=False)
        return found.platforms

    def platform(self, name: str) -> Operation[Platform]:
        """One platform; ``UnknownPlatform`` if there is none that one may use."""
        return (yield from self._ask("GET", _of(paths.PLATFORM, name), Platform))

    def create_platform(
        self,
        name: str,
        *,
        description: str = "",
        type: str = "simulator",  # noqa: A002 - the contract's word
        status: Status = "available",
        max_shots: int | None = None,
        max_duration_seconds: int | None = None,
        constraints: Mapping[str, Any] | None = None,
        maintenance: Maintenance | None = None,
    ) -> Operation[Platform]:
        """Add a platform, such as ``sim:local``. ``constraints`` stand before what its workers say. For operators."""
        new = NewPlatform(
            name,
            description,
            type,
            status,
            max_shots,
            max_duration_seconds,
            _object({} if constraints is None else constraints),
            _zoned(maintenance),
        )
        return (yield from self._ask("POST", paths.PLATFORMS, Platform, body=to_body(new), again="unsent"))

    def update_platform(
        self,
        name: str,
        *,
        description: str | UnsetType = UNSET,
        type: str | UnsetType = UNSET,  # noqa: A002 - the contract's word
        status: Status | UnsetType = UNSET,
        max_shots: int | UnsetType | None = UNSET,
        max_duration_seconds: int | UnsetType | None = UNSET,
        constraints: Mapping[str, Any] | UnsetType = UNSET,
        maintenance: Maintenance | UnsetType | None = UNSET,
    ) -> Operation[Platform]:
        """Change a platform; what is not given stays, and None takes a bound or the maintenance away."""
        changes = PlatformUpdate(
            description,
            type,
            status,
            max_shots,
            max_duration_seconds,
            UNSET if constraints is UNSET else _object(constraints),
            UNSET if maintenance is UNSET else _zoned(maintenance),
        )
        path = _of(paths.PLATFORM, name)
        return (yield from self._ask("PUT", path, Platform, body=to_body(changes)))

    def retire_platform(self, name: str) -> Operation[Platform]:
        """Take a platform out of use for good: it gets no more jobs, and is shown to operators only."""
        return (yield from self._ask("POST", _of(paths.PLATFORM_RETIRE, name), Platform))


def _object(value: Mapping[str, Any]) -> Raw:
    return Raw(to_json(dict(value), "json.constraints"))


def _zoned(maintenance: Maintenance | None) -> Maintenance | None:
    if maintenance is not None:
        for at in (maintenance.start_time, maintenance.end_time):
            rfc3339(at, "json.maintenance")
    return maintenance


def _of(template: str, name: str) -> str:
    return path_of(template, name, UnknownPlatform, "platform", by="name")
