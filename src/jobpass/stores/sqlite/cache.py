"""What the writing connection knows without asking, for as long as nobody else has committed."""

from __future__ import annotations

from typing import Final

import apsw

from jobpass.records import Job, Session
from jobpass.stores.rows.columns import Row
from jobpass.stores.rows.jobs import job_from
from jobpass.stores.sqlite.queries import QUERIES

JOBS_CACHED: Final = 4096
SESSIONS_CACHED: Final = 16_384

_DATA_VERSION: Final = QUERIES["data_version"]


class JobRow:
    """A job's row in the cache: its number, the job as the database has it, and as this transaction leaves it."""

    __slots__ = ("current", "number", "stored")

    def __init__(self, number: int, stored: Job | None) -> None:
        self.number = number
        self.stored = stored
        self.current = stored


class Cache:
    """The jobs and sessions last seen. ``sessions`` is the store's to read and to fill, after ``refresh``."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.sessions: dict[str, Session] = {}
        self._connection = connection
        self._cursor = connection.cursor()
        self._execute = self._cursor.execute
        self._in_transaction = False
        self._version = -1
        self._jobs: dict[str, JobRow] = {}

    def refresh(self) -> None:
        """Drop the caches if another connection has committed. Within our own transaction nobody else can."""
        if not self._in_transaction:
            version = self._execute(_DATA_VERSION).get
            if version != self._version:
                self._forget()
                self._version = version

    def version(self) -> int:
        """Another number once another connection has committed."""
        self.refresh()
        return self._version

    def committed(self, uuid: str) -> Job | None:
        """The job as last committed, if it is in the cache; None does not say that there is none."""
        self.refresh()
        row = None if self._in_transaction else self._jobs.get(uuid)
        return row.stored if row is not None else None

    def remember(self, found: Row) -> Job:
        """The job of a row of ``find_job`` which another connection read since ``committed``; kept if that is safe."""
        job = job_from(found[1:])
        if not self._in_transaction:  # or the row may be older than what the cache is about to hold
            self._jobs[job.uuid] = JobRow(found[0], job)
            self._trim()
        return job

    def _trim(self) -> None:
        jobs = self._jobs
        while len(jobs) > JOBS_CACHED:
            del jobs[next(iter(jobs))]

    def _forget(self) -> None:
        """Drop everything that may not be what the database holds."""
        self._jobs.clear()
        self.sessions.clear()
