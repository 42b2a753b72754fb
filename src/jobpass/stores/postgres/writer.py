"""Writes one group after the other: each until it stands, or until it has been tried for too long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Final

from jobpass.stores.postgres.attempt import Attempt
from jobpass.stores.postgres.calls import Apply, ApplyNext, Statement
from jobpass.stores.postgres.database import BUSY_SECONDS, PAUSE_SECONDS, RETRY_SECONDS
from jobpass.stores.postgres.failures import FAILURES, is_certain, is_conflict, is_culprit, passes, unavailable
from jobpass.stores.postgres.lane import Lane
from jobpass.stores.postgres.line import JOB, Row
from jobpass.stores.rules import closed

JOBS_CACHED: Final = 4096

Group = list[Apply | Statement]
Done = Callable[[Group], None]
Told = Callable[[list[str], int | None], None]
"""(topics of what changed, the new epoch if sessions ended): what was committed, before anybody is answered."""


class Writer:
    """The only user of a lane. Between ``write`` and ``done`` it takes no other group.

    The cache of jobs is only what the last groups have left: what is judged on it is written if the row still has the
    same version, and else loaded and judged again. Other nodes tell what they moved, so that this is seldom in vain.
    """

    def __init__(self, lane: Lane, told: Told) -> None:
        self._lane = lane
        self._told = told
        self._cache: dict[str, Row] = {}
        self._attempt: Attempt | None = None
        self._doubtful: Attempt | None = None
        self._task: asyncio.Task[None] | None = None

    def write(self, group: Group, loop: asyncio.AbstractEventLoop, done: Done) -> None:
        """As ``batch.Write``."""
        self._task = loop.create_task(self._work(group, done))

    def forget(self, topics: Collection[str] | None) -> None:
        """Other nodes have changed this, or with None perhaps anything: judge the jobs in it on what is loaded anew."""
        if topics is None:
            self._cache.clear()
            return
        for topic in topics:
            self._cache.pop(topic.removeprefix(JOB), None)

    async def close(self) -> None:
        """Let go of the lane; no group may be under way."""
        await self._lane.close()

    async def _work(self, group: Group, done: Done) -> None:
        try:
            await self._write(group, time.monotonic() + BUSY_SECONDS)
        except BaseException as error:  # a mistake of ours, or the loop ends: nobody is told that anything stands
            self._lane.drop()
            self._cache.clear()
            for call in group:
                call.error = error if isinstance(error, Exception) else closed()
            if not isinstance(error, Exception):
                raise
        finally:
            while len(self._cache) > JOBS_CACHED:
                del self._cache[next(iter(self._cache))]
            done(group)

    async def _write(self, group: Group, deadline: float) -> None:
        """Attempt the calls until all stand or are refused; those that another node got ahead of are judged again."""
        self._doubtful = None  # what became of a group that was given up is of no use to this one
        calls, pause, suspect = group, RETRY_SECONDS, False
        while calls:
            try:
                calls = await self._try(calls)
                continue
            except Exception as error:
                await self._give_up(error)
                if not isinstance(error, FAILURES) or is_culprit(error):
                    if suspect or not is_conflict(error):
                        await self._accuse(calls, error)
                        return
                    suspect = True  # what it met with was perhaps not in the cache, and is seen at the second try
                elif not passes(error) or time.monotonic() + pause > deadline:
                    _fail(calls, error)
                    return
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_SECONDS)

    async def _try(self, calls: Group) -> Group:
        """One attempt; the calls that are to be judged again."""
        lane = self._lane
        connection = await lane.enter()
        doubtful, self._doubtful = self._doubtful, None
        if doubtful is not None and lane.written == doubtful.number:
            rest = [call for call in calls if call not in doubtful.calls]
            return self._settle(doubtful, lane.missed) + rest
        # Workers are given what the others of the group have left.
        first = [call for call in calls if not isinstance(call, ApplyNext)] or calls
        rest = [call for call in calls if call not in first] if len(first) < len(calls) else []
        attempt = self._attempt = Attempt(first, self._cache)
        await attempt.prepare(connection)
        missed = await attempt.write(lane, connection)
        if missed is None:
            attempt.number = None
            raise ConnectionResetError("the lane was moved on")
        if attempt.number is not None:
            lane.number = attempt.number
        return self._settle(attempt, missed) + rest

    def _settle(self, attempt: Attempt, missed: list[int]) -> Group:
        self._attempt = None
        self._told(attempt.changed(missed), attempt.epoch)
        return attempt.settle(missed)

    async def _give_up(self, error: Exception) -> None:
        """An attempt failed. Unless it is certain that nothing stands, the next opening of the lane will tell."""
        self._cache.clear()
        attempt, self._attempt = self._attempt, None
        if not isinstance(error, FAILURES) or is_certain(error):
            await self._lane.roll_back()
            return
        self._lane.drop()
        if attempt is not None and attempt.number is not None:
            self._doubtful = attempt

    async def _accuse(self, calls: Group, error: Exception) -> None:
        """The error is one caller's: write each call alone to find whose."""
        if len(calls) == 1:
            calls[0].error = error
            if isinstance(error, FAILURES):  # its words may show what was to be written
                calls[0].error = ValueError("the database cannot hold what was to be written")
                calls[0].error.__cause__ = error
            return
        for call in calls:
            await self._write([call], time.monotonic() + BUSY_SECONDS)


def _fail(calls: Group, error: Exception) -> None:
    """Tell every caller, each with an error of its own."""
    for call in calls:
        call.error = unavailable(error, "be written")
