"""Rows of platforms."""

from __future__ import annotations

from typing import Any

from jobpass.clock import from_microseconds, to_microseconds
from jobpass.records import Platform
from jobpass.stores.rows.columns import Row, micro, moment


def platform_from(row: Row) -> Platform:
    """A row of ``find_platform``."""
    (identity, name, description, kind, status, created_at, max_shots, max_duration_seconds, constraints, specs, perfs,
     start, end, seen_at, retired_at, presence) = row  # fmt: skip
    return Platform(
        identity,
        name,
        description,
        kind,
        status,
        from_microseconds(created_at),
        max_shots,
        max_duration_seconds,
        constraints,
        specs,
        perfs,
        moment(start),
        moment(end),
        moment(seen_at),
        moment(retired_at),
        presence,
    )


def platform_row(platform: Platform) -> dict[str, Any]:
    """The bindings of ``add_platform`` and ``change_platform``."""
    return {
        "id": platform.id,
        "name": platform.name,
        "description": platform.description,
        "type": platform.type,
        "status": platform.status,
        "created_at": to_microseconds(platform.created_at),
        "max_shots": platform.max_shots,
        "max_duration_seconds": platform.max_duration_seconds,
        "constraints": platform.constraints,
        "specs": platform.specs,
        "perfs": platform.perfs,
        "maintenance_start_at": micro(platform.maintenance_start_at),
        "maintenance_end_at": micro(platform.maintenance_end_at),
        "seen_at": micro(platform.seen_at),
        "retired_at": micro(platform.retired_at),
        "presence": platform.presence,
    }
