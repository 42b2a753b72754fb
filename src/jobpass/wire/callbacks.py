"""What callbacks are sent as."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import UNSET, Struct, UnsetType

AGAVE_EVENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CREATED": "resource",
        "UPDATED": "update",
        "DELETED": "fail",
        "PERMISSION_GRANT": "resource",
        "PERMISSION_REVOKE": "resource",
        "PENDING": "resource",
        "STAGING_INPUTS": "resource",
        "CLEANING_UP": "resource",
        "ARCHIVING": "resource",
        "STAGING_JOB": "resource",
        "FINISHED": "finish",
        "KILLED": "fail",
        "FAILED": "fail",
        "STOPPED": "fail",
        "RUNNING": "run",
        "PAUSED": "resource",
        "QUEUED": "resource",
        "SUBMITTING": "resource",
        "STAGED": "resource",
        "PROCESSING_INPUTS": "resource",
        "ARCHIVING_FINISHED": "resource",
        "ARCHIVING_FAILED": "fail",
        "HEARTBEAT": "update",
    }
)
"""Status of an Agave job → event of the lifecycle ``pipeline``; looked up exactly."""


class Callback(Struct, frozen=True):
    """``POST /api/callbacks/{ticket}``: a status of ``AGAVE_EVENTS``, or an event by its name; all else is its data."""

    status: str | UnsetType = UNSET
    event: str | UnsetType = UNSET
