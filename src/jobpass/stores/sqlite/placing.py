"""The places of jobs in the queue, and the blobs that they name, in a transaction that is open."""

from __future__ import annotations

import apsw

from jobpass.records import Job, Work
from jobpass.stores.rows.work import moved_row, named_blobs
from jobpass.stores.sqlite.queries import QUERIES


def move_work(cursor: apsw.Cursor, number: int, old: Job, new: Job, work: Work) -> None:
    """Bring the place of a job up to what it is now; ``work`` is what ``new`` has."""
    assert old.work is not None
    was, moved = moved_row(old, old.work), moved_row(new, work)
    if was[:-1] != moved[:-1]:
        cursor.execute(QUERIES["move_work"], (*moved, number))
        use_blobs(cursor, named_blobs(old.work, work))
        use_blobs(cursor, named_blobs(work, old.work), -1)
    elif was != moved:
        cursor.execute(QUERIES["renew_work"], (moved[-1], number))


def use_blobs(cursor: apsw.Cursor, numbers: list[int], more: int = 1) -> None:
    """So many works more name these blobs."""
    cursor.executemany(QUERIES["use_blob"], [(number, more) for number in numbers])
