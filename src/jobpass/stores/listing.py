"""What listings share: their cursors, their conditions in SQL, and their pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from jobpass.errors import InvalidInput
from jobpass.records import Page
from jobpass.stores.rows.columns import Row

T = TypeVar("T")

# Conditions, each by the name of its value.
JOB_FILTERS: Final = {
    "owner": " AND owner = :owner",
    "state": " AND state = :state",
    "pipeline_uuid": " AND pipeline_uuid = :pipeline_uuid",
}
WORK_FILTERS: Final = {
    "owner": " AND work.owner = :owner",
    "state": " AND work.state = :state",
    "platform": " AND work.platform = :platform",
    "group": " AND work.job_group = :group",
    "since": " AND work.created_at >= :since",
    "until": " AND work.created_at < :until",
}
FILE_FILTERS: Final = {"kind": " AND kind = :kind", "level": " AND level = :level"}
CREDENTIAL_FILTERS: Final = {
    "owner": " AND owner = :owner",
    "living_at": " AND (expires_at IS NULL OR expires_at > :living_at)",
    "unrevoked": " AND revoked_at IS NULL",
}
ADMIN_KEY_FILTERS: Final = {"requester": " AND requester = :requester"}
WEBHOOK_FILTERS: Final = {"owner": " AND owner = :owner"}
AUDIT_FILTERS: Final = {
    "node": " AND node = :node",
    "name": " AND name = :name",
    "principal": " AND principal = :principal",
    "since": " AND at >= :since",
    "until": " AND at < :until",
}
"""But for that on credentials: how to look for one of several is each store's own."""


def chosen(filters: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """The conditions of those ``filters`` that have a value."""
    return "".join(text for key, text in filters.items() if values[key] is not None)


def page(rows: list[Row], limit: int, read: Callable[[Row], T]) -> Page[T]:
    """The first ``limit`` rows, each a number and a record; a row beyond them says that there is more."""
    shown = rows[:limit]
    return Page([read(row[1:]) for row in shown], str(shown[-1][0]) if len(rows) > len(shown) > 0 else None)


def followed(rows: list[Row], read: Callable[[Row], T]) -> Page[T]:
    """All of the rows, each a number and a record; behind the last one the caller can wait for what is yet to come."""
    return Page([read(row[1:]) for row in rows], str(rows[-1][0]) if rows else None)


def read_cursor(after: str | None, newest: int) -> int:
    """The number in a listing's cursor, 0 for the first page.

    ``newest`` is the highest number ever given. Raises ``InvalidInput`` for what was never handed out.
    """
    if after is None:
        return 0
    # 19 digits hold every 64-bit number; int() alone would take "+1", "1_0", other scripts' digits and megabytes.
    if after.isascii() and after.isdecimal() and len(after) <= 19 and after[0] != "0":
        number = int(after)
        if number <= newest:
            return number
    raise no_cursor()


def no_cursor() -> InvalidInput:
    """The error of every listing that is to go on from what was never handed out."""
    return InvalidInput.at("query.after", "is not a cursor from an earlier page")
