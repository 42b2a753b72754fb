"""Leases where clocks are wrong: between nodes they end by the database's, and a jump ends none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from jobpass.authority.authority import Authority
from jobpass.authority.workers import LEASE_SECONDS
from jobpass.clock import EPOCH
from jobpass.errors import RevokedToken
from jobpass.stores.postgres import PostgresStore
from support.clocks import Jumping, Shifted
from support.compute import Yard, make_yard, work_of
from support.house import House, make_house
from support.postgres import EMPTY, sql


async def _renew_for_ever(nodes: tuple[Authority, ...], token: str, uuid: str) -> None:
    while True:
        for node in nodes:
            holder = await node.credentials.identify(node.credentials.verify(token))
            await node.workers.progress(holder, uuid, None, None, None)
            await node.workers.tend()
        await asyncio.sleep(0.1)


async def _node(url: str, seconds: float, like: House | None = None) -> House:
    """A node whose clock is so many seconds ahead, once it knows of that."""
    clock: Any = Shifted(seconds)
    store: Any = await PostgresStore.open(url, clock)
    for _ in range(1000):
        if store.clock_offset() is not None:
            break
        await asyncio.sleep(0.01)
    assert store.clock_offset() == pytest.approx(seconds, abs=1)
    return make_house(clock, store=store, keyring=None if like is None else like.keyring)


@pytest.fixture
async def right(postgres_url: str) -> AsyncIterator[Yard]:
    await sql(postgres_url, EMPTY)
    house = await _node(postgres_url, 0)
    yield await make_yard(house)
    await house.authority.close()


@pytest.mark.parametrize("seconds", [600, -600])
async def test_a_job_takes_no_longer_than_it_may_by_whatever_clock_it_is_renewed(
    right: Yard, postgres_url: str, seconds: float
) -> None:
    wrong = await _node(postgres_url, seconds, right.house)
    nodes = (right.house.authority, wrong.authority)
    for node in nodes:
        node.workers.lease_seconds = 1
    try:
        job = await right.submit(max_duration_seconds=1)
        leased, _ = await right.taken()
        started = time.monotonic()
        with pytest.raises(RevokedToken):
            await asyncio.wait_for(_renew_for_ever(nodes, leased.token, job.uuid), 10)
        assert 1.9 < time.monotonic() - started < 5
    finally:
        await wrong.authority.close()
    found = await right.house.store.find_job(job.uuid)
    assert found is not None
    assert (found.state, work_of(found).failure_code, work_of(found).attempts) == ("error", "time_limit", 1)


@pytest.mark.parametrize("seconds", [600, -600])
async def test_a_node_with_a_wrong_clock_takes_no_living_worker_s_job(
    right: Yard, postgres_url: str, seconds: float
) -> None:
    wrong = await _node(postgres_url, seconds, right.house)
    try:
        job = await right.submit()
        leased, holder = await right.taken()
        for _ in range(3):
            await wrong.authority.workers.tend()
            told = await right.house.authority.workers.progress(holder, job.uuid, 0.5, None, None)
        assert (told.state, work_of(told).attempts, work_of(told).worker) == ("running", 1, "w1")
        credentials = wrong.authority.credentials
        there = await credentials.identify(credentials.verify(leased.token))
        await wrong.authority.workers.progress(there, job.uuid, 0.6, None, None)
        await right.house.authority.workers.tend()
        await right.complete(holder, job.uuid)
    finally:
        await wrong.authority.close()
    found = await right.house.store.find_job(job.uuid)
    assert found is not None
    assert (found.state, work_of(found).attempts) == ("completed", 1)


async def test_a_clock_that_is_put_forward_takes_no_living_worker_s_job(caplog: pytest.LogCaptureFixture) -> None:
    clock = Jumping(EPOCH)
    yard = await make_yard(make_house(clock))
    tend = yard.house.authority.workers.tend
    kept, lost = await yard.submit(), await yard.submit()
    _, holder = await yard.taken("w1")
    await yard.taken("w2")

    async def states() -> list[str]:
        await tend()
        return [(await yard.house.authority.compute.read(yard.ann, job.uuid)).state for job in (kept, lost)]

    clock.advance(LEASE_SECONDS - 1)
    assert await states() == ["running", "running"]
    clock.jump(3600)
    assert await states() == ["running", "running"]
    assert caplog.messages == ["the clock was put forward by 3600 seconds: no lease ends for a while"]
    clock.advance(LEASE_SECONDS - 1)
    assert await states() == ["running", "running"]
    await yard.house.authority.workers.progress(holder, kept.uuid, 0.5, None, None)
    clock.advance(1)
    assert await states() == ["running", "waiting"], "who had the time to renew its lease and did not is lost"
    clock.advance(LEASE_SECONDS)
    assert await states() == ["waiting", "waiting"]
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("seconds", [0.9, -3600])
async def test_a_clock_that_is_steered_or_was_put_back_ends_leases_as_ever(seconds: float) -> None:
    clock = Jumping(EPOCH)
    yard = await make_yard(make_house(clock))
    job = await yard.submit()
    clock.jump(seconds)
    await yard.taken()
    clock.advance(LEASE_SECONDS)
    await yard.house.authority.workers.tend()
    assert (await yard.house.authority.compute.read(yard.ann, job.uuid)).state == "waiting"


async def test_a_new_keyring_does_not_hide_a_jump() -> None:
    clock = Jumping(EPOCH)
    yard = await make_yard(make_house(clock))
    job = await yard.submit()
    await yard.taken()
    clock.jump(3600)
    await yard.house.authority.use_keyring(yard.house.keyring)
    await yard.house.authority.workers.tend()
    assert (await yard.house.authority.compute.read(yard.ann, job.uuid)).state == "running"
