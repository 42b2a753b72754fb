"""What every store does with requests for administrative power."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobpass.errors import AlreadyExists, Conflict, InvalidInput, UnknownCredential, UnknownPrincipal
from jobpass.records import AdminKey


def _request(kit, name="key", requester=1, **fields):
    plain = {
        "state": "requested",
        "use_case": "clear a stuck job, ü \0",
        "storage": "in a safe",
        "lifetime_seconds": 3600,
        "scope": b'{"jobs":["\\u0000"]}',
        "request_hash": "ab" * 32,
        "requested_at": kit.AT,
    }
    return AdminKey(id=name, requester=requester, **(plain | fields))


@pytest.fixture
async def people(store, kit):
    return [await store.add_principal(f"{name}@b", "operator", "h", kit.AT) for name in "ab"]


def _collect(found):
    """A judge that collects an approved key; only one can."""
    if found is None:
        raise UnknownCredential("none")
    if found.state != "approved":
        raise Conflict("too late")
    return replace(found, state="collected")


async def test_a_request_is_kept_as_it_was_given(store, kit, people):
    plain = _request(kit)
    full = _request(
        kit,
        "full",
        2,
        state="revoked",
        reviewer=2**40,
        reviewed_at=kit.AT + timedelta(microseconds=1),
        reason="because",
        collected_at=kit.AT + timedelta(1),
        revoked_at=kit.AT + timedelta(2),
    )
    for key in (plain, full):
        await store.add_admin_key(key)
        assert await store.find_admin_key(key.id) == key
    assert await store.find_admin_key("KEY") is None


async def test_a_request_needs_its_requester_and_an_id_of_its_own(store, kit, people):
    with pytest.raises(UnknownPrincipal):
        await store.add_admin_key(_request(kit, requester=77))
    assert await store.find_admin_key("key") is None
    await store.add_admin_key(_request(kit))
    with pytest.raises(AlreadyExists):
        await store.add_admin_key(_request(kit, use_case="another"))
    assert await store.find_admin_key("key") == _request(kit)


async def test_requests_are_listed_in_order_of_asking(store, kit, people):
    keys = [_request(kit, name, requester) for name, requester in (("z", 1), ("y", 2), ("x", 1), ("w", 1))]
    for key in keys:
        await store.add_admin_key(key)
    await store.change_admin_key("z", lambda found: replace(found, state="denied"))
    first = await store.list_admin_keys(requester=1, after=None, limit=2)
    assert [key.id for key in first.items] == ["z", "x"]
    second = await store.list_admin_keys(requester=1, after=first.next, limit=2)
    assert ([key.id for key in second.items], second.next) == (["w"], None)
    page = await store.list_admin_keys(requester=None, after=None, limit=9)
    assert page.items == [replace(keys[0], state="denied"), *keys[1:]]
    assert (await store.list_admin_keys(requester=3, after=None, limit=9)).items == []
    with pytest.raises(InvalidInput):
        await store.list_admin_keys(requester=None, after="5", limit=2)


async def test_each_part_of_a_request_can_be_changed(store, kit, people):
    await store.add_admin_key(_request(kit))
    changed = {
        "state": "approved",
        "requester": 2,
        "use_case": "u",
        "storage": "s",
        "lifetime_seconds": 1,
        "scope": b"{}",
        "request_hash": "h",
        "requested_at": kit.AT + timedelta(3),
        "reviewer": 2,
        "reviewed_at": kit.AT,
        "reason": "r",
        "collected_at": kit.AT,
        "revoked_at": kit.AT,
    }
    for name, value in changed.items():

        def judge(found, name=name, value=value):
            return replace(found, **{name: value})

        answered = await store.change_admin_key("key", judge)
        assert await store.find_admin_key("key") == answered
        assert getattr(answered, name) == value
    assert answered == _request(kit, **changed)


async def test_a_judge_that_refuses_changes_nothing_and_disturbs_nobody(store, kit, people):
    await store.add_admin_key(_request(kit, state="approved"))
    await store.add_admin_key(_request(kit, "other", state="approved"))

    def break_down(_):
        raise KeyError("a bug")

    answers = await asyncio.gather(
        store.change_admin_key("other", _collect),
        store.change_admin_key("key", break_down),
        store.change_admin_key("unknown", _collect),
        store.change_admin_key("unknown", lambda _: _request(kit, "unknown")),
        store.change_admin_key("key", lambda found: replace(found, id="other")),
        store.change_admin_key("key", lambda _: None),
        store.apply("job", kit.create()),
        return_exceptions=True,
    )
    errors = [KeyError, UnknownCredential, ValueError, ValueError, TypeError]
    assert [type(answer) for answer in answers[1:6]] == errors
    assert await store.find_admin_key("key") == _request(kit, state="approved")
    assert await store.find_admin_key("other") == answers[0] == _request(kit, "other", state="collected")
    assert await store.find_admin_key("unknown") is None
    assert await store.find_job("job") is not None


async def test_of_many_who_collect_at_once_one_gets_the_key(store, kit, people):
    await store.add_admin_key(_request(kit, state="approved"))
    answers = await asyncio.gather(
        *(store.change_admin_key("key", _collect) for _ in range(20)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [AdminKey, *[Conflict] * 19]
