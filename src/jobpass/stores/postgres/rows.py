"""Rows and records: as in SQLite, columns hold whole microseconds, signed serials and JSON texts."""

from __future__ import annotations

from typing import Any

from jobpass.clock import to_microseconds
from jobpass.records import Event, Job
from jobpass.stores.postgres.codecs import packed_all
from jobpass.stores.postgres.line import Line
from jobpass.stores.sqlite.rows import Row, event_from, event_row, job_from, work_text
from jobpass.stores.sqlite.work_rows import moved_row

JOB_COLUMNS = 22
"""Number, version and the job's own, as in ``find_job``."""


def loaded_from(row: Row) -> tuple[int, int, int, Job, Event | None]:
    """A row of ``load``: place, number, version, job, and the event under the key."""
    values = tuple(row)
    event = values[JOB_COLUMNS + 1 :]
    return (*values[:3], job_from(values[3 : JOB_COLUMNS + 1]), None if event[0] is None else event_from(event))


def group_row(lines: list[Line]) -> dict[str, list[Any]]:
    """The bindings of ``write`` for lines that are plain, in order of their jobs' numbers; all but the lane's."""
    jobs, events, keys, works = [], [], [], []
    for line in lines:
        row, job = line.row, line.current
        assert row is not None
        assert job is not None
        jobs.append((line.place, row.number, row.version, job))
        if job.work is not None and row.job.work is not job.work:
            works.append((row.number, *moved_row(job, job.work)[1:]))
        for event in line.events:
            events.append(event_row(row.number, event))
            if event.key is not None:
                keys.append((line.place, row.number, event.key))
    return _job_columns(jobs) | _columns(_EVENT, events) | _columns(_KEY, keys) | _columns(_WORK, works)


_KEY = ("key_places", "key_jobs", "keys")
_WORK = ("w_jobs", "w_states", "w_seconds", "w_leases")
_EVENT = (
    "e_jobs", "e_sequences", "e_uuids", "e_names", "e_data", "e_at", "e_states", "e_credentials", "e_keys", "e_kids",
    "e_links", "e_addresses",
)  # fmt: skip
_TEXTS = frozenset(
    {
        "keys",
        "e_uuids",
        "e_names",
        "e_states",
        "e_credentials",
        "e_keys",
        "e_kids",
        "e_addresses",
        "last_events",
        "states",
        "w_states",
    }
)
_JOB = ("places", "ids", "versions", "last_events", "sequences", "heads", "updated", "states", "works")


def _job_columns(jobs: list[tuple[int, int, int, Job]]) -> dict[str, list[Any]]:
    rows = [
        (
            place, number, version, job.last_event, job.sequence, job.head, to_microseconds(job.updated_at), job.state,
            work_text(job.work),
        )
        for place, number, version, job in jobs
    ]  # fmt: skip
    return _columns(_JOB, rows)


def _columns(names: tuple[str, ...], rows: list[Row]) -> dict[str, list[Any]]:
    if not rows:
        return {name: [] for name in names}
    columns = zip(names, zip(*rows, strict=True), strict=True)
    return {name: packed_all(column) if name in _TEXTS else list(column) for name, column in columns}
