"""The batch: groups by tick, bounded, in order, deaf to cancelled callers."""

from __future__ import annotations

import asyncio

import pytest

from jobpass.errors import StoreUnavailable
from jobpass.stores.batch import Batch, Call


class _Recorder:
    """A writer that keeps its groups and answers when told, or at once."""

    def __init__(self, at_once):
        self.at_once = at_once
        self.groups = []
        self.open = None

    def write(self, group, loop, done):
        assert self.open is None, "a group came while another was under way"
        self.groups.append(list(group))
        self.open = (group, done)
        if self.at_once:
            self.finish()

    def finish(self):
        group, done = self.open
        self.open = None
        for call in group:
            call.result = len(self.groups)
        done(group)


async def test_calls_of_one_tick_are_one_group_in_order():
    recorder = _Recorder(at_once=True)
    batch = Batch(recorder.write)
    calls = [Call() for _ in range(5)]
    assert await asyncio.gather(*(batch.submit(call) for call in calls)) == [1] * 5
    assert recorder.groups == [calls]


async def test_what_arrives_during_a_write_is_the_next_group():
    recorder = _Recorder(at_once=False)
    batch = Batch(recorder.write)
    first = batch.submit(Call())
    await asyncio.sleep(0)
    later = [batch.submit(Call()) for _ in range(3)]
    await asyncio.sleep(0.01)
    assert [len(group) for group in recorder.groups] == [1]
    recorder.finish()
    assert await first == 1
    await asyncio.sleep(0.01)
    assert [len(group) for group in recorder.groups] == [1, 3]
    recorder.finish()
    assert await asyncio.gather(*later) == [2, 2, 2]


async def test_a_group_is_bounded_and_nothing_is_lost():
    recorder = _Recorder(at_once=True)
    batch = Batch(recorder.write, limit=4)
    await asyncio.gather(*(batch.submit(Call()) for _ in range(10)))
    assert [len(group) for group in recorder.groups] == [4, 4, 2]


async def test_senders_that_go_on_at_once_join_one_group():
    recorder = _Recorder(at_once=True)
    batch = Batch(recorder.write)

    async def sender():
        for _ in range(5):
            await batch.submit(Call())

    await asyncio.gather(*(sender() for _ in range(8)))
    assert [len(group) for group in recorder.groups] == [8] * 5


async def test_a_cancelled_caller_is_skipped():
    recorder = _Recorder(at_once=False)
    batch = Batch(recorder.write)
    gone, stays = batch.submit(Call()), batch.submit(Call())
    await asyncio.sleep(0)
    gone.cancel()
    recorder.finish()
    assert await stays == 1
    assert gone.cancelled()


async def test_closing_waits_for_what_was_taken():
    recorder = _Recorder(at_once=False)
    batch = Batch(recorder.write)
    taken = batch.submit(Call())
    closing = asyncio.ensure_future(batch.close())
    also = asyncio.ensure_future(batch.close())
    await asyncio.sleep(0.01)
    assert not closing.done()
    with pytest.raises(StoreUnavailable):
        batch.submit(Call())
    recorder.finish()
    await asyncio.gather(closing, also)
    assert await taken == 1


def test_a_batch_serves_one_event_loop_after_another():
    recorder = _Recorder(at_once=True)
    batch = Batch(recorder.write)

    async def once():
        return await batch.submit(Call())

    assert [asyncio.run(once()) for _ in range(3)] == [1, 2, 3]


def test_a_batch_at_work_elsewhere_refuses_a_second_loop():
    recorder = _Recorder(at_once=False)
    batch = Batch(recorder.write)

    async def leave():
        batch.submit(Call())
        await asyncio.sleep(0)

    async def again():
        with pytest.raises(StoreUnavailable):
            batch.submit(Call())
        await batch.close()

    asyncio.run(leave())
    asyncio.run(again())


def test_a_call_between_two_runs_of_the_loop_is_written_at_once():
    recorder = _Recorder(at_once=True)
    batch = Batch(recorder.write)
    loop = asyncio.new_event_loop()
    asyncio._set_running_loop(loop)
    try:
        futures = [batch.submit(Call()), batch.submit(Call())]
    finally:
        asyncio._set_running_loop(None)
    assert [future.result() for future in futures] == [1, 2]
    loop.run_until_complete(batch.close())
    loop.close()
