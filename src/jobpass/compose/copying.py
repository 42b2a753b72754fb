"""A whole record from one store into another that is empty: in batches, with a place to go on from, and counted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from jobpass.compose.folder import DATABASE, make_folder
from jobpass.compose.stores import driver_needed
from jobpass.errors import Conflict, InvalidInput, SetupError
from jobpass.stores.transfer import TABLES, Mark, Table
from jobpass.urls import POSTGRES, masked

if TYPE_CHECKING:
    from jobpass.stores.transfer import Source, Target

ROWS_AT_ONCE: Final = 1000
BYTES_AT_ONCE: Final = 8 * 1024 * 1024
"""A batch with more than this of data is followed by a smaller one."""
SPOILED: Final = "spoiled"
"""A mark that no source has."""


class Copied(NamedTuple):
    """How many rows of a table there are on both sides."""

    table: str
    here: int
    there: int


class _Progress(msgspec.Struct):
    """How far a copy came: the tables that are done, and the key of the last row of the next one.

    ``mark`` is the lasting one of the source, ``SPOILED`` if it did not last.
    """

    source: str
    mark: str
    done: int = 0
    key: list[Any] | None = None


Tell = Callable[[str, int], object]
"""(table, rows written so far): a batch stands."""


async def copy(source: str, target: str, tell: Tell) -> list[Copied]:
    """Copy everything; the counts of both sides. Nothing may write to either meanwhile.

    Each is a data folder or a URL of PostgreSQL. A copy that was broken off goes on where it was. Raises ``Conflict``
    for a target that has something else and for a source that somebody writes to, ``SetupError`` for what cannot be
    opened, ``InvalidInput`` for another URL.
    """
    here = await _open(source, is_source=True)
    try:
        there = await _open(target, is_source=False)
        try:
            copying = _Copying(source, target, here, there, tell)
            await copying.run()
            counts = [Copied(table.name, await here.count(table), await there.count(table)) for table in TABLES]
            await copying.expect_untouched()
            if all(count.here == count.there for count in counts):
                await there.end()
            return counts
        finally:
            await there.close()
    finally:
        await here.close()


async def _open(place: str, *, is_source: bool) -> Target:
    scheme, is_url, _ = place.partition("://")
    if scheme in POSTGRES:
        with driver_needed():
            from jobpass.stores.postgres.transfer import PostgresRows
        return await PostgresRows.open(place, make=not is_source)
    if is_url:
        raise InvalidInput(f"{masked(place)} is neither a data folder nor a URL that begins with postgresql://.")
    from jobpass.stores.sqlite.transfer import SqliteRows

    file = Path(place) / DATABASE
    if is_source and not file.exists():
        raise SetupError(f"There is no Jobpass data in {place}.")
    if not is_source:
        make_folder(Path(place))
    return SqliteRows.open(file)


class _Copying:
    """A copy under way."""

    def __init__(self, source: str, target: str, here: Source, there: Target, tell: Tell) -> None:
        self._shown = masked(source), masked(target)
        self._name = masked(source).rpartition("@")[2]  # without who asks
        self._here = here
        self._there = there
        self._tell = tell
        self._mark = Mark("", 0)

    async def run(self) -> None:
        """Copy the tables that are not done yet."""
        self._mark = await self._here.mark()
        progress = await self._begin()
        for number, table in enumerate(TABLES):
            if number < progress.done:
                continue
            key = tuple(progress.key) if number == progress.done and progress.key is not None else None
            await self._table(number, table, key)

    async def expect_untouched(self) -> None:
        """Raise ``Conflict`` if anything was written to the source since the copy began, which so cannot go on."""
        if await self._here.mark() == self._mark:
            return
        await self._there.put(TABLES[0], [], msgspec.json.encode(_Progress(self._name, SPOILED)))
        raise self._spoiled()

    def _spoiled(self) -> Conflict:
        here, there = self._shown
        return Conflict(
            f"Somebody has written to {here} since the copy began, which so is not whole: stop its servers, empty "
            f"{there} and copy again."
        )

    async def _begin(self) -> _Progress:
        found = await self._there.progress()
        if found is not None:
            progress = msgspec.json.decode(found, type=_Progress)
            if progress.source != self._name:
                raise Conflict("A copy of another store into this one has not ended.")
            if progress.mark != self._mark.lasting:
                raise self._spoiled()
            return progress
        await _expect_empty(self._there)
        if not await self._here.count(TABLES[0]):
            raise SetupError(f"Nobody has an account in {self._shown[0]}: there is no record to copy.")
        return _Progress(self._name, self._mark.lasting)

    async def _table(self, number: int, table: Table, key: tuple[Any, ...] | None) -> None:
        most = min(ROWS_AT_ONCE, table.most)
        limit, written = most, 0
        while True:
            rows = await self._here.rows(table, key, limit)
            await self.expect_untouched()
            ended = len(rows) < limit
            if rows:
                key = rows[-1][: table.keys]
            place: tuple[int, list[Any] | None] = (number + 1, None) if ended else (number, list(key or ()))
            progress = _Progress(self._name, self._mark.lasting, *place)
            await self._there.put(table, rows, msgspec.json.encode(progress))
            written += len(rows)
            self._tell(table.name, written)
            if ended:
                return
            size = sum(len(value) for row in rows for value in row if isinstance(value, (bytes, str)))
            limit = max(1, min(most, limit * BYTES_AT_ONCE // max(size, 1)))


async def _expect_empty(there: Target) -> None:
    for table in TABLES:
        if table.name != "number" and await there.count(table):
            raise Conflict(f"The store that is copied to is not empty: it has rows of {table.name}.")
