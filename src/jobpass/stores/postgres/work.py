"""The queue, and the blobs beside it, in PostgreSQL; how a job is given to a worker is in ``queue.py``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Any, Final

from jobpass.clock import to_microseconds
from jobpass.ports import Judge
from jobpass.records import Change, Job, Load, Page, Usage
from jobpass.stores.listing import WORK_FILTERS, page, read_cursor
from jobpass.stores.postgres.calls import ApplyNext, Statement
from jobpass.stores.postgres.codecs import packed_all
from jobpass.stores.postgres.part import Part, filtered
from jobpass.stores.postgres.queries import QUERIES
from jobpass.stores.postgres.statements import one, rows, run
from jobpass.stores.rows.columns import micro
from jobpass.stores.rows.jobs import job_from
from jobpass.stores.rules import only_change, swept

BLOBS_LOOKED_AT: Final = 64
"""In one sweep, for which what this node writes waits."""


class Works(Part):
    """``ports.WorkStore`` but for what tells of other nodes."""

    def __init__(self, pool: Any, writers: Any) -> None:
        super().__init__(pool, writers)
        self._keeping: set[asyncio.Future[Any]] = set()

    async def apply_next(self, platforms: Collection[str], judge: Judge) -> Change | None:
        """As ``ports.WorkStore``; the job is looked for within the transaction that writes."""
        answer = await self._batches[0].submit(ApplyNext("", judge, None, platforms=tuple(platforms)))
        return None if answer is None else only_change(answer)

    async def list_work(
        self,
        *,
        owner: int | None = None,
        state: str | None = None,
        platform: str | None = None,
        group: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None,
        limit: int,
    ) -> Page[Job]:
        """As ``ports.WorkStore``."""
        values: dict[str, Any] = {
            "owner": owner,
            "state": state,
            "platform": platform,
            "group": group,
            "since": micro(since),
            "until": micro(until),
        }
        bindings = values | {"after": read_cursor(after, await self._newest("job")), "limit": limit + 1}
        return page(await self._named(filtered("list_work", WORK_FILTERS, values), bindings), limit, job_from)

    async def load_of(self, owner: int) -> Load:
        """As ``ports.WorkStore``."""
        (row,) = await self._rows(QUERIES["load_of"], owner)
        return Load(*row)

    async def waiting_on(self, platforms: Collection[str]) -> bool:
        """As ``ports.WorkStore``."""
        return bool(await self._value("waiting_on", packed_all(platforms)))

    async def lapsed(self, at: datetime, limit: int) -> list[str]:
        """As ``ports.WorkStore``."""
        return [row[0] for row in await self._rows(QUERIES["lapsed"], to_microseconds(at), limit)]

    async def process_owner(self, process_id: str) -> int | None:
        """As ``ports.WorkStore``."""
        row = await self._one("process_owner", process_id)
        return None if row is None else row[0]

    async def usage(self, tokens: Collection[int], since: datetime | None, until: datetime | None) -> list[Usage]:
        """As ``ports.WorkStore``."""
        bindings = {"tokens": sorted(set(tokens)), "since": micro(since), "until": micro(until)}
        return [Usage(*row) for row in await self._named(QUERIES["usage"], bindings)]

    async def add_blob(self, number: int, chunk: bytes, at: datetime) -> None:
        """As ``ports.WorkStore``."""

        async def add(connection: Any) -> None:
            if await one(connection, "add_blob", number, to_microseconds(at)) is None:
                raise ValueError("the number of the blob is taken")
            await run(connection, "add_chunk", number, 0, chunk)

        await self._keep(add)

    async def extend_blob(self, number: int, place: int, chunk: bytes) -> None:
        """As ``ports.WorkStore``."""

        async def add(connection: Any) -> None:
            if await one(connection, "add_chunk", number, place, chunk) is None:
                raise swept()

        await self._write(add)

    async def _keep(self, work: Callable[[Any], Awaitable[None]]) -> None:
        """Begin a blob; what goes through another lane, and may name it, waits for that (``_kept``)."""
        write = self._batches[0].submit(Statement(work))
        self._keeping.add(write)
        try:
            await write
        finally:
            self._keeping.discard(write)

    async def _kept(self) -> None:
        """Return once the blobs stand that are written now."""
        if self._keeping:
            await asyncio.wait(self._keeping)

    async def read_blob(self, number: int, place: int) -> bytes | None:
        """As ``ports.WorkStore``."""
        row = await self._one("read_chunk", number, place)
        return None if row is None else row[0]

    async def drop_blob(self, number: int) -> None:
        """As ``ports.WorkStore``; one that somebody else is about to name is left to be swept in its time: who waited
        could be waited for."""

        async def drop(connection: Any) -> None:
            await run(connection, "drop_blob", number)

        await self._write(drop)

    async def sweep_blobs(self, before: datetime, limit: int) -> int:
        """As ``ports.WorkStore``; without any to sweep it costs one look at an empty index, and no write."""
        until = to_microseconds(before)
        if not await self._value("has_unused", until):
            return 0

        async def sweep(connection: Any) -> int:
            taken = 0
            for (number,) in await rows(connection, "unused_blobs", until, BLOBS_LOOKED_AT):
                taken += await connection.fetchval(QUERIES["delete_chunks"].sql, number, limit - taken)
                if taken == limit:
                    await run(connection, "break_blob", number)
                    break
                await run(connection, "delete_blob", number)
            return taken

        return await self._write(sweep)
