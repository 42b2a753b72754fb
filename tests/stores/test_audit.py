"""What every store does with the audit chains; and two processes that write to one chain."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from jobpass.errors import Conflict, InvalidInput
from jobpass.records import NO_LINK, AuditEntry
from jobpass.stores.sqlite import SqliteStore
from jobpass.stores.sqlite.audit import FILTERS
from jobpass.stores.sqlite.queries import QUERIES

CHILD = Path(__file__).parent / "audit_child.py"


def _entry(kit, sequence, name="login", node="n", **fields):
    plain = {
        "at": kit.AT + timedelta(seconds=sequence),
        "principal": None,
        "credential": None,
        "address": None,
        "subject": None,
        "data": b"{}",
        "kid": "k1",
        "link": bytes([sequence % 256]) * 32,
    }
    return AuditEntry(node, sequence, name=name, **(plain | fields))


def _placing(kit, *names, node="n", seen=None, **fields):
    """A ``place`` that appends an entry of each name, and notes what it was placed upon."""

    def place(sequence, link):
        if seen is not None:
            seen.append((sequence, link))
        return [_entry(kit, number, name, node, **fields) for number, name in enumerate(names, sequence + 1)]

    return place


async def test_entries_are_kept_as_they_were_given(store, kit):
    full = _entry(
        kit,
        1,
        "refused ü\0",
        node="node ü",
        at=kit.AT + timedelta(microseconds=1),
        principal=2**40,
        credential="c" * 32,
        address="192.0.2.7",
        subject="a subject",
        data=b'{"a":"\\ud800 \\u0000"}',
        link=bytes(range(32)),
    )
    plain = _entry(kit, 2, node="node ü")
    await store.append_audit("node ü", lambda sequence, link: [full, plain])
    assert (await store.list_audit()).items == [full, plain]


async def test_each_node_has_a_chain_of_its_own(store, kit):
    assert await store.audit_nodes() == []
    seen = []
    await store.append_audit("b", _placing(kit, "one", "two", node="b", seen=seen))
    await store.append_audit("a", _placing(kit, "three", node="a", seen=seen))
    await store.append_audit("b", _placing(kit, "four", node="b", seen=seen))
    assert seen == [(0, NO_LINK), (0, NO_LINK), (2, b"\2" * 32)]
    assert await store.audit_nodes() == ["a", "b"]
    assert [entry.name for entry in (await store.list_audit(node="b")).items] == ["one", "two", "four"]
    assert [entry.name for entry in (await store.list_audit()).items] == ["one", "two", "three", "four"]
    assert (await store.list_audit(node="c")).items == []


async def test_appending_nothing_is_nothing(store, kit):
    await store.append_audit("n", lambda sequence, link: [])
    assert await store.audit_nodes() == []


async def test_filters_hold_together(store, kit):
    for name, principal in (("login", 1), ("logout", 1), ("login", 2), ("login", None), ("login", 1)):
        await store.append_audit("n", _placing(kit, name, principal=principal))
    at = [kit.AT + timedelta(seconds=second) for second in range(7)]

    async def numbers(**filters):
        return [entry.sequence for entry in (await store.list_audit(**filters)).items]

    assert await numbers(name="login") == [1, 3, 4, 5]
    assert await numbers(principal=1) == [1, 2, 5]
    assert await numbers(since=at[3]) == [3, 4, 5]
    assert await numbers(until=at[3]) == [1, 2]
    assert await numbers(since=at[2], until=at[4]) == [2, 3]
    assert await numbers(since=at[6]) == []
    assert await numbers(name="login", principal=1, since=at[2], until=at[6], node="n") == [5]
    assert await numbers(name="Login") == []
    assert await numbers(principal=0) == []


async def test_times_that_went_back_hide_nothing(store, kit):
    for second in (5, 3, 9, 1, 7):
        await store.append_audit("n", _placing(kit, "login", at=kit.AT + timedelta(seconds=second)))

    async def seconds(**filters):
        found, after = [], None
        while (page := await store.list_audit(**filters, after=after, limit=2)).items:
            found += [(entry.at - kit.AT).seconds for entry in page.items]
            after = page.next
        return found

    assert await seconds(since=kit.AT + timedelta(seconds=5)) == [5, 9, 7]
    assert await seconds(since=kit.AT + timedelta(seconds=7)) == [9, 7]
    assert await seconds(until=kit.AT + timedelta(seconds=5)) == [3, 1]


async def test_pages_lead_to_what_is_yet_to_come(store, kit):
    assert await store.list_audit() == await store.list_audit(name="x")
    assert (await store.list_audit()).next is None
    await store.append_audit("n", _placing(kit, *["login"] * 5))
    first = await store.list_audit(limit=3)
    second = await store.list_audit(limit=3, after=first.next)
    assert [entry.sequence for entry in first.items + second.items] == [1, 2, 3, 4, 5]
    assert (await store.list_audit(after=second.next)).items == []
    assert (await store.list_audit(after=second.next)).next is None
    await store.append_audit("n", _placing(kit, "logout", "login"))
    following = await store.list_audit(after=second.next, name="login")
    assert [entry.sequence for entry in following.items] == [7]
    for cursor in ("8", "0", "x", "", "-1"):
        with pytest.raises(InvalidInput):
            await store.list_audit(after=cursor)


async def test_entries_out_of_place_are_refused_and_the_others_stand(store, kit):
    def refuse(*_):
        raise Conflict("no")

    def out_of_place(*numbers, node="n"):
        return lambda sequence, link: [_entry(kit, sequence + number, node=node) for number in numbers]

    answers = await asyncio.gather(
        store.append_audit("n", _placing(kit, "first")),
        store.append_audit("n", refuse),
        store.append_audit("n", out_of_place(2)),
        store.append_audit("n", out_of_place(1, 1)),
        store.append_audit("n", out_of_place(1, 3)),
        store.append_audit("n", out_of_place(0)),
        store.append_audit("n", out_of_place(1, node="m")),
        store.append_audit("n", _placing(kit, "second")),
        store.apply("job", kit.create()),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers[1:7]] == [Conflict, *[ValueError] * 5]
    assert [(entry.sequence, entry.name) for entry in (await store.list_audit()).items] == [(1, "first"), (2, "second")]
    assert await store.find_job("job") is not None


async def test_a_hundred_at_once_follow_each_other(store, kit):
    seen = []
    await asyncio.gather(*(store.append_audit("n", _placing(kit, "a", "b", seen=seen)) for _ in range(100)))
    entries = (await store.list_audit(limit=1000)).items
    assert [entry.sequence for entry in entries] == list(range(1, 201))
    links = {0: NO_LINK} | {entry.sequence: entry.link for entry in entries}
    assert seen == [(sequence, links[sequence]) for sequence in range(0, 200, 2)]


def _race(path, names):
    """Let a process of each name append to the chain of node ``n``, all at the same time."""
    children = [
        subprocess.Popen(
            [sys.executable, str(CHILD), str(path), "n", name, "100"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    try:
        assert [child.stdout.readline() for child in children] == ["ready\n"] * len(children)
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        assert [child.wait(60) for child in children] == [0] * len(children)
    finally:
        for child in children:
            child.kill()
            child.communicate()


async def test_two_processes_append_to_one_chain_without_gap_or_double(tmp_path):
    """Races until one had turns taken, which is the machine's to say; each must leave a sound chain."""
    turns = [await _raced(tmp_path / f"{race}.sqlite") for race in range(2)]
    while max(turns) <= 2 and len(turns) < 12:
        turns.append(await _raced(tmp_path / f"{len(turns)}.sqlite"))
    assert max(turns) > 2, "they took no turns"


async def _raced(path):
    """How often the writer changed in one race, whose chain is sound."""
    await (await SqliteStore.open(path)).close()
    await asyncio.to_thread(_race, path, ("left", "right"))
    store = await SqliteStore.open(path)
    entries = (await store.list_audit(limit=1000)).items
    await store.close()
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert len(entries) == 2 * sum(1 + turn % 3 for turn in range(100))
    previous = NO_LINK
    for entry in entries:
        assert entry.data in (b"", previous)
        previous = entry.link
    placed = [entry for entry in entries if entry.data]
    assert len(placed) == 200
    return sum(one.name != other.name for one, other in itertools.pairwise(entries))


async def test_filters_read_by_an_index(sqlite):
    plans = {}
    for name, condition in FILTERS.items():
        sql = "EXPLAIN QUERY PLAN " + QUERIES["list_audit"].replace("{filters}", condition)
        bindings = {name: 1, "after": 0, "limit": 10}
        plans[name] = [row[3] for row in sqlite._reader.execute(sql, bindings)]
    for name in ("node", "name", "principal"):
        assert f"({name}=?" in plans[name][0], plans[name]
    assert all(plan[0].startswith("SEARCH") for plan in plans.values()), plans
    first = [row[3] for row in sqlite._reader.execute("EXPLAIN QUERY PLAN " + QUERIES["first_audit"], {"since": 1})]
    assert "COVERING INDEX audit_at (at>?)" in first[0], first
    nodes = [row[3] for row in sqlite._reader.execute("EXPLAIN QUERY PLAN " + QUERIES["audit_nodes"])]
    assert any("audit_sequence (node>?)" in step for step in nodes), nodes
