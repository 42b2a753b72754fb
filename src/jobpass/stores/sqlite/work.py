"""The queue, and the blobs beside it, in SQLite."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final

import apsw

from jobpass.clock import to_microseconds
from jobpass.ports import Judge, Tell
from jobpass.records import Change, Job, Load, Page, Usage
from jobpass.stores.listing import WORK_FILTERS, page, read_cursor
from jobpass.stores.rows.columns import micro
from jobpass.stores.rows.jobs import job_from
from jobpass.stores.rules import only_change, swept
from jobpass.stores.sqlite.calls import ApplyNext
from jobpass.stores.sqlite.part import Part, array, filtered
from jobpass.stores.sqlite.queries import QUERIES

BLOBS_LOOKED_AT: Final = 64
"""In one sweep, which holds up other writers."""


class Works(Part):
    """``ports.WorkStore``."""

    async def apply_next(self, platforms: Collection[str], judge: Judge) -> Change | None:
        """As ``ports.WorkStore``; the job is looked for within the transaction that writes."""
        answer = await self._batch.submit(ApplyNext("", judge, None, platforms=tuple(platforms)))
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
        """As ``ports.WorkStore``; with conditions that no index meets, in a thread."""
        values: dict[str, Any] = {
            "owner": owner,
            "state": state,
            "platform": platform,
            "group": group,
            "since": micro(since),
            "until": micro(until),
        }
        bindings = values | {"after": read_cursor(after, self._newest("newest_job")), "limit": limit + 1}
        given = {name for name, value in values.items() if value is not None}
        sql = filtered("list_work", WORK_FILTERS, values)
        at_once = given in (set(), {"owner"}, {"owner", "state"}, {"group"}, {"group", "owner"})
        rows = self._rows(sql, bindings) if at_once else None
        return page(await self._rows_aside(sql, bindings) if rows is None else rows, limit, job_from)

    async def load_of(self, owner: int) -> Load:
        """As ``ports.WorkStore``."""
        return Load(*self._rows(QUERIES["load_of"], {"owner": owner})[0])

    async def waiting_on(self, platforms: Collection[str]) -> bool:
        """As ``ports.WorkStore``."""
        bindings = {"platforms": array(platforms)}
        return bool(self._rows(QUERIES["waiting_on"], bindings)[0][0])

    async def lapsed(self, at: datetime, limit: int) -> list[str]:
        """As ``ports.WorkStore``."""
        return [row[0] for row in self._rows(QUERIES["lapsed"], (to_microseconds(at), limit))]

    async def process_owner(self, process_id: str) -> int | None:
        """As ``ports.WorkStore``."""
        row = self._one("process_owner", process_id)
        return None if row is None else row[0]

    async def usage(self, tokens: Collection[int], since: datetime | None, until: datetime | None) -> list[Usage]:
        """As ``ports.WorkStore``; in a thread, as it may look at very many jobs."""
        bindings = {"tokens": array(sorted(set(tokens))), "since": micro(since), "until": micro(until)}
        rows = await self._rows_aside(QUERIES["usage"], bindings)
        return [Usage(token, platform, jobs, int(seconds)) for token, platform, jobs, seconds in rows]

    async def add_blob(self, number: int, chunk: bytes, at: datetime) -> None:
        """As ``ports.WorkStore``."""

        def add(cursor: apsw.Cursor) -> None:
            cursor.execute(QUERIES["add_blob"], (number, to_microseconds(at)))
            cursor.execute(QUERIES["add_chunk"], (number, 0, chunk)).fetchall()

        await self._write(add)

    async def extend_blob(self, number: int, place: int, chunk: bytes) -> None:
        """As ``ports.WorkStore``."""

        def add(cursor: apsw.Cursor) -> None:
            if cursor.execute(QUERIES["add_chunk"], (number, place, chunk)).get is None:
                raise swept()

        await self._write(add)

    async def read_blob(self, number: int, place: int) -> bytes | None:
        """As ``ports.WorkStore``."""
        rows = self._rows(QUERIES["read_chunk"], (number, place))
        return rows[0][0] if rows else None

    async def drop_blob(self, number: int) -> None:
        """As ``ports.WorkStore``."""

        def drop(cursor: apsw.Cursor) -> None:
            cursor.execute(QUERIES["drop_blob"], (number,))

        await self._write(drop)

    async def sweep_blobs(self, before: datetime, limit: int) -> int:
        """As ``ports.WorkStore``; without any to sweep it costs one look at an empty index."""
        bindings = (to_microseconds(before), BLOBS_LOOKED_AT)
        if not self._rows(QUERIES["unused_blobs"], bindings):
            return 0

        def sweep(cursor: apsw.Cursor) -> int:
            taken = 0
            for (number,) in cursor.execute(QUERIES["unused_blobs"], bindings).fetchall():
                taken += len(cursor.execute(QUERIES["delete_chunks"], (number, limit - taken)).fetchall())
                if taken == limit:
                    cursor.execute(QUERIES["break_blob"], (number,))
                    break
                cursor.execute(QUERIES["delete_blob"], (number,))
            return taken

        return await self._write(sweep)

    def commits_elsewhere(self) -> int:
        """As ``ports.WorkStore``; one look at the file."""
        return self._writer.version()

    def subscribe(self, tell: Tell) -> Callable[[], None]:
        """As ``ports.WorkStore``; nobody is ever told."""
        del tell
        return lambda: None
