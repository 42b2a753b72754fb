"""Several nodes on one database that give work away, and that make and end tokens: each thing once, in one order."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from jobpass.errors import Conflict, LimitExceeded
from jobpass.records import Credential, Load, Profile
from jobpass.stores.postgres import PostgresStore
from jobpass.stores.postgres.queries import QUERIES


async def test_no_two_nodes_give_one_job_away_and_the_order_is_kept(postgres, other, kit):
    """Also while others change what waits."""
    for name, most in (("a", 4), ("b", 99)):
        await postgres.add_principal(f"{name}@b", "author", "h", kit.AT, Profile(max_concurrent_jobs=most))
    nodes = (postgres, other)
    number = await kit.blob(postgres, b"{}", kit.AT)
    for n in range(40):
        await nodes[n % 2].apply(f"j{n:02}", kit.submit(f"j{n:02}", number, owner=1 + n % 2, priority=n % 3))
    taken = []

    async def work(node):
        while (change := await node.apply_next(["sim:a"], kit.lease())) is not None:
            taken.append(change.after)

    async def cancel(node, n):
        def judge(found, standing):
            if found.state != "waiting":
                raise Conflict("too late")
            return kit.move("cancel", "canceled")(found, standing)

        await node.apply(f"j{n:02}", judge)

    await asyncio.gather(
        *(work(node) for node in nodes for _ in range(4)),
        *(cancel(nodes[n % 2], n) for n in range(1, 40, 6)),
        return_exceptions=True,
    )
    names = [job.uuid for job in taken]
    assert len(set(names)) == len(names)
    assert sum(job.owner == 1 for job in taken) == 4
    canceled = {job.uuid for job in (await other.list_work(state="canceled", after=None, limit=99)).items}
    assert len(taken) == 4 + 20 - len(canceled)
    assert not canceled & set(names)
    for job in taken:
        assert [entry.name for entry in await other.history(job.uuid, 0, 9)] == ["create", "lease"]
    first_of_one = [job.uuid for job in sorted(taken, key=lambda job: job.uuid) if job.owner == 1]
    assert first_of_one == ["j02", "j08", "j14", "j20"], "of the highest priority, and the first of these"


async def test_a_queue_of_many_owners_who_may_have_no_more_hides_nobody_in_one_group(postgres, kit):
    """Workers that ask in one tick, and more jobs before what they may have than are looked at at once."""
    for name in "abc":
        await postgres.add_principal(f"{name}@b", "author", "h", kit.AT, Profile(max_concurrent_jobs=2))
    number = await kit.blob(postgres, b"{}", kit.AT)
    made = [(1, 5, 70), (2, 4, 3), (3, 3, 3)]
    for owner, priority, count in made:
        for n in range(count):  # one after the other: those that come at once have no order
            await postgres.apply(
                f"{owner}-{n:02}", kit.submit(f"{owner}-{n:02}", number, owner=owner, priority=priority)
            )
    changes = await asyncio.gather(*(postgres.apply_next(["sim:b", "sim:a"], kit.lease()) for _ in range(9)))
    taken = [change.after.uuid for change in changes if change is not None]
    assert taken == ["1-00", "1-01", "2-00", "2-01", "3-00", "3-01"]


async def test_nobody_gets_more_into_the_queue_by_asking_two_nodes(postgres, other, kit):
    await postgres.add_principal("a@b", "author", "h", kit.AT)
    number = await kit.blob(postgres, b"{}", kit.AT)
    nodes = (postgres, other)
    calls = (nodes[n % 2].apply(f"j{n}", kit.submit(f"j{n}", number, most=7)) for n in range(30))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(one, LimitExceeded) for one in answers) == 23
    assert await other.load_of(1) == Load(7, 0)


async def test_what_is_named_on_one_node_is_not_swept_by_the_other(postgres, other, kit):
    await postgres.add_principal("a@b", "author", "h", kit.AT)
    until = kit.AT + timedelta(seconds=1)
    numbers = [await kit.blob(postgres, b"{}", kit.AT) for _ in range(20)]
    calls = [postgres.apply(f"j{n}", kit.submit(f"j{n}", number)) for n, number in enumerate(numbers)]
    answers = await asyncio.gather(*calls, *(other.sweep_blobs(until, 2) for _ in range(10)), return_exceptions=True)
    for number, answer in zip(numbers, answers, strict=False):
        assert (await other.read_blob(number, 0) is None) == isinstance(answer, Conflict), answer
    listed = (await other.list_work(after=None, limit=99)).items
    assert sorted(listed, key=_uuid) == sorted(
        (answer.after for answer in answers[:20] if not isinstance(answer, Exception)), key=_uuid
    )


async def test_what_is_named_on_one_node_is_not_dropped_by_the_other(postgres, other, kit):
    await postgres.add_principal("a@b", "author", "h", kit.AT)
    numbers = [await kit.blob(postgres, b"{}", kit.AT) for _ in range(20)]
    calls = [postgres.apply(f"j{n}", kit.submit(f"j{n}", number)) for n, number in enumerate(numbers)]
    drops = [other.drop_blob(number) for number in numbers]
    answers = await asyncio.gather(*calls, *drops, return_exceptions=True)
    assert answers[20:] == [None] * 20
    while await other.sweep_blobs(kit.AT, 99):
        pass
    for number, answer in zip(numbers, answers, strict=False):
        assert (await other.read_blob(number, 0) is None) == isinstance(answer, Conflict), answer


def _uuid(job):
    return job.uuid


async def test_labels_are_their_owner_s_only_ones_on_all_nodes(postgres, other, kit):
    owner = await postgres.add_principal("a@b", "author", "h", kit.AT)
    nodes = (postgres, other)

    def record(n, *, numbered):
        made = Credential(f"{numbered}{n}", "job", owner.id, "x" if numbered else "y", kit.AT, None)
        return nodes[n % 2].add_credential(made, numbered=numbered)

    numbered = await asyncio.gather(*(record(n, numbered=True) for n in range(8)))
    assert {one.label for one in numbered} == {"x", *(f"x-{n}" for n in range(2, 9))}
    plain = await asyncio.gather(*(record(n, numbered=False) for n in range(8)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in plain) == [*["AlreadyExists"] * 7, "Credential"]


async def test_two_nodes_that_end_and_count_the_same_tokens_wait_for_nobody_for_ever(postgres, other, kit):
    owner = await postgres.add_principal("a@b", "author", "h", kit.AT)
    names = [f"c{n}" for n in range(20)]
    for n, name in enumerate(names):
        made = Credential(name, "job", owner.id, name, kit.AT, None, parent=names[n - 1] if n else None)
        await postgres.add_credential(made)
    noted = dict.fromkeys(reversed(names), (1, kit.AT))
    await asyncio.wait_for(
        asyncio.gather(
            *(other.note_uses(noted) for _ in range(10)),
            *(postgres.end_credential(names[n], kit.AT) for n in (15, 10, 5, 0)),
            *(kit.end_owned(other, owner.id, ["job"], kit.AT) for _ in range(2)),
        ),
        20,
    )
    for name in names:
        credential = (await postgres.find_credential((await other.find_session(name)).credential.number)).credential
        assert (credential.uses, credential.revoked_at) == (10, kit.AT)


@pytest.mark.parametrize(
    ("name", "bindings"),
    [
        ("next_waiting", ("'sim:a'", "'{}'", "1")),
        ("owners_waiting", ("'sim:a'",)),
        ("held_by", ("1",)),
        ("first_of_owners", ("'sim:a'", "'{}'", "'{1,2}'")),
        ("queued_of", ("1", "9")),
        ("load_of", ("1",)),
        ("waiting_on", ("'{sim:a}'",)),
        ("lapsed", ("0", "9")),
        ("process_owner", ("'p'",)),
        ("has_unused", ("0",)),
        ("read_chunk", ("1", "0")),
        ("find_lines", ("'{c}'",)),
        ("by_parent", ("'c'", "NULL")),
        ("by_issuer", ("'c'", "9")),
        ("label_taken", ("1", "'job'", "'x'")),
    ],
)
async def test_nothing_that_a_lease_or_a_token_asks_looks_at_every_row(postgres, name, bindings):
    """On a large table; small ones are read whole, and rightly so."""
    query = QUERIES[name].sql
    for number, value in enumerate(bindings, 1):
        query = query.replace(f"${number}", value)
    async with postgres._pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}"))
    assert "Seq Scan" not in plan, plan
    assert "Index" in plan


async def test_a_million_that_wait_are_not_sorted_for_one_lease(postgres):
    """The index has them in the order in which they are given away."""
    query = QUERIES["next_waiting"].sql.replace("$1", "'sim:a'").replace("$2", "'{}'").replace("$3", "1")
    async with postgres._pool.acquire() as connection, connection.transaction():
        for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "enable_bitmapscan"):
            await connection.execute(f"SET LOCAL {setting} = off")
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {query}"))
    assert "Sort" not in plan, plan
    assert "work_waiting" in plan


async def test_what_a_job_names_may_come_in_the_same_tick_on_every_lane(postgres, postgres_url, kit):
    store = await PostgresStore.open(postgres_url + ("&" if "?" in postgres_url else "?") + "lanes=3")

    async def send(n):
        uuid = f"j{n}"
        answers = await asyncio.gather(
            store.add_blob(n + 1, b"{}", kit.AT), store.apply(uuid, kit.submit(uuid, n + 1, owner=1))
        )
        return answers[1].after

    try:
        await store.add_principal("a@b", "author", "h", kit.AT, Profile(max_concurrent_jobs=99))
        assert len(await asyncio.gather(*(send(n) for n in range(30)))) == 30
        changes = await asyncio.gather(*(store.apply_next(["sim:a"], kit.lease()) for _ in range(31)))
        assert len({change.after.uuid for change in changes if change is not None}) == 30
    finally:
        await store.close()
