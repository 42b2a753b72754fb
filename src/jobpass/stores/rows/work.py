"""Rows of the queue."""

from __future__ import annotations

from jobpass.clock import to_microseconds
from jobpass.records import Job, Work
from jobpass.stores.rows.columns import Row, micro
from jobpass.stores.rules import seconds_of


def place_row(job: int, record: Job, work: Work) -> Row:
    """The bindings of ``insert_work``; ``job`` is the number of the job's row."""
    return (
        job,
        record.owner,
        work.platform,
        work.priority,
        to_microseconds(record.created_at),
        work.token,
        work.group,
        work.process_id,
        work.payload.number,
        *moved_row(record, work),
    )


def moved_row(record: Job, work: Work) -> Row:
    """The bindings of ``move_work`` but the job's number."""
    results = None if work.results is None else work.results.number
    return results, record.state, seconds_of(work), micro(work.leased_until)


def named_blobs(old: Work | None, new: Work | None) -> list[int]:
    """The numbers of the blobs that ``new`` names and ``old`` does not."""
    if new is None or new is old:
        return []
    before = () if old is None else (old.payload, old.results)
    return [blob.number for blob in (new.payload, new.results) if blob is not None and blob not in before]
