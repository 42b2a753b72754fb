"""A node's clock and the database's."""

from __future__ import annotations

import asyncio

import pytest

from jobpass.clock import FixedClock, from_microseconds
from jobpass.stores.postgres import PostgresStore
from jobpass.stores.postgres.offset import Offset
from support.clocks import Shifted


async def _until(holds, wanted):
    async with asyncio.timeout(10):
        while True:
            if holds(wanted):
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("seconds", "words"), [(2.5, "ahead of"), (-90.0, "behind")])
async def test_a_wrong_clock_is_told_once_and_so_is_its_end(postgres_url, caplog, seconds, words):
    clock = Shifted(seconds)
    store = await PostgresStore.open(postgres_url, clock)

    def near(wanted):
        return abs((store.clock_offset() or 0.0) - wanted) < 0.5

    def told(count):
        return len(caplog.messages) == count

    try:
        await _until(near, seconds)
        await asyncio.sleep(0.6)
        assert caplog.messages == [f"this node's clock is {abs(seconds):.1f} seconds {words} the database's"]
        clock.seconds = 1.5 if seconds > 0 else -1.5  # less than what is told, and not yet well
        await _until(near, clock.seconds)
        assert told(1)
        clock.seconds = 0.2
        await _until(told, 2)
        assert caplog.messages[1] == "this node's clock agrees with the database's again"
        assert near(0.2)
        clock.seconds = seconds
        await _until(told, 3)
    finally:
        await store.close()


async def test_an_answer_that_took_too_long_says_nothing_of_the_clock(caplog):
    offset = Offset(FixedClock(from_microseconds(10_000_000)))
    offset.note(9_400_000, 1_000_000)
    assert (offset.seconds, caplog.messages) == (None, [])
    offset.note(10_000_001, 1_000_000)  # the clock was put back meanwhile
    assert (offset.seconds, caplog.messages) == (None, [])
    offset.note(9_600_000, 8_000_000)
    assert offset.seconds == pytest.approx(1.8)


async def test_without_the_database_nothing_is_known_of_the_clock(postgres):
    await _until(lambda most: abs(postgres.clock_offset() or 9) < most, 0.5)
    postgres._watch._drop()
    assert postgres.clock_offset() is None


async def test_stores_of_one_process_have_one_clock(store):
    assert store.clock_offset() is None or isinstance(store, PostgresStore)
