"""The store of several nodes: one database of PostgreSQL 14 or later, which all of them write.

A node has one *lane*, or more: connections that write group after group (``batch.py``), each for its share of the
jobs: load what is not in the cache, judge in order of arrival, and one statement moves each job whose version is still
the one that was judged and adds its events. Jobs that another node has moved meanwhile are loaded and judged again, for
``BUSY_SECONDS`` at most. What is rare (a job made, rewritten or deleted, and all other writes) is done in one
transaction with the group. A refusal and a replay count only when they were judged on what the database has now; a
change proves it by the version.

Whether a group stands whose answer was lost (a dead connection, a fail-over) the lane's row tells, which each group
moves on in its own transaction: see ``lane.py``. So nothing is written twice, and nothing that was answered is lost as
long as the database keeps what it committed (for a fail-over: a synchronous standby).

Another connection follows the other nodes (``watch.py``): it reads the epoch four times a second, by which sessions
answered from memory end everywhere within a second (``sessions.py``), and compares the clocks (``offset.py``); it hears
which jobs they changed, and holds names. A pool of connections reads; jobs are always read from the database.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, Self
from zlib import crc32

from jobpass.clock import Clock, SystemClock
from jobpass.ports import Judge, Tell
from jobpass.records import Change, Details, Event, Job, Linked, Page, Pipeline, Replayed
from jobpass.stores.listing import JOB_FILTERS, chosen, page, read_cursor
from jobpass.stores.postgres.admin_keys import AdminKeys
from jobpass.stores.postgres.audit import AuditChains
from jobpass.stores.postgres.calls import Apply, Statement
from jobpass.stores.postgres.database import Connector, persist
from jobpass.stores.postgres.files import Files
from jobpass.stores.postgres.imports import Imports
from jobpass.stores.postgres.lane import Lane
from jobpass.stores.postgres.links import linked_filters
from jobpass.stores.postgres.making import directory
from jobpass.stores.postgres.offset import Offset
from jobpass.stores.postgres.opening import unopened
from jobpass.stores.postgres.place import read_place
from jobpass.stores.postgres.platforms import Platforms
from jobpass.stores.postgres.queries import QUERIES, TEXTS, compiled
from jobpass.stores.postgres.schema import migrate
from jobpass.stores.postgres.sessions import SessionCache, Sessions
from jobpass.stores.postgres.statements import one, run, take
from jobpass.stores.postgres.watch import Watch
from jobpass.stores.postgres.webhooks import Webhooks
from jobpass.stores.postgres.work import Works
from jobpass.stores.postgres.writer import Writer
from jobpass.stores.rows.jobs import details_from, event_from, job_from, pipeline_from, pipeline_row
from jobpass.stores.rules import closed, held

LANE_SECONDS: Final = 60.0
"""How often a node says that its lane is in use."""


class PostgresStore(Sessions, AdminKeys, Platforms, AuditChains, Webhooks, Imports, Files, Works):
    """All of ``ports.Store``: here the jobs, and the upkeep. Belongs to the event loop that it was opened in."""

    def __init__(self, pool: Any, lanes: list[Lane], watch: Watch, sessions: SessionCache, offset: Offset) -> None:
        super().__init__(pool, [Writer(lane, self._told) for lane in lanes], sessions)
        self._lanes = lanes
        self._watch = watch
        self._offset = offset
        self._tended_at = time.monotonic()
        for writer in self._writers:
            watch.subscribe(writer.forget)

    @classmethod
    async def open(cls, url: str, clock: Clock | None = None, *, make: bool = True) -> Self:
        """Open the database of a URL (``place.py``); its schema is brought up to date, with ``make`` also made.

        ``clock`` is compared with the database's, the machine's unless told.
        Waits ``BUSY_SECONDS`` for a database that is away. Raises ``SetupError`` for a URL, a role or a schema that
        cannot be used, ``SchemaTooNew``, ``StoreUnavailable``; none shows a password.
        """
        connector, sessions, offset = Connector(read_place(url)), SessionCache(), Offset(clock or SystemClock())
        watch = Watch(connector, sessions, offset)

        async def begin() -> Any:
            await migrate(connector, make=make)
            await watch.start()
            try:
                return await connector.make_pool()
            except BaseException:
                await watch.stop()
                raise

        pool = await persist(begin, lambda error: unopened(error, connector.place))
        lanes = [Lane(connector, secrets.token_hex(16)) for _ in range(connector.place.lanes)]
        return cls(pool, lanes, watch, sessions, offset)

    async def apply(
        self, uuid: str, judge: Judge, key: str | None = None, *, apart: Job | None = None
    ) -> Change | Replayed:
        """As ``ports.JobStore``."""
        # One lane for all calls of a job, which so keep their order; the same in every process.
        batch = self._batches[crc32(uuid.encode(errors="replace")) % len(self._batches)]
        if batch is not self._batches[0]:
            await self._kept()
        return await batch.submit(Apply(uuid, judge, key, apart))  # type: ignore[no-any-return]

    async def find_job(self, uuid: str) -> Job | None:
        """As ``ports.JobStore``."""
        row = await self._one("find_job", uuid)
        return None if row is None else job_from(row[2:])

    async def find_details(self, uuid: str) -> Details | None:
        """As ``ports.JobStore``."""
        row = await self._one("find_details", uuid)
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
        """As ``ports.JobStore``."""
        values: dict[str, Any] = {"owner": owner, "state": state, "pipeline_uuid": pipeline_uuid}
        start = read_cursor(after, await self._newest("job"))
        conditions, targets = linked_filters(linked)
        filters = chosen(JOB_FILTERS, values) + conditions
        query = compiled(TEXTS["list_jobs"].replace("{filters}", filters))
        rows = await self._named(query, values | targets | {"after": start, "limit": limit + 1})
        return page(rows, limit, job_from)

    async def archive_neighbour(self, uuid: str, system: str, path: str, *, not_of: int | None = None) -> str | None:
        """As ``ports.JobStore``."""
        bindings = directory(system, path) | {"uuid": uuid, "owner": not_of}
        rows = await self._named(QUERIES["archive_neighbour"], bindings)
        return str(rows[0][0]) if rows else None

    async def count_lifecycles(self) -> dict[str, int]:
        """As ``ports.JobStore``; looks at every job."""
        return {row[0]: row[1] for row in await self._rows(QUERIES["count_lifecycles"])}

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """As ``ports.JobStore``, and until the database is lost: see ``Watch.hold``."""
        if self._closed:
            raise closed()
        async with self._watch.hold(name) as got:
            if not got:
                raise held(name)
            yield

    @asynccontextmanager
    async def chore(self, name: str) -> AsyncIterator[bool]:
        """As ``ports.Store``."""
        if self._closed:
            raise closed()
        async with self._watch.hold(f"chore\0{name}") as got:
            yield got

    def commits_elsewhere(self) -> int:
        """As ``ports.WorkStore``; other nodes say what they write."""
        return 0

    def subscribe(self, tell: Tell) -> Callable[[], None]:
        """As ``ports.WorkStore``: also with None if more has changed than fits in a note, or the database was away."""
        return self._watch.subscribe(tell)

    async def history(self, uuid: str, after: int, limit: int) -> list[Event]:
        """As ``ports.JobStore``."""
        return [event_from(row) for row in await self._rows(QUERIES["history"], uuid, after, limit)]

    async def put_pipeline(self, pipeline: Pipeline) -> None:
        """As ``ports.JobStore``."""
        row = pipeline_row(pipeline)

        async def put(connection: Any) -> None:
            changed = (row["uuid"], row["name"], row["body"], row["updated_at"])
            if await one(connection, "replace_pipeline", *changed) is None:
                await run(connection, "add_pipeline", await take(connection, "pipeline"), *row.values())

        await self._write(put, "pipeline")

    async def find_pipeline(self, uuid: str) -> Pipeline | None:
        """As ``ports.JobStore``."""
        row = await self._one("find_pipeline", uuid)
        return None if row is None else pipeline_from(row[1:])

    async def list_pipelines(self, *, after: str | None, limit: int) -> Page[Pipeline]:
        """As ``ports.JobStore``."""
        start = read_cursor(after, await self._newest("pipeline"))
        return page(await self._rows(QUERIES["list_pipelines"], start, limit + 1), limit, pipeline_from)

    async def check(self) -> None:
        """As ``ports.Store``: an empty group is written for real by each lane, and waits for the disk as any other."""
        if self._closed:
            raise closed()

        async def nothing(_: Any) -> None:
            return None

        await asyncio.gather(*(batch.submit(Statement(nothing)) for batch in self._batches))

    async def tend(self) -> None:
        """As ``ports.Store``: sweeps what deleted jobs left, and says once a minute that this node lives."""
        if self._closed:
            raise closed()
        await self._sweep_orphans()
        if time.monotonic() - self._tended_at > LANE_SECONDS:
            self._tended_at = time.monotonic()
            names = [lane.name for lane in self._lanes]
            for batch, name in zip(self._batches, names, strict=True):
                await batch.submit(Statement(partial(_tend, name, names)))

    def clock_offset(self) -> float | None:
        """As ``ports.Store``, at most a second old."""
        return self._offset.seconds

    async def close(self) -> None:
        """As ``ports.Store``."""
        if self._closed:
            return
        self._closed = True
        for batch, writer in zip(self._batches, self._writers, strict=True):
            await batch.close()
            await writer.close()
        await self._watch.stop()
        self._pool.terminate()

    def _told(self, topics: list[str], epoch: int | None) -> None:
        if epoch is not None:
            self._sessions.raise_epoch(epoch)
        self._watch.changed(topics)


async def _tend(name: str, names: list[str], connection: Any) -> None:
    await run(connection, "tend_lanes", name, names)
