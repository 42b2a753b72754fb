"""A database of PostgreSQL as plain rows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final, Self

from jobpass.stores.postgres.database import Connector, open_connection, persist
from jobpass.stores.postgres.failures import FAILURES, unavailable
from jobpass.stores.postgres.opening import unopened
from jobpass.stores.postgres.place import read_place
from jobpass.stores.postgres.schema import migrate
from jobpass.stores.transfer import PROGRESS, Key, Mark, Row, Table

SECONDS: Final = 300.0
"""For one batch."""

# News that come after whoever listens now began to.
_PENDING: Final = (
    "(SELECT * FROM news WHERE id > coalesce((SELECT min(since) FROM webhook WHERE disabled_at IS NULL),"
    " 9223372036854775807)) AS news"
)
# How to read and write what lies in another form here.
_READ: Final = {
    "event": "(SELECT * FROM event WHERE NOT EXISTS (SELECT 1 FROM {pending} WHERE news.job = event.job"
    " AND news.sequence = event.sequence)) AS found",
    "news": "(SELECT id AS place, event.* FROM {pending} JOIN event USING (job, sequence)) AS found",
    "principal": "(SELECT id, email, role, active::int AS active, created_at, password_hash, profile"
    " FROM principal) AS found",
    "webhook": "(SELECT number, id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, created_at,"
    " previous_kid, previous_until, failing_since, disabled_at, reason, (SELECT count(*) FROM {pending}"
    " WHERE news.id <= webhook.since) AS since FROM webhook) AS found",
    "import_progress": "(SELECT * FROM import_progress WHERE source <> 'jobpass copy') AS found",
    "number": "(SELECT name, value FROM counter WHERE name NOT IN ('epoch', 'lane') AND value > 0) AS found",
}
_WRITE: Final = {
    "principal": "INSERT INTO principal (id, email, role, active, created_at, password_hash, profile)"
    " VALUES ($1, $2, $3, $4::int <> 0, $5, $6, $7)",
    "news": "WITH told AS (INSERT INTO event (job, sequence, uuid, name, data, at, state, credential, key, kid, link,"
    " address) SELECT $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13 WHERE $1::bigint IS NOT NULL"
    " RETURNING job, sequence)"
    " INSERT INTO news (job, sequence) SELECT * FROM told",
    "webhook": "INSERT INTO webhook (number, id, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number,"
    " created_at, previous_kid, previous_until, failing_since, disabled_at, reason, since) SELECT $1, $2, $3, $4, $5,"
    " $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, coalesce(max(id), 0)"
    " FROM (SELECT id FROM news ORDER BY id LIMIT $16) AS missed",
    "delivery": "INSERT INTO delivery (id, webhook, job, line, sequence, message, made_at, attempts, next_at, dead_at,"
    " last_error) VALUES ($1, $2, $3::bigint, coalesce($3, 0), $4, $5, $6, $7, $8, $9, $10)",
    "number": "UPDATE counter SET value = greatest(value, $2) WHERE name = $1",
}
_PUT_PROGRESS: Final = (
    "INSERT INTO import_progress VALUES ('jobpass copy', 0, '', $1) ON CONFLICT (source) DO UPDATE SET counts = $1"
)


_LANES: Final = "SELECT id, number FROM lane ORDER BY id"
_COUNTERS: Final = "SELECT name, value FROM counter ORDER BY name"


class PostgresRows:
    """``transfer.Target``."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._connection: Any = None

    @classmethod
    async def open(cls, url: str, *, make: bool) -> Self:
        """Open the database as ``PostgresStore.open``."""
        connector = Connector(read_place(url))
        await persist(lambda: migrate(connector, make=make), lambda error: unopened(error, connector.place))
        return cls(connector)

    async def mark(self) -> Mark:
        """As ``transfer.Source``; each group of a node moves the number of its lane, and then a counter keeps it."""
        lanes = await self._ask("be read", lambda connection: connection.fetch(_LANES))
        counters = await self._ask("be read", lambda connection: connection.fetch(_COUNTERS))
        numbers = repr([tuple(row) for row in (*lanes, *counters)])
        return Mark(hashlib.sha256(numbers.encode()).hexdigest(), 0)

    async def rows(self, table: Table, after: Key | None, limit: int) -> list[Row]:
        """As ``transfer.Source``."""
        keys, columns = ", ".join(table.columns[: table.keys]), ", ".join(table.columns)
        marks = ", ".join(f"${number}" for number in range(1, table.keys + 1))
        where = f"WHERE ({keys}) > ({marks})" if after is not None else ""
        sql = f"SELECT {columns} FROM {_of(table)} {where} ORDER BY {keys} LIMIT {limit}"  # noqa: S608
        found = await self._ask("be read", lambda connection: connection.fetch(sql, *(after or ())))
        return [tuple(row) for row in found]

    async def count(self, table: Table) -> int:
        """As ``transfer.Source``."""
        sql = f"SELECT count(*) FROM {_of(table)}"  # noqa: S608
        return int(await self._ask("be read", lambda connection: connection.fetchval(sql)))

    async def put(self, table: Table, rows: Sequence[Row], progress: bytes) -> None:
        """As ``transfer.Target``."""
        columns, given = list(table.columns), list(rows)
        if table.name == "job":
            columns, given = [*columns, "version"], [(*row, 1) for row in given]
        if table.name == "file":
            path = columns.index("path")
            columns, given = [*columns, "place"], [(*row, _place(row[path])) for row in given]
        marks = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        plain = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608

        async def write(connection: Any) -> None:
            async with connection.transaction():
                await connection.executemany(_WRITE.get(table.name, plain), given)
                await connection.execute(_PUT_PROGRESS, progress)

        await self._ask("be written", write)

    async def progress(self) -> bytes | None:
        """As ``transfer.Target``."""
        sql = "SELECT counts FROM import_progress WHERE source = $1"
        found: bytes | None = await self._ask("be read", lambda connection: connection.fetchval(sql, PROGRESS))
        return found

    async def end(self) -> None:
        """As ``transfer.Target``; nodes that were there before answer no session from memory."""

        async def finish(connection: Any) -> None:
            await connection.execute("DELETE FROM import_progress WHERE source = $1", PROGRESS)
            await connection.execute("UPDATE counter SET value = value + 1 WHERE name = 'epoch'")
            await connection.execute("ANALYZE")

        await self._ask("be written", finish)

    async def close(self) -> None:
        """As ``transfer.Source``."""
        if self._connection is not None:
            self._connection.terminate()

    async def _ask(self, doing: str, work: Callable[[Any], Any]) -> Any:
        """What ``work`` answers; a lost connection ends the copy, which can be resumed."""
        try:
            if self._connection is None:
                self._connection = await open_connection(self._connector, SECONDS, statement_timeout="0")
            return await work(self._connection)
        except FAILURES as error:
            raise unavailable(error, doing) from error


def _place(path: str) -> bytes:
    return hashlib.sha256(path.encode()).digest()


def _of(table: Table) -> str:
    return _READ.get(table.name, table.name).replace("{pending}", _PENDING)
