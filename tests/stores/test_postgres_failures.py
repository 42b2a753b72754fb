"""What goes wrong between a node and its database: nothing acknowledged is lost, nothing is written twice."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import pytest
from msgspec.structs import replace

from jobpass.errors import StoreUnavailable
from jobpass.records import Change, Replayed
from jobpass.stores.postgres import PostgresStore
from support.postgres import EMPTY, NoServer, Server, sql
from support.proxy import Proxy


@pytest.fixture
async def proxied(postgres, postgres_url):
    """A node whose connections pass through a proxy: (store, proxy)."""
    async with Proxy(urlsplit(postgres_url).port or 5432) as proxy:
        store = await PostgresStore.open(_through(postgres_url, proxy))
        yield store, proxy
        proxy.deaf = proxy.holding = False
        await store.close()


def _through(url, proxy):
    parts = urlsplit(url)
    who = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{who}@127.0.0.1:{proxy.port}"))


async def _sequences(store, uuid="job"):
    return [entry.sequence for entry in await store.history(uuid, 0, 100_000)]


async def _losing_answers(proxy, asked):
    """The result; a transaction has several answers, each of which in turn is the last that arrives."""
    for _ in range(20):
        proxy.deaf = True
        await asyncio.wait([asked], timeout=0.03)
        if asked.done():
            break
        proxy.cut()
        proxy.deaf = False
        await asyncio.wait([asked], timeout=0.2)
    proxy.deaf = False
    return await asked


CALLS = {
    "event": lambda store, kit: store.apply("job", kit.send("lost")),
    "keyed": lambda store, kit: store.apply("job", kit.send("lost", key="k"), "k"),
    "rewrite": lambda store, kit: store.apply("job", kit.send("lost", serial=5)),
    "group": lambda store, kit: asyncio.gather(
        store.apply("job", kit.send("lost")), store.put_pipeline(kit.pipeline()), store.apply("x", kit.create("x"))
    ),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_group_whose_answer_is_lost_stands_once_and_is_answered(proxied, postgres, kit, call):
    store, proxy = proxied
    await store.apply("job", kit.create())
    await store.apply("job", kit.send())
    asked = asyncio.ensure_future(CALLS[call](store, kit))
    answer = await _losing_answers(proxy, asked)
    first = answer[0] if call == "group" else answer
    assert isinstance(first, Change)
    assert [entry.name for entry in await postgres.history("job", 0, 9)] == ["create", "update", "lost"]
    assert (await store.apply("job", kit.send())).event.sequence == 4
    if call == "group":
        assert len(await postgres.history("x", 0, 9)) == 1
        assert (await postgres.list_pipelines(after=None, limit=9)).items == [kit.pipeline()]


async def test_a_group_that_stood_is_not_judged_again(proxied, postgres, kit):
    """The judge would refuse what it has done itself."""
    store, proxy = proxied
    await store.apply("job", kit.create())
    await store.apply("job", kit.send())
    proxy.deaf = True
    proxy.heard.clear()
    asked = asyncio.ensure_future(store.apply("job", kit.win("once")))
    await proxy.heard.wait()
    await asyncio.sleep(0.05)
    assert (await postgres.find_job("job")).state == "RUNNING"
    proxy.cut()
    proxy.deaf = False
    assert (await asked).after.state == "RUNNING"
    assert await _sequences(postgres) == [1, 2, 3]


async def test_a_lease_whose_answer_is_lost_is_one_lease(proxied, postgres, kit):
    """Also together with a job that is made in the same tick, in a write of its own."""
    store, proxy = proxied
    await store.add_principal("a@b", "author", "h", kit.AT)
    number = await kit.blob(store, b"{}", kit.AT)
    for uuid in "ab":
        await store.apply(uuid, kit.submit(uuid, number))
    asked = asyncio.gather(
        store.apply("c", kit.submit("c", number)),
        *(store.apply_next(["sim:a"], kit.lease(f"w{n}")) for n in range(2)),
    )
    made, *leased = await _losing_answers(proxy, asked)
    assert made.after.uuid == "c"
    assert [change.after.uuid for change in leased] == ["a", "b"]
    for uuid, events in (("a", 2), ("b", 2), ("c", 1)):
        assert await _sequences(postgres, uuid) == [*range(1, events + 1)]
    assert await postgres.sweep_blobs(kit.AT + timedelta(seconds=1), 9) == 0
    assert (await store.apply_next(["sim:a"], kit.lease())).after.uuid == "c"


async def test_a_group_that_arrives_after_its_connection_was_given_up_writes_nothing(proxied, postgres, kit):
    store, proxy = proxied
    await store.apply("job", kit.create())
    await store.apply("job", kit.send())
    proxy.holding = True
    proxy.heard.clear()
    asked = asyncio.ensure_future(store.apply("job", kit.send("late")))
    await proxy.heard.wait()
    proxy.holding = False
    proxy.cut()  # the node makes another connection, while the statement is still on its way
    assert (await asked).event.sequence == 3
    await proxy.release()
    await asyncio.sleep(0.2)
    assert [entry.name for entry in await postgres.history("job", 0, 9)] == ["create", "update", "late"]
    assert (await postgres.find_job("job")).sequence == 3
    assert (await store.apply("job", kit.send())).event.sequence == 4


async def test_connections_that_die_under_load_lose_and_double_nothing(postgres, postgres_url, kit):
    store = await PostgresStore.open(postgres_url)
    await asyncio.gather(*(store.apply(f"job-{n}", kit.create(f"job-{n}")) for n in range(8)))
    acknowledged = {f"job-{n}": [] for n in range(8)}
    stop = time.monotonic() + 3.0

    async def sender(uuid, number):
        turn = 0
        while time.monotonic() < stop:
            key = f"{number}-{turn}"
            done = await store.apply(uuid, kit.send(data=b'"%s"' % key.encode(), key=key), key)
            acknowledged[uuid].append((done.event.sequence, key))
            turn += 1

    async def killer():
        chance, killed = random.Random(7), 0
        while time.monotonic() < stop:
            await asyncio.sleep(chance.uniform(0.01, 0.08))
            rows = await sql(
                postgres_url,
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND usename = current_user AND datname = current_database()"
                f" AND random() < {chance.uniform(0.3, 1.0)}",
            )
            killed += rows[0][0][0]
        return killed

    *_, killed = await asyncio.gather(*(sender(f"job-{n % 8}", n) for n in range(24)), killer())
    assert killed > 20
    for uuid, answered in acknowledged.items():
        history = await postgres.history(uuid, 0, 100_000)
        assert [entry.sequence for entry in history] == list(range(1, len(history) + 1))
        stands = {(entry.sequence, entry.key) for entry in history[1:]}
        assert set(answered) == stands
        assert len({key for _, key in stands}) == len(stands)
    assert sum(map(len, acknowledged.values())) > 50
    await store.close()


@pytest.fixture(scope="module")
def own_server():
    """A server of its own, which a test may stop and starts again."""
    try:
        made = Server()
    except NoServer as none:
        pytest.skip(str(none))
    yield made
    made.close()


@pytest.fixture
def server(own_server):
    """The same with its database empty."""
    own_server.run_sql("jobpass", EMPTY)
    return own_server


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, signal.SIGKILL], ids=["fast", "immediate", "kill"])
async def test_calls_wait_for_a_server_that_is_started_again(server, kit, how, monkeypatch):
    monkeypatch.setattr("jobpass.stores.postgres.writer.BUSY_SECONDS", 30.0)  # recovery takes what it takes
    store = await PostgresStore.open(server.url("jobpass"))
    await store.apply("job", kit.create())
    done, stop = [], time.monotonic() + 2.5

    async def sender(number):
        while time.monotonic() < stop:
            done.append((await store.apply("job", kit.send(data=b"%d" % number))).event)

    async def restart():
        await asyncio.sleep(0.5)
        await asyncio.to_thread(server.stop, how)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.start)

    await asyncio.gather(restart(), *(sender(n) for n in range(8)))
    history = await store.history("job", 1, 100_000)
    assert sorted(event.sequence for event in done) == [event.sequence for event in history]
    assert sorted(done, key=lambda event: event.sequence) == history
    assert len(done) > 20
    await store.close()


async def test_a_server_that_stays_away_is_told_and_service_resumes(server, kit, monkeypatch):
    for module in ("writer", "database"):
        monkeypatch.setattr(f"jobpass.stores.postgres.{module}.BUSY_SECONDS", 0.5)
    store = await PostgresStore.open(server.url("jobpass"))
    await store.apply("job", kit.create())
    await asyncio.to_thread(server.stop)
    started = time.monotonic()
    calls = [store.apply("job", kit.send()), store.apply("job", kit.send()), store.find_job("job"), store.check()]
    answers = await asyncio.gather(*calls, store.find_session("c1"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 5
    assert len({id(answer) for answer in answers}) == 5
    assert time.monotonic() - started < 5
    with pytest.raises(StoreUnavailable):
        async with store.hold("job"):
            pass
    await asyncio.to_thread(server.start)
    assert (await store.apply("job", kit.send())).event.sequence == 2
    await store.check()
    await asyncio.sleep(1.0)
    async with store.hold("job"):
        pass
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.find_job("job")
    with pytest.raises(StoreUnavailable):
        await store.apply("job", kit.send())


async def test_a_name_that_is_held_is_held_again_when_the_database_is_back(server, kit):
    store, other = [await PostgresStore.open(server.url("jobpass")) for _ in range(2)]
    async with store.hold("job"):
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        await store.check()
        await asyncio.sleep(1.5)
        async with other.chore("job"):
            pass
        with pytest.raises(Exception, match="works on this"):
            async with other.hold("job"):
                pass
    async with other.hold("job"):
        pass
    await store.close()
    await other.close()


async def test_a_database_that_does_not_answer_is_given_up(proxied, kit, monkeypatch):
    monkeypatch.setattr("jobpass.stores.postgres.writer.BUSY_SECONDS", 0.3)
    monkeypatch.setattr("jobpass.stores.postgres.lane.BUSY_SECONDS", 0.3)
    monkeypatch.setattr("jobpass.stores.postgres.database.CONNECT_SECONDS", 0.3)
    store, proxy = proxied
    await store.apply("job", kit.create())
    proxy.deaf = True
    started = time.monotonic()
    with pytest.raises(StoreUnavailable) as failed:
        await store.apply("job", kit.send())
    assert time.monotonic() - started < 8
    assert failed.value.detail["reason"] in ("timeout", "connection")
    proxy.cut()
    proxy.deaf = False
    assert (await store.apply("job", kit.send())).event.sequence in (2, 3)


@pytest.mark.parametrize(
    "fields",
    [{"session": "\ud800"}, {"owner": 2**64}, {"updated_at": "no time"}, {"archive_path": object()}],
    ids="".join,
)
async def test_what_cannot_be_written_hurts_its_own_caller_only(postgres, kit, fields):
    for name in "abc":
        await postgres.apply(name, kit.create(name))

    def poison(found, _):
        return Change(found, replace(found, **fields), None)

    calls = [postgres.apply("a", kit.send()), postgres.apply("b", poison), postgres.apply("c", kit.send())]
    answers = await asyncio.gather(*calls, postgres.apply("a", kit.send()), return_exceptions=True)
    assert [type(answer) for answer in answers[::2]] == [Change, Change]
    assert answers[3].event.sequence == 3
    assert isinstance(answers[1], Exception)
    assert await postgres.find_job("b") == kit.job("b")
    assert (await postgres.find_job("a")).sequence == 3
    assert (await postgres.apply("b", kit.send())).event.sequence == 2


async def test_a_whole_group_with_one_poison_is_written_call_by_call(postgres, kit):
    await postgres.apply("job", kit.create())

    def poison(found, _):
        return kit.send("\ud800")(found, None)

    calls = [postgres.apply("job", kit.send()) for _ in range(255)]
    answers = await asyncio.gather(postgres.apply("job", poison), *calls, return_exceptions=True)
    assert isinstance(answers[0], ValueError)
    assert [change.event.sequence for change in answers[1:]] == list(range(2, 257))


async def test_a_key_that_the_database_alone_knows_of_is_seen(postgres, kit):
    """An event that came past this node, and a cache that does not know of it."""
    await postgres.apply("job", kit.create())
    await postgres.apply("job", kit.send(key="k"), "k")
    cache = next(writer._cache for writer in postgres._writers if "job" in writer._cache)
    row = cache["job"]
    assert isinstance(await postgres.apply("job", kit.send(key="k"), "k"), Replayed)
    cache["job"] = row
    both = [postgres.apply("job", kit.send()), postgres.apply("job", kit.send(key="k"), "k")]
    assert [type(answer) for answer in await asyncio.gather(*both)] == [Change, Replayed]


async def test_a_lane_that_was_taken_away_is_made_again(postgres, postgres_url, kit):
    await postgres.apply("job", kit.create())
    await sql(postgres_url, "DELETE FROM jobpass.lane")
    assert (await postgres.apply("job", kit.send())).event.sequence == 2
    await postgres.check()


async def test_a_node_leaves_no_lane_and_says_that_it_lives(postgres, postgres_url, kit, monkeypatch):
    monkeypatch.setattr("jobpass.stores.postgres.store.LANE_SECONDS", 0.0)
    store = await PostgresStore.open(postgres_url)
    await store.check()
    await sql(postgres_url, "INSERT INTO jobpass.lane VALUES ('old', 1, 1, '{}', 5)")
    await sql(postgres_url, "UPDATE jobpass.lane SET seen_at = 5")
    await store.tend()
    lanes = await sql(postgres_url, "SELECT id FROM jobpass.lane")
    assert {name for (name,) in lanes[0]} <= {lane.name for lane in store._lanes}
    assert (store._lanes[0].name,) in lanes[0]
    await store.close()
    assert await sql(postgres_url, "SELECT id FROM jobpass.lane") == [[]]


async def test_what_is_answered_waits_for_the_disk(postgres, kit):
    connection = await postgres._lanes[0].enter()
    assert await connection.fetchval("SHOW synchronous_commit") == "on"
    assert await connection.fetchval("SHOW statement_timeout") == "30s"
