"""The database servers of the trials do what the trials believe that they do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from faults import NotHereError
from faults.postgres import OWNER, Cluster, cluster

LONGER_SECONDS = 0.7


@pytest.fixture
async def made(tmp_path: Path, in_memory: None) -> AsyncIterator[Cluster]:
    try:
        async with cluster(tmp_path) as made:
            await made.primary.ask("CREATE TABLE kept (n int)", OWNER)
            yield made
    except NotHereError as missing:
        pytest.skip(str(missing))


async def keep(made: Cluster, number: int) -> None:
    await made.primary.ask(f"INSERT INTO kept VALUES ({number})", OWNER)


async def kept(made: Cluster) -> list[int]:
    return [int(line) for line in (await made.primary.ask("SELECT n FROM kept ORDER BY n", OWNER)).split()]


async def test_what_is_acknowledged_is_on_the_standby_which_takes_over(made: Cluster) -> None:
    standby = await made.add_standby()
    await keep(made, 1)
    standby.freeze()
    waiting = asyncio.create_task(keep(made, 2))
    await asyncio.sleep(LONGER_SECONDS)
    assert not waiting.done()
    assert await kept(made) == [1]
    standby.thaw()
    await asyncio.wait_for(waiting, 30)
    first = made.primary
    await made.fail_over()
    assert made.primary is standby
    assert await kept(made) == [1, 2]
    assert await first.is_ready() is False
    await keep(made, 3)
    second = await made.add_standby(instead_of=first)
    assert second is first
    await keep(made, 4)
    await made.fail_over()
    assert made.primary is second
    assert await kept(made) == [1, 2, 3, 4]


async def test_it_recovers_from_crashes(made: Cluster) -> None:
    await keep(made, 1)
    await made.primary.crash()
    assert await made.primary.is_ready() is False
    await made.primary.start()
    assert await kept(made) == [1]
    await made.primary.stop()
    await made.primary.start()
    made.primary.freeze()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(kept(made), LONGER_SECONDS)
    made.primary.thaw()
    assert await kept(made) == [1]
    assert made.primary.said().count("database system is ready to accept connections") >= 3
