"""One attempt to write a group: load, judge, write in one transaction, and tell what stands of it."""

from __future__ import annotations

from typing import Any

from jobpass.errors import Error
from jobpass.records import Event, Job
from jobpass.stores.postgres.calls import Apply, ApplyNext, Statement
from jobpass.stores.postgres.codecs import packed_all
from jobpass.stores.postgres.lane import Lane
from jobpass.stores.postgres.line import Line, Row, lines_of
from jobpass.stores.postgres.making import delete_lines, insert_lines, refuse_neighbours, rewrite_lines
from jobpass.stores.postgres.placing import refuse_work
from jobpass.stores.postgres.queries import QUERIES, WRITE, WRITE_WORK, Query
from jobpass.stores.postgres.queue import Queue
from jobpass.stores.postgres.rows import group_row, loaded_from, one_row, work_row

_ONE = QUERIES["write_one"]


class Attempt:
    """The calls of a group, from their judging to their answers.

    ``number`` is the lane's once something may have been written, ``epoch`` the new one if sessions ended.
    """

    def __init__(self, calls: list[Apply | Statement], cache: dict[str, Row]) -> None:
        self.number: int | None = None
        self.epoch: int | None = None
        self.calls = calls
        self._cache = cache
        self._lines = lines_of(calls)
        self._statements = [call for call in calls if isinstance(call, Statement)]
        self._nexts = [call for call in calls if isinstance(call, ApplyNext)]
        self._numbers: dict[int, int] = {}

    async def prepare(self, connection: Any) -> None:
        """Judge all calls, on the rows of the cache where these are enough."""
        unseen = []
        for line in self._lines:
            line.row = self._cache.get(line.uuid)
            if line.row is None:
                unseen.append(line)
        if unseen:
            await _load(connection, unseen)
        for line in self._lines:
            line.judge()
        uncertain = [line for line in self._lines if line.keys is None and (line.uncertain or not _is_simple(line))]
        if uncertain:
            await _load(connection, uncertain)
            for line in uncertain:
                line.judge()

    async def write(self, lane: Lane, connection: Any) -> list[int] | None:
        """Write what was judged, if anything changes; the places of the lines that another moved, None for nothing.

        None is also the answer if the lane was moved on: then nothing stands.
        """
        plain, others = _parted(self._lines)
        if self._statements or others or self._nexts:
            return await self._transact(lane, connection, plain, others)
        if not plain:
            return []
        if len(plain) == 1 and len(plain[0].events) == 1 and not plain[0].moves_work:
            return await self._move(lane, connection, _ONE, one_row(plain[0]))
        return await self._finish(lane, connection, plain, [])

    def settle(self, missed: list[int]) -> list[Apply | Statement]:
        """Answer the calls whose lines stand; the others, which are to be judged again."""
        again: list[Apply | Statement] = []
        gone = set(missed)
        for line in self._lines:
            cached = None
            if line.place in gone:
                again += line.calls
            else:
                line.answer()
                cached = line.row_after(self._numbers.get(line.place))
            self._cache.pop(line.uuid, None)
            if cached is not None:
                self._cache[line.uuid] = cached  # at the end: the cache drops from its beginning
        return again

    def changed(self, missed: list[int]) -> list[str]:
        """The topics of what this has changed."""
        changed = (line for line in self._lines if line.writes and line.place not in missed)
        return [topic for line in changed for topic in line.topics()]

    async def _finish(self, lane: Lane, connection: Any, plain: list[Line], missed: list[int]) -> list[int] | None:
        bindings = group_row(plain) | {"missed": missed}
        if any(line.moves_work for line in plain):
            return await self._move(lane, connection, WRITE_WORK, bindings | work_row(plain))
        return await self._move(lane, connection, WRITE, bindings)

    async def _move(self, lane: Lane, connection: Any, query: Query, bindings: dict[str, Any]) -> list[int] | None:
        """Write the plain lines and move the lane on; from here on it is not certain what stands."""
        bound = query.bound(bindings | {"lane": lane.name, "previous": lane.number, "number": lane.number + 1})
        self.number = lane.number + 1
        found: list[int] | None = await connection.fetchval(query.sql, *bound)
        return found

    async def _transact(self, lane: Lane, connection: Any, plain: list[Line], others: list[Line]) -> list[int] | None:
        await connection.execute("BEGIN")
        if await connection.fetchval(QUERIES["lock_lane"].sql, lane.name, lane.number) is None:
            await connection.execute("ROLLBACK")
            return None
        await self._lock_counters(connection, others)
        await self._run_statements(connection)
        if self._nexts:
            await self._find_nexts(connection)
            plain, others = _parted(self._lines)
        await _lock_jobs(connection, plain, others)
        others = await refuse_neighbours(connection, others)
        others = await refuse_work(connection, others)
        missed = await delete_lines(connection, others)
        missed += await rewrite_lines(connection, others)
        missed += await insert_lines(connection, others, self._numbers)
        found = await self._finish(lane, connection, plain, missed)
        await connection.execute("COMMIT" if found is not None else "ROLLBACK")
        return found

    async def _lock_counters(self, connection: Any, others: list[Line]) -> None:
        names = {name for call in self._statements for name in call.counters}
        if any(line.created for line in others):
            names.add("job")
        if any(call.changes_sessions for call in self._statements):
            names.add("epoch")
        if self._nexts:
            names.add("lease")
        if names:
            await connection.execute(QUERIES["lock_counters"].sql, sorted(names))

    async def _find_nexts(self, connection: Any) -> None:
        queue = Queue(connection, len(self._nexts))
        for call in self._nexts:
            line = await queue.line(call, len(self._lines))
            if line is not None:
                self._lines.append(line)

    async def _run_statements(self, connection: Any) -> None:
        for call in self._statements:
            call.error = None
            try:
                call.result = await call.work(connection)
            except Error as error:
                call.error = error
        if any(call.changes_sessions and call.error is None for call in self._statements):
            self.epoch = await connection.fetchval(QUERIES["take_numbers"].sql, "epoch", 1)


def _parted(lines: list[Line]) -> tuple[list[Line], list[Line]]:
    """The lines that write: those that are plain, in the order of their numbers, and the others."""
    writing = [line for line in lines if line.writes]
    return sorted((line for line in writing if line.is_plain), key=_number), [
        line for line in writing if not line.is_plain
    ]


async def _lock_jobs(connection: Any, plain: list[Line], others: list[Line]) -> None:
    """Hold all rows that will be written before blobs are, unless they are written in their order anyway."""
    numbers = [line.row.number for line in (*plain, *others) if line.row is not None]
    names_blobs = any(line.current is not None and line.current.work is not None for line in others)
    if len(numbers) > max(len(plain), 1) or (numbers and names_blobs):
        await connection.fetch(QUERIES["lock_jobs"].sql, sorted(numbers))


def _is_simple(line: Line) -> bool:
    """Whether ``write`` will look for the events that may stand under the line's keys."""
    return line.is_plain or not any(event.key is not None for event in line.events)


def _number(line: Line) -> int:
    assert line.row is not None
    return line.row.number


async def _load(connection: Any, lines: list[Line]) -> None:
    """Read the lines' jobs, and the events under the keys of their calls."""
    places, uuids, keys = [], [], []
    for number, line in enumerate(lines):
        line.row, line.keys = None, {}
        for key in dict.fromkeys(call.key for call in line.calls):
            places.append(number)
            uuids.append(line.uuid)
            keys.append(key)
    rows: dict[int, Job] = {}
    for found in await connection.fetch(QUERIES["load"].sql, places, packed_all(uuids), packed_all(keys)):
        place, number, version, job, event = loaded_from(found)
        line = lines[place]
        if place not in rows:
            rows[place] = job
            line.row = Row(number, version, job)
        _keep(line, event)


def _keep(line: Line, event: Event | None) -> None:
    if event is not None and event.key is not None and line.keys is not None:
        line.keys[event.key] = event
