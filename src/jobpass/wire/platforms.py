"""The bodies of the HTTP contract that are about platforms; strict as in ``messages``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

Object = Annotated[Raw, Meta(extra_json_schema={"type": "object"})]
PlatformName = Annotated[str, Meta(pattern=r"^[a-z]+:[A-Za-z0-9._-]+$", max_length=100)]
Words = Annotated[str, Meta(max_length=4000)]
Type = Annotated[str, Meta(pattern=r"^[a-z][a-z_-]{0,31}$")]
Status = Literal["available", "maintenance", "unavailable"]
Shots = Annotated[int, Meta(ge=1, le=2**53)]
Seconds = Annotated[int, Meta(ge=1, le=864_000)]


class Maintenance(Struct, frozen=True, forbid_unknown_fields=True):
    """When a platform is worked on; without an end until further notice."""

    start_time: datetime | None
    end_time: datetime | None = None


class NewPlatform(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/platforms``. ``max_duration`` is in seconds; ``constraints`` stand before what a worker says."""

    name: PlatformName
    description: Words = ""
    type: Type = "simulator"
    status: Status = "available"
    max_shots: Shots | None = None
    max_duration: Seconds | None = None
    constraints: Object | UnsetType = UNSET
    maintenance: Maintenance | None = None


class PlatformUpdate(Struct, frozen=True, forbid_unknown_fields=True):
    """``PUT /api/platforms/{name}``: what is absent stays."""

    description: Words | UnsetType = UNSET
    type: Type | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    max_shots: Shots | UnsetType | None = UNSET
    max_duration: Seconds | UnsetType | None = UNSET
    constraints: Object | UnsetType = UNSET
    maintenance: Maintenance | UnsetType | None = UNSET


class PublicPlatform(Struct, frozen=True, kw_only=True):
    """What anybody is told of a platform.

    ``statistic`` has the ``availability`` (0 to 1) of each of the last thirty days that is known.
    """

    id: str
    name: str
    description: str
    type: str
    status: str
    maintenance: Maintenance | None
    statistic: dict[str, dict[str, float]]
    created_date: datetime


class PublicPlatformList(Struct, frozen=True):
    """``GET /api/platforms/public``."""

    platforms: list[PublicPlatform]


class PlatformAnswer(PublicPlatform, frozen=True, kw_only=True):
    """A platform, for who may use it. ``specs`` are its worker's, with the operator's ``constraints`` before them."""

    max_shots: int | None
    max_duration: int | None
    constraints: Raw
    specs: dict[str, Any]
    perfs: Raw
    last_seen: datetime | None
    retired_date: datetime | None


class PlatformList(Struct, frozen=True):
    """``GET /api/platforms``."""

    platforms: list[PlatformAnswer]
