"""The admin key of the environment: adopted once, replaced, interrupted anywhere, and never against an operator."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from jobpass.authority.adoption import OWNER, REPLACED, Adoption
from jobpass.errors import UnknownCredential
from support.house import House

FIRST, SECOND = "11" * 16, "22" * 16


@pytest.fixture
def adoption(house: House) -> Adoption:
    authority = house.authority
    return Adoption(house.store, authority.accounts, authority.audit, house.keyring.signing_kid, 3600)


async def states(house: House) -> dict[str, str]:
    return {key.id: key.state for key in (await house.store.list_admin_keys(requester=None, after=None, limit=9)).items}


async def alive(house: House, key_id: str) -> bool:
    session = await house.store.find_session(key_id)
    return session is not None and session.credential.revoked_at is None


async def audit(house: House) -> list[str]:
    return [entry.name for entry in (await house.store.list_audit(limit=1000)).items]


async def test_one_is_adopted_and_the_next_takes_its_place(house: House, adoption: Adoption) -> None:
    assert not await adoption.stands(FIRST)
    await adoption.adopt(FIRST, house.clock.now())
    assert await adoption.stands(FIRST)
    await adoption.adopt(FIRST, house.clock.now())
    assert await audit(house) == ["user.created", "admin_key.adopted"]
    assert not await adoption.stands(SECOND)
    await adoption.adopt(SECOND, house.clock.now())
    assert await states(house) == {FIRST: "revoked", SECOND: "collected"}
    assert (await alive(house, FIRST), await alive(house, SECOND)) == (False, True)
    assert await audit(house) == ["user.created", "admin_key.adopted", "admin_key.adopted", "admin_key.revoked"]


async def test_none_ends_the_one_that_lives(house: House, adoption: Adoption) -> None:
    assert await adoption.stands(None)
    await adoption.adopt(FIRST, house.clock.now())
    assert not await adoption.stands(None)
    await adoption.adopt(None, house.clock.now())
    assert await states(house) == {FIRST: "revoked"}
    assert await adoption.stands(None)


async def test_a_replacement_that_was_interrupted_is_finished(house: House, adoption: Adoption) -> None:
    await adoption.adopt(FIRST, house.clock.now())
    await adoption._add(SECOND, house.clock.now())
    assert not await adoption.stands(SECOND), "two live"
    await adoption.adopt(SECOND, house.clock.now())
    assert await states(house) == {FIRST: "revoked", SECOND: "collected"}


async def test_a_revoked_one_ends_no_other(house: House, adoption: Adoption) -> None:
    await adoption.adopt(FIRST, house.clock.now())
    await adoption.adopt(SECOND, house.clock.now())
    await adoption.adopt(FIRST, house.clock.now())
    assert await states(house) == {FIRST: "revoked", SECOND: "collected"}


async def test_an_operator_who_is_faster_is_not_overruled(
    house: House, adoption: Adoption, monkeypatch: pytest.MonkeyPatch
) -> None:
    await adoption.adopt(FIRST, house.clock.now())
    operator = await house.person("boss@example.org", "operator")
    plain = house.store.end_credential

    async def after_the_operator(key_id: str, at: datetime) -> bool:
        monkeypatch.setattr(house.store, "end_credential", plain)
        await house.authority.admin_keys.revoke(operator, key_id, "it leaked")
        return await plain(key_id, at)

    monkeypatch.setattr(house.store, "end_credential", after_the_operator)
    await adoption.adopt(SECOND, house.clock.now())
    found: Any = await house.store.find_admin_key(FIRST)
    assert (found.state, found.reason) == ("revoked", "it leaked")
    assert (await audit(house)).count("admin_key.revoked") == 1


async def test_what_is_not_there_is_not_revoked(house: House, adoption: Adoption) -> None:
    await adoption.adopt(FIRST, house.clock.now())
    found: Any = await house.store.find_admin_key(FIRST)
    with pytest.raises(UnknownCredential):
        await adoption._revoke(replace(found, id=SECOND), house.clock.now())
    assert await states(house) == {FIRST: "collected"}


async def test_only_adopted_keys_are_ended(house: House, adoption: Adoption) -> None:
    author = await house.person("author@example.org")
    operator = await house.person("boss@example.org", "operator")
    keys = house.authority.admin_keys
    asked = await keys.request(author, "the key of the environment", "a vault", None, None)
    await keys.approve(operator, asked.id, asked.request_hash)
    await keys.collect(author, asked.id)
    await adoption.adopt(FIRST, house.clock.now())
    await adoption.adopt(SECOND, house.clock.now())
    assert await states(house) == {asked.id: "collected", FIRST: "revoked", SECOND: "collected"}


async def test_the_reason_is_told(house: House, adoption: Adoption) -> None:
    await adoption.adopt(FIRST, house.clock.now())
    await adoption.adopt(SECOND, house.clock.now())
    found: Any = await house.store.find_admin_key(FIRST)
    owner: Any = await house.store.find_login(OWNER)
    assert (found.reason, found.requester) == (REPLACED, owner.principal.id)
