"""What is rare and written at once: jobs made and deleted, and their links, in a transaction that is open."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import apsw

from jobpass.records import Details, Job, Relation
from jobpass.stores.rows.jobs import details_row, job_row
from jobpass.stores.rows.work import named_blobs, place_row
from jobpass.stores.rules import links
from jobpass.stores.sqlite.placing import use_blobs
from jobpass.stores.sqlite.queries import QUERIES


def insert_job(cursor: apsw.Cursor, job: Job, details: Details) -> int:
    """Make the job with all that is its own but events; its number."""
    number: int = cursor.execute(QUERIES["insert_job"], job_row(job)).get
    cursor.execute(QUERIES["insert_details"], details_row(number, details))
    insert_links(cursor, number, links(job, details))
    if job.work is not None:
        cursor.execute(QUERIES["insert_work"], place_row(number, job, job.work))
        use_blobs(cursor, named_blobs(None, job.work))
    return number


def insert_links(cursor: apsw.Cursor, number: int, targets: Mapping[Relation, Collection[str]]) -> None:
    """Link the job of that number, by relation."""
    rows = [(number, relation, target) for relation, found in targets.items() for target in found]
    cursor.executemany(QUERIES["insert_link"], rows)


def relink(cursor: apsw.Cursor, number: int, child_of: Collection[str]) -> None:
    """The job of that number is the child of others now."""
    cursor.execute(QUERIES["delete_links"], (number, "child_of"))
    insert_links(cursor, number, {"child_of": frozenset(child_of)})


def delete_job(cursor: apsw.Cursor, number: int) -> None:
    """Delete the job of that number with its history."""
    cursor.execute(QUERIES["delete_history"], (number,))
    cursor.execute(QUERIES["delete_job"], (number,))
