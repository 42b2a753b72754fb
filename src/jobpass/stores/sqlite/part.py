"""What the parts of the SQLite store share: the way to the writer, and the connection that reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import apsw
import msgspec

from jobpass.errors import StoreUnavailable
from jobpass.ports import Note
from jobpass.stores.batch import Batch
from jobpass.stores.listing import chosen
from jobpass.stores.rows.columns import Row
from jobpass.stores.rules import closed
from jobpass.stores.sqlite.calls import Apply, Statement
from jobpass.stores.sqlite.database import open_reader, unavailable
from jobpass.stores.sqlite.noting import noted
from jobpass.stores.sqlite.queries import QUERIES
from jobpass.stores.sqlite.writer import Writer

T = TypeVar("T")


class Part:
    """The base of each part. Writes go through the batch; reads see only what is committed."""

    def __init__(self, path: Path, writer: apsw.Connection, reader: apsw.Connection) -> None:
        self._path = path
        self._writer = Writer(writer)
        self._batch: Batch[Apply | Statement] = Batch(self._writer.write)
        self._reader = reader
        self._read = reader.cursor().execute
        self._closed = False

    async def _write(
        self, work: Callable[[apsw.Cursor], T], *, note: Note[T] | None = None, changes_sessions: bool = False
    ) -> T:
        if note is not None:
            work = noted(work, note)
        return await self._batch.submit(Statement(work, changes_sessions))  # type: ignore[no-any-return]

    def _rows(self, sql: str, bindings: Row | Mapping[str, Any]) -> list[Row]:
        try:
            # All rows at once: a statement left half-read would hold on to an old state of the database.
            return self._read(sql, bindings).fetchall()
        except apsw.Error as error:
            raise self._unreadable(error) from error

    async def _rows_aside(self, sql: str, bindings: Mapping[str, Any]) -> list[Row]:
        """The rows of a query that may look at very many."""
        return await self._aside(lambda cursor: cursor.execute(sql, bindings).fetchall())

    async def _aside(self, work: Callable[[apsw.Cursor], T]) -> T:
        """Read in a thread, with a connection of its own."""
        if self._closed:
            raise closed()

        def read() -> T:
            with closing(open_reader(self._path)) as connection:
                return work(connection.cursor())

        try:
            return await asyncio.to_thread(read)
        except apsw.Error as error:
            raise self._unreadable(error) from error

    def _one(self, name: str, value: str | int) -> Row | None:
        rows = self._rows(QUERIES[name], (value,))
        return rows[0] if rows else None

    def _newest(self, name: str) -> int:
        newest: int = self._rows(QUERIES[name], ())[0][0]
        return newest

    def _unreadable(self, error: apsw.Error) -> StoreUnavailable:
        return closed() if self._closed else unavailable(error, "be read")


def array(values: Iterable[str | int]) -> str:
    """Values in one binding, which ``json_each`` takes apart again."""
    return msgspec.json.encode(list(values)).decode()


def filtered(name: str, filters: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """The query with the conditions of those ``filters`` that have a value."""
    return QUERIES[name].replace("{filters}", chosen(filters, values))
