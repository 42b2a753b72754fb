"""The embedded store: one SQLite file, which several processes may open."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import apsw
from msgspec.structs import replace

from jobpass.clock import to_microseconds
from jobpass.errors import AlreadyExists, StoreUnavailable, UnknownPrincipal
from jobpass.ports import Judge
from jobpass.records import Change, Credential, Event, Job, Login, Page, Pipeline, Principal, Replayed, Role, Session
from jobpass.stores.batch import Batch
from jobpass.stores.rules import closed, read_cursor
from jobpass.stores.sqlite.calls import Apply, Statement
from jobpass.stores.sqlite.database import open_both, open_checkpointer, unavailable
from jobpass.stores.sqlite.queries import MIGRATIONS, QUERIES
from jobpass.stores.sqlite.rows import (
    Row,
    credential_row,
    event_from,
    job_from,
    pipeline_from,
    pipeline_row,
    principal_from,
    session_from,
)
from jobpass.stores.sqlite.writer import SESSIONS_CACHED, Writer

LOW_SPACE_BYTES = 1 << 20
"""``check`` complains when the disk has less room than this."""

TEND_WAL_BYTES = 4 << 20
"""``tend`` copies the write-ahead log back once it is larger than this."""

_FILTERS = {
    "owner": " AND owner = :owner",
    "state": " AND state = :state",
    "pipeline_uuid": " AND pipeline_uuid = :pipeline_uuid",
}

T = TypeVar("T")


class SqliteStore:
    """All methods as in ``ports.Store``. Reads use a connection of their own and see only what is committed."""

    def __init__(self, path: Path, writer: apsw.Connection, reader: apsw.Connection) -> None:
        self._path = path
        self._inode = path.stat().st_ino
        self._writer = Writer(writer)
        self._batch: Batch[Apply | Statement] = Batch(self._writer.write)
        self._reader = reader
        self._read = reader.cursor().execute
        self._checkpointer: apsw.Connection | None = None
        self._tending = asyncio.Lock()
        self._closed = False

    @classmethod
    async def open(cls, path: Path | str) -> Self:
        """Open the file, made (mode 0600) or migrated if need be; waits up to 5 s for others who do the same.

        Raises ``SchemaTooNew``, ``SetupError`` for a file that is not ours, ``StoreUnavailable`` if it cannot be used.
        """
        path = Path(path)
        return cls(path, *await asyncio.to_thread(open_both, path))

    async def apply(self, uuid: str, judge: Judge, key: str | None = None) -> Change | Replayed:
        """As ``ports.JobStore``."""
        return await self._batch.submit(Apply(uuid, judge, key))  # type: ignore[no-any-return]

    async def find_job(self, uuid: str) -> Job | None:
        """As ``ports.JobStore``."""
        row = self._one("find_job", uuid)
        return None if row is None else job_from(row[1:])

    async def list_jobs(
        self, *, owner: int | None, state: str | None, pipeline_uuid: str | None, after: str | None, limit: int
    ) -> Page[Job]:
        """As ``ports.JobStore``."""
        values = {"owner": owner, "state": state, "pipeline_uuid": pipeline_uuid}
        filters = "".join(text for name, text in _FILTERS.items() if values[name] is not None)
        start = read_cursor(after, self._newest("newest_job"))
        sql = QUERIES["list_jobs"].replace("{filters}", filters)
        return _page(self._rows(sql, values | {"after": start, "limit": limit + 1}), limit, job_from)

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
        return _page(self._rows(QUERIES["list_pipelines"], (start, limit + 1)), limit, pipeline_from)

    async def add_principal(self, email: str, role: Role, password_hash: str, at: datetime) -> Principal:
        """As ``ports.AccountStore``."""
        bindings = (email, role, to_microseconds(at), password_hash)
        number = await self._write(lambda cursor: cursor.execute(QUERIES["add_principal"], bindings).get)
        if number is None:
            raise AlreadyExists("This address has an account already.")
        return Principal(number, email, role, True, at)

    async def find_login(self, email: str) -> Login | None:
        """As ``ports.AccountStore``."""
        row = self._one("find_login", email)
        return None if row is None else Login(principal_from(row[:5]), row[5])

    async def add_credential(self, credential: Credential) -> Credential:
        """As ``ports.AccountStore``."""

        def add(cursor: apsw.Cursor) -> int:
            if cursor.execute(QUERIES["find_principal"], (credential.owner,)).get is None:
                raise UnknownPrincipal("There is no such principal.", id=credential.owner)
            number: int | None = cursor.execute(QUERIES["add_credential"], credential_row(credential)).get
            if number is None:
                raise AlreadyExists("A credential of this id is recorded already.")
            return number

        return replace(credential, number=await self._write(add))

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
        if len(writer.sessions) >= SESSIONS_CACHED:
            writer.sessions.clear()
        session = writer.sessions[credential_id] = session_from(row)
        return session

    async def revoke_credential(self, credential_id: str, at: datetime) -> bool:
        """As ``ports.AccountStore``."""
        bindings = (to_microseconds(at), credential_id)
        number = await self._write(
            lambda cursor: cursor.execute(QUERIES["revoke_credential"], bindings).get, credential_id
        )
        return number is not None

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
        async with self._tending:
            if self._closed:
                raise closed()
            if self._wal_bytes() <= TEND_WAL_BYTES:
                return
            try:
                await asyncio.to_thread(self._checkpoint)
            except apsw.Error as error:
                raise unavailable(error, "be written") from error

    async def close(self) -> None:
        """As ``ports.Store``."""
        if self._closed:
            return
        self._closed = True
        await self._batch.close()
        async with self._tending:
            self._reader.close()
            if self._checkpointer is not None:
                self._checkpointer.close()
            self._writer.close()

    def _probe(self, cursor: apsw.Cursor) -> None:
        if self._writer.failure is not None:
            cursor.execute(QUERIES["touch"].replace("{version}", str(len(MIGRATIONS))))

    def _checkpoint(self) -> None:
        if self._checkpointer is None:
            self._checkpointer = open_checkpointer(self._path)
        self._checkpointer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _wal_bytes(self) -> int:
        try:
            return Path(f"{self._path}-wal").stat().st_size
        except FileNotFoundError:
            return 0

    async def _write(self, work: Callable[[apsw.Cursor], T], session: str | None = None) -> T:
        return await self._batch.submit(Statement(work, session))  # type: ignore[no-any-return]

    def _rows(self, sql: str, bindings: Row | dict[str, Any]) -> list[Row]:
        try:
            # All rows at once: a statement left half-read would hold on to an old state of the database.
            return self._read(sql, bindings).fetchall()
        except apsw.Error as error:
            raise self._unreadable(error) from error

    def _one(self, name: str, value: str) -> Row | None:
        rows = self._rows(QUERIES[name], (value,))
        return rows[0] if rows else None

    def _newest(self, name: str) -> int:
        newest: int = self._rows(QUERIES[name], ())[0][0]
        return newest

    def _unreadable(self, error: apsw.Error) -> StoreUnavailable:
        return closed() if self._closed else unavailable(error, "be read")


def _page(rows: list[Row], limit: int, read: Callable[[Row], T]) -> Page[T]:
    """The first ``limit`` rows, each a number and a record; a row beyond them says that there is more."""
    shown = rows[:limit]
    return Page([read(row[1:]) for row in shown], str(shown[-1][0]) if len(rows) > len(shown) > 0 else None)
