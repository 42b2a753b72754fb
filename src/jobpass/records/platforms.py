"""Where jobs are sent to."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

PlatformStatus = Literal["available", "maintenance", "unavailable"]


class Platform(Struct, frozen=True):
    """A machine, or kind of machine, that jobs are sent to; ``id`` is a uuid, ``name`` is unique for ever.

    ``max_shots`` and ``max_duration_seconds`` (None: no limit) bound one job. ``constraints``, ``specs`` and ``perfs``
    are JSON objects: what the operator says of it, and what its workers last said, at ``seen_at``. A retired one takes
    no jobs and is shown to operators only. ``presence`` is what is known of when it could be used, a JSON object (see
    ``authority/presence.py``).
    """

    id: str
    name: str
    description: str
    type: str
    status: PlatformStatus
    created_at: datetime
    max_shots: int | None = None
    max_duration_seconds: int | None = None
    constraints: bytes = b"{}"
    specs: bytes = b"{}"
    perfs: bytes = b"{}"
    maintenance_start_at: datetime | None = None
    maintenance_end_at: datetime | None = None
    seen_at: datetime | None = None
    retired_at: datetime | None = None
    presence: bytes = b"{}"
