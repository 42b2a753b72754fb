"""What is rare and done statement by statement: jobs made, rewritten and deleted, in a transaction that is open."""

from __future__ import annotations

from typing import Any

from jobpass.records import RELATIONS, Job
from jobpass.stores.postgres.codecs import packed_all
from jobpass.stores.postgres.line import Line
from jobpass.stores.postgres.line import Row as Standing
from jobpass.stores.postgres.placing import insert_work, move_work
from jobpass.stores.postgres.queries import QUERIES
from jobpass.stores.postgres.statements import many
from jobpass.stores.rows.columns import Row
from jobpass.stores.rows.jobs import details_row, event_row, job_row
from jobpass.stores.rules import archive_taken, around, links, within

BEGINNING = 500
"""Characters of a path that its index holds."""


async def refuse_neighbours(connection: Any, lines: list[Line]) -> list[Line]:
    """Refuse to make jobs whose directories have to do with those of others; the lines that still write.

    Whoever makes a job holds the counter of jobs, so that nobody makes another one meanwhile.
    """
    made: list[Job] = []
    for line in lines:
        while line.apart:
            call = line.apart[-1]
            assert call.apart is not None
            if not await _is_taken(connection, call.apart, made):
                break
            line.refusals[id(call)] = archive_taken()
            line.judge()
        if line.created and line.current is not None:
            made.append(line.current)
    return [line for line in lines if line.writes]


async def _is_taken(connection: Any, job: Job, made: list[Job]) -> bool:
    if job.archive_system is None or job.archive_path is None:
        return False
    if any(_meet(job, other) for other in made):
        return True
    bindings = directory(job.archive_system, job.archive_path) | {"uuid": job.uuid, "owner": job.owner}
    query = QUERIES["archive_neighbour"]
    return await connection.fetchval(query.sql, *query.bound(bindings)) is not None


def _meet(job: Job, other: Job) -> bool:
    if other.owner == job.owner or other.archive_system != job.archive_system or other.archive_path is None:
        return False
    assert job.archive_path is not None
    above, below = within(job.archive_path)
    return other.archive_path in around(job.archive_path) or above < other.archive_path < below


def directory(system: str, path: str) -> dict[str, Any]:
    """The bindings that stand for a directory in ``archive_neighbour``."""
    above, below = within(path)
    paths = around(path)
    heads = [one[:BEGINNING] for one in paths]
    return {"system": system, "paths": packed_all(paths), "heads": packed_all(heads), "above": above, "below": below}


async def delete_lines(connection: Any, lines: list[Line]) -> list[int]:
    """Delete the jobs that the lines delete; the places of those that another has moved."""
    missed = []
    for line in lines:
        if not line.deleted:
            continue
        assert line.row is not None
        number = line.row.number
        if not await _delete_row(connection, line.row):
            missed.append(line.place)
            continue
        await connection.execute(QUERIES["delete_history"].sql, number)
        await connection.execute(QUERIES["orphan_files"].sql, number)
    return missed


async def _delete_row(connection: Any, row: Standing) -> bool:
    """Delete the job's row, and its place in the queue; False if another has moved it."""
    if row.job.work is None:
        return await connection.fetchval(QUERIES["delete_job"].sql, row.number, row.version) is not None
    if await connection.fetchval(QUERIES["hold_job"].sql, row.number, row.version) is None:
        return False
    await connection.execute(QUERIES["leave_blobs"].sql, row.number)
    return await connection.fetchval(QUERIES["delete_job"].sql, row.number, row.version) is not None


async def rewrite_lines(connection: Any, lines: list[Line]) -> list[int]:
    """Rewrite the rows that stand, in the order of their numbers; the places of those that another has moved."""
    missed, events = [], []
    standing = [(line.row.number, line) for line in lines if line.row is not None and not line.deleted]
    for number, line in sorted(standing, key=lambda pair: pair[0]):
        assert line.row is not None
        assert line.current is not None
        bindings = (number, line.row.version, *job_row(line.current)[1:])
        if await connection.fetchval(QUERIES["rewrite_job"].sql, *bindings) is None:
            missed.append(line.place)
            continue
        if line.current.child_of != line.row.job.child_of:
            await connection.execute(QUERIES["delete_links"].sql, number, "child_of")
            targets = frozenset(line.current.child_of)
            await many(connection, "insert_link", [(number, "child_of", one) for one in targets])
        await move_work(connection, number, line.row.job, line.current)
        events += [event_row(number, event) for event in line.events]
    await _insert_events(connection, events)
    return missed


async def insert_lines(connection: Any, lines: list[Line], numbers: dict[int, int]) -> list[int]:
    """Make the jobs that the lines make, and note their numbers; the places of those that another has made."""
    making = [line for line in lines if line.created]
    if not making:
        return []
    found = await connection.fetch(QUERIES["standing_jobs"].sql, packed_all(line.uuid for line in making))
    standing = {row[0] for row in found}
    missed = [line.place for line in making if line.uuid in standing]
    making = [line for line in making if line.uuid not in standing]
    last: int = await connection.fetchval(QUERIES["take_numbers"].sql, "job", len(making))
    jobs: list[Row] = []
    details: list[Row] = []
    targets: list[Row] = []
    events: list[Row] = []
    made = []
    for number, line in enumerate(making, last - len(making) + 1):
        assert line.current is not None
        numbers[line.place] = number
        made.append((number, line.current))
        jobs.append((number, *job_row(line.current)))
        details.append(details_row(number, line.details))
        found = links(line.current, line.details)
        targets += [(number, relation, target) for relation in RELATIONS for target in found[relation]]
        events += [event_row(number, event) for event in line.events]
    await many(connection, "insert_job", jobs)
    await many(connection, "insert_details", details)
    await many(connection, "insert_link", targets)
    await insert_work(connection, made)
    await _insert_events(connection, events)
    return missed


async def _insert_events(connection: Any, events: list[Row]) -> None:
    if events:
        await many(connection, "insert_event", events)
        await many(connection, "insert_news", [row[:2] for row in events])
