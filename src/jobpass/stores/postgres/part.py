"""What the parts of the PostgreSQL store share: the way to the writer, and the pool of connections that read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from jobpass.errors import StoreUnavailable
from jobpass.ports import Note
from jobpass.stores.batch import Batch
from jobpass.stores.listing import chosen
from jobpass.stores.postgres.calls import Apply, Statement
from jobpass.stores.postgres.database import persist
from jobpass.stores.postgres.failures import unavailable
from jobpass.stores.postgres.noting import AUDIT, noted
from jobpass.stores.postgres.queries import QUERIES, TEXTS, Query, compiled
from jobpass.stores.postgres.writer import Writer
from jobpass.stores.rows.columns import Row
from jobpass.stores.rules import closed

T = TypeVar("T")


class Part:
    """The base of each part. Writes go through the batch; reads see what is committed."""

    def __init__(self, pool: Any, writers: Sequence[Writer]) -> None:
        self._pool = pool
        self._writers = writers
        self._batches: list[Batch[Apply | Statement]] = [Batch(writer.write) for writer in writers]
        self._closed = False

    async def _write(
        self,
        work: Callable[[Any], Awaitable[T]],
        *counters: str,
        note: Note[T] | None = None,
        changes_sessions: bool = False,
    ) -> T:
        """What ``work`` answers, once it is committed; it takes numbers of these counters only.

        All of these go through one lane, in their order.
        """
        if note is not None:
            work, counters = noted(work, note), (*counters, AUDIT)
        return await self._batches[0].submit(Statement(work, counters, changes_sessions))  # type: ignore[no-any-return]

    async def _rows(self, query: Query, *bindings: Any) -> list[Row]:
        if self._closed:
            raise closed()

        async def read() -> list[Row]:
            async with self._pool.acquire() as connection:
                found: list[Row] = await connection.fetch(query.sql, *bindings)
                return found

        return await persist(read, self._unreadable)

    async def _named(self, query: Query, bindings: Mapping[str, Any]) -> list[Row]:
        return await self._rows(query, *query.bound(bindings))

    async def _one(self, name: str, *bindings: Any) -> Row | None:
        rows = await self._rows(QUERIES[name], *bindings)
        return rows[0] if rows else None

    async def _value(self, name: str, *bindings: Any) -> Any:
        return (await self._rows(QUERIES[name], *bindings))[0][0]

    async def _newest(self, counter: str) -> int:
        """The highest number that was ever given."""
        newest: int = await self._value("newest", counter)
        return newest

    def _unreadable(self, error: Exception) -> StoreUnavailable:
        return closed() if self._closed else unavailable(error, "be read")


def filtered(name: str, filters: Mapping[str, str], values: Mapping[str, Any]) -> Query:
    """The query with the conditions of those ``filters`` that have a value."""
    return compiled(TEXTS[name].replace("{filters}", chosen(filters, values)))
