"""The embedded store: one SQLite file, which several processes may open."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import apsw
import msgspec

from jobpass.errors import StoreUnavailable
from jobpass.ports import Judge
from jobpass.records import Change, Details, Event, Job, Linked, Page, Pipeline, Replayed, Session
from jobpass.stores.listing import JOB_FILTERS, chosen, page, read_cursor
from jobpass.stores.rows.credentials import session_from, with_line
from jobpass.stores.rows.jobs import details_from, event_from, job_from, pipeline_from, pipeline_row
from jobpass.stores.rules import around, closed, within
from jobpass.stores.sqlite.accounts import Accounts
from jobpass.stores.sqlite.admin_keys import AdminKeys
from jobpass.stores.sqlite.audit import AuditChains
from jobpass.stores.sqlite.backup import copy_database
from jobpass.stores.sqlite.cache import SESSIONS_CACHED
from jobpass.stores.sqlite.calls import Among, Apply
from jobpass.stores.sqlite.credentials import Credentials
from jobpass.stores.sqlite.database import checkpoint, open_both, unavailable
from jobpass.stores.sqlite.files import Files
from jobpass.stores.sqlite.holds import hold_name
from jobpass.stores.sqlite.imports import Imports
from jobpass.stores.sqlite.links import linked_jobs
from jobpass.stores.sqlite.part import filtered
from jobpass.stores.sqlite.platforms import Platforms
from jobpass.stores.sqlite.queries import MIGRATIONS, QUERIES
from jobpass.stores.sqlite.webhooks import Webhooks
from jobpass.stores.sqlite.work import Works

LOW_SPACE_BYTES = 1 << 20
"""``check`` complains when the disk has less room than this."""

PASSED = 200
"""Of so many jobs of one owner's in and around a directory the owner is looked at before a thread does it."""

TEND_WAL_BYTES = 16 << 20
"""``tend`` copies the write-ahead log back once it is larger than this."""


class SqliteStore(Accounts, Credentials, AdminKeys, Platforms, AuditChains, Webhooks, Imports, Files, Works):
    """All of ``ports.Store``: here the jobs, the sessions, which share the writer's cache, and the upkeep."""

    def __init__(self, path: Path, writer: apsw.Connection, reader: apsw.Connection) -> None:
        super().__init__(path, writer, reader)
        self._inode = path.stat().st_ino
        self._resolved = path.resolve()

    @classmethod
    async def open(cls, path: Path | str) -> Self:
        """Open the file, made (mode 0600) or migrated if need be; waits up to 5 s for others who do the same.

        Raises ``SchemaTooNew``, ``SetupError`` for a file that is not ours, ``StoreUnavailable`` if it cannot be used.
        """
        path = Path(path)
        return cls(path, *await asyncio.to_thread(open_both, path))

    async def apply(
        self, uuid: str, judge: Judge, key: str | None = None, *, apart: Job | None = None
    ) -> Change | Replayed:
        """As ``ports.JobStore``."""
        among = None if apart is None else await self._among(apart)
        return await self._batch.submit(Apply(uuid, judge, key, among))  # type: ignore[no-any-return]

    async def _among(self, job: Job) -> Among | None:
        """What the writer needs to know of the neighbours of a job's directory, so that it has few jobs to look at."""
        system, path = job.archive_system, job.archive_path
        if system is None or path is None:
            return None
        newest = self._newest("newest_job")  # first: what is made after this is the writer's to see
        taken = await self.archive_neighbour(job.uuid, system, path, not_of=job.owner) is not None
        return Among(taken, _directory(system, path) | {"owner": job.owner, "newest": newest})

    async def find_job(self, uuid: str) -> Job | None:
        """As ``ports.JobStore``; another process's change shows at once, as in ``find_session``."""
        writer = self._writer
        try:
            job = writer.committed(uuid)
        except apsw.Error as error:
            raise self._unreadable(error) from error
        if job is not None:
            return job
        row = self._one("find_job", uuid)
        return None if row is None else writer.remember(row)

    async def find_details(self, uuid: str) -> Details | None:
        """As ``ports.JobStore``."""
        row = self._one("find_details", uuid)
        return None if row is None else details_from(row)

    async def list_jobs(
        self,
        *,
        owner: int | None,
        state: str | None,
        pipeline_uuid: str | None,
        linked: Collection[Linked] = (),
        after: str | None,
        limit: int,
    ) -> Page[Job]:
        """As ``ports.JobStore``; conditions on links are looked up in a thread."""
        values = {"owner": owner, "state": state, "pipeline_uuid": pipeline_uuid}
        start = read_cursor(after, self._newest("newest_job"))
        bindings = values | {"after": start, "limit": limit + 1}
        if linked:
            conditions, filters = list(linked), chosen(JOB_FILTERS, values)
            rows = await self._aside(lambda cursor: linked_jobs(cursor, conditions, filters, bindings))
        else:
            rows = self._rows(filtered("list_jobs", JOB_FILTERS, values), bindings)
        return page(rows, limit, job_from)

    async def archive_neighbour(self, uuid: str, system: str, path: str, *, not_of: int | None = None) -> str | None:
        """As ``ports.JobStore``; where many jobs are passed over, in a thread."""
        bindings = _directory(system, path) | {"uuid": uuid, "owner": None, "limit": 1 if not_of is None else PASSED}
        for query in (QUERIES["archive_around"], QUERIES["archive_inside"]):
            rows = self._rows(query, bindings)
            if len(rows) == PASSED and all(owner == not_of for _, owner in rows):
                rows = await self._rows_aside(query, bindings | {"owner": not_of, "limit": 1})
            for found, owner in rows:
                if owner != not_of:
                    return str(found)
        return None

    async def count_lifecycles(self) -> dict[str, int]:
        """As ``ports.JobStore``; looks at every job, in a thread."""
        return dict(await self._rows_aside(QUERIES["count_lifecycles"], {}))

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """As ``ports.JobStore``."""
        if self._closed:
            raise closed()
        with hold_name(self._resolved, name):
            yield

    async def history(self, uuid: str, after: int, limit: int) -> list[Event]:
        """As ``ports.JobStore``."""
        return [event_from(row) for row in self._rows(QUERIES["history"], (uuid, after, limit))]

    async def put_pipeline(self, pipeline: Pipeline) -> None:
        """As ``ports.JobStore``."""
        bindings = pipeline_row(pipeline)

        def put(cursor: apsw.Cursor) -> None:
            if cursor.execute(QUERIES["replace_pipeline"], bindings).get is None:
                cursor.execute(QUERIES["add_pipeline"], bindings)

        await self._write(put)

    async def find_pipeline(self, uuid: str) -> Pipeline | None:
        """As ``ports.JobStore``."""
        row = self._one("find_pipeline", uuid)
        return None if row is None else pipeline_from(row[1:])

    async def list_pipelines(self, *, after: str | None, limit: int) -> Page[Pipeline]:
        """As ``ports.JobStore``."""
        start = read_cursor(after, self._newest("newest_pipeline"))
        return page(self._rows(QUERIES["list_pipelines"], (start, limit + 1)), limit, pipeline_from)

    async def find_session(self, credential_id: str) -> Session | None:
        """As ``ports.AccountStore``; another process's change shows at once, this costs one look at the file."""
        writer = self._writer
        try:
            writer.refresh()
        except apsw.Error as error:
            raise self._unreadable(error) from error
        session = writer.sessions.get(credential_id)
        if session is not None:
            return session
        row = self._one("find_session", credential_id)
        if row is None:
            return None
        session = session_from(row)
        if session.credential.parent is not None:
            line = self._line(credential_id)
            session = Session(with_line(session.credential, line), session.principal)
            if not line[-1]:  # a parent that comes later ends nothing in the cache
                return session
        if len(writer.sessions) >= SESSIONS_CACHED:
            writer.sessions.clear()
        writer.sessions[credential_id] = session
        return session

    async def check(self) -> None:
        """As ``ports.Store``: the file is in its place, the lock can be had, the disk has some room.

        After a failed write it writes for real, and so tells when the disk takes writes again. It cannot foresee a
        disk that fails at the next write.
        """
        if self._closed:
            raise closed()
        try:
            inode, space = self._path.stat().st_ino, os.statvfs(self._path.parent)
        except OSError as error:
            raise StoreUnavailable(f"The database file is out of reach: {error.strerror}.", reason="gone") from error
        if inode != self._inode:
            raise StoreUnavailable("The database file was replaced.", reason="gone")
        await self._write(self._probe)
        if space.f_bavail * space.f_frsize < LOW_SPACE_BYTES:
            raise StoreUnavailable("The disk is almost full.", reason="low_space")

    async def tend(self) -> None:
        """As ``ports.Store``: copies the write-ahead log into the database, in a thread, without stopping writers.

        Between calls the log grows to about 64 MiB at most; then a commit does the rest.
        """
        if self._closed:
            raise closed()
        await self._sweep_orphans()
        if self._wal_bytes() <= TEND_WAL_BYTES:
            return
        try:
            await asyncio.to_thread(checkpoint, self._path)
        except apsw.Error as error:
            raise unavailable(error, "be written") from error

    @asynccontextmanager
    async def chore(self, name: str) -> AsyncIterator[bool]:
        """As ``ports.Store``; a file has one server."""
        del name
        if self._closed:
            raise closed()
        yield True

    async def backup(self, path: Path | str) -> None:
        """Copy the database as it stands now to a new file (mode 0600) and check the copy, while serving.

        Runs in a thread; the write-ahead log keeps what is written meanwhile. ``AlreadyExists`` if there is something
        at ``path``, ``StoreUnavailable`` if the copy cannot be made or does not hold together; then nothing is left.
        """
        if self._closed:
            raise closed()
        stop = threading.Event()
        try:
            await asyncio.to_thread(copy_database, self._path, Path(path), stop)
        finally:
            stop.set()  # a cancelled caller does not wait, and the thread ends soon

    def clock_offset(self) -> float | None:
        """As ``ports.Store``; there is one clock."""
        return None

    async def close(self) -> None:
        """As ``ports.Store``."""
        if self._closed:
            return
        self._closed = True
        await self._batch.close()
        self._reader.close()
        self._writer.close()

    def _probe(self, cursor: apsw.Cursor) -> None:
        if self._writer.failure is not None:
            cursor.execute(QUERIES["touch"].replace("{version}", str(len(MIGRATIONS))))

    def _wal_bytes(self) -> int:
        try:
            return Path(f"{self._path}-wal").stat().st_size
        except FileNotFoundError:
            return 0


def _directory(system: str, path: str) -> dict[str, str]:
    """The bindings that stand for a directory in the queries about neighbours."""
    above, below = within(path)
    return {"system": system, "paths": msgspec.json.encode(around(path)).decode(), "above": above, "below": below}
