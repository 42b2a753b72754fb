"""What every store does when principals change, credentials end together, uses are noted and root keys counted."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobpass.errors import AlreadyExists, Conflict, InvalidInput, UnknownPrincipal
from jobpass.records import Credential, Renewal
from jobpass.stores.sqlite import SqliteStore

HOUR = timedelta(hours=1)


@pytest.fixture
async def owner(store, kit):
    return await store.add_principal("a@b", "author", "h", kit.AT)


@pytest.fixture
def record(store, kit, owner):
    """Records a login credential of the owner."""

    async def add(name, **fields):
        plain = {"kind": "login", "owner": owner.id, "label": "", "issued_at": kit.AT, "expires_at": None}
        return await store.add_credential(Credential(id=name, **(plain | fields)))

    return add


async def test_a_credential_keeps_the_root_key_it_was_made_with(store, record):
    recorded = await record("c1", kid="0badcafe")
    assert (await store.find_session("c1")).credential == recorded
    assert recorded.kid == "0badcafe"


async def test_an_admin_key_opens_a_session_as_other_credentials_do(store, kit, record):
    await record("key", kind="admin")
    assert (await store.find_session("key")).credential.kind == "admin"
    await store.end_credential("key", kit.AT)
    assert (await store.find_session("key")).credential.revoked_at == kit.AT


async def test_a_principal_is_found_by_its_id(store, owner):
    assert await store.find_principal(owner.id) == owner
    assert await store.find_principal(owner.id + 1) is None


async def test_principals_are_listed_in_order_of_creation_by_pages(store, kit):
    made = [await store.add_principal(f"{name}@b", "author", "h", kit.AT) for name in "zayb"]
    found, after = [], None
    for _ in range(2):
        page = await store.list_principals(after=after, limit=2)
        found, after = found + page.items, page.next
    assert found == made
    assert after is None
    assert (await store.list_principals(after=None, limit=4)).next is None
    for cursor in ("5", "0", "x", "", "-1", "9" * 30):
        with pytest.raises(InvalidInput):
            await store.list_principals(after=cursor, limit=2)


async def test_a_changed_principal_shows_everywhere_at_once(store, owner, record):
    await record("c1")
    assert (await store.find_session("c1")).principal.active
    wanted = replace(owner, active=False, role="operator", email="ü@b")
    assert await store.change_principal(owner.id, lambda found: wanted if found == owner else found) == (
        Renewal(owner, wanted, 0)
    )
    assert (await store.find_session("c1")).principal == wanted
    assert await store.find_principal(owner.id) == wanted
    assert await store.find_login("a@b") is None
    assert (await store.find_login("ü@b")).password_hash == "h"


async def test_a_password_is_changed_only_when_one_is_given(store, owner):
    await store.change_principal(owner.id, lambda found: found, "new")
    assert (await store.find_login("a@b")).password_hash == "new"
    await store.change_principal(owner.id, lambda found: replace(found, role="operator"))
    assert (await store.find_login("a@b")).password_hash == "new"


async def test_a_change_that_raises_changes_nothing_and_disturbs_nobody(store, kit, owner):
    other = await store.add_principal("c@d", "author", "h", kit.AT)

    def refuse(_):
        raise Conflict("no")

    def break_down(_):
        raise KeyError("a bug")

    answers = await asyncio.gather(
        store.change_principal(owner.id, lambda found: replace(found, active=False)),
        store.change_principal(owner.id, refuse, "new"),
        store.change_principal(owner.id, break_down, "new"),
        store.change_principal(owner.id, lambda found: replace(found, id=other.id), "new"),
        store.change_principal(owner.id, lambda _: None, "new"),
        store.change_principal(other.id, lambda found: replace(found, email="a@b"), "new"),
        store.change_principal(99, lambda found: found, "new"),
        store.change_principal(other.id, lambda found: replace(found, role="operator")),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers[1:7]] == [
        Conflict,
        KeyError,
        ValueError,
        TypeError,
        AlreadyExists,
        UnknownPrincipal,
    ]
    assert await store.find_principal(owner.id) == answers[0].after == replace(owner, active=False)
    assert await store.find_principal(other.id) == answers[7].after == replace(other, role="operator")
    assert {(await store.find_login(email)).password_hash for email in ("a@b", "c@d")} == {"h"}


async def test_changes_of_one_tick_see_each_other(store, owner):
    add = [store.change_principal(owner.id, lambda found: replace(found, email=found.email + "x")) for _ in range(5)]
    await asyncio.gather(*add)
    assert (await store.find_principal(owner.id)).email == "a@bxxxxx"


async def test_what_ends_a_parent_ends_the_whole_line_at_once(store, kit, record):
    await record("root")
    await record("child", parent="root")
    await record("grandchild", parent="child")
    await record("aside", parent="root")
    for name in ("root", "child", "grandchild", "aside"):
        assert (await store.find_session(name)).credential.revoked_at is None
    assert await store.end_credential("child", kit.AT)
    ended = {name: (await store.find_session(name)).credential.revoked_at for name in ("root", "child", "grandchild")}
    assert ended == {"root": None, "child": kit.AT, "grandchild": kit.AT}
    assert (await store.find_session("aside")).credential.revoked_at is None
    assert await store.end_credential("root", kit.AT - HOUR)
    for name in ("root", "child", "grandchild", "aside"):
        assert (await store.find_session(name)).credential.revoked_at == kit.AT - HOUR
    assert await store.end_credential("grandchild", kit.AT + HOUR) == [], "it ended with its parent"
    assert (await store.find_session("grandchild")).credential.revoked_at == kit.AT - HOUR


async def test_a_child_ends_no_later_than_its_ancestors(store, kit, record):
    await record("root", expires_at=kit.AT + 2 * HOUR)
    await record("child", parent="root", expires_at=kit.AT + HOUR)
    await record("endless", parent="child")
    await record("long", parent="root", expires_at=kit.AT + 9 * HOUR)
    ends = [(await store.find_session(name)).credential.expires_at for name in ("root", "child", "endless", "long")]
    assert ends == [kit.AT + 2 * HOUR, kit.AT + HOUR, kit.AT + HOUR, kit.AT + 2 * HOUR]


async def test_a_parent_that_is_recorded_later_ends_its_line_too(store, kit, record):
    await record("child", parent="root")
    assert (await store.find_session("child")).credential.expires_at is None
    await record("root", expires_at=kit.AT)
    assert (await store.find_session("child")).credential.expires_at == kit.AT


async def test_credentials_in_a_circle_still_answer(store, kit, record):
    await record("a", parent="b")
    await record("b", parent="a")
    await record("self", parent="self")
    await store.end_credential("b", kit.AT)
    assert (await store.find_session("a")).credential.revoked_at == kit.AT
    assert (await store.find_session("self")).credential.revoked_at is None


async def test_all_of_a_kind_are_revoked_for_one_owner(store, kit, record):
    other = await store.add_principal("c@d", "author", "h", kit.AT)
    await record("login-1")
    await record("login-2", expires_at=kit.AT + timedelta(microseconds=1))
    await record("expired", expires_at=kit.AT)
    await record("gone", revoked_at=kit.AT - HOUR)
    await record("job", kind="job")
    await record("key", kind='a"k')
    await record("theirs", owner=other.id)
    await record("child", kind="apikey", parent="login-1")
    names = ("login-1", "login-2", "expired", "gone", "job", "key", "theirs", "child")
    for name in names:
        await store.find_session(name)
    assert await kit.end_owned(store, 1, {"login", 'a"k'}, kit.AT) == 3
    ended = {name: (await store.find_session(name)).credential.revoked_at for name in names}
    assert ended == {
        "login-1": kit.AT,
        "login-2": kit.AT,
        "expired": None,
        "gone": kit.AT - HOUR,
        "job": None,
        "key": kit.AT,
        "theirs": None,
        "child": kit.AT,
    }
    assert await kit.end_owned(store, 1, {"login", 'a"k'}, kit.AT) == 0
    assert await kit.end_owned(store, 1, [], kit.AT) == 0
    with pytest.raises(UnknownPrincipal):
        await kit.end_owned(store, 99, ["login"], kit.AT)


async def test_uses_are_added_up_and_the_last_one_only_moves_on(store, kit, record):
    await record("c1")
    await record("c2", uses=5, last_used_at=kit.AT)
    await store.find_session("c1")
    await store.note_uses({"c1": (2, kit.AT), "c2": (3, kit.AT - HOUR), "unknown": (1, kit.AT)})
    await store.note_uses({"c1": (1, kit.AT + HOUR)})
    await store.note_uses({})
    noted = [(await store.find_session(name)).credential for name in ("c1", "c2")]
    assert [(credential.uses, credential.last_used_at) for credential in noted] == [(3, kit.AT + HOUR), (8, kit.AT)]
    assert await store.find_session("unknown") is None


async def test_what_needs_a_root_key_is_counted(store, kit, record):
    assert await store.count_kids() == {}
    later = kit.AT + HOUR
    jobs = {
        "plain": {"kid": "k1"},
        "same": {"kid": "k1", "previous_kid": "k1", "previous_serial": 1, "previous_until": later},
        "moved": {"kid": "k2", "previous_kid": "k1", "previous_serial": 1, "previous_until": later},
        "past": {"kid": "k2", "previous_kid": "k0", "previous_serial": 1, "previous_until": kit.AT},
    }
    for name, fields in jobs.items():
        await store.apply(name, kit.create(name, **fields))
    await record("c1", kid="k3")
    await record("c2", kid="k3", expires_at=later)
    await record("c3", kid="k3", expires_at=kit.AT)
    await record("c4", kid="k4", revoked_at=kit.AT)
    assert await store.count_kids() == {"k0": 1, "k1": 3, "k2": 2, "k3": 3}
    assert await store.count_kids(kit.AT) == {"k1": 3, "k2": 2, "k3": 2}
    assert await store.count_kids(later) == {"k1": 2, "k2": 2, "k3": 1}
    await store.apply("moved", kit.rewrite(kid="k5", previous_kid="k2"))
    assert (await store.find_job("moved")).previous_kid == "k2"
    assert await store.count_kids(kit.AT) == {"k1": 2, "k2": 2, "k3": 2, "k5": 1}
    await store.apply("moved", kit.rewrite(previous_kid="k6"))
    assert (await store.find_job("moved")).previous_kid == "k6"
    await store.apply("plain", kit.delete)
    assert (await store.count_kids(kit.AT))["k1"] == 1


async def test_what_another_process_changes_shows_at_once(sqlite, tmp_path, kit):
    owner = await sqlite.add_principal("a@b", "author", "h", kit.AT)
    for name, parent in (("root", None), ("child", "root"), ("other", None)):
        await sqlite.add_credential(Credential(name, "login", owner.id, "", kit.AT, None, parent=parent))
        assert (await sqlite.find_session(name)).principal.active
    there = await SqliteStore.open(tmp_path / "store.sqlite")
    await there.change_principal(owner.id, lambda found: replace(found, active=False))
    assert not (await sqlite.find_session("child")).principal.active
    await there.end_credential("root", kit.AT)
    assert (await sqlite.find_session("child")).credential.revoked_at == kit.AT
    assert (await sqlite.find_session("other")).credential.revoked_at is None
    await kit.end_owned(there, owner.id, ["login"], kit.AT + HOUR)
    assert (await sqlite.find_session("other")).credential.revoked_at == kit.AT + HOUR
    await there.close()
