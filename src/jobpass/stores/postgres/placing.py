"""The places of jobs in the queue, and the blobs that they name, in a transaction that is open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from jobpass.errors import LimitExceeded
from jobpass.records import Change, Job
from jobpass.stores.postgres.calls import Apply
from jobpass.stores.postgres.line import Line
from jobpass.stores.postgres.statements import many, rows, run
from jobpass.stores.rows.work import moved_row, named_blobs, place_row
from jobpass.stores.rules import swept


async def refuse_work(connection: Any, lines: list[Line]) -> list[Line]:
    """Refuse changes that name blobs which are gone, and jobs that are too many; the lines that still write.

    Whoever makes a job holds the counter of jobs, so that nobody makes another one meanwhile.
    """
    named = sorted({blob for line in lines for _, change in line.changes() for blob in _blobs(change)})
    if named:
        there = {row[0] for row in await rows(connection, "hold_blobs", named)}
        for line in lines:
            lost = [call for call, change in line.changes() if not there.issuperset(_blobs(change))]
            _refuse(line, lost, swept)
    made: Counter[int] = Counter()
    for line in lines:
        await _refuse_one_too_many(connection, line, made)
    return [line for line in lines if line.writes]


async def _refuse_one_too_many(connection: Any, line: Line, made: Counter[int]) -> None:
    """``made`` counts the owners' jobs that this group has made so far; later events of the group free nothing."""
    for call, change in line.changes():
        if change.most is None or change.after is None:
            continue
        owner, most = change.after.owner, change.most
        (found,) = await rows(connection, "queued_of", owner, most)
        if found[0] + made[owner] >= most:
            line.refusals[id(call)] = LimitExceeded.of_queue(most)
            line.judge()
            await _refuse_one_too_many(connection, line, made)
            return
    if line.created and line.current is not None and line.current.work is not None:
        made[line.current.owner] += 1


def _refuse(line: Line, calls: list[Apply], error: Any) -> None:
    if calls:
        line.refusals |= {id(call): error() for call in calls}
        line.judge()


def _blobs(change: Change) -> list[int]:
    """The numbers of the blobs that a change names for the first time."""
    if change.after is None:
        return []
    return named_blobs(None if change.before is None else change.before.work, change.after.work)


async def insert_work(connection: Any, made: Sequence[tuple[int, Job]]) -> None:
    """Give new jobs, each with its number, their places."""
    places = [place_row(number, job, job.work) for number, job in made if job.work is not None]
    await many(connection, "insert_work", places)
    used = [(blob, 1) for _, job in made for blob in named_blobs(None, job.work)]
    await many(connection, "use_blob", used)


async def move_work(connection: Any, number: int, old: Job, new: Job) -> None:
    """Bring the place of a job up to what it is now."""
    if old.work is None or new.work is None:
        return
    moved = moved_row(new, new.work)
    if moved != moved_row(old, old.work):
        await run(connection, "move_work", number, *moved)
    used = [(blob, 1) for blob in named_blobs(old.work, new.work)]
    await many(connection, "use_blob", used + [(blob, -1) for blob in named_blobs(new.work, old.work)])
