"""Several nodes on one database: they judge what the database has, and hear of each other."""

from __future__ import annotations

import asyncio
import random
import time

import pytest
from msgspec.structs import replace

from jobpass.errors import Conflict, JobExists
from jobpass.records import Change, Credential, Profile, Replayed
from jobpass.stores.postgres import PostgresStore
from support.postgres import sql


async def _until(what, seconds=5.0):
    """Ask again and again until the answer is true."""
    deadline = time.monotonic() + seconds
    while not await what():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_many_on_one_job_from_two_nodes_all_stand_in_sequence(postgres, other, kit):
    await postgres.apply("job", kit.create())
    nodes = (postgres, other)
    answers = await asyncio.gather(*(nodes[n % 2].apply("job", kit.send(data=b"%d" % n)) for n in range(100)))
    history = await postgres.history("job", 0, 1000)
    assert [entry.sequence for entry in history] == list(range(1, 102))
    assert sorted(int(entry.data) for entry in history[1:]) == list(range(100))
    assert {answer.event for answer in answers} == set(history[1:])
    assert await postgres.find_job("job") == await other.find_job("job")


async def test_many_jobs_in_any_order_from_two_nodes_never_wait_for_each_other(postgres, other, kit):
    names = [f"job-{n}" for n in range(60)]
    await asyncio.gather(*(postgres.apply(name, kit.create(name)) for name in names))
    chance = random.Random(1)

    async def sender(node):
        for _ in range(12):
            chosen = chance.sample(names, 40)
            await asyncio.gather(*(node.apply(name, kit.send()) for name in chosen))

    started = time.monotonic()
    await asyncio.gather(sender(postgres), sender(other))
    assert time.monotonic() - started < 30
    deadlocks = await sql(_url(postgres), "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert deadlocks == [[(0,)]]
    jobs = [await postgres.find_job(name) for name in names]
    assert sum(job.sequence - 1 for job in jobs) == 2 * 12 * 40
    for job in jobs:
        history = await other.history(job.uuid, 0, 1000)
        assert [entry.sequence for entry in history] == list(range(1, job.sequence + 1))


def _url(store):
    return store._lanes[0]._connector.place.url


async def test_several_lanes_keep_the_order_of_each_job(postgres, postgres_url, kit):
    store = await PostgresStore.open(f"{postgres_url}?lanes=3")
    names = [f"job-{n}" for n in range(30)]
    await asyncio.gather(*(store.apply(name, kit.create(name)) for name in names))
    told = {name: [] for name in names}

    async def send(name, n):
        told[name].append((await store.apply(name, kit.send(data=b"%d" % n))).event)

    await asyncio.gather(*(send(name, n) for n in range(20) for name in names), store.put_pipeline(kit.pipeline()))
    assert {writer._lane.name for writer in store._writers if writer._cache} == {lane.name for lane in store._lanes}
    for name in names:
        history = await postgres.history(name, 1, 99)
        assert history == told[name]
        assert [int(event.data) for event in history] == list(range(20))
    await store.close()
    assert await sql(postgres_url, f"SELECT id FROM jobpass.lane WHERE id = '{store._lanes[1].name}'") == [[]]


async def test_of_two_nodes_one_wins_a_transition(postgres, other, kit):
    for turn in range(10):
        uuid = f"job-{turn}"
        await postgres.apply(uuid, kit.create(uuid))
        await other.apply(uuid, kit.send())
        answers = await asyncio.gather(
            postgres.apply(uuid, kit.win("left")), other.apply(uuid, kit.win("right")), return_exceptions=True
        )
        assert sorted(type(answer).__name__ for answer in answers) == ["Change", "Conflict"]


async def test_a_refusal_is_judged_on_what_the_database_has(postgres, other, kit):
    """Each node has the job in its cache as it was; none refuses or allows what is so no more."""
    await postgres.apply("job", kit.create())
    await other.apply("job", kit.send())
    await postgres.apply("job", kit.send())

    def only_running(found, standing):
        if found.state != "RUNNING":
            raise Conflict("not yet")
        return kit.send()(found, standing)

    with pytest.raises(Conflict):
        await other.apply("job", only_running)
    await postgres.apply("job", kit.send("run", state="RUNNING"))
    assert (await other.apply("job", only_running)).event.sequence == 5
    with pytest.raises(Conflict):
        await postgres.apply("job", kit.win("late"))


async def test_a_key_that_came_to_another_node_is_replayed(postgres, other, kit):
    await postgres.apply("job", kit.create())
    await other.apply("job", kit.send())
    first = await postgres.apply("job", kit.send(key="k"), "k")
    assert isinstance(first, Change)
    again = await other.apply("job", kit.send(key="k"), "k")
    assert isinstance(again, Replayed)
    assert again.event == first.event

    def refuse_second(found, standing):
        if standing is None and found.state == "RUNNING":
            raise Conflict("it runs already")
        return kit.send("run", state="RUNNING", key="run")(found, standing)

    assert isinstance(await other.apply("job", refuse_second, "run"), Change)
    assert isinstance(await postgres.apply("job", refuse_second, "run"), Replayed)
    answers = await asyncio.gather(
        other.apply("job", kit.send()), other.apply("job", refuse_second, "run"), other.apply("job", kit.send())
    )
    assert [type(answer) for answer in answers] == [Change, Replayed, Change]


async def test_the_same_key_at_once_on_two_nodes_is_written_once(postgres, other, kit):
    for turn in range(10):
        uuid = f"job-{turn}"
        await postgres.apply(uuid, kit.create(uuid))
        await other.apply(uuid, kit.send())
        calls = [node.apply(uuid, kit.send(key="k"), "k") for node in (postgres, other) * 3]
        answers = await asyncio.gather(*calls)
        assert [type(answer) for answer in answers].count(Change) == 1
        assert len({answer.event.sequence for answer in answers}) == 1
        assert len(await other.history(uuid, 0, 9)) == 3


async def test_a_job_made_at_once_on_two_nodes_is_made_once(postgres, other, kit):
    for turn in range(10):
        uuid = f"job-{turn}"
        calls = [node.apply(uuid, kit.create(uuid, serial=n)) for n, node in enumerate((postgres, other))]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["Change", "Conflict"]
        assert len(await other.history(uuid, 0, 9)) == 1
    page = await postgres.list_jobs(owner=None, state=None, pipeline_uuid=None, after=None, limit=99)
    assert [job.uuid for job in page.items] == [f"job-{turn}" for turn in range(10)]


async def test_a_deletion_and_an_event_at_once_leave_no_orphans(postgres, other, kit):
    for turn in range(10):
        await postgres.apply("job", kit.create(serial=turn))
        await other.apply("job", kit.send())
        await asyncio.gather(
            postgres.apply("job", kit.delete), *(other.apply("job", kit.send()) for _ in range(3)),
            return_exceptions=True,
        )  # fmt: skip
        assert await other.find_job("job") is None
        assert await sql(_url(postgres), "SELECT count(*) FROM jobpass.event") == [[(0,)]]


async def test_of_neighbours_made_at_once_on_two_nodes_one_is_made(postgres, other, kit):
    for turn in range(10):
        places = (postgres, f"/{turn}/a", 1), (other, f"/{turn}", 2), (postgres, f"/{turn}/a/b", 3)
        calls = []
        for node, path, owner in places[turn % 3 :] + places[: turn % 3]:
            uuid, fields = f"{turn}-{owner}", {"archive_system": "s", "archive_path": path, "owner": owner}
            calls.append(node.apply(uuid, kit.create(uuid, **fields), apart=kit.job(uuid, **fields)))
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(answer) for answer in answers].count(JobExists) == 2


async def test_principals_and_credentials_get_their_numbers_in_turn(postgres, other, kit):
    nodes = (postgres, other)
    made = await asyncio.gather(*(nodes[n % 2].add_principal(f"{n}@b", "author", "h", kit.AT) for n in range(20)))
    assert sorted(one.id for one in made) == list(range(1, 21))
    given = await asyncio.gather(
        *(nodes[n % 2].add_credential(Credential(f"c{n}", "login", 1, "", kit.AT, None)) for n in range(20))
    )
    assert sorted(one.number for one in given) == list(range(1, 21))


async def test_an_audit_chain_of_one_node_name_has_one_order(postgres, other, kit):
    from jobpass.records import AuditEntry

    def place(sequence, link):
        return [AuditEntry("main", sequence + 1, kit.AT, "x", None, None, None, None, b"{}", "k1", link)]

    await asyncio.gather(*((postgres, other)[n % 2].append_audit("main", place) for n in range(30)))
    page = await postgres.list_audit(limit=99)
    assert [entry.sequence for entry in page.items] == list(range(1, 31))


@pytest.fixture
async def credential(postgres, other, kit):
    """A session that both nodes answer from memory."""
    owner = await postgres.add_principal("a@b", "author", "h", kit.AT)
    await postgres.add_credential(Credential("root", "login", owner.id, "", kit.AT, None))
    await postgres.add_credential(Credential("c1", "login", owner.id, "", kit.AT, None, parent="root"))
    for node in (postgres, other):
        await _until(lambda node=node: _cached(node, "c1"))
    return owner


async def _cached(node, name):
    """Whether the node answers the session without asking anybody."""
    await node.find_session(name)
    return node._sessions.get(name) is not None


@pytest.mark.parametrize("how", ["revoke", "parent", "owned", "principal"])
async def test_what_another_node_ends_is_ended_here_within_a_second(postgres, other, kit, credential, how):
    if how == "principal":
        await other.change_principal(credential.id, lambda found: replace(found, active=False))
    elif how == "owned":
        assert await kit.end_owned(other, credential.id, ["login"], kit.AT) == 2
    else:
        await other.end_credential("c1" if how == "revoke" else "root", kit.AT)
    ended = time.monotonic()

    async def is_ended(node):
        session = await node.find_session("c1")
        return session.credential.revoked_at is not None or not session.principal.active

    assert await is_ended(other), "at once on the node that did it"
    await _until(lambda: is_ended(postgres), 1.0)
    assert time.monotonic() - ended < 1.0


async def test_a_node_that_cannot_read_the_epoch_trusts_nothing(postgres, other, kit, credential):
    for task in postgres._watch._tasks:
        task.cancel()
    await other.end_credential("c1", kit.AT)
    await asyncio.sleep(0.85)
    assert postgres._sessions.get("c1") is None
    assert (await postgres.find_session("c1")).credential.revoked_at == kit.AT


async def test_a_session_read_before_its_end_is_not_kept_after_it(postgres, kit, credential):
    """The answer of a read that began before the revocation arrives when the epoch was raised already."""
    before = postgres._sessions._epoch
    session = await postgres.find_session("c1")
    await postgres.end_credential("c1", kit.AT)
    postgres._sessions.put("c1", before, session)
    assert (await postgres.find_session("c1")).credential.revoked_at == kit.AT


async def test_noted_uses_end_no_session(postgres, other, kit, credential):
    await other.note_uses({"c1": (3, kit.AT)})
    assert (await other.find_session("c1")).credential.uses == 3
    await asyncio.sleep(0.4)
    assert postgres._sessions.get("c1") is not None


async def test_what_one_node_changes_the_other_is_told(postgres, other, kit):
    heard, own = [], []
    end = other.subscribe(heard.append)
    postgres.subscribe(own.append)
    await postgres.apply("job", kit.create())

    async def told():
        return any(topics is not None and "job:job" in topics for topics in heard)

    await _until(told, 1.0)
    assert own == [], "what this node does it knows itself"
    end()
    heard.clear()
    await postgres.apply("job", kit.send())
    await asyncio.sleep(0.1)
    assert heard == []


async def test_of_more_than_fit_it_is_told_that_any_may_have_changed(postgres, other, kit):
    heard = []
    other.subscribe(heard.append)
    names = [f"{n:036}" for n in range(400)]
    await asyncio.gather(*(postgres.apply(name, kit.create(name)) for name in names))

    async def told():
        return None in heard or {name for topics in heard for name in topics or ()} == {f"job:{one}" for one in names}

    await _until(told, 2.0)


async def test_a_hold_is_respected_by_the_other_node(postgres, other):
    async with postgres.hold("job"):
        for node in (postgres, other):
            with pytest.raises(Conflict):
                async with node.hold("job"):
                    pass
        async with other.hold("another"):
            pass
    async with other.hold("job"):
        pass


async def test_news_are_looked_at_once_whoever_looks(postgres, other, kit):
    from jobpass.records import Webhook

    await postgres.add_principal("a@b", "author", "h", kit.AT)
    await postgres.apply("job", kit.create())
    await postgres.add_webhook(Webhook("w", 1, "https://example.org/", "job", None, (), "k1", 1, kit.AT), 9)
    nodes = (postgres, other)
    await asyncio.gather(*(nodes[n % 2].apply("job", kit.send()) for n in range(40)))
    asked = []

    def wants(_webhook, _owner, news):
        asked.append(news.sequence)
        return True

    async def look(node):
        while await node.queue_news(wants, kit.AT):
            pass

    await asyncio.gather(look(postgres), look(other))
    await look(other)
    assert sorted(set(asked)) == list(range(2, 42))
    assert await other.count_deliveries("w") == (40, 0)
    told = []
    claims = await postgres.claim("w", kit.AT, kit.AT, 9)
    assert len(claims) == 1
    claim = claims[0]
    while claim is not None:
        told.append(claim.delivery.sequence)
        claim = await nodes[len(told) % 2].note_delivered(claim, kit.AT, kit.AT)
    assert told == list(range(2, 42))


async def test_no_lane_waits_for_another_of_its_node_when_a_node_says_that_it_lives(postgres_url, postgres, kit):
    """While jobs are made on each, whose counter they hold in turn: who writes another lane's row waits in a ring."""
    store = await PostgresStore.open(postgres_url)
    rings = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await sql(postgres_url, rings)

    async def maker(name):
        for n in range(40):
            uuid = f"{name}-{n}"
            await store.apply(uuid, kit.create(uuid))

    async def tender(makers):
        while not all(one.done() for one in makers):
            store._tended_at = -1e9
            await store.tend()

    try:
        makers = [asyncio.create_task(maker(name)) for name in ("a", "b", "c", "d")]
        await asyncio.gather(*makers, tender(makers))
    finally:
        await store.close()  # its connections have counted by then
    assert await sql(postgres_url, rings) == before


async def test_no_lane_waits_for_one_that_waits_for_it_whatever_they_do(postgres_url, postgres, kit):
    """Jobs with one payload are made, given to workers, rewritten, canceled and deleted, many in a tick."""
    store = await PostgresStore.open(postgres_url)
    rings = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await sql(postgres_url, rings)
    chance = random.Random(1)
    await store.add_principal("a@b", "author", "h", kit.AT, Profile(max_concurrent_jobs=9999))
    number = await kit.blob(store, b"{}", kit.AT)

    def changed(name):
        judges = (kit.rewrite(serial=chance.getrandbits(60)), kit.delete, kit.move("cancel", "canceled"))
        return store.apply(name, chance.choice(judges))

    async def changer(who):
        for turn in range(25):
            names = [f"{who}-{turn}-{n}" for n in range(12)]
            await asyncio.gather(*(store.apply(name, kit.submit(name, number)) for name in names))
            chance.shuffle(names)
            work = [store.apply_next(["sim:a"], kit.lease()) for _ in range(3)]
            await asyncio.gather(*map(changed, names), *work)

    try:
        await asyncio.gather(*(changer(who) for who in "abcd"))
    finally:
        await store.close()
    assert await sql(postgres_url, rings) == before
