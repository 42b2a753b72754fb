"""Compute jobs in their queue, as their owners see them."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from jobpass.authority.accounts import LOOK_EVERY
from jobpass.authority.compute import LISTENERS_EACH, Availability
from jobpass.authority.job_tokens import Wanted
from jobpass.authority.platforms import Draft
from jobpass.errors import (
    Conflict,
    Denied,
    InvalidInput,
    JobExists,
    LimitExceeded,
    RevokedToken,
    TooMany,
    UnknownJob,
    UnknownPlatform,
)
from jobpass.records import Change, Profile, Terms
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Platforms
from support.compute import PAYLOAD, PLATFORM, RESULT, Yard, data_of, joined, make_yard, work_of
from support.house import House


@pytest.fixture
async def yard(house: House) -> Yard:
    return await make_yard(house)


async def _limit(yard: Yard, **profile: Any) -> None:
    """Change what ann may have; the profile counts from her next log-in or call on."""
    assert yard.ann.session is not None
    await yard.house.store.change_principal(
        yard.ann.session.principal.id, lambda one: replace(one, profile=Profile(**profile))
    )


async def _token(yard: Yard, priority: int = 0, **terms: Any) -> Any:
    wanted = Wanted(priority=priority, terms=Terms(**terms))
    issued = await yard.house.authority.job_tokens.create(yard.ann, wanted)
    return await yard.house.bearer(issued.token)


async def test_a_job_goes_from_its_submission_to_its_results(yard: Yard) -> None:
    authority = yard.house.authority
    job = await yard.submit(group="g", process_id="p", pcvl_version="1.3.1")
    assert (job.state, job.lifecycle, job.sequence, job.last_event) == ("waiting", "compute", 1, "create")
    work = work_of(job)
    assert (work.command, work.max_shots, work.group, work.platform) == ("probs", 1000, "g", PLATFORM)
    leased, holder = await yard.taken()
    assert leased.job.uuid == job.uuid
    assert await joined(leased.payload) == PAYLOAD
    told = await authority.workers.progress(holder, job.uuid, 0.5, "half", b'{"so":"far"}')
    assert (work_of(told).progress, work_of(told).progress_message) == (0.5, "half")
    yard.house.clock.advance(7)
    await yard.complete(holder, job.uuid)
    done, results = await authority.compute.results(yard.ann, job.uuid)
    assert await joined(results) == RESULT
    assert (done.state, work_of(done).progress, work_of(done).shots) == ("completed", 1.0, 10)
    assert work_of(done).started_at is not None
    assert work_of(done).ended_at == yard.house.clock.now()


async def test_each_change_is_an_event_of_a_history_that_holds(yard: Yard) -> None:
    job = await yard.end()
    events = await yard.house.authority.jobs.history(yard.ann, job.uuid, 0, 9)
    assert [event.name for event in events] == ["create", "lease", "complete"]
    created, leased, completed = (data_of(event.data) for event in events)
    assert created["payload"] == {"bytes": len(PAYLOAD), "sha256": work_of(job).payload.digest}
    assert leased == {"worker": "w1", "attempt": 1, "platform": PLATFORM}
    assert completed["results"]["bytes"] == len(RESULT)
    assert [event.credential.partition(":")[0] for event in events] == ["login", "apikey", "document"]
    assert (await yard.house.authority.jobs.verify(yard.ann, job.uuid))[1] is None


async def test_what_is_asked_for_is_bounded_by_platform_and_payload(yard: Yard) -> None:
    authority = yard.house.authority
    await authority.workers.heartbeat(yard.key, PLATFORM, b'{"available_commands":["probs"]}')
    await authority.platforms.update(yard.olga, PLATFORM, {"max_shots": 100, "max_duration_seconds": 60})
    for payload, problem in (
        (b'{"command":"samples"}', "command"),
        (b"{}", "command"),
        (b'{"command":"probs","max_shots":101}', "100 shots"),
        (b'{"command":"probs","max_shots":0}', "max_shots"),
        (b'{"command":"probs","max_shots":1.5}', "max_shots"),
        (b'{"command":"probs","max_shots":true}', "max_shots"),
        (b'{"command":"probs","max_samples":-1}', "max_samples"),
        (b'{"command":5}', "command"),
        (b'{"command":"probs","iterator":[]}', "iterator"),
        (b'{"command":"probs","iterator":{}}', "iterator"),
        (b'{"command":"probs","iterator":[%s]}' % b",".join([b"1"] * 200_002), "iterator"),
        (b'{"command":"probs","job_context":[]}', "job_context"),
    ):
        with pytest.raises(InvalidInput, match=problem):
            await yard.submit(payload=payload)
    for seconds in (0, 61, 10**12):
        with pytest.raises(InvalidInput, match="max_duration"):
            await yard.submit(payload=b'{"command":"probs"}', max_duration_seconds=seconds)
    job = await yard.submit(payload=b'{"command":"probs","iterator":[{"a":[1,2]},{}],"job_context":{"a":1}}')
    assert (work_of(job).iterations, work_of(job).max_duration_seconds) == (2, 60)


async def test_a_platform_takes_jobs_of_who_may_use_it_while_it_is_there(yard: Yard) -> None:
    authority = yard.house.authority
    for asked in ({"platform": "sim:none"}, {"platform": None, "platform_id": "x"}):
        with pytest.raises(UnknownPlatform):
            await yard.submit(**asked)
    with pytest.raises(InvalidInput):
        await yard.submit(platform=None)
    one = await authority.platforms.read(yard.olga, PLATFORM)
    assert work_of(await yard.submit(platform=None, platform_id=one.id)).platform == PLATFORM
    for status in ("maintenance", "unavailable"):
        await authority.platforms.update(yard.olga, PLATFORM, {"status": status})
        with pytest.raises(Conflict, match=status):
            await yard.submit()
        assert await yard.lease() is None
    await authority.platforms.update(yard.olga, PLATFORM, {"status": "available"})
    await _limit(yard, platform_ids=("another",))
    again = await yard.house.login("ann@example.org")
    with pytest.raises(UnknownPlatform):
        await yard.submit(again)
    await authority.platforms.retire(yard.olga, PLATFORM)
    with pytest.raises(UnknownPlatform):
        await yard.submit(yard.olga)


async def test_a_token_for_other_platforms_neither_sends_nor_reads(yard: Yard) -> None:
    await yard.house.authority.platforms.create(yard.olga, Draft("sim:other"))
    other = await _token(yard, platforms=("sim:other",))
    own = await _token(yard, platforms=(PLATFORM,))
    job = await yard.submit(own)
    with pytest.raises(Denied):
        await yard.submit(other)
    with pytest.raises(Denied):
        await yard.house.authority.compute.status(other, job.uuid)
    with pytest.raises(Denied):
        await yard.house.authority.compute.cancel(other, job.uuid)
    assert (await yard.house.authority.compute.status(own, job.uuid)).uuid == job.uuid


async def test_priority_is_the_lower_of_the_tokens_and_the_users(yard: Yard) -> None:
    low = await yard.submit(await _token(yard, priority=1))
    high = await yard.submit()
    assert (work_of(low).priority, work_of(high).priority) == (1, 2)
    assert (await yard.taken())[0].job.uuid == high.uuid
    await _limit(yard, priority=1)
    assert work_of(await yard.submit(await yard.house.login("ann@example.org"))).priority == 1


async def test_the_queue_has_room_for_so_many_and_runs_so_many_of_ones_own(yard: Yard) -> None:
    await _limit(yard, max_jobs_in_queue=3, max_concurrent_jobs=1)
    ann = await yard.house.login("ann@example.org")
    jobs = [await yard.submit(ann) for _ in range(3)]
    compute = yard.house.authority.compute
    assert await compute.availability(ann) == Availability(3, 3, 1, 0)
    with pytest.raises(LimitExceeded, match="Cannot create more than 3 jobs"):
        await yard.submit(ann)
    _, holder = await yard.taken()
    assert await yard.lease() is None
    await _limit(yard, max_jobs_in_queue=1, max_concurrent_jobs=0)
    assert await compute.availability(await yard.house.login("ann@example.org")) == Availability(1, 1, 0, 0)
    await yard.complete(holder, jobs[0].uuid)
    await _limit(yard)
    assert (await yard.taken())[0].job.uuid == jobs[1].uuid


async def test_the_process_id_of_somebody_else_is_refused(yard: Yard) -> None:
    await yard.submit(process_id="p")
    await yard.submit(process_id="p")
    with pytest.raises(Conflict, match="process_id"):
        await yard.submit(await yard.house.person("bob@example.org"), process_id="p")


async def test_the_same_key_gives_the_same_job_and_never_another(yard: Yard) -> None:
    job = await yard.submit(key="k")
    kept = dict(yard.house.store._blobs)
    assert (await yard.submit(key="k")).uuid == job.uuid
    assert yard.house.store._blobs == kept  # its payload is there already
    many = await asyncio.gather(*(yard.submit(key="z") for _ in range(5)))
    assert len({one.uuid for one in many}) == 1
    with pytest.raises(Conflict):
        await yard.submit(key="k", name="other")
    with pytest.raises(Conflict):
        await yard.submit(key="k", payload=PAYLOAD + b" ")
    bob = await yard.house.person("bob@example.org")
    assert (await yard.submit(bob, key="k")).uuid != job.uuid
    await yard.taken()
    assert (await yard.submit(key="k")).state == "running"


async def test_who_takes_the_uuid_of_a_key_beforehand_stops_it_and_no_more(yard: Yard) -> None:
    job = await yard.submit(key="k")

    def other(found: Any, _prior: object) -> Any:
        return Change(found, replace(found, owner=99), None)

    await yard.house.store.apply(job.uuid, other)
    with pytest.raises(JobExists):
        await yard.submit(key="k")


async def test_another_ones_job_is_unknown_and_an_operator_only_reads(yard: Yard) -> None:
    compute, submissions = yard.house.authority.compute, yard.house.authority.submissions
    job = await yard.end("fail")
    bob = await yard.house.person("bob@example.org")
    for uuid in (job.uuid, "1071269f-b251-4a5f-bec1-6d7f77131f3f"):
        for call in (compute.status, compute.cancel, compute.results, compute.payload, submissions.rerun):
            with pytest.raises(UnknownJob) as caught:
                await call(bob, uuid)
            assert caught.value.message == UnknownJob(uuid).message
    assert (await compute.status(yard.olga, job.uuid)).state == "error"
    with pytest.raises(Denied):
        await compute.cancel(yard.olga, job.uuid)
    with pytest.raises(UnknownJob):
        await submissions.rerun(yard.olga, job.uuid)


async def test_the_owners_document_token_opens_that_job_and_outlives_a_lease(yard: Yard) -> None:
    compute = yard.house.authority.compute
    job, other = await yard.submit(), await yard.submit()
    holder = await yard.house.bearer(await yard.house.authority.jobs.token(yard.ann, job.uuid))
    await yard.taken()
    assert (await compute.status(holder, job.uuid)).state == "running"
    with pytest.raises(UnknownJob):
        await compute.status(holder, other.uuid)
    with pytest.raises(RevokedToken):
        await yard.house.authority.workers.fail(holder, job.uuid, "x", "")
    for refused in (yard.submit(holder), compute.list(holder, limit=9), compute.availability(holder)):
        with pytest.raises(Denied):
            await refused
    assert (await compute.cancel(holder, job.uuid)).state == "cancel_requested"
    await yard.house.authority.jobs.rotate(yard.ann, job.uuid)
    with pytest.raises(RevokedToken):
        await compute.status(holder, job.uuid)


async def test_what_waits_is_canceled_at_once_and_what_runs_when_its_worker_says_so(yard: Yard) -> None:
    compute = yard.house.authority.compute
    job = await yard.submit()
    canceled = await compute.cancel(yard.ann, job.uuid)
    assert (canceled.state, work_of(canceled).ended_at) == ("canceled", yard.house.clock.now())
    assert await yard.lease() is None
    with pytest.raises(Conflict, match="Can not cancel job"):
        await compute.cancel(yard.ann, job.uuid)
    job = await yard.submit()
    _, holder = await yard.taken()
    for _ in range(2):
        assert (await compute.cancel(yard.ann, job.uuid)).state == "cancel_requested"
    told = await yard.house.authority.workers.progress(holder, job.uuid, None, None, None)
    assert told.state == "cancel_requested"
    assert told.sequence == 3
    assert work_of(told).ended_at is None


async def test_nothing_moves_a_queued_job_but_its_own_routes(yard: Yard) -> None:
    jobs = yard.house.authority.jobs
    job = await yard.submit()
    for name in ("lease", "complete", "fail", "cancel", "update", "suspend"):
        with pytest.raises(Conflict, match="queue"):
            await jobs.submit_event(yard.ann, job.uuid, name)
    with pytest.raises(Conflict, match="queue"):
        await jobs.cancel(yard.ann, job.uuid)
    admin = await yard.house.admin()
    with pytest.raises(Conflict, match="queue"):
        await jobs.submit_event(admin, job.uuid, "complete")
    assert await yard.house.authority.compute.read(yard.ann, job.uuid) == job
    await jobs.delete(admin, job.uuid)
    assert await yard.lease() is None


async def test_a_job_that_ended_is_run_again_as_another_one(yard: Yard) -> None:
    rerun = yard.house.authority.submissions.rerun
    waiting = await yard.submit()
    with pytest.raises(Conflict, match="Can not rerun job"):
        await rerun(yard.ann, waiting.uuid)
    await yard.house.authority.compute.cancel(yard.ann, waiting.uuid)
    job = await rerun(yard.ann, waiting.uuid)
    assert job.uuid != waiting.uuid
    assert work_of(job).rerun_from == waiting.uuid
    assert (work_of(job).payload, work_of(job).name) == (work_of(waiting).payload, "probs")
    other = await rerun(yard.ann, waiting.uuid, name="n", payload=b'{"command":"x"}')
    assert (work_of(other).name, work_of(other).command) == ("n", "x")
    assert (await yard.taken())[0].job.uuid == job.uuid
    assert (await yard.house.authority.compute.read(yard.ann, waiting.uuid)).state == "canceled"


async def test_lists_show_ones_own_and_an_operator_everybodys(yard: Yard) -> None:
    compute = yard.house.authority.compute
    bob = await yard.house.person("bob@example.org")
    mine, other = await yard.submit(group="g"), await yard.submit(bob)
    assert bob.session is not None
    bob_id = bob.session.principal.id

    async def found(bearer: Any, **conditions: Any) -> list[str]:
        return [job.uuid for job in (await compute.list(bearer, limit=9, **conditions)).items]

    assert await found(yard.ann) == [mine.uuid]
    assert await found(yard.ann, user_id=bob_id) == []
    assert await found(yard.olga) == [mine.uuid, other.uuid]
    assert await found(yard.olga, user_id=bob_id) == [other.uuid]
    assert await found(yard.ann, group="g", state="waiting", platform=PLATFORM) == [mine.uuid]
    assert await found(yard.ann, since=yard.house.clock.now() + timedelta(seconds=1)) == []
    token = await yard.house.authority.job_tokens.create(yard.olga, Wanted())
    assert await found(await yard.house.bearer(token.token)) == []


async def test_status_is_held_until_the_job_has_ended(yard: Yard) -> None:
    compute = yard.house.authority.compute
    job = await yard.submit()
    held = asyncio.create_task(compute.status(yard.ann, job.uuid, 5))
    await asyncio.sleep(0.01)
    _, holder = await yard.taken()
    await asyncio.sleep(0.01)
    assert not held.done()
    await yard.complete(holder, job.uuid)
    assert (await asyncio.wait_for(held, 0.5)).state == "completed"
    started = time.perf_counter()
    assert (await compute.status(yard.ann, job.uuid, 5)).state == "completed"
    assert time.perf_counter() - started < 0.5


async def test_who_was_held_in_vain_is_not_held_again_at_once(yard: Yard) -> None:
    compute = yard.house.authority.compute
    jobs = [await yard.submit() for _ in range(3)]
    started = time.perf_counter()
    for job in jobs:
        assert (await compute.status(yard.ann, job.uuid, 0.2)).state == "waiting"
    assert 0.2 <= time.perf_counter() - started < 0.39
    await asyncio.sleep(0.5)
    started = time.perf_counter()
    await compute.status(yard.ann, jobs[0].uuid, 0.2)
    assert time.perf_counter() - started >= 0.2


async def test_a_token_that_ends_while_it_is_held_is_told_nothing(yard: Yard) -> None:
    job = await yard.submit()
    token = await _token(yard)
    held = asyncio.create_task(yard.house.authority.compute.status(token, job.uuid, 0.3))
    await asyncio.sleep(0.05)
    assert token.session is not None
    await yard.house.store.end_credential(token.session.credential.id, yard.house.clock.now())
    with pytest.raises(RevokedToken):
        await held


async def test_a_listener_hears_what_was_and_what_comes_until_the_end(yard: Yard) -> None:
    compute = yard.house.authority.compute
    job = await yard.submit()
    heard: list[str] = []

    async def listen(after: int = 0) -> None:
        events = await compute.listen(yard.ann, job.uuid, after)
        heard.extend([event.name async for event in events if event is not None])

    async def hear() -> None:
        async for event in await compute.listen(yard.ann, job.uuid):
            assert event is not None
            heard.append(event.name)

    task = asyncio.create_task(hear())
    await asyncio.sleep(0.02)
    assert heard == ["create"]
    _, holder = await yard.taken()
    await yard.house.authority.workers.progress(holder, job.uuid, 0.1, None, None)
    await yard.complete(holder, job.uuid)
    await asyncio.wait_for(task, 1)
    assert heard == ["create", "lease", "update", "complete"]
    heard.clear()
    await asyncio.wait_for(listen(2), 1)
    assert heard == ["update", "complete"]
    with pytest.raises(UnknownJob):
        await compute.listen(await yard.house.person("bob@example.org"), job.uuid)


async def test_nobody_listens_more_often_by_asking_at_once(yard: Yard) -> None:
    job = await yard.submit()

    async def listen() -> bool:
        events = await yard.house.authority.compute.listen(yard.ann, job.uuid)
        await asyncio.sleep(0)  # an answer begins before its pieces come
        try:
            async for _ in events:
                pass
        except TooMany:
            return False
        return True

    tasks = [asyncio.create_task(listen()) for _ in range(3 * LISTENERS_EACH)]
    await asyncio.sleep(0.05)
    await yard.house.authority.compute.cancel(yard.ann, job.uuid)
    assert (await asyncio.gather(*tasks)).count(True) == LISTENERS_EACH


async def test_the_same_again_gives_the_same_whatever_became_of_the_platform(yard: Yard) -> None:
    job = await yard.submit(key="k")
    await yard.house.authority.platforms.update(yard.olga, PLATFORM, {"status": "unavailable"})
    assert (await yard.submit(key="k")).uuid == job.uuid
    with pytest.raises(Conflict):
        await yard.submit(key="another")
    await yard.house.authority.platforms.retire(yard.olga, PLATFORM)
    assert (await yard.submit(key="k")).uuid == job.uuid
    with pytest.raises(Conflict):
        await yard.submit(key="k", name="another")


async def test_a_listener_whose_token_ends_hears_no_more(yard: Yard) -> None:
    job, token = await yard.submit(), await _token(yard)

    async def listen() -> None:
        async for _ in await yard.house.authority.compute.listen(token, job.uuid):
            pass

    task = asyncio.create_task(listen())
    await asyncio.sleep(0.02)
    assert token.session is not None
    await yard.house.store.end_credential(token.session.credential.id, yard.house.clock.now())
    with pytest.raises(RevokedToken):
        await asyncio.wait_for(task, 2)


async def test_a_job_token_that_is_narrowed_stays_narrow(yard: Yard) -> None:
    issued = await yard.house.authority.job_tokens.create(yard.ann, Wanted())
    narrow = await yard.house.bearer(attenuate(issued.token, [Platforms(("sim:other",))]))
    with pytest.raises(Denied):
        await yard.submit(narrow)


async def test_a_token_of_other_platforms_sees_nothing_of_a_job_by_any_way(yard: Yard) -> None:
    """Also by the ways of jobs that have no platform."""
    authority = yard.house.authority
    job, whole = await yard.submit(), (await authority.job_tokens.create(yard.ann, Wanted())).token
    other, here = [await yard.house.bearer(attenuate(whole, [Platforms((name,))])) for name in ("sim:other", PLATFORM)]
    compute, jobs, indexing = authority.compute, authority.jobs, authority.indexing
    ways = (
        lambda one: compute.read(one, job.uuid),
        lambda one: compute.payload(one, job.uuid),
        lambda one: jobs.read(one, job.uuid),
        lambda one: jobs.history(one, job.uuid, 0, 10),
        lambda one: jobs.verify(one, job.uuid),
        lambda one: jobs.token(one, job.uuid),
        lambda one: indexing.progress(one, job.uuid),
    )
    for way in ways:
        await way(here)
        with pytest.raises(Denied):
            await way(other)
    for bearer, seen in ((here, [job.uuid]), (other, [])):
        listed = await compute.list(bearer, after=None, limit=10)
        alike = await jobs.list(bearer, state=None, pipeline_uuid=None, after=None, limit=10)
        assert [[one.uuid for one in page.items] for page in (listed, alike)] == [seen, seen]


async def test_a_large_payload_for_a_full_queue_is_not_kept(yard: Yard) -> None:
    await _limit(yard, max_jobs_in_queue=2)
    ann = await yard.house.login("ann@example.org")
    for _ in range(2):
        await yard.submit(ann)
    with pytest.raises(LimitExceeded, match="more than 2 jobs"):
        await yard.submit(ann, payload=b'{"command":"probs","x":"' + b"x" * 300_000 + b'"}')
    yard.house.clock.advance(86_400)
    assert await yard.house.store.sweep_blobs(yard.house.clock.now(), 99) == 0


async def test_a_job_that_is_sent_or_comes_back_when_its_owner_is_disabled_does_not_wait_for_ever(yard: Yard) -> None:
    authority, store = yard.house.authority, yard.house.store
    bob = await yard.house.person("bob@example.org")
    given_back, others = await yard.submit(), await yard.submit(bob)
    _, holder = await yard.taken()
    assert yard.ann.session is not None
    await authority.tend()
    await authority.accounts.set_active(yard.olga, yard.ann.session.principal.id, False)
    sent = await yard.submit()  # she was there when her token was looked up
    await authority.workers.requeue(holder, given_back.uuid, "stopping")
    yard.house.clock.advance(LOOK_EVERY.total_seconds())
    await authority.tend()
    for job in (sent, given_back):
        assert (await authority.compute.status(yard.olga, job.uuid)).state == "canceled"
        last = (await authority.jobs.history(yard.olga, job.uuid, 0, 9))[-1]
        assert (last.name, last.credential, data_of(last.data)) == ("cancel", "server", {"reason": "owner_disabled"})
    assert (await authority.compute.status(bob, others.uuid)).state == "waiting"
    assert await store.disabled_with_waiting(9) == []
    entries = (await authority.audit.page(yard.olga, name="user.jobs_canceled")).items
    assert [(data_of(one.data), one.subject) for one in entries] == [({"jobs": 2}, str(sent.owner))]
    yard.house.clock.advance(-3600)  # a clock that is put back does not end the looking
    await store.apply(sent.uuid, lambda job, _: Change(job, replace(job, state="waiting"), None) if job else None)
    await authority.tend()
    assert (await authority.compute.status(yard.olga, sent.uuid)).state == "canceled"


async def test_jobs_that_wait_are_canceled_with_their_owner_s_account(yard: Yard) -> None:
    authority = yard.house.authority
    bob = await yard.house.person("bob@example.org")
    running, others = await yard.submit(), await yard.submit(bob)
    await yard.taken()
    waiting = [await yard.submit() for _ in range(3)]
    assert yard.ann.session is not None
    await authority.accounts.set_active(yard.olga, yard.ann.session.principal.id, False)
    states = [(await authority.compute.status(yard.olga, one.uuid)).state for one in (running, *waiting)]
    assert states == ["running", "canceled", "canceled", "canceled"]
    assert (await authority.compute.status(bob, others.uuid)).state == "waiting"
    entry = (await authority.audit.page(yard.olga, name="user.jobs_canceled")).items[-1]
    assert data_of(entry.data) == {"jobs": 3}
    events = await authority.jobs.history(yard.olga, waiting[0].uuid, 0, 9)
    assert [event.name for event in events] == ["create", "cancel"]
    assert (await authority.jobs.verify(yard.olga, waiting[0].uuid))[1] is None
