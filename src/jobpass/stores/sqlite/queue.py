"""Which job a worker is to have next: asked within the transaction that gives it away."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import apsw

from jobpass.records import Profile
from jobpass.stores.rows.columns import Row
from jobpass.stores.sqlite.queries import QUERIES

LOOKED_AT: Final = 64
"""Of the first that wait for a platform so many are looked at; then each owner's first, so that thousands of jobs of
owners who may have no more cost no more than their owners."""

Waiting = tuple[int, int]
"""The negated priority and the number of a job: the least is the next."""

_DEFAULT: Final = Profile().max_concurrent_jobs


def next_waiting(cursor: apsw.Cursor, platforms: Collection[str]) -> str | None:
    """The uuid of the job that waits first, as ``WorkStore.apply_next`` says; None if there is none."""
    open_to: dict[int, bool] = {}
    found = [first for platform in platforms if (first := _first(cursor, platform, open_to)) is not None]
    if not found:
        return None
    uuid: str = cursor.execute(QUERIES["job_uuid"], (min(found)[1],)).get
    return uuid


def _first(cursor: apsw.Cursor, platform: str, open_to: dict[int, bool]) -> Waiting | None:
    rows: list[Row] = cursor.execute(QUERIES["next_waiting"], (platform, 1)).fetchall()
    if rows and not _may_have_more(cursor, rows[0][2], open_to):
        rows = cursor.execute(QUERIES["next_waiting"], (platform, LOOKED_AT)).fetchall()
    for job, priority, owner in rows:
        if _may_have_more(cursor, owner, open_to):
            return -priority, job
    return _first_by_owner(cursor, platform, open_to) if len(rows) == LOOKED_AT else None


def _first_by_owner(cursor: apsw.Cursor, platform: str, open_to: dict[int, bool]) -> Waiting | None:
    owner: int | None = -1
    firsts: list[Waiting] = []
    while (owner := cursor.execute(QUERIES["next_owner"], (platform, owner)).get) is not None:
        if _may_have_more(cursor, owner, open_to):
            rows: list[Row] = cursor.execute(QUERIES["first_of_owner"], (platform, owner)).fetchall()
            firsts += [(-priority, job) for priority, job in rows]
    return min(firsts, default=None)


def _may_have_more(cursor: apsw.Cursor, owner: int, open_to: dict[int, bool]) -> bool:
    known = open_to.get(owner)
    if known is None:
        bindings = {"owner": owner, "most": _DEFAULT}
        known = open_to[owner] = bool(cursor.execute(QUERIES["may_have_more"], bindings).get)
    return known
