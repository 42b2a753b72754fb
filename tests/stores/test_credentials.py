"""What every store does with the labels, lists, lines and ends of credentials, and with what they touched."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobpass.errors import AlreadyExists, Conflict, InvalidInput, RevokedToken, UnknownCredential
from jobpass.records import Change, Credential, Lineage, Terms
from jobpass.stores.sqlite import SqliteStore

HOUR = timedelta(hours=1)


@pytest.fixture
async def owner(store, kit):
    return await store.add_principal("a@b", "author", "h", kit.AT)


@pytest.fixture
def record(store, kit, owner):
    """Records a job token's credential of the owner, whose label is its id."""

    async def add(name, *, numbered=False, **fields):
        plain = {"kind": "job", "owner": owner.id, "label": name, "issued_at": kit.AT, "expires_at": None}
        return await store.add_credential(Credential(id=name, **(plain | fields)), numbered=numbered)

    return add


@pytest.fixture
def ends(store):
    """How credentials have ended: by what and when, by id."""

    async def look(*names):
        found = [(await store.find_session(name)).credential for name in names]
        return {one.id: (one.ended_by, one.revoked_at) for one in found}

    return look


def labels(sessions):
    return [one.credential.label for one in sessions]


async def test_all_that_a_credential_is_asked_for_with_is_kept(store, kit, record):
    terms = Terms(platforms=("sim:a", "ü"), actions=(), mints=False, explorer=True)
    await record("root", kind="login")
    whole = {"priority": 7, "issuer": "root", "parent": "root", "terms": terms, "kid": "0badcafe"}
    made = await record("c", expires_at=kit.AT + HOUR, **whole)
    assert made == replace(made, **whole)
    await store.change_credential("root", lambda one, _: replace(one, priority=9))
    assert (await store.find_session("c")).credential == made
    assert (await store.find_credential(made.number)).credential == made
    (listed,) = await store.list_credentials("job", limit=10)
    assert (listed.credential, listed.principal) == (made, await store.find_principal(made.owner))


async def test_numbers_grow_and_name_one_credential_each(store, record):
    numbers = [(await record(name)).number for name in "abc"]
    assert numbers == sorted(set(numbers))
    found = [await store.find_credential(number) for number in (*numbers, 0, -1, 2**53, 2**62)]
    assert [one and one.credential.id for one in found] == ["a", "b", "c", None, None, None, None]


async def test_a_label_is_its_owners_only_one_of_a_kind(store, kit, record):
    other = await store.add_principal("c@d", "author", "h", kit.AT)
    await record("a", label="x")
    await record("b", label="x", kind="apikey")
    await record("c", label="x", owner=other.id)
    for name in ("d", "e"):
        await record(name, label="x", kind="login")
    with pytest.raises(AlreadyExists):
        await record("f", label="x")
    assert await store.find_session("f") is None
    await store.end_credential("a", kit.AT)
    with pytest.raises(AlreadyExists):  # it may be reopened
        await record("f", label="x")
    await store.end_credential("a", kit.AT, "deleted")
    assert (await record("f", label="x")).label == "x"
    assert (await record("g", label="X")).label == "X"


async def test_a_default_label_is_numbered_with_few_questions(store, kit, record):
    made = [(await record(f"c{n}", label="unknown", numbered=True)).label for n in range(40)]
    assert made == ["unknown", *(f"unknown-{n}" for n in range(2, 41))]
    await record("own", label="unknown-41")
    assert (await record("next", label="unknown", numbered=True)).label == "unknown-42"
    await store.end_credential("c0", kit.AT, "deleted")
    assert (await record("first", label="unknown", numbered=True)).label == "unknown"
    assert len(set(labels(await store.list_credentials("job", limit=100)))) == 42


async def test_labels_of_one_tick_do_not_collide(store, record):
    wanted = [record(f"n{n}", label="x", numbered=True) for n in range(8)]
    assert {one.label for one in await asyncio.gather(*wanted)} == {"x", *(f"x-{n}" for n in range(2, 9))}
    answers = await asyncio.gather(*(record(f"s{n}", label="same") for n in range(5)), return_exceptions=True)
    assert [type(one) for one in answers] == [Credential, *[AlreadyExists] * 4]


async def test_lists_have_those_that_are_asked_for_in_order_of_issue(store, kit, record):
    other = await store.add_principal("c@d", "author", "h", kit.AT)
    for name in "cab":
        await record(name)
    await record("expired", expires_at=kit.AT)
    await record("later", expires_at=kit.AT + timedelta(microseconds=1))
    await record("theirs", owner=other.id)
    await record("key", kind="apikey")
    await record("revoked")
    await record("gone")
    await store.end_credential("revoked", kit.AT)
    await store.end_credential("gone", kit.AT, "deleted")
    every = ["c", "a", "b", "expired", "later", "theirs", "revoked"]
    assert labels(await store.list_credentials("job", revoked=True, limit=100)) == every
    assert labels(await store.list_credentials("job", limit=100)) == every[:-1]
    living = await store.list_credentials("job", living_at=kit.AT, limit=100)
    assert labels(living) == ["c", "a", "b", "later", "theirs"]
    own = await store.list_credentials("job", owner=1, living_at=kit.AT, revoked=True, limit=100)
    assert labels(own) == ["c", "a", "b", "later", "revoked"]
    assert labels(await store.list_credentials("apikey", limit=100)) == ["key"]
    assert await store.list_credentials("nothing", limit=100) == []
    assert await store.list_credentials("job", owner=99, limit=100) == []
    for limit in (1, 2, 3, 7, 100):
        pages = [
            labels(await store.list_credentials("job", revoked=True, offset=at, limit=limit))
            for at in range(0, 8, limit)
        ]
        assert [label for page in pages for label in page] == every, limit
    for far in (7, 8, 10**6, 2**53):
        assert await store.list_credentials("job", revoked=True, offset=far, limit=5) == []


async def test_an_end_takes_its_line_and_only_the_first_end_counts(store, kit, record, ends):
    await record("root")
    await record("child", parent="root")
    await record("grand", parent="child")
    await record("other")
    ended = await store.end_credential("child", kit.AT)
    assert [one.id for one in ended] == ["child", "grand"]
    assert all(one.revoked_at is None for one in ended)
    assert await ends("root", "child", "grand", "other") == {
        "root": (None, None),
        "child": ("revoked", kit.AT),
        "grand": ("parent", kit.AT),
        "other": (None, None),
    }
    assert [one.id for one in await store.end_credential("root", kit.AT + HOUR)] == ["root"]
    assert await ends("root", "child", "grand") == {
        "root": ("revoked", kit.AT + HOUR),
        "child": ("revoked", kit.AT),
        "grand": ("parent", kit.AT),
    }
    assert await store.end_credential("root", kit.AT + 2 * HOUR) == []
    assert await store.end_credential("unknown", kit.AT, "compromised", issued=True) == []


async def test_compromised_and_deleted_are_for_good(store, kit, record, ends):
    await record("root")
    await record("child", parent="root")
    await store.end_credential("root", kit.AT)
    assert await store.end_credential("root", kit.AT + HOUR, "compromised") == []
    assert await ends("root", "child") == {"root": ("compromised", kit.AT), "child": ("compromised", kit.AT)}
    for by in ("revoked", "parent", "owner"):
        await store.end_credential("root", kit.AT + HOUR, by)
    assert (await ends("root"))["root"] == ("compromised", kit.AT)
    number = (await store.find_session("root")).credential.number
    assert await store.find_credential(number) is not None
    await store.end_credential("root", kit.AT + HOUR, "deleted")
    await store.end_credential("root", kit.AT + HOUR, "compromised")
    assert await ends("root", "child") == {"root": ("deleted", kit.AT), "child": ("compromised", kit.AT)}
    assert await store.find_credential(number) is None
    await kit.end_owned(store, 1, ["job"], kit.AT)
    assert await ends("root", "child") == {"root": ("deleted", kit.AT), "child": ("compromised", kit.AT)}


async def test_an_owners_end_is_for_good_also_for_what_was_only_revoked(store, kit, record, ends):
    for name in ("living", "revoked", "leaked"):
        await record(name)
    await record("child", parent="revoked")
    await store.end_credential("revoked", kit.AT)
    await store.end_credential("leaked", kit.AT, "compromised")
    assert await kit.end_owned(store, 1, ["job"], kit.AT + HOUR) == 1
    assert await ends("living", "revoked", "child", "leaked") == {
        "living": ("owner", kit.AT + HOUR),
        "revoked": ("owner", kit.AT),
        "child": ("owner", kit.AT),
        "leaked": ("compromised", kit.AT),
    }


async def test_by_issuer_more_ends_than_by_parent(store, kit, record, ends):
    await record("login", kind="login")
    await record("job", issuer="login")
    await record("child", issuer="job", parent="job")
    await record("key", kind="admin", issuer="login")
    await record("aside", kind="login")
    assert await store.find_lineage("child", 10) == Lineage(
        tuple([(await store.find_session(name)).credential for name in ("job", "login")]), ()
    )
    below = (await store.find_lineage("login", 10)).descendants
    assert [one.id for one in below] == ["job", "child", "key"]
    assert [len(part) for part in ((await store.find_lineage("login", 2)).descendants,)] == [2]
    assert [one.id for one in (await store.find_lineage("child", 1)).ancestors] == ["job"]
    assert await store.find_lineage("unknown", 10) == Lineage((), ())
    assert [one.id for one in await store.end_credential("login", kit.AT)] == ["login"]
    ended = await store.end_credential("login", kit.AT + HOUR, "compromised", issued=True)
    assert [one.id for one in ended] == ["job", "child", "key"]
    assert set((await ends("login", "job", "child", "key")).values()) == {
        ("compromised", kit.AT),
        ("compromised", kit.AT + HOUR),
    }
    assert (await ends("aside"))["aside"] == (None, None)


async def test_lines_in_a_circle_end(store, kit, record, ends):
    await record("a", issuer="b", parent="b")
    await record("b", issuer="a", parent="a")
    lineage = await store.find_lineage("a", 10)
    assert {one.id for one in lineage.ancestors} <= {"a", "b"}
    assert [one.id for one in lineage.descendants] == ["b"]
    assert {one.id for one in await store.end_credential("a", kit.AT, "compromised", issued=True)} == {"a", "b"}
    assert {by for by, _ in (await ends("a", "b")).values()} == {"compromised"}


async def test_a_priority_is_the_least_of_its_line(store, kit, record):
    await record("root", priority=1)
    await record("child", parent="root", priority=5)
    await record("long", parent="child", priority=9, expires_at=kit.AT)
    assert [(await store.find_session(name)).credential.priority for name in ("root", "child", "long")] == [1, 1, 1]
    await store.change_credential("root", lambda one, _: replace(one, priority=7))
    for found in (await store.find_session("child"), (await store.list_credentials("job", limit=9))[1]):
        assert found.credential.priority == 5


async def test_a_change_is_judged_with_its_parent_and_shows_at_once(store, kit, record):
    await record("root", expires_at=kit.AT + HOUR)
    await record("child", parent="root")
    seen = []

    def change(standing, parent):
        seen.append((standing.id, parent and (parent.id, parent.revoked_at, parent.expires_at)))
        return replace(standing, label="new", priority=3)

    changed = await store.change_credential("child", change)
    assert (changed.label, changed.priority) == ("new", 3)
    assert seen[-1] == ("child", ("root", None, kit.AT + HOUR))
    assert (await store.find_session("child")).credential.label == "new"
    await store.end_credential("root", kit.AT)
    await store.change_credential("child", lambda one, parent: change(one, parent) and replace(one, priority=2))
    assert seen[-1] == ("child", ("root", kit.AT, kit.AT + HOUR))
    reopened = await store.change_credential("root", lambda one, _: replace(one, revoked_at=None, ended_by=None))
    assert (reopened.revoked_at, (await store.find_session("root")).credential.revoked_at) == (None, None)
    assert (await store.find_session("child")).credential.revoked_at == kit.AT


async def test_a_change_that_raises_changes_nothing_and_disturbs_nobody(store, record):
    await record("a")
    await record("b")

    def refuse(*_):
        raise Conflict("no")

    answers = await asyncio.gather(
        store.change_credential("a", refuse),
        store.change_credential("a", lambda one, _: replace(one, label="b")),
        store.change_credential("a", lambda one, _: replace(one, id="b")),
        store.change_credential("a", lambda *_: None),
        store.change_credential("unknown", lambda one, _: one),
        store.change_credential("b", lambda one, _: replace(one, priority=1)),
        return_exceptions=True,
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [Conflict, AlreadyExists, ValueError, TypeError, UnknownCredential, Credential]
    assert (await store.find_session("a")).credential.label == "a"
    assert (await store.find_session("b")).credential.priority == 1


@pytest.fixture
def touching(store, kit):
    """Makes two jobs and events of several credentials."""

    def by(name, address):
        def judge(found, _):
            number = found.sequence + 1
            entry = replace(kit.event(number), credential=name, address=address)
            return Change(found, replace(found, sequence=number, head=entry.link), entry)

        return judge

    async def make():
        for uuid in ("one", "two"):
            await store.apply(uuid, kit.create(uuid, owner=7))
        for uuid, name, address in (
            ("one", "job:a", "192.0.2.1"),
            ("two", "job:b", None),
            ("two", "job:a", "2001:db8::7"),
            ("one", "job:c", None),
        ):
            await store.apply(uuid, by(name, address))

    return make


async def test_what_credentials_touched_is_found_in_order_of_writing(store, kit, touching):
    assert (await store.touched(["job:a"], job=None, after=None, limit=5)).items == []
    await touching()
    page = await store.touched(["job:a", "job:b"], job=None, after=None, limit=10)
    found = [(one.job_uuid, one.owner, one.event.sequence, one.event.credential) for one in page.items]
    assert found == [("one", 7, 2, "job:a"), ("two", 7, 2, "job:b"), ("two", 7, 3, "job:a")]
    assert [one.event.address for one in page.items] == ["192.0.2.1", None, "2001:db8::7"]
    assert page.items[0].event == (await store.history("one", 1, 1))[0]
    assert page.next is None
    first = await store.touched(["job:a", "job:b"], job=None, after=None, limit=2)
    rest = await store.touched(["job:a", "job:b"], job=None, after=first.next, limit=2)
    assert (first.items + rest.items, rest.next) == (page.items, None)
    of_two = await store.touched(["job:a"], job="two", after=None, limit=10)
    assert [one.event.sequence for one in of_two.items] == [3]
    for names, job in (([], None), (["job:x"], None), (["job:a"], "unknown"), (["%"], None)):
        assert (await store.touched(names, job=job, after=None, limit=10)).items == []
    for cursor in ("x", "0", "-1", "9" * 30, "999999"):
        with pytest.raises(InvalidInput):
            await store.touched(["job:a"], job=None, after=cursor, limit=2)


async def test_what_was_touched_goes_with_its_job(store, kit, touching):
    await touching()
    await store.apply("one", kit.delete)
    page = await store.touched(["job:a", "job:c"], job=None, after=None, limit=10)
    assert [(one.job_uuid, one.event.sequence) for one in page.items] == [("two", 3)]
    await store.apply("one", kit.create("one", owner=8))
    again = await store.touched(["job:a", "doc:1"], job="one", after=None, limit=10)
    assert [(one.owner, one.event.name) for one in again.items] == [(8, "create")]


async def test_another_process_sees_every_change(sqlite, tmp_path, kit):
    owner = await sqlite.add_principal("a@b", "author", "h", kit.AT)
    there = await SqliteStore.open(tmp_path / "store.sqlite")
    for name, parent in (("root", None), ("child", "root")):
        made = Credential(name, "job", owner.id, "x", kit.AT, None, parent=parent, issuer=parent)
        await sqlite.add_credential(made, numbered=True)
        assert (await there.find_session(name)).credential.revoked_at is None
    assert labels(await there.list_credentials("job", limit=9)) == ["x", "x-2"]
    await there.change_credential("child", lambda one, _: replace(one, label="there"))
    with pytest.raises(AlreadyExists):
        await sqlite.change_credential("root", lambda one, _: replace(one, label="there"))
    assert (await sqlite.find_session("child")).credential.label == "there"
    await there.end_credential("root", kit.AT, "compromised")
    found = (await sqlite.find_session("child")).credential
    assert (found.revoked_at, found.ended_by) == (kit.AT, "compromised")
    assert await sqlite.list_credentials("job", limit=9) == []
    await there.close()


async def test_two_processes_number_labels_at_once(sqlite, tmp_path, kit):
    owner = await sqlite.add_principal("a@b", "author", "h", kit.AT)
    there = await SqliteStore.open(tmp_path / "store.sqlite")
    adding = [
        one.add_credential(Credential(f"{side}{n}", "job", owner.id, "x", kit.AT, None), numbered=True)
        for n in range(20)
        for side, one in (("here", sqlite), ("there", there))
    ]
    made = await asyncio.gather(*adding)
    assert {one.label for one in made} == {"x", *(f"x-{n}" for n in range(2, 41))}
    assert len({one.number for one in made}) == 40
    await there.close()


async def test_a_page_far_on_costs_little(sqlite, kit):
    owner = await sqlite.add_principal("a@b", "author", "h", kit.AT)
    for start in range(0, 5000, 500):
        many = [Credential(f"c{n}", "job", owner.id, f"l{n}", kit.AT, None) for n in range(start, start + 500)]
        await asyncio.gather(*(sqlite.add_credential(one) for one in many))
    started = time.monotonic()
    page = await sqlite.list_credentials("job", offset=4900, limit=100)
    spent = time.monotonic() - started
    assert [one.credential.label for one in page] == [f"l{n}" for n in range(4900, 5000)]
    assert spent < 1, f"{spent:.3f} s"


@pytest.mark.parametrize("root", ["issuer", "parent"])
async def test_nothing_is_made_with_what_has_ended(store, kit, record, root):
    await record("root")
    await record("sound", **{root: "root"})
    await record("unknown", **{root: "nowhere"})
    await store.end_credential("root", kit.AT)
    with pytest.raises(RevokedToken):
        await record("late", **{root: "root"})
    assert await store.find_session("late") is None


async def test_nothing_is_made_for_who_is_disabled_or_has_another_password(store, kit, record):
    given = Credential("c", "login", 1, "", kit.AT, None, kid="k1")
    await record("first")
    await store.add_credential(given, password_hash="h")
    await store.change_principal(1, lambda one: one, "new")
    with pytest.raises(RevokedToken):
        await store.add_credential(replace(given, id="d"), password_hash="h")
    await store.add_credential(replace(given, id="d"), password_hash="new")
    await store.change_principal(1, lambda one: replace(one, active=False))
    for password in ("new", None):
        with pytest.raises(RevokedToken):
            await store.add_credential(replace(given, id="e"), password_hash=password)
    assert await store.find_session("e") is None
