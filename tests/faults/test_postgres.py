"""The database servers of the trials do what the trials believe that they do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from faults import NotHereError
from faults.postgres import OWNER, Cluster, cluster
from jobpass.stores.postgres import PostgresStore

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


async def test_a_node_reads_nothing_from_a_standby(made: Cluster) -> None:
    """It may lag: a token that has ended on the primary would go on there."""
    standby = await made.add_standby()
    await made.primary.ask("ALTER SYSTEM RESET synchronous_standby_names")
    await made.primary.ask("SELECT pg_reload_conf()")
    await standby.stop()
    node = await PostgresStore.open(made.url(standby.port, made.primary.port))
    try:
        await standby.start()
        await standby.ask("SELECT pg_wal_replay_pause()")
        await node.add_principal("ann@example.org", "author", "h", datetime.now(UTC))
        for _ in range(3):  # on other connections each time
            found = await asyncio.gather(*(node.find_login("ann@example.org") for _ in range(8)))
            assert None not in found
        told = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'jobpass'"
        assert int(await made.primary.ask(told)) > 4
        assert int(await standby.ask(told)) == 0
    finally:
        await node.close()


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
