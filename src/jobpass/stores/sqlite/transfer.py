"""A file of SQLite as plain rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import apsw

from jobpass.stores.sqlite.database import open_both, unavailable
from jobpass.stores.transfer import NUMBERED, PROGRESS, Key, Mark, Row, Table

# Events up to this number were looked at, or came before whoever listens now.
_PLACE: Final = (
    "(SELECT max(position, coalesce((SELECT min(since) FROM webhook WHERE disabled_at IS NULL),"
    " (SELECT max(id) FROM event), 0)) FROM feed WHERE name = 'webhooks')"
)
# How to read and write what lies in another form here.
_READ: Final = {
    "event": "(SELECT * FROM event WHERE id <= {place})",
    "news": "(SELECT id AS place, event.* FROM event WHERE id > {place})",
    "webhook": "(SELECT number, id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, created_at,"
    " previous_kid, previous_until, failing_since, disabled_at, reason, (SELECT count(*) FROM event"
    " WHERE event.id <= since AND event.id > {place}) AS since FROM webhook)",
    "import_progress": "(SELECT * FROM import_progress WHERE source <> 'jobpass copy')",
    "number": "(SELECT name, seq AS value FROM sqlite_sequence WHERE seq > 0"
    " UNION ALL SELECT 'audit', max(id) FROM audit HAVING count(*) > 0)",
}
_WRITE: Final = {
    "news": "INSERT INTO event (job, sequence, uuid, name, data, at, state, credential, key, kid, link, address)"
    " SELECT ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 WHERE ?1 IS NOT NULL",
    "webhook": "INSERT INTO webhook (number, id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number,"
    " created_at, previous_kid, previous_until, failing_since, disabled_at, reason, since)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? + (SELECT position FROM feed WHERE name = 'webhooks'))",
    "number": "UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1",
}
_LOOKED_AT: Final = "UPDATE feed SET position = coalesce((SELECT max(id) FROM event), 0) WHERE name = 'webhooks'"
_NUMBERED: Final = (
    "INSERT INTO sqlite_sequence SELECT ?1, 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)"
)
_PUT_PROGRESS: Final = (
    "INSERT INTO import_progress VALUES ('jobpass copy', 0, x'', ?1) ON CONFLICT (source) DO UPDATE SET counts = ?1"
)


_NUMBERS: Final = (
    "SELECT (SELECT group_concat(name || ' ' || seq) FROM (SELECT name, seq FROM sqlite_sequence ORDER BY name)),"
    " (SELECT max(id) FROM event), (SELECT max(id) FROM audit)"
)


class SqliteRows:
    """``transfer.Target``."""

    def __init__(self, connections: tuple[apsw.Connection, apsw.Connection]) -> None:
        self._writer, self._reader = connections

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file as ``SqliteStore.open``."""
        return cls(open_both(path))

    async def mark(self) -> Mark:
        """As ``transfer.Source``; SQLite itself tells of all that other connections write."""
        (numbers,) = self._fetch(_NUMBERS, ())
        ((version,),) = self._fetch("PRAGMA data_version", ())
        return Mark(json.dumps(numbers), version)

    async def rows(self, table: Table, after: Key | None, limit: int) -> list[Row]:
        """As ``transfer.Source``."""
        keys, columns = ", ".join(table.columns[: table.keys]), ", ".join(table.columns)
        marks = ", ".join("?" * table.keys)
        where = f"WHERE ({keys}) > ({marks})" if after is not None else ""
        sql = f"SELECT {columns} FROM {_of(table)} {where} ORDER BY {keys} LIMIT ?"  # noqa: S608
        return self._fetch(sql, (*(after or ()), limit))

    async def count(self, table: Table) -> int:
        """As ``transfer.Source``."""
        (row,) = self._fetch(f"SELECT count(*) FROM {_of(table)}", ())  # noqa: S608
        return int(row[0])

    async def put(self, table: Table, rows: Sequence[Row], progress: bytes) -> None:
        """As ``transfer.Target``."""
        marks = ", ".join("?" * len(table.columns))
        plain = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({marks})"  # noqa: S608
        try:
            with self._writer:
                if table.name == "number":
                    names = ((row[0],) for row in rows if row[0] in NUMBERED)
                    self._writer.executemany(_NUMBERED, names)
                self._writer.executemany(_WRITE.get(table.name, plain), rows)
                if table.name == "event":
                    self._writer.execute(_LOOKED_AT)
                self._writer.execute(_PUT_PROGRESS, (progress,))
        except apsw.Error as error:
            raise unavailable(error, "be written") from error

    async def progress(self) -> bytes | None:
        """As ``transfer.Target``."""
        rows = self._fetch("SELECT counts FROM import_progress WHERE source = ?", (PROGRESS,))
        return rows[0][0] if rows else None

    async def end(self) -> None:
        """As ``transfer.Target``."""
        try:
            self._writer.execute("DELETE FROM import_progress WHERE source = ?", (PROGRESS,))
        except apsw.Error as error:
            raise unavailable(error, "be written") from error

    async def close(self) -> None:
        """As ``transfer.Source``."""
        self._reader.close()
        self._writer.close()

    def _fetch(self, sql: str, bindings: Row) -> list[Row]:
        try:
            return self._reader.execute(sql, bindings).fetchall()
        except apsw.Error as error:
            raise unavailable(error, "be read") from error


def _of(table: Table) -> str:
    return _READ.get(table.name, table.name).replace("{place}", _PLACE)
