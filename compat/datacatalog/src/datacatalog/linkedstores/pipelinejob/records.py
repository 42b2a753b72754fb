"""Records of Jobpass as the members that users of the original know, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from datacatalog.linkedstores.pipelinejob.document import naive


def json_text(value: Any) -> str:
    """JSON with sorted members and no spaces, ASCII only: the form that enters uuids and paths."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except RecursionError:
        raise ValueError("data must not be nested very deep") from None


def members(job: Any, sequence: int) -> dict[str, Any]:
    """What a job's answer holds beside its history; ``sequence`` is that of its last event."""
    attributes = job.attributes or {}
    return {
        "pipeline_uuid": job.pipeline_uuid,
        "archive_path": job.archive_path,
        "archive_system": job.archive_system,
        "archive_patterns": list(job.archive_patterns or ()),
        "product_patterns": list(job.product_patterns or ()),
        "data": job.data,
        "session": job.session,
        "agent": attributes.get("agent"),
        "task": attributes.get("task"),
        "generated_by": list(job.generated_by or ()),
        "child_of": list(job.child_of),
        "acted_on": list(job.acted_on or ()),
        "acted_using": list(job.acted_using or ()),
        "updated": naive(job.updated_at),
        "_visible": True,
        "_properties": {
            "created_date": naive(job.created_at),
            "modified_date": naive(job.updated_at),
            "revision": sequence - 1,
            "source": attributes.get("source"),
        },
        "_admin": attributes.get("_admin", {}),
    }


def patterns(given: Iterable[Any] | None) -> list[Any]:
    """Indexing patterns as JSON has them: texts, and objects for mappings and for requests that say ``to_dict``."""
    return [pattern.to_dict() if hasattr(pattern, "to_dict") else pattern for pattern in given or ()]


def plain(value: Any) -> Any:
    """``value`` with sets as arrays and times as texts: what the original's users send, and its database took.

    Raises ``TypeError`` for what contains itself, or is nested deeper than anybody could read.
    """
    try:
        return _plain(value)
    except RecursionError:
        raise TypeError("data must not contain themselves, nor be nested very deep") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(member) for name, member in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value
