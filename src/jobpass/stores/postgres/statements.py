"""How the parts carry out their queries on a connection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from jobpass.stores.postgres.queries import QUERIES
from jobpass.stores.rows.columns import Row

MANY_SECONDS: Final = 120.0
"""For many rows at once."""


async def one(connection: Any, name: str, *bindings: Any) -> Row | None:
    """The first row of a query."""
    row: Row | None = await connection.fetchrow(QUERIES[name].sql, *bindings)
    return row


async def rows(connection: Any, name: str, *bindings: Any) -> list[Row]:
    """All rows of a query."""
    found: list[Row] = await connection.fetch(QUERIES[name].sql, *bindings)
    return found


async def run(connection: Any, name: str, *bindings: Any) -> None:
    """Carry out a query that answers nothing."""
    await connection.execute(QUERIES[name].sql, *bindings)


async def run_named(connection: Any, name: str, bindings: Mapping[str, Any]) -> Row | None:
    """The first row of a query, if it answers any; its bindings by their names."""
    query = QUERIES[name]
    row: Row | None = await connection.fetchrow(query.sql, *query.bound(bindings))
    return row


async def many(connection: Any, name: str, bindings: Sequence[Sequence[Any]]) -> None:
    """Carry out a query for each of the bindings, one after the other, in as long as it takes."""
    if bindings:
        await connection.executemany(QUERIES[name].sql, bindings, timeout=MANY_SECONDS)


async def take(connection: Any, counter: str, count: int = 1) -> int:
    """The first of so many new numbers."""
    last: int = await connection.fetchval(QUERIES["take_numbers"].sql, counter, count)
    return last - count + 1
