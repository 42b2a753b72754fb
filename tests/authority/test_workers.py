"""Workers: what they may, how long, and what becomes of jobs whose workers are gone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from jobpass.authority.bearer import Bearer
from jobpass.authority.blobs import SWEPT_AFTER
from jobpass.authority.gate import Submission
from jobpass.authority.platforms import MAX_DURATION_SECONDS, Draft
from jobpass.authority.work_judges import GIVEN_BACK, MAX_ATTEMPTS, MAX_GIVEN_BACK, WORKER_LOST, Report
from jobpass.authority.workers import LEASE_SECONDS, POLLS_EACH
from jobpass.errors import (
    Conflict,
    Denied,
    IllegalTransition,
    InvalidInput,
    JobExists,
    RevokedToken,
    TooLarge,
    TooMany,
    UnknownJob,
    UnknownPlatform,
)
from jobpass.records import Change, Job
from jobpass.tokens import token
from support.compute import PAYLOAD, PLATFORM, Yard, chunks, data_of, joined, make_yard, work_of
from support.house import MEMBERS, PIPELINE, House


@pytest.fixture
async def yard(house: House) -> Yard:
    return await make_yard(house)


async def _lose(yard: Yard) -> None:
    """Let every lease end."""
    yard.house.clock.advance(LEASE_SECONDS)
    await yard.house.authority.workers.tend()


async def test_a_worker_that_waits_has_a_job_at_once(yard: Yard) -> None:
    took = []
    for _ in range(4):
        waiting = asyncio.create_task(yard.lease(wait_seconds=5))
        await asyncio.sleep(0.05)
        started = time.perf_counter()
        job = await yard.submit()
        leased = await asyncio.wait_for(waiting, 5)
        took.append(time.perf_counter() - started)
        assert leased is not None
        assert leased.job.uuid == job.uuid
    assert min(took) < 0.05, took


async def test_no_more_wait_with_one_key_than_may(yard: Yard) -> None:
    waiting = [asyncio.create_task(yard.lease(f"w{n}", 0.5)) for n in range(POLLS_EACH)]
    await asyncio.sleep(0.05)
    with pytest.raises(TooMany):
        await yard.lease(wait_seconds=0.5)
    assert await yard.lease() is None  # who does not wait is in nobody's way
    assert await asyncio.gather(*waiting) == [None] * POLLS_EACH
    assert await yard.lease(wait_seconds=0.01) is None


async def test_two_workers_never_have_one_job(yard: Yard) -> None:
    waiting = [asyncio.create_task(yard.lease(f"w{n}", 0.2)) for n in range(8)]
    await asyncio.sleep(0.01)
    jobs = {(await yard.submit()).uuid for _ in range(3)}
    leased = [one for one in await asyncio.gather(*waiting) if one is not None]
    assert {one.job.uuid for one in leased} == jobs
    assert len(leased) == 3


async def test_a_key_is_for_its_platforms_and_for_nothing_else(yard: Yard) -> None:
    authority = yard.house.authority
    await authority.platforms.create(yard.olga, Draft("sim:other"))
    job = await yard.submit()
    for refused in (
        authority.workers.next(yard.key, "w", ("sim:other",), 0),
        authority.workers.heartbeat(yard.key, "sim:other"),
        yard.submit(yard.key),
        authority.compute.list(yard.key, limit=1),
        authority.compute.availability(yard.key),
    ):
        with pytest.raises(Denied):
            await refused
    for call in (authority.compute.status, authority.compute.cancel, authority.workers.requeue):
        with pytest.raises((Denied, UnknownJob)):
            await (call(yard.key, job.uuid, "") if call == authority.workers.requeue else call(yard.key, job.uuid))
    for bearer in (yard.ann, yard.olga):
        with pytest.raises(Denied):
            await authority.workers.next(bearer, "w", (PLATFORM,), 0)
        with pytest.raises(Denied):
            await authority.workers.heartbeat(bearer, PLATFORM)
        with pytest.raises(Denied):
            await authority.workers.fail(bearer, job.uuid, "x", "")
    unlimited = await yard.house.bearer((await authority.api_keys.create(yard.olga)).token)
    with pytest.raises(UnknownPlatform):
        await authority.workers.next(unlimited, "w", ("sim:none",), 0)


async def test_the_token_of_a_lease_reports_and_opens_nothing_else(yard: Yard) -> None:
    authority = yard.house.authority
    job, other = await yard.submit(), await yard.submit()
    leased, holder = await yard.taken()
    assert token.parse(leased.token).identity.serial == work_of(leased.job).lease != job.serial
    assert leased.token not in repr(leased)
    for call in (authority.compute.status, authority.compute.cancel, authority.compute.results, authority.jobs.read):
        with pytest.raises((RevokedToken, Denied)):
            await call(holder, job.uuid)
    with pytest.raises(RevokedToken):
        await authority.jobs.submit_event(holder, job.uuid, "complete")
    with pytest.raises(UnknownJob):
        await authority.workers.fail(holder, other.uuid, "x", "")


async def test_progress_renews_the_lease_and_is_an_event_only_if_it_says_something(yard: Yard) -> None:
    progress = yard.house.authority.workers.progress
    job = await yard.submit()
    _, holder = await yard.taken()
    yard.house.clock.advance(LEASE_SECONDS - 1)
    assert (await progress(holder, job.uuid, 0.5, "half", None)).sequence == 3
    yard.house.clock.advance(LEASE_SECONDS - 1)
    for said in ((0.5, "half"), (None, None)):
        assert (await progress(holder, job.uuid, *said, None)).sequence == 3
    for wrong in (-0.1, 1.1, float("nan"), float("inf")):
        with pytest.raises(InvalidInput):
            await progress(holder, job.uuid, wrong, None, None)
    await _lose(yard)
    assert (await yard.house.authority.compute.read(yard.ann, job.uuid)).state == "waiting"


async def test_a_stale_worker_is_dead_by_itself_and_its_result_thrown_away(yard: Yard) -> None:
    job = await yard.submit()
    _, stale = await yard.taken("w1")
    await _lose(yard)
    with pytest.raises(RevokedToken):
        await yard.complete(stale, job.uuid, b'{"late":1}')
    leased, holder = await yard.taken("w2")
    assert (leased.job.uuid, leased.work.attempts) == (job.uuid, 2)
    with pytest.raises(RevokedToken):
        await yard.complete(stale, job.uuid, b'{"late":1}')
    with pytest.raises(RevokedToken):
        await yard.house.authority.workers.progress(stale, job.uuid, 0.1, None, None)
    await yard.complete(holder, job.uuid, b'{"good":1}')
    _, results = await yard.house.authority.compute.results(yard.ann, job.uuid)
    assert await joined(results) == b'{"good":1}'
    yard.house.clock.advance(SWEPT_AFTER.total_seconds() + 1)
    await yard.house.authority.tend()
    assert await yard.house.store.sweep_blobs(yard.house.clock.now(), 9) == 0


async def test_what_was_refused_after_it_was_sent_is_swept_at_once(yard: Yard) -> None:
    complete, store = yard.house.authority.workers.complete, yard.house.store
    large = b'{"a":"%s"}' % (b"x" * 600_000)
    job = await yard.submit()
    _, holder = await yard.taken()

    async def sent(text: bytes, *, lost: bool = False) -> AsyncIterator[bytes]:
        async for piece in chunks(text):
            yield piece
        if lost:
            await _lose(yard)

    for text, most, error in ((large, 500_000, TooLarge), (large + b"]", 1 << 20, InvalidInput)):
        with pytest.raises(error):
            await complete(holder, job.uuid, sent(text), most, None, None)
    with pytest.raises(RevokedToken):
        await complete(holder, job.uuid, sent(large, lost=True), 1 << 20, None, None)
    _, holder = await yard.taken()
    await complete(holder, job.uuid, sent(large), 1 << 20, None, None)
    for text in (large, b'{"a":1}'):
        with pytest.raises(IllegalTransition):
            await complete(holder, job.uuid, sent(text), 1 << 20, None, None)
    await yard.house.authority.tend()
    (payload, results) = sorted(len(b"".join(blob.chunks)) for blob in store._blobs.values())
    assert (payload, results) == (len(PAYLOAD), len(large))
    assert await joined((await yard.house.authority.compute.results(yard.ann, job.uuid))[1]) == large


async def test_after_three_workers_were_lost_the_job_has_failed(yard: Yard) -> None:
    job = await yard.submit()
    for attempt in range(MAX_ATTEMPTS):
        assert (await yard.taken(f"w{attempt}"))[0].work.attempts == attempt + 1
        await _lose(yard)
    assert await yard.lease() is None
    ended = await yard.house.authority.compute.read(yard.ann, job.uuid)
    work = work_of(ended)
    assert (ended.state, work.failure_code) == ("error", WORKER_LOST)
    assert "3 workers" in work.status_message
    events = await yard.house.authority.jobs.history(yard.ann, job.uuid, 0, 99)
    assert [event.name for event in events] == ["create", *["lease", "requeue"] * 2, "lease", "fail"]
    assert [data_of(event.data).get("reason") for event in events[2::2]] == [WORKER_LOST] * 3
    assert events[-1].credential == "server"
    assert (await yard.house.authority.jobs.verify(yard.ann, job.uuid))[1] is None


async def test_a_job_to_be_canceled_whose_worker_is_lost_is_canceled(yard: Yard) -> None:
    job = await yard.submit()
    await yard.taken()
    await yard.house.authority.compute.cancel(yard.ann, job.uuid)
    await _lose(yard)
    assert (await yard.house.authority.compute.read(yard.ann, job.uuid)).state == "canceled"


async def test_a_lease_that_was_renewed_meanwhile_is_not_taken_back(yard: Yard) -> None:
    job = await yard.submit()
    _, holder = await yard.taken()
    yard.house.clock.advance(LEASE_SECONDS)
    await yard.house.authority.workers.progress(holder, job.uuid, None, None, None)
    await yard.house.authority.workers.tend()
    assert (await yard.house.authority.compute.read(yard.ann, job.uuid)).state == "running"


async def test_cancel_and_complete_race_and_both_are_in_the_history(yard: Yard) -> None:
    for _ in range(5):
        job = await yard.submit()
        _, holder = await yard.taken()
        outcomes = await asyncio.gather(
            yard.house.authority.compute.cancel(yard.ann, job.uuid),
            yard.complete(holder, job.uuid),
            return_exceptions=True,
        )
        ended = await yard.house.authority.compute.read(yard.ann, job.uuid)
        assert ended.state == "completed"
        events = await yard.house.authority.jobs.history(yard.ann, job.uuid, 0, 9)
        refused = [one for one in outcomes if isinstance(one, Exception)]
        assert len(events) == 4 - len(refused)


async def test_a_worker_ends_a_job_once_and_in_every_way(yard: Yard) -> None:
    workers, compute = yard.house.authority.workers, yard.house.authority.compute
    job = await yard.submit()
    _, holder = await yard.taken()
    with pytest.raises(IllegalTransition):
        await workers.canceled(holder, job.uuid, chunks(b""), 9, None)
    await compute.cancel(yard.ann, job.uuid)
    done = await workers.canceled(holder, job.uuid, chunks(b'{"part":1}'), 99, "probs")
    assert done.state == "canceled"
    assert await joined((await compute.results(yard.ann, job.uuid))[1]) == b'{"part":1}'
    for again in (workers.fail(holder, job.uuid, "x", ""), yard.complete(holder, job.uuid)):
        with pytest.raises(IllegalTransition):
            await again
    failed = await yard.end("fail")
    assert (failed.state, work_of(failed).failure_code, work_of(failed).status_message) == (
        "error",
        "broken",
        "it broke",
    )
    assert (await compute.results(yard.ann, failed.uuid))[1] is None


async def _keep(yard: Yard, holder: Bearer, uuid: str, seconds: float) -> Job:
    """Renew the lease, and have leases looked at, for so long; the job as it stands then."""
    while seconds > 0:
        step = min(seconds, LEASE_SECONDS - 1)
        yard.house.clock.advance(step)
        seconds -= step
        await yard.house.authority.workers.progress(holder, uuid, None, None, None)
        await yard.house.authority.workers.tend()
    return await yard.house.authority.compute.read(yard.ann, uuid)


async def test_a_job_that_takes_longer_than_it_may_is_ended_also_if_its_worker_does_not(yard: Yard) -> None:
    job = await yard.submit(max_duration_seconds=100)
    _, holder = await yard.taken()
    assert (await _keep(yard, holder, job.uuid, 100 + LEASE_SECONDS - 1)).state == "running"
    yard.house.clock.advance(1)
    await yard.house.authority.workers.progress(holder, job.uuid, 0.9, "almost", None)
    await yard.house.authority.workers.tend()
    ended = await yard.house.authority.compute.read(yard.ann, job.uuid)
    work = work_of(ended)
    assert (ended.state, work.failure_code, work.ended_at) == ("error", "time_limit", yard.house.clock.now())
    assert work.status_message == "It took longer than the 100 s that it may."
    assert await yard.lease() is None  # it waits for nobody
    for report in (
        yard.complete(holder, job.uuid),
        yard.house.authority.workers.progress(holder, job.uuid, None, None, None),
    ):
        with pytest.raises(RevokedToken):
            await report
    last = (await yard.house.authority.jobs.history(yard.ann, job.uuid, 0, 9))[-1]
    assert (last.name, last.credential) == ("fail", "server")
    assert data_of(last.data) == {"reason": "time_limit", "worker": "w1", "attempt": 1}
    assert (await yard.house.authority.jobs.verify(yard.ann, job.uuid))[1] is None


async def test_what_comes_of_a_job_is_taken_a_little_after_its_time(yard: Yard) -> None:
    job = await yard.submit(max_duration_seconds=10)
    _, holder = await yard.taken()
    await _keep(yard, holder, job.uuid, 10 + LEASE_SECONDS - 1)
    assert (await yard.complete(holder, job.uuid)).state == "completed"
    canceled = await yard.submit(max_duration_seconds=10)
    _, holder = await yard.taken()
    await _keep(yard, holder, canceled.uuid, 10 + LEASE_SECONDS - 1)
    await yard.house.authority.compute.cancel(yard.ann, canceled.uuid)
    await _lose(yard)
    assert (await yard.house.authority.compute.read(yard.ann, canceled.uuid)).state == "canceled"


@pytest.mark.parametrize("counts", [True, False])
async def test_who_gives_a_job_back_after_its_time_gains_it_no_other(yard: Yard, counts: bool) -> None:
    job = await yard.submit(max_duration_seconds=10)
    _, holder = await yard.taken()
    await _keep(yard, holder, job.uuid, 10)
    ended = await yard.house.authority.workers.requeue(holder, job.uuid, "too slow", counts=counts)
    assert (ended.state, work_of(ended).failure_code, work_of(ended).lease) == ("error", "time_limit", None)
    assert work_of(ended).ended_at == yard.house.clock.now()


async def test_each_attempt_has_the_whole_time_and_who_falls_silent_is_lost(yard: Yard) -> None:
    job = await yard.submit(max_duration_seconds=LEASE_SECONDS + 10)
    _, holder = await yard.taken()
    await _keep(yard, holder, job.uuid, LEASE_SECONDS)
    yard.house.clock.advance(LEASE_SECONDS * 100)  # however late it is looked at
    await yard.house.authority.workers.tend()
    assert (await yard.house.authority.compute.read(yard.ann, job.uuid)).state == "waiting"
    _, holder = await yard.taken()
    assert (await _keep(yard, holder, job.uuid, 2 * LEASE_SECONDS + 9)).state == "running"
    await _lose(yard)
    assert work_of(await yard.house.authority.compute.read(yard.ann, job.uuid)).failure_code == "time_limit"


async def test_a_job_without_a_longest_time_has_that_of_the_contract(yard: Yard) -> None:
    await yard.submit()
    work = (await yard.taken())[0].work
    assert work.leased_until is not None
    assert work.lease_ends_by == work.leased_until + timedelta(seconds=MAX_DURATION_SECONDS)


async def test_a_worker_gives_a_job_back_and_another_one_has_it(yard: Yard) -> None:
    job = await yard.submit()
    _, holder = await yard.taken()
    waiting = asyncio.create_task(yard.lease("w2", 2))
    await asyncio.sleep(0.01)
    await yard.house.authority.workers.requeue(holder, job.uuid, "stopping")
    leased = await asyncio.wait_for(waiting, 0.5)
    assert leased is not None
    assert leased.job.uuid == job.uuid
    with pytest.raises(RevokedToken):
        await yard.complete(holder, job.uuid)


async def test_a_job_that_workers_give_back_for_reasons_of_their_own_has_lost_no_attempt(yard: Yard) -> None:
    requeue, read = yard.house.authority.workers.requeue, yard.house.authority.compute.read
    job = await yard.submit()
    for n in range(MAX_ATTEMPTS + 1):
        leased, holder = await yard.taken(f"w{n}")
        assert leased.work.attempts == 1
        assert (await requeue(holder, job.uuid, "restarted", counts=False)).state == "waiting"
        with pytest.raises(RevokedToken):  # once: the lease is over, and with it what its token may say
            await requeue(holder, job.uuid, "restarted", counts=False)
    for _ in range(MAX_ATTEMPTS - 1):
        await yard.taken()
        await _lose(yard)
    leased, holder = await yard.taken()
    assert leased.work.attempts == MAX_ATTEMPTS
    await yard.complete(holder, job.uuid)
    ended = await read(yard.ann, job.uuid)
    assert (ended.state, work_of(ended).given_back) == ("completed", MAX_ATTEMPTS + 1)
    events = await yard.house.authority.jobs.history(yard.ann, job.uuid, 0, 99)
    told = [data_of(event.data) for event in events if event.name == "requeue"]
    assert told[0] == {"reason": "restarted", "worker": "w0", "attempt": 1, "counts": False}
    assert [one.get("counts") for one in told] == [False] * 4 + [None] * 2
    assert (await yard.house.authority.jobs.verify(yard.ann, job.uuid))[1] is None


async def test_nobody_gives_a_job_back_for_ever(yard: Yard) -> None:
    requeue = yard.house.authority.workers.requeue
    job = await yard.submit()
    for _ in range(MAX_GIVEN_BACK + MAX_ATTEMPTS - 1):
        _, holder = await yard.taken()
        assert (await requeue(holder, job.uuid, "no", counts=False)).state == "waiting"
    _, holder = await yard.taken()
    ended = await requeue(holder, job.uuid, "still no", counts=False)
    work = work_of(ended)
    assert (ended.state, work.failure_code, work.given_back) == ("error", GIVEN_BACK, MAX_GIVEN_BACK)
    assert work.status_message == "3 workers gave this job back or fell silent while they had it. Last: still no"
    assert (work.ended_at, work.lease, work.worker) == (yard.house.clock.now(), None, None)
    assert await yard.lease() is None
    last = (await yard.house.authority.jobs.history(yard.ann, job.uuid, 200, 99))[-1]
    assert (last.name, last.credential, data_of(last.data)["reason"]) == ("fail", "server", "still no")


async def test_what_counts_and_what_is_lost_are_counted_together(yard: Yard) -> None:
    requeue = yard.house.authority.workers.requeue
    job = await yard.submit()
    _, holder = await yard.taken()
    assert (await requeue(holder, job.uuid, "out of memory")).state == "waiting"
    await yard.taken()
    await _lose(yard)
    _, holder = await yard.taken()
    assert (await requeue(holder, job.uuid, "out of memory")).state == "error"


async def test_a_job_that_is_to_be_canceled_is_not_given_back(yard: Yard) -> None:
    job = await yard.submit()
    _, holder = await yard.taken()
    await yard.house.authority.compute.cancel(yard.ann, job.uuid)
    for counts in (True, False):
        with pytest.raises(IllegalTransition):
            await yard.house.authority.workers.requeue(holder, job.uuid, "no", counts=counts)


async def test_a_lease_ends_with_its_key(yard: Yard) -> None:
    job = await yard.submit()
    _, holder = await yard.taken()
    assert yard.key.session is not None
    await yard.house.authority.api_keys.revoke(yard.olga, yard.key.session.credential.number)
    for refused in (
        yard.house.authority.workers.progress(holder, job.uuid, 0.1, None, None),
        yard.complete(holder, job.uuid),
        yard.house.authority.workers.standing(holder, job.uuid),
    ):
        with pytest.raises(RevokedToken):
            await refused


async def test_a_key_that_ends_while_its_worker_waits_gets_nothing(yard: Yard) -> None:
    waiting = asyncio.create_task(yard.lease(wait_seconds=5))
    await asyncio.sleep(0.01)
    assert yard.key.session is not None
    await yard.house.store.end_credential(yard.key.session.credential.id, yard.house.clock.now())
    job = await yard.submit()
    with pytest.raises(RevokedToken):
        await asyncio.wait_for(waiting, 2)
    assert (await yard.house.authority.compute.read(yard.ann, job.uuid)).state == "waiting"


async def test_specs_are_the_workers_and_are_bounded(yard: Yard) -> None:
    heartbeat, find = yard.house.authority.workers.heartbeat, yard.house.store.find_platform
    await heartbeat(yard.key, PLATFORM, b'{"a":1}', b'{"g2 (%)":1.5}')
    await heartbeat(yard.key, PLATFORM)
    platform = await find(PLATFORM)
    assert platform is not None
    assert (platform.specs, platform.perfs, platform.seen_at) == (b'{"a":1}', b'{"g2 (%)":1.5}', yard.house.clock.now())
    for wrong in (b"[]", b"{", b"null", b'{"a":"%s"}' % (b"x" * 300_000), b'{"a":\xff}'):
        with pytest.raises(InvalidInput):
            await heartbeat(yard.key, PLATFORM, wrong)
    await yard.house.authority.platforms.retire(yard.olga, PLATFORM)
    with pytest.raises(UnknownPlatform):
        await heartbeat(yard.key, PLATFORM)


@pytest.mark.parametrize(
    "text",
    [b"", b" ", b"[]", b"null", b"{", b'{"a":1', b'{"job_context":null}', b'{"job\\u005fcontext":{}}', b'{"a":"\xff"}'],
)
async def test_what_is_no_result_ends_nothing(yard: Yard, text: bytes) -> None:
    job = await yard.submit()
    _, holder = await yard.taken()
    with pytest.raises(InvalidInput):
        await yard.complete(holder, job.uuid, text)
    with pytest.raises(TooLarge):
        await yard.house.authority.workers.complete(holder, job.uuid, chunks(b'{"a":1}'), 6, None, None)
    assert (await yard.house.authority.compute.read(yard.ann, job.uuid)).state == "running"


async def test_what_a_worker_says_on_the_way_is_small(yard: Yard) -> None:
    job = await yard.submit()
    _, holder = await yard.taken()
    wrong: Any
    for wrong in (b"[1]", b'{"job_context":1}', b'{"a":"%s"}' % (b"x" * 20_000)):
        with pytest.raises(InvalidInput):
            await yard.house.authority.workers.progress(holder, job.uuid, None, None, wrong)


async def test_a_job_that_is_in_no_queue_is_none_of_theirs(yard: Yard) -> None:
    """A job of the same lifecycle, made and moved by events."""
    authority = yard.house.authority
    pipeline = await authority.pipelines.put(yard.ann, PIPELINE, MEMBERS)
    plain = (await authority.jobs.create(yard.ann, pipeline.uuid, b"{}", {}, lifecycle="compute")).job
    token = await yard.house.bearer(await authority.jobs.token(yard.ann, plain.uuid))
    assert await yard.lease() is None
    for call in (
        authority.compute.status,
        authority.compute.cancel,
        authority.compute.results,
        authority.submissions.rerun,
    ):
        with pytest.raises(UnknownJob):
            await call(yard.ann, plain.uuid)
    with pytest.raises(UnknownJob):
        await authority.compute.cancel(token, plain.uuid)
    for report in (authority.workers.fail(token, plain.uuid, "x", ""), authority.workers.standing(token, plain.uuid)):
        with pytest.raises(RevokedToken):
            await report
    assert await yard.house.store.find_job(plain.uuid) == plain


async def test_a_lease_of_a_job_that_was_deleted_is_of_nothing(yard: Yard) -> None:
    job = await yard.submit()
    _, holder = await yard.taken()
    await yard.house.authority.jobs.delete(await yard.house.admin(), job.uuid)
    for report in (
        yard.house.authority.workers.standing(holder, job.uuid),
        yard.complete(holder, job.uuid),
        yard.house.authority.workers.progress(holder, job.uuid, 0.1, None, None),
    ):
        with pytest.raises(UnknownJob):
            await report


async def test_what_changes_between_a_look_and_a_write_is_seen_by_the_judge(yard: Yard) -> None:
    at = yard.house.clock.now()
    judges = yard.house.authority.workers._judges
    job = await yard.submit()
    leased, holder = await yard.taken()
    report = judges.report(holder, job.uuid, "e", at, Report("fail", {}, {}))
    give_back = judges.give_back(holder, job.uuid, "e", at, "", counts=True)
    for judge in (report, give_back, judges.loss("e", at, at), judges.cancellation(yard.ann, job.uuid, "e", at)):
        with pytest.raises(UnknownJob):
            judge(None, None)
    plain = replace(leased.job, work=None)
    with pytest.raises(UnknownJob):
        judges.loss("e", at, at)(plain, None)
    with pytest.raises(UnknownJob):
        judges.cancellation(yard.ann, job.uuid, "e", at)(plain, None)
    event = Submission("e", "create", b"null", at, None)
    asks_again = judges.submission(yard.ann, job, event, 9)
    with pytest.raises(JobExists):
        asks_again(plain, None)
    with pytest.raises(Conflict, match="key"):  # without a key nothing is the same
        asks_again(job, None)


async def test_only_a_lease_that_has_ended_is_lost(yard: Yard) -> None:
    judges = yard.house.authority.workers._judges
    await yard.submit()
    held = (await yard.taken())[0].job
    until = work_of(held).leased_until
    assert until is not None
    lost = judges.loss("e", until, until)(held, None)
    assert lost.after is not None
    assert lost.after.state == "waiting"
    for moved in (
        replace(held, state="completed"),
        replace(held, state="waiting"),
        replace(held, work=replace(work_of(held), leased_until=None)),
        replace(held, work=replace(work_of(held), leased_until=until + timedelta(seconds=1))),
    ):
        assert judges.loss("e", until, until)(moved, None) == Change(moved, moved, None)


async def test_a_lease_ends_with_the_time_of_its_key_and_with_its_owner(yard: Yard) -> None:
    job = await yard.submit()
    short = await yard.house.authority.api_keys.create(yard.olga, duration_seconds=10)
    key = await yard.house.bearer(short.token)
    leased = await yard.house.authority.workers.next(key, "w", (PLATFORM,), 0)
    assert leased is not None
    holder = await yard.house.bearer(leased.token)
    await yard.house.authority.workers.standing(holder, job.uuid)
    yard.house.clock.advance(10)
    with pytest.raises(RevokedToken):
        await yard.house.authority.workers.standing(holder, job.uuid)
    await yard.submit()
    _, other = await yard.taken()
    assert yard.olga.session is not None
    await yard.house.store.change_principal(yard.olga.session.principal.id, lambda one: replace(one, active=False))
    with pytest.raises(RevokedToken):
        await yard.house.authority.workers.standing(other, other.verified.job_uuid or "")


async def test_no_job_of_a_platform_that_is_gone_is_taken(yard: Yard) -> None:
    await yard.submit()
    await yard.house.authority.platforms.retire(yard.olga, PLATFORM)
    with pytest.raises(UnknownPlatform):
        await yard.lease()


async def test_a_lease_without_the_record_of_its_key_is_none(yard: Yard) -> None:
    job = await yard.submit()
    _, holder = await yard.taken()

    def forget(found: Job | None, _prior: object) -> Change:
        assert found is not None
        return Change(found, replace(found, work=replace(work_of(found), worker_key="0" * 32)), None)

    await yard.house.store.apply(job.uuid, forget)
    with pytest.raises(RevokedToken):
        await yard.house.authority.workers.standing(holder, job.uuid)


async def test_nobody_is_there_for_a_platform_that_is_none(yard: Yard) -> None:
    issued = await yard.house.authority.api_keys.create(yard.olga)
    with pytest.raises(UnknownPlatform):
        await yard.house.authority.workers.heartbeat(await yard.house.bearer(issued.token), "sim:none")


async def test_a_new_token_of_the_job_ends_no_lease_whatever_root_key_signs(yard: Yard) -> None:
    """The token of the lease and the job's own are known by one root key."""
    house, authority = yard.house, yard.house.authority
    job = await yard.submit()
    _, holder = await yard.taken()
    fresh = house.keyring.rotate(b"abcd", bytes(range(32)))
    await authority.use_keyring(fresh)
    text = await authority.jobs.rotate(yard.ann, job.uuid)
    assert (await authority.compute.read(await house.bearer(text), job.uuid)).uuid == job.uuid
    await authority.workers.progress(holder, job.uuid, 0.5, None, None)
    await yard.complete(holder, job.uuid)
    await authority.jobs.rotate(yard.ann, job.uuid)
    ended = await house.store.find_job(job.uuid)
    assert ended is not None
    assert (job.kid, ended.kid) == (house.keyring.signing_kid, fresh.signing_kid)
