"""Rows of lines: what ``load`` answers, and what ``write`` takes, column by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jobpass.clock import to_microseconds
from jobpass.records import Event, Job
from jobpass.stores.postgres.codecs import joined, numbered
from jobpass.stores.postgres.line import Line
from jobpass.stores.postgres.queries import JOINED, NUMBERS
from jobpass.stores.rows.columns import Row
from jobpass.stores.rows.jobs import event_from, event_row, job_from, work_text
from jobpass.stores.rows.work import moved_row

JOB_COLUMNS = 22
"""Number, version and the job's own, as in ``find_job``."""


def loaded_from(row: Row) -> tuple[int, int, int, Job, Event | None]:
    """A row of ``load``: place, number, version, job, and the event under the key."""
    values = tuple(row)
    event = values[JOB_COLUMNS + 1 :]
    return (*values[:3], job_from(values[3 : JOB_COLUMNS + 1]), None if event[0] is None else event_from(event))


def group_row(lines: list[Line]) -> dict[str, Any]:
    """The bindings of ``write`` for lines that are plain, in order of their jobs' numbers; all but the lane's."""
    jobs, events, keys = [], [], []
    for line in lines:
        row, job = line.row, line.current
        assert row is not None
        assert job is not None
        jobs.append((line.place, row.number, row.version, job))
        for event in line.events:
            events.append(event_row(row.number, event))
            if event.key is not None:
                keys.append((line.place, row.number, event.key))
    return _job_columns(jobs) | _columns(_EVENT, events) | _columns(_KEY, keys)


def work_row(lines: list[Line]) -> dict[str, Any]:
    """What ``write`` needs beside that where work changes: the work of each line, and the places in the queue."""
    works, places = [], []
    for line in lines:
        row, job = line.row, line.current
        assert row is not None
        assert job is not None
        changed = job.work if line.moves_work else None
        works.append(work_text(changed))
        if changed is not None:
            places.append((row.number, *moved_row(job, changed)[1:]))
    return {"works": works} | _columns(_WORK, places)


def one_row(line: Line) -> dict[str, Any]:
    """The bindings of ``write_one`` for a line that is plain and has one event; all but the lane's."""
    row, job, event = line.row, line.current, line.events[0]
    assert row is not None
    assert job is not None
    return {
        "place": line.place,
        "job": row.number,
        "version": row.version,
        "last_event": job.last_event,
        "sequence": job.sequence,
        "head": job.head,
        "updated": to_microseconds(job.updated_at),
        "state": job.state,
        "e_sequence": event.sequence,
        "e_uuid": event.uuid,
        "e_name": event.name,
        "e_data": event.data,
        "e_at": to_microseconds(event.at),
        "e_state": event.state,
        "e_credential": event.credential,
        "key": event.key,
        "e_kid": event.kid,
        "e_link": event.link,
        "e_address": event.address,
    }


_KEY = ("key_places", "key_jobs", "keys")
_WORK = ("w_jobs", "w_states", "w_seconds", "w_leases")
_EVENT = (
    "e_jobs", "e_sequences", "e_uuids", "e_names", "e_data", "e_at", "e_states", "e_credentials", "e_keys", "e_kids",
    "e_links", "e_addresses",
)  # fmt: skip
_JOB = ("places", "ids", "versions", "last_events", "sequences", "heads", "updated", "states")


_CODECS: Mapping[str, Callable[[Any], Any]] = dict.fromkeys(NUMBERS, numbered) | dict.fromkeys(JOINED, joined)


def _job_columns(jobs: list[tuple[int, int, int, Job]]) -> dict[str, Any]:
    rows = [
        (place, number, version, job.last_event, job.sequence, job.head, to_microseconds(job.updated_at), job.state)
        for place, number, version, job in jobs
    ]
    return _columns(_JOB, rows)


def _columns(names: tuple[str, ...], rows: list[Row]) -> dict[str, Any]:
    columns = zip(names, zip(*rows, strict=True) if rows else ((),) * len(names), strict=True)
    return {name: _CODECS.get(name, list)(column) for name, column in columns}
