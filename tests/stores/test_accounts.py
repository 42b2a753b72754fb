"""What every store does with principals and credentials."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from jobpass.errors import AlreadyExists, UnknownPrincipal
from jobpass.records import Credential, Login, Principal, Session


def _credential(kit, name="c1", owner=1, **fields):
    plain = {"kind": "login", "label": "a label", "issued_at": kit.AT, "expires_at": kit.AT + timedelta(hours=1)}
    return Credential(id=name, owner=owner, **(plain | fields))


async def test_a_principal_is_added_and_found_with_its_hash(store, kit):
    added = await store.add_principal("ü@example.org", "operator", "$argon2id$\0", kit.AT)
    assert added == Principal(added.id, "ü@example.org", "operator", True, kit.AT)
    assert await store.find_login("ü@example.org") == Login(added, "$argon2id$\0")
    assert await store.find_login("Ü@example.org") is None


async def test_an_address_is_taken_once(store, kit):
    first = await store.add_principal("a@b", "author", "one", kit.AT)
    with pytest.raises(AlreadyExists):
        await store.add_principal("a@b", "operator", "two", kit.AT)
    assert (await store.find_login("a@b")).password_hash == "one"
    answers = await asyncio.gather(
        *(store.add_principal("c@d", "author", str(n), kit.AT) for n in range(5)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [Principal, *[AlreadyExists] * 4]
    assert (await store.find_login("c@d")).password_hash == "0"
    assert answers[0].id != first.id


async def test_a_credential_opens_a_session_with_its_principal(store, kit):
    owner = await store.add_principal("a@b", "author", "h", kit.AT)
    given = _credential(kit, owner=owner.id, parent="p", last_used_at=kit.AT, uses=3)
    recorded = await store.add_credential(given)
    assert recorded.number > 0
    assert await store.find_session("c1") == Session(recorded, owner)
    assert await store.find_session("c1") == Session(recorded, owner)
    assert recorded == _credential(kit, owner=owner.id, parent="p", last_used_at=kit.AT, uses=3, number=recorded.number)
    endless = await store.add_credential(_credential(kit, "c2", owner.id, expires_at=None))
    assert (await store.find_session("c2")).credential == endless
    assert endless.number != recorded.number


async def test_an_unknown_credential_opens_nothing_until_it_is_recorded(store, kit):
    owner = await store.add_principal("a@b", "author", "h", kit.AT)
    assert await store.find_session("c1") is None
    await store.add_credential(_credential(kit, owner=owner.id))
    assert await store.find_session("c1") is not None
    assert await store.find_session("C1") is None


async def test_a_credential_needs_an_owner_and_an_id_of_its_own(store, kit):
    with pytest.raises(UnknownPrincipal):
        await store.add_credential(_credential(kit, owner=77))
    owner = await store.add_principal("a@b", "author", "h", kit.AT)
    await store.add_credential(_credential(kit, owner=owner.id))
    with pytest.raises(AlreadyExists):
        await store.add_credential(_credential(kit, owner=owner.id, label="another"))
    assert (await store.find_session("c1")).credential.label == "a label"


async def test_revoking_holds_at_once_and_happens_once(store, kit):
    owner = await store.add_principal("a@b", "author", "h", kit.AT)
    for name in ("c1", "c2"):
        await store.add_credential(_credential(kit, name, owner.id))
        await store.find_session(name)
    assert await store.end_credential("c1", kit.AT)
    assert (await store.find_session("c1")).credential.revoked_at == kit.AT
    assert await store.end_credential("c1", kit.AT + timedelta(hours=1)) == []
    assert (await store.find_session("c1")).credential.revoked_at == kit.AT
    assert (await store.find_session("c2")).credential.revoked_at is None
    assert await store.end_credential("unknown", kit.AT) == []


async def test_revoking_holds_although_its_caller_went_away(store, kit):
    owner = await store.add_principal("a@b", "author", "h", kit.AT)
    await store.add_credential(_credential(kit, owner=owner.id))
    await store.find_session("c1")
    revoking = asyncio.ensure_future(store.end_credential("c1", kit.AT))
    await asyncio.sleep(0)
    revoking.cancel()
    await store.put_pipeline(kit.pipeline())  # answered after the revocation, which came before it
    assert (await store.find_session("c1")).credential.revoked_at == kit.AT


async def test_sessions_asked_for_while_their_credential_is_revoked_end_revoked(store, kit):
    owner = await store.add_principal("a@b", "author", "h", kit.AT)
    await store.add_credential(_credential(kit, owner=owner.id))
    revoking = [store.end_credential("c1", kit.AT), store.put_pipeline(kit.pipeline())]
    running = asyncio.gather(*revoking)
    while not running.done():
        await store.find_session("c1")
        await asyncio.sleep(0)
    assert [one.id for one in (await running)[0]] == ["c1"]
    assert (await store.find_session("c1")).credential.revoked_at == kit.AT


async def test_jobs_and_accounts_of_one_tick_do_not_disturb_each_other(store, kit):
    answers = await asyncio.gather(
        store.apply("job", kit.create()),
        store.add_principal("a@b", "author", "h", kit.AT),
        store.apply("job", kit.send()),
        store.add_principal("a@b", "author", "h", kit.AT),
        store.apply("job", kit.send()),
        return_exceptions=True,
    )
    assert isinstance(answers[3], AlreadyExists)
    assert answers[4].event.sequence == 3
    assert await store.find_login("a@b") is not None
