"""Which jobs workers are to have next: asked within the transaction that gives them away.

Whoever asks holds the counter ``lease``, so that no two nodes look for a job at a time: the order is one for all, and
nobody has more jobs with workers than he may have.
"""

from __future__ import annotations

from typing import Any, Final

from jobpass.stores.postgres.calls import ApplyNext
from jobpass.stores.postgres.line import Line, Row
from jobpass.stores.postgres.statements import one, rows
from jobpass.stores.rows.accounts import principal_from
from jobpass.stores.rows.columns import Row as Found
from jobpass.stores.rows.jobs import job_from

LOOKED_AT: Final = 64
"""Of the first that wait for a platform so many are looked at; then each owner's first, so that thousands of jobs of
owners who may have no more cost no more than their owners."""

_OWNER: Final = 11
"""The place of the job's owner in a row."""


class Queue:
    """What waits, as far as a group has looked at it; ``calls`` is how many workers ask.

    A row found is a priority, then the number, the version and the columns of a job.
    """

    def __init__(self, connection: Any, calls: int) -> None:
        self._connection = connection
        self._at_once = min(calls, LOOKED_AT)
        self._found: dict[str, list[Found]] = {}
        self._dry: set[str] = set()
        self._long: set[str] = set()
        self._room: dict[int, int] = {}
        self._taken: list[int] = []

    async def line(self, call: ApplyNext, place: int) -> Line | None:
        """The line of the job that the call's worker is to have, judged; None if there is none."""
        call.result = call.error = None
        firsts = [found for platform in call.platforms if (found := await self._first(platform)) is not None]
        if not firsts:
            return None
        found = min(firsts, key=_order)
        line = _judged(call, found, place)
        if line.writes:
            self._taken.append(found[1])
            self._room[found[_OWNER]] -= 1
            for rows_found in self._found.values():
                rows_found[:] = [one for one in rows_found if one[1] != found[1]]
        return line

    async def _first(self, platform: str) -> Found | None:
        """What waits first for the platform, of those whose owner may have more."""
        if platform in self._dry:
            return None
        if platform not in self._long:
            found = self._found.setdefault(platform, [])
            for limit in (0, self._at_once, LOOKED_AT):
                if limit:
                    found[:] = await rows(self._connection, "next_waiting", platform, self._taken, limit)
                many = len(found)
                while found and not await self._may_have_more(found[0][_OWNER]):
                    del found[0]
                if found:
                    return found[0]
                if many < limit:
                    self._dry.add(platform)
                    return None
            self._long.add(platform)
        return await self._first_by_owner(platform)

    async def _first_by_owner(self, platform: str) -> Found | None:
        for row in await rows(self._connection, "owners_waiting", platform):
            self._note(row)
        able = [owner for owner, room in self._room.items() if room > 0]
        found = await rows(self._connection, "first_of_owners", platform, self._taken, able)
        if not found:
            self._dry.add(platform)
            return None
        return min(found, key=_order)

    async def _may_have_more(self, owner: int) -> bool:
        if owner not in self._room:
            row = await one(self._connection, "held_by", owner)
            if row is not None:
                self._note(row)
        return self._room.setdefault(owner, 0) > 0

    def _note(self, row: Found) -> None:
        """How many more an owner may have; what this group gives him is taken off later."""
        principal = principal_from(row[1:])
        most = principal.profile.max_concurrent_jobs if principal.active else 0
        self._room.setdefault(principal.id, most - row[0])


def _order(found: Found) -> tuple[int, int]:
    return -found[0], found[1]


def _judged(call: ApplyNext, found: Found, place: int) -> Line:
    job = job_from(found[3:])
    call.uuid = job.uuid
    line = Line(job.uuid, place)
    line.calls = [call]
    line.row = Row(found[1], found[2], job)
    line.keys = {}
    line.judge()
    return line
