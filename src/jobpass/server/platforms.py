"""Platforms: kept by operators, seen by who may use them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, Raw, structs

from jobpass.authority.platforms import Draft, status_at
from jobpass.authority.presence import availability
from jobpass.errors import InvalidInput
from jobpass.records import Platform
from jobpass.server.body import read_told
from jobpass.server.call import Call
from jobpass.wire.compute import Processor
from jobpass.wire.platforms import (
    Maintenance,
    NewPlatform,
    PlatformAnswer,
    PlatformList,
    PlatformUpdate,
    PublicPlatform,
    PublicPlatformList,
)
from jobpass.wire.strict import decode, to_python

_new = msgspec.json.Decoder(NewPlatform)
_update = msgspec.json.Decoder(PlatformUpdate)


async def create(call: Call) -> PlatformAnswer:
    """``POST /api/platforms``"""
    asked = decode(await read_told(call), _new)
    draft = Draft(**_changes(asked) | {"name": asked.name})
    return shown(await call.authority.platforms.create(call.bearer, draft), call.authority.now())


async def list_platforms(call: Call) -> PlatformList:
    """``GET /api/platforms``"""
    at = call.authority.now()
    return PlatformList([shown(one, at) for one in await call.authority.platforms.list(call.bearer)])


async def list_public(call: Call) -> PublicPlatformList:
    """``GET /api/platforms/public``"""
    at = call.authority.now()
    found = await call.authority.platforms.list_public()
    return PublicPlatformList([PublicPlatform(**_public(one, at)) for one in found])


async def show(call: Call) -> PlatformAnswer:
    """``GET /api/platforms/{name}``"""
    return shown(await call.authority.platforms.read(call.bearer, call.id), call.authority.now())


async def update(call: Call) -> PlatformAnswer:
    """``PUT /api/platforms/{name}``"""
    asked = decode(await read_told(call), _update)
    changed = await call.authority.platforms.update(call.bearer, call.id, _changes(asked))
    return shown(changed, call.authority.now())


async def retire(call: Call) -> PlatformAnswer:
    """``POST /api/platforms/{name}/retire``"""
    return shown(await call.authority.platforms.retire(call.bearer, call.id), call.authority.now())


async def processor(call: Call) -> Processor:
    """``GET /api/platforms/{name}/processor``: what a client needs to know before it sends a job."""
    platform = await call.authority.platforms.read(call.bearer, call.id)
    return Processor(
        id=platform.id,
        name=platform.name,
        type=platform.type,
        status=status_at(platform, call.authority.now()),
        description=platform.description,
        specs={"available_commands": [], "architecture": None, **specs(platform)},
        perfs=Raw(platform.perfs),
    )


def shown(platform: Platform, at: datetime) -> PlatformAnswer:
    """A platform, for who may use it."""
    return PlatformAnswer(
        **_public(platform, at),
        max_shots=platform.max_shots,
        max_duration=platform.max_duration_seconds,
        constraints=Raw(platform.constraints),
        specs=specs(platform),
        perfs=Raw(platform.perfs),
        last_seen=platform.seen_at,
        retired_date=platform.retired_at,
    )


def specs(platform: Platform) -> dict[str, Any]:
    """What the platform's workers say of it, with the operator's constraints before that."""
    told, asked = to_python(platform.specs, "specs"), to_python(platform.constraints, "constraints")
    return {**told, **({"constraints": {**_object(told.get("constraints")), **asked}} if asked else {})}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _public(platform: Platform, at: datetime) -> dict[str, Any]:
    start, end = platform.maintenance_start_at, platform.maintenance_end_at
    return {
        "id": platform.id,
        "name": platform.name,
        "description": platform.description,
        "type": platform.type,
        "status": status_at(platform, at),
        "maintenance": None if start is None else Maintenance(start, end),
        "statistic": {day: {"availability": share} for day, share in availability(platform, at).items()},
        "created_date": platform.created_at,
    }


def _changes(asked: NewPlatform | PlatformUpdate) -> dict[str, Any]:
    """What is asked for, by the fields of a ``Draft``."""
    given = {name: value for name, value in structs.asdict(asked).items() if value is not UNSET and name != "name"}
    if "max_duration" in given:
        given["max_duration_seconds"] = given.pop("max_duration")
    if "constraints" in given:
        given["constraints"] = bytes(given["constraints"])
        if not isinstance(to_python(given["constraints"], "json.constraints"), dict):
            raise InvalidInput.at("json.constraints", "must be an object")
    if "maintenance" in given:
        maintenance: Maintenance | None = given.pop("maintenance")
        given["maintenance_start_at"] = _utc(maintenance.start_time if maintenance is not None else None)
        given["maintenance_end_at"] = _utc(maintenance.end_time if maintenance is not None else None)
    return given


def _utc(moment: datetime | None) -> datetime | None:
    """The moment in UTC; one without an offset is taken to be in it."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
