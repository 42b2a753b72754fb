"""The queue: who is next, what is counted, what lies beside it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobpass.errors import Conflict, InvalidInput, LimitExceeded, UnknownJob
from jobpass.records import Blob, Change, Load, Profile, Replayed, Usage
from jobpass.stores.postgres import PostgresStore
from jobpass.stores.sqlite import SqliteStore
from jobpass.stores.sqlite.queries import QUERIES

PLATFORMS = ["sim:a"]


@pytest.fixture
async def people(store, kit):
    """Three people: the first may have two jobs at once, the second one, the third as many as anybody."""
    for name, most in (("a", 2), ("b", 1), ("c", Profile().max_concurrent_jobs)):
        await store.add_principal(f"{name}@b", "author", "h", kit.AT, Profile(max_concurrent_jobs=most))


@pytest.fixture
async def submit(store, kit, people):
    """Makes a job that waits: (uuid, …) → the job."""

    async def make(uuid, **fields):
        blob = await kit.blob(store, b"{}", kit.AT)
        return (await store.apply(uuid, kit.submit(uuid, blob, **fields))).after

    return make


async def _drain(store, kit, platforms=PLATFORMS):
    taken = []
    while (change := await store.apply_next(platforms, kit.lease())) is not None:
        taken.append(change.after.uuid)
    return taken


async def test_the_next_is_of_the_highest_priority_and_then_the_first_that_was_made(store, kit, submit):
    for uuid, priority in (("low", 0), ("first", 2), ("second", 2), ("top", 9)):
        await submit(uuid, priority=priority, owner=3)
    await submit("elsewhere", platform="sim:b", priority=99, owner=3)
    assert await _drain(store, kit) == ["top", "first", "second", "low"]
    assert await store.waiting_on(["sim:b"])
    assert not await store.waiting_on(PLATFORMS)
    assert await _drain(store, kit, ["sim:a", "sim:b"]) == ["elsewhere"]
    assert await _drain(store, kit, []) == []


async def test_who_has_as_many_as_may_be_is_passed_over(store, kit, submit):
    for n in range(4):
        await submit(f"a{n}", owner=1, priority=5)
        await submit(f"b{n}", owner=2, priority=4)
        await submit(f"c{n}", owner=3)
    assert await _drain(store, kit) == ["a0", "a1", "b0", "c0", "c1", "c2", "c3"]
    assert await store.load_of(1) == Load(2, 2)
    await store.apply("a1", kit.move("cancel", "cancel_requested"))
    assert await _drain(store, kit) == []
    await store.apply("a1", kit.move("canceled", "canceled", leased_until=None))
    assert await _drain(store, kit) == ["a2"]


async def test_thousands_of_one_who_may_have_no_more_hide_nobody(store, kit, submit):
    for n in range(150):
        await submit(f"a{n}", owner=1, priority=5)
    await submit("c", owner=3)
    await submit("c-high", owner=3, priority=1)
    assert await _drain(store, kit) == ["a0", "a1", "c-high", "c"]


async def test_the_jobs_of_who_is_disabled_wait(store, kit, submit):
    await submit("a", owner=1)
    await store.change_principal(1, lambda one: replace(one, active=False))
    assert await _drain(store, kit) == []
    await store.change_principal(1, lambda one: replace(one, active=True))
    assert await _drain(store, kit) == ["a"]


async def test_who_is_disabled_and_has_jobs_that_wait_is_found(store, kit, submit):
    for owner in (1, 2, 3):
        await submit(f"j{owner}", owner=owner)
    await store.apply("plain", kit.create("plain", state="waiting", owner=3))
    assert await store.disabled_with_waiting(9) == []
    for owner in (3, 1, 2):
        await store.change_principal(owner, lambda one: replace(one, active=False))
    assert await store.disabled_with_waiting(9) == [1, 2, 3]
    assert await store.disabled_with_waiting(2) == [1, 2]
    await store.apply("j1", kit.move("cancel", "canceled"))
    await store.apply("j3", kit.move("lease", "running"))
    assert await store.disabled_with_waiting(9) == [2]
    await store.change_principal(2, lambda one: replace(one, active=True))
    assert await store.disabled_with_waiting(9) == []


async def test_of_many_who_ask_at_once_each_gets_another_job(store, kit, submit):
    for n in range(5):
        await submit(f"c{n}", owner=3)
    changes = await asyncio.gather(*(store.apply_next(PLATFORMS, kit.lease(f"w{n}")) for n in range(9)))
    assert sorted(one.after.uuid for one in changes if one is not None) == [f"c{n}" for n in range(5)]
    assert sum(one is None for one in changes) == 4


async def test_what_is_made_and_what_asks_in_one_tick_meet(store, kit, submit):
    blob = await kit.blob(store, b"{}", kit.AT)
    made, taken = await asyncio.gather(
        store.apply("x", kit.submit("x", blob, owner=3)), store.apply_next(PLATFORMS, kit.lease())
    )
    if taken is None and isinstance(store, PostgresStore):  # which has two connections that write
        taken = await store.apply_next(PLATFORMS, kit.lease())
    assert made.after.uuid == taken.after.uuid == "x"


async def test_a_judge_that_refuses_leaves_the_job_where_it_is(store, kit, submit):
    await submit("a", owner=3)

    def refuse(found, _):
        raise Conflict("no")

    with pytest.raises(Conflict):
        await store.apply_next(PLATFORMS, refuse)
    with pytest.raises(TypeError):
        await store.apply_next(PLATFORMS, lambda found, _: Replayed(found, kit.event(1)))
    assert (await store.find_job("a")).state == "waiting"
    assert await _drain(store, kit) == ["a"]


async def test_nobody_gets_more_into_the_queue_than_may_be(store, kit, submit):
    await submit("a", most=2)
    blob = await kit.blob(store, b"{}", kit.AT)
    many = await asyncio.gather(
        *(store.apply(f"n{n}", kit.submit(f"n{n}", blob, most=2)) for n in range(5)), return_exceptions=True
    )
    assert sum(isinstance(one, Change) for one in many) == 1
    refused = [one for one in many if isinstance(one, LimitExceeded)]
    assert len(refused) == 4
    assert refused[0].message == "Cannot create more than 2 jobs"
    await submit("other", most=2, owner=3)
    await store.apply("a", kit.lease())
    with pytest.raises(LimitExceeded):
        await store.apply("b", kit.submit("b", blob, most=2))
    await store.apply("a", kit.move("complete", "completed", leased_until=None))
    await store.apply("b", kit.submit("b", blob, most=2))


async def test_what_a_job_carries_is_read_as_it_was_written(store, kit, submit):
    made = await submit("a", name="ü", lease=2**64 - 1, intermediate=b'{"a":1}', started_at=kit.AT, progress=0.25)
    assert await store.find_job("a") == made
    result = Blob(await kit.blob(store, b"[]", kit.AT), 2, "ff")
    change = await store.apply("a", kit.move("complete", "completed", results=result, ended_at=kit.AT))
    assert await store.find_job("a") == change.after
    assert change.after.work.results == result
    page = await store.list_work(after=None, limit=9)
    assert page.items == [change.after]


async def test_a_job_without_work_is_in_no_queue_and_gets_none_later(store, kit, people):
    await store.apply("plain", kit.create("plain", state="waiting"))
    assert (await store.list_work(after=None, limit=9)).items == []
    with pytest.raises(ValueError, match="work"):
        await store.apply("plain", kit.rewrite(work=kit.work()))


async def test_lists_meet_every_condition(store, kit, submit):
    for n in range(6):
        later = kit.AT + timedelta(seconds=n)
        await submit(
            f"j{n}", owner=1 + n % 2, platform=f"sim:{'ab'[n % 3 == 0]}", group="g" if n < 3 else None, created_at=later
        )
    await store.apply("j1", kit.lease())

    async def found(**conditions):
        return [job.uuid for job in (await store.list_work(after=None, limit=9, **conditions)).items]

    assert await found() == [f"j{n}" for n in range(6)]
    assert await found(owner=1) == ["j0", "j2", "j4"]
    assert await found(owner=2, state="running") == ["j1"]
    assert await found(state="waiting", platform="sim:b") == ["j0", "j3"]
    assert await found(group="g", owner=1) == ["j0", "j2"]
    since, until = kit.AT + timedelta(seconds=2), kit.AT + timedelta(seconds=4)
    assert await found(since=since, until=until) == ["j2", "j3"]
    first = await store.list_work(owner=1, after=None, limit=2)
    assert [job.uuid for job in first.items] == ["j0", "j2"]
    assert [job.uuid for job in (await store.list_work(owner=1, after=first.next, limit=2)).items] == ["j4"]
    with pytest.raises(InvalidInput):
        await store.list_work(after="99", limit=2)


async def test_a_lease_lapses_unless_it_is_renewed(store, kit, submit):
    for n, uuid in enumerate("abc"):
        await submit(uuid, owner=3)
        await store.apply(uuid, kit.lease(until=kit.AT + timedelta(seconds=3 - n)))
    at = kit.AT + timedelta(seconds=2)
    assert await store.lapsed(at, 9) == ["c", "b"]
    assert await store.lapsed(at, 1) == ["c"]
    await store.apply("c", kit.move("update", "running", leased_until=kit.AT + timedelta(seconds=9)))
    await store.apply("b", kit.move("requeue", "waiting", leased_until=None))
    assert await store.lapsed(at, 9) == []


async def test_usage_is_summed_by_token_and_platform(store, kit, submit):
    for n, (token, platform) in enumerate(((7, "sim:b"), (7, "sim:a"), (7, "sim:a"), (8, "sim:a"), (None, "sim:a"))):
        await submit(f"j{n}", owner=3, token=token, platform=platform, created_at=kit.AT + timedelta(seconds=n))
        ended = kit.AT + timedelta(seconds=n + 1.9)
        await store.apply(f"j{n}", kit.move("complete", "completed", started_at=kit.AT, ended_at=ended))
    assert await store.usage([7, 9], None, None) == [Usage(7, "sim:a", 2, 5), Usage(7, "sim:b", 1, 1)]
    since, until = kit.AT + timedelta(seconds=2), kit.AT + timedelta(seconds=4)
    assert await store.usage([7, 8], since, until) == [Usage(7, "sim:a", 1, 3), Usage(8, "sim:a", 1, 4)]
    assert await store.usage([], None, None) == []


async def test_a_process_id_belongs_to_who_used_it_first(store, submit):
    await submit("a", owner=2, process_id="p")
    await submit("b", owner=3, process_id="p")
    assert await store.process_owner("p") == 2
    assert await store.process_owner("q") is None


async def test_a_blob_is_read_in_its_chunks(store, kit):
    number = await kit.blob(store, b"one", kit.AT)
    await store.extend_blob(number, 1, b"two")
    assert [await store.read_blob(number, place) for place in range(3)] == [b"one", b"two", None]
    assert await store.read_blob(number + 1, 0) is None
    with pytest.raises(Exception, match=r"(?i)taken|constraint"):
        await store.add_blob(number, b"x", kit.AT)
    with pytest.raises(Conflict):
        await store.extend_blob(number + 1, 0, b"x")


async def test_what_nobody_names_is_swept_and_what_is_named_is_not(store, kit, submit):
    later = kit.AT + timedelta(seconds=1)
    kept = (await submit("a")).work.payload.number
    shared = await store.apply("rerun", kit.submit("rerun", kept))
    loose, young = await kit.blob(store, b"x", kit.AT), await kit.blob(store, b"x", later)
    await store.extend_blob(loose, 1, b"y")
    assert await store.sweep_blobs(later, 1) == 1
    assert await store.sweep_blobs(later, 9) == 1
    assert await store.sweep_blobs(later, 9) == 0
    assert [await store.read_blob(number, 0) for number in (kept, loose, young)] == [b"{}", None, b"x"]
    await store.apply("a", kit.delete)
    assert await store.sweep_blobs(later, 9) == 0
    assert await store.read_blob(shared.after.work.payload.number, 0) == b"{}"
    await store.apply("rerun", kit.delete)
    assert await store.sweep_blobs(later, 9) == 1
    assert await store.read_blob(kept, 0) is None


async def test_what_is_dropped_is_swept_next_and_named_by_nobody(store, kit, submit):
    named = (await submit("a")).work.payload.number
    loose = await kit.blob(store, b"x", kit.AT)
    await store.extend_blob(loose, 1, b"y")
    for number in (loose, named, 7):
        await store.drop_blob(number)
    with pytest.raises(Conflict):
        await store.apply("b", kit.submit("b", loose))
    with pytest.raises(Conflict):
        await store.extend_blob(loose, 2, b"z")
    await store.apply("c", kit.submit("c", named))
    long_ago = kit.AT - timedelta(days=999)
    assert [await store.sweep_blobs(long_ago, 1) for _ in range(3)] == [1, 1, 0]
    assert [await store.read_blob(number, 0) for number in (loose, named)] == [None, b"{}"]


async def test_no_event_names_a_blob_that_was_swept(store, kit, submit):
    await submit("a")
    gone = await kit.blob(store, b"x", kit.AT)
    await store.sweep_blobs(kit.AT + timedelta(seconds=1), 9)
    with pytest.raises(Conflict):
        await store.apply("b", kit.submit("b", gone))
    with pytest.raises(Conflict):
        await store.apply("a", kit.move("complete", "completed", results=Blob(gone, 1, "00")))
    assert (await store.find_job("a")).state == "waiting"
    with pytest.raises(UnknownJob):
        await store.apply("b", kit.move("update", "waiting"))


async def test_results_that_others_replace_are_swept(store, kit, submit):
    await submit("a")
    numbers = [await kit.blob(store, b"x", kit.AT) for _ in range(2)]
    for number in numbers:
        await store.apply("a", kit.move("complete", "completed", results=Blob(number, 1, "00")))
    assert await store.sweep_blobs(kit.AT + timedelta(seconds=1), 9) == 1
    assert [await store.read_blob(number, 0) for number in numbers] == [None, b"x"]


async def test_a_blob_of_which_a_part_was_swept_is_gone(store, kit, submit):
    await submit("a")
    broken = await kit.blob(store, b"x", kit.AT)
    await store.extend_blob(broken, 1, b"y")
    assert await store.sweep_blobs(kit.AT + timedelta(seconds=1), 1) == 1
    with pytest.raises(Conflict):
        await store.apply("b", kit.submit("b", broken))
    with pytest.raises(Conflict):
        await store.apply("a", kit.move("complete", "completed", results=Blob(broken, 1, "00")))
    with pytest.raises(Conflict):
        await store.extend_blob(broken, 2, b"z")
    assert await store.sweep_blobs(kit.AT + timedelta(seconds=1), 9) == 1
    assert await store.sweep_blobs(kit.AT + timedelta(seconds=1), 9) == 0


async def test_a_deleted_job_leaves_the_queue(store, kit, submit):
    await submit("a", owner=3)
    await store.apply("a", kit.delete)
    assert await _drain(store, kit) == []
    assert await store.load_of(3) == Load(0, 0)


async def test_it_is_known_when_another_process_has_written(tmp_path, kit):
    one, two = [await SqliteStore.open(tmp_path / "store.sqlite") for _ in range(2)]
    before = one.commits_elsewhere()
    await one.apply("a", kit.create("a"))
    assert one.commits_elsewhere() == before
    await two.apply("b", kit.create("b"))
    assert one.commits_elsewhere() != before
    await one.close()
    await two.close()


@pytest.mark.parametrize(
    ("name", "bindings"),
    [
        ("next_waiting", ("sim:a", 1)),
        ("next_owner", ("sim:a", 0)),
        ("first_of_owner", ("sim:a", 1)),
        ("load_of", {"owner": 1}),
        ("queued_of", {"owner": 1, "most": 9}),
        ("may_have_more", {"owner": 1, "most": 5}),
        ("lapsed", (0, 9)),
        ("waiting_on", {"platforms": '["sim:a"]'}),
        ("process_owner", ("p",)),
        ("find_job", ("x",)),
    ],
)
async def test_nothing_that_a_lease_or_a_status_asks_looks_at_every_job(sqlite, name, bindings):
    plan = [row[3] for row in sqlite._rows(f"EXPLAIN QUERY PLAN {QUERIES[name]}", bindings)]
    tables = ("work", "job", "principal")
    assert not [step for step in plan if "TEMP B-TREE" in step or step.split()[:2] in [["SCAN", one] for one in tables]]
    assert any(step.startswith("SEARCH") for step in plan)
