"""(b), and (a) again: PostgreSQL restarted, killed, frozen and failed over under two nodes; nodes killed before it."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from faults.kills import LEAST_SECONDS, MOST_SECONDS
from faults.nodes import Node
from faults.postgres import Cluster, cluster
from faults.trial import Trial, Verdict, trial

WORK_SECONDS = 0.7
"""Between two faults."""
FROZEN_SECONDS = (1.0, 8.0)
"""Shorter and longer than a node tries again before it says that the record cannot be written."""


@asynccontextmanager
async def two_nodes(folder: Path, url: str, *others: str) -> AsyncIterator[Trial]:
    """A trial of two nodes at work; the second has its own URL of the database if ``others`` says so."""
    stores = [("--store", one) for one in (url, *(others or (url,)))]
    nodes = [Node(folder / "data", folder / f"node{number}.log", *store) for number, store in enumerate(stores)]
    async with trial(folder, nodes, stores[0]) as made:
        await made.begin()
        yield made


async def node_kills(folder: Path, times: int) -> Verdict:
    """Two nodes, of which one after the other is killed and started again."""
    moments = random.Random(11)
    async with cluster(folder) as database, two_nodes(folder, database.url()) as made:
        for number in range(times):
            await asyncio.sleep(moments.uniform(LEAST_SECONDS, MOST_SECONDS))
            await made.hurt(made.nodes[number % 2].kill_and_start)
        return await made.end("SIGKILL of one of two nodes, PostgreSQL", made.starts)


async def _hurt_database(
    folder: Path, times: int, fault: str, harm: Callable[[Cluster, int], Awaitable[float]]
) -> Verdict:
    async with cluster(folder) as database, two_nodes(folder, database.url()) as made:
        for number in range(times):
            await asyncio.sleep(WORK_SECONDS)
            await made.hurt(lambda number=number: harm(database, number))
        return await made.end(fault)


async def restarts(folder: Path, times: int) -> Verdict:
    """PostgreSQL is restarted, in turn with its sessions ended in an orderly way and without."""

    async def harm(database: Cluster, number: int) -> float:
        since = time.monotonic()
        await database.primary.stop((signal.SIGINT, signal.SIGQUIT)[number % 2])
        await database.primary.start()
        return since

    return await _hurt_database(folder, times, "PostgreSQL restarted, two nodes", harm)


async def crashes(folder: Path, times: int) -> Verdict:
    """All processes of PostgreSQL are killed at once, in turn with a single session's, after which it recovers."""

    async def harm(database: Cluster, number: int) -> float:
        since = time.monotonic()
        if number % 2:
            await database.primary.crash_backend()
        else:
            await database.primary.crash()
            await database.primary.start()
        return since

    return await _hurt_database(folder, times, "PostgreSQL killed, two nodes", harm)


async def freezes(folder: Path, times: int) -> Verdict:
    """PostgreSQL stands still for a while, with its connections open and its locks held."""

    async def harm(database: Cluster, number: int) -> float:
        database.primary.freeze()
        await asyncio.sleep(FROZEN_SECONDS[number % 2])
        database.primary.thaw()
        return time.monotonic()

    return await _hurt_database(folder, times, "PostgreSQL frozen, two nodes", harm)


async def fail_overs(folder: Path, times: int) -> Verdict:
    """The primary's machine is gone, and the synchronous standby is promoted; nodes find it by their URL.

    Every second time the standby hangs for so long before that nodes give their statements up: what they wrote is then
    on the primary alone, and must not have counted.
    """
    async with cluster(folder) as database:
        first = database.primary
        second = await database.add_standby()
        url = database.url(first.port, second.port, target_session_attrs="read-write", statement_seconds="2")
        async with two_nodes(folder, url) as made:
            for number in range(times):
                await asyncio.sleep(WORK_SECONDS)
                await made.hurt(lambda number=number: _fail_over(database, hang=number % 2 == 1))
                await database.add_standby(instead_of=first if database.primary is second else second)
            return await made.end("fail-over to a synchronous standby, two nodes")


async def _fail_over(database: Cluster, *, hang: bool) -> float:
    assert database.standby is not None
    if hang:
        database.standby.freeze()
        await asyncio.sleep(FROZEN_SECONDS[1])
        since = time.monotonic()
        await database.primary.crash()
        database.standby.thaw()
        await database.fail_over()
        return since
    since = time.monotonic()
    await database.fail_over()
    return since
