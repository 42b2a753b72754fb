"""(c) The network between node and database, cut, slowed and worse."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from faults.database import WORK_SECONDS, two_nodes
from faults.postgres import cluster
from faults.proxy import Proxy, proxy
from faults.trial import Verdict

SHORT_SECONDS = 1.0
GIVE_UP_SECONDS = "2"
"""After so long without an answer a node gives a statement up (``statement_seconds`` of its URL)."""
LONG_SECONDS = 8.0
"""Longer than a node tries again before it says that the record cannot be written."""
DELAY_SECONDS = 0.15
"""Each piece in each direction: a database on another continent."""


async def network(folder: Path, times: int) -> Verdict:
    """Two nodes, each with a network of its own to the database, of which one and then both are hurt in all ways."""
    async with (
        cluster(folder) as database,
        proxy(("127.0.0.1", database.primary.port)) as one,
        proxy(("127.0.0.1", database.primary.port)) as two,
        two_nodes(folder, *(database.url(way.port, statement_seconds=GIVE_UP_SECONDS) for way in (one, two))) as made,
    ):
        for number in range(times):
            await asyncio.sleep(WORK_SECONDS)
            harm = HARMS[number % len(HARMS)]
            hurt = ((one,), (two,), (one, two))[number % 3]
            await made.hurt(lambda harm=harm, hurt=hurt: _each(harm, hurt))
        return await made.end("network to PostgreSQL cut, slow, deaf, half closed; two nodes")


async def _each(harm: Callable[[Proxy], Awaitable[None]], hurt: tuple[Proxy, ...]) -> float:
    """Do it to each at once; the moment when it was over."""
    await asyncio.gather(*map(harm, hurt))
    for one in hurt:
        await one.mend()
    return time.monotonic()


async def _cut(hurt: Proxy) -> None:
    await hurt.cut()
    await asyncio.sleep(SHORT_SECONDS)


async def _slow(hurt: Proxy) -> None:
    hurt.delay_seconds = DELAY_SECONDS
    await asyncio.sleep(SHORT_SECONDS * 3)


async def _swallow(hurt: Proxy) -> None:
    hurt.swallow()
    await asyncio.sleep(SHORT_SECONDS)


async def _swallow_and_reset(hurt: Proxy) -> None:
    hurt.swallow()
    await asyncio.sleep(SHORT_SECONDS)
    hurt.reset()


async def _swallow_long(hurt: Proxy) -> None:
    """What was on its way arrives long after everybody has given it up."""
    hurt.swallow()
    await asyncio.sleep(LONG_SECONDS)


async def _cut_long(hurt: Proxy) -> None:
    await hurt.cut()
    await asyncio.sleep(LONG_SECONDS)


async def _reset(hurt: Proxy) -> None:
    hurt.reset()


async def _deafen_node(hurt: Proxy) -> None:
    hurt.close_half("client")


async def _deafen_database(hurt: Proxy) -> None:
    hurt.close_half("server")


HARMS = (
    _reset,
    _swallow,
    _deafen_node,
    _slow,
    _cut,
    _swallow_long,
    _deafen_database,
    _swallow_and_reset,
    _reset,
    _cut_long,
)
"""Ten, so that with the three choices of whom it hits each comes to each in thirty."""
