"""Admin keys: asked for, reviewed by somebody else, collected once, revoked at once; and what their tokens open."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from jobpass.authority.admin_keys import request_hash
from jobpass.authority.bearer import Bearer
from jobpass.errors import (
    Conflict,
    Denied,
    ExpiredToken,
    InvalidInput,
    InvalidToken,
    MalformedToken,
    RevokedToken,
    UnknownCredential,
    UnknownJob,
    WrongKind,
)
from jobpass.records import AdminKey
from jobpass.tokens.attenuate import admin_token
from jobpass.tokens.mint import mint_admin_key
from support.house import House, make_house

ASKED: dict[str, Any] = {
    "use_case": "nightly reset of failed jobs",
    "storage": "in the vault of the scheduler",
    "lifetime_seconds": 600,
    "scope": None,
}


async def ask(house: House, bearer: Bearer, **changes: Any) -> AdminKey:
    return await house.authority.admin_keys.request(bearer, **(ASKED | changes))


async def granted(house: House, **changes: Any) -> tuple[str, AdminKey, Bearer, Bearer]:
    """A collected key, its record, its requester and its reviewer."""
    ann = await house.person("ann@example.org")
    boss = await house.person("boss@example.org", "operator")
    keys = house.authority.admin_keys
    key = await ask(house, ann, **changes)
    await keys.approve(boss, key.id, key.request_hash)
    return await keys.collect(ann, key.id), await keys.read(ann, key.id), ann, boss


async def test_a_key_is_asked_for_approved_collected_once_and_makes_tokens(house: House) -> None:
    text, key, ann, _ = await granted(house)
    assert text.startswith("jp_adk_")
    assert key.state == "collected"
    with pytest.raises(Conflict):
        await house.authority.admin_keys.collect(ann, key.id)
    made = await house.job(ann)
    admin = await house.bearer(admin_token(text, house.clock.now()))
    submit = house.authority.jobs.submit_event
    for event, state in (("run", "RUNNING"), ("reset", "RESET"), ("ready", "CREATED")):
        accepted = await submit(admin, made.job.uuid, event)
        assert (accepted.event.state, accepted.token) == (state, None)
        assert accepted.event.credential == f"admin:{key.id}"
    await house.authority.jobs.delete(admin, made.job.uuid)
    with pytest.raises(UnknownJob):
        await house.authority.jobs.read(ann, made.job.uuid)


async def test_a_token_of_a_key_dies_by_itself(house: House) -> None:
    text, _, ann, _ = await granted(house)
    made = await house.job(ann)
    token = admin_token(text, house.clock.now())
    house.clock.advance(600)
    await house.authority.jobs.submit_event(await house.bearer(token), made.job.uuid, "reset")
    house.clock.advance(600)
    with pytest.raises(ExpiredToken):
        await house.authority.jobs.submit_event(await house.bearer(token), made.job.uuid, "ready")
    fresh = admin_token(text, house.clock.now())
    await house.authority.jobs.submit_event(await house.bearer(fresh), made.job.uuid, "ready")


async def test_a_revoked_key_and_a_disabled_owner_end_its_tokens_at_once(house: House) -> None:
    text, key, ann, boss = await granted(house)
    made = await house.job(ann)
    token = admin_token(text, house.clock.now())
    await house.authority.admin_keys.revoke(boss, key.id, "lost")
    with pytest.raises(RevokedToken):
        await house.authority.jobs.submit_event(await house.bearer(token), made.job.uuid, "reset")
    assert (await house.authority.admin_keys.read(ann, key.id)).state == "revoked"
    with pytest.raises(Conflict):
        await house.authority.admin_keys.approve(boss, key.id, key.request_hash)


async def test_disabling_the_requester_ends_the_key(house: House) -> None:
    text, _, ann, boss = await granted(house)
    made = await house.job(ann)
    token = admin_token(text, house.clock.now())
    await house.authority.accounts.set_active(boss, ann.session.principal.id, False)
    with pytest.raises(RevokedToken):
        await house.authority.jobs.submit_event(await house.bearer(token), made.job.uuid, "reset")
    await house.authority.accounts.set_active(boss, ann.session.principal.id, True)
    with pytest.raises(RevokedToken):
        await house.authority.jobs.submit_event(await house.bearer(token), made.job.uuid, "reset")


async def test_a_key_that_is_not_approved_opens_nothing(house: House) -> None:
    ann = await house.person("ann@example.org")
    key = await ask(house, ann)
    with pytest.raises(Conflict):
        await house.authority.admin_keys.collect(ann, key.id)
    early = mint_admin_key(house.keyring, key.id, 600)
    with pytest.raises(RevokedToken):
        await house.bearer(admin_token(early, house.clock.now()))


async def test_the_requester_does_not_review_and_an_author_never_does(house: House) -> None:
    boss = await house.person("boss@example.org", "operator")
    ann = await house.person("ann@example.org")
    keys = house.authority.admin_keys
    own = await ask(house, boss)
    with pytest.raises(Denied):
        await keys.approve(boss, own.id, own.request_hash)
    for attempt in (keys.approve(ann, own.id, own.request_hash), keys.deny(ann, own.id, "no")):
        with pytest.raises(Denied):
            await attempt
    assert (await keys.read(boss, own.id)).state == "requested"


async def test_a_single_operator_may_and_the_record_says_so(house: House) -> None:
    alone = make_house(house.clock, single_operator=True)
    boss = await alone.person("boss@example.org", "operator")
    own = await ask(alone, boss)
    await alone.authority.admin_keys.approve(boss, own.id, own.request_hash)
    page = await alone.authority.audit.page(boss, name="admin_key.approved")
    assert b'"own_request":true' in page.items[0].data


async def test_a_changed_request_needs_a_new_review(house: House) -> None:
    ann, boss = await house.person("ann@example.org"), await house.person("boss@example.org", "operator")
    keys = house.authority.admin_keys
    seen = await ask(house, ann)
    changed = await keys.change(ann, seen.id, **(ASKED | {"lifetime_seconds": 86_400}))
    assert changed.request_hash != seen.request_hash == request_hash(seen)
    with pytest.raises(Conflict):
        await keys.approve(boss, seen.id, seen.request_hash)
    await keys.approve(boss, seen.id, changed.request_hash)
    await keys.change(ann, seen.id, **ASKED)
    with pytest.raises(Conflict):
        await keys.collect(ann, seen.id)
    with pytest.raises(Denied):
        await keys.change(boss, seen.id, **ASKED)


async def test_two_who_collect_at_once_get_one_key(house: House) -> None:
    ann, boss = await house.person("ann@example.org"), await house.person("boss@example.org", "operator")
    keys = house.authority.admin_keys
    key = await ask(house, ann)
    await keys.approve(boss, key.id, key.request_hash)
    got = await asyncio.gather(*(keys.collect(ann, key.id) for _ in range(8)), return_exceptions=True)
    assert [type(one) for one in got].count(Conflict) == 7
    assert sum(isinstance(one, str) for one in got) == 1


async def test_only_the_requester_collects_and_strangers_see_nothing(house: House) -> None:
    ann, bob = await house.person("ann@example.org"), await house.person("bob@example.org")
    boss = await house.person("boss@example.org", "operator")
    keys = house.authority.admin_keys
    key = await ask(house, ann)
    await keys.approve(boss, key.id, key.request_hash)
    with pytest.raises(Denied):
        await keys.collect(boss, key.id)
    for attempt in (keys.read(bob, key.id), keys.collect(bob, key.id), keys.revoke(bob, key.id, None)):
        with pytest.raises(UnknownCredential):
            await attempt
    assert (await keys.list(bob, after=None, limit=10)).items == []
    assert [one.id for one in (await keys.list(ann, after=None, limit=10)).items] == [key.id]
    assert [one.id for one in (await keys.list(boss, after=None, limit=10)).items] == [key.id]


async def test_a_scope_bounds_every_token_of_the_key(house: House) -> None:
    text, _, ann, _ = await granted(house, scope={"events": ["reset"]})
    made = await house.job(ann)
    admin = await house.bearer(admin_token(text, house.clock.now()))
    with pytest.raises(Denied):
        await house.authority.jobs.submit_event(admin, made.job.uuid, "run")
    await house.authority.jobs.submit_event(admin, made.job.uuid, "reset")


async def test_the_key_is_no_token_and_no_token_outlives_its_window(house: House) -> None:
    text, _, _, _ = await granted(house)
    with pytest.raises(WrongKind):
        await house.bearer(text)
    with pytest.raises(InvalidToken):
        await house.bearer(text.replace("jp_adk_", "jp_adm_"))
    with pytest.raises(MalformedToken):
        await house.bearer(text.replace("jp_adk_", "jp_doc_"))
    with pytest.raises(InvalidToken):
        await house.bearer(admin_token(text, house.clock.now() + timedelta(seconds=1200)))


async def test_an_admin_token_opens_jobs_and_nothing_else(house: House) -> None:
    text, key, _, _ = await granted(house)
    admin = await house.bearer(admin_token(text, house.clock.now()))
    authority = house.authority
    for attempt in (
        authority.accounts.me(admin),
        authority.accounts.list(admin, after=None, limit=1),
        authority.accounts.logout(admin),
        authority.admin_keys.request(admin, **ASKED),
        authority.admin_keys.read(admin, key.id),
        authority.audit.page(admin),
        authority.introspection.introspect(admin, "x"),
        authority.pipelines.list(admin, after=None, limit=1),
    ):
        with pytest.raises(Denied):
            await attempt


@pytest.mark.parametrize(
    "bad",
    [
        {"use_case": ""},
        {"use_case": " \n"},
        {"storage": "x" * 4001},
        {"lifetime_seconds": 0},
        {"lifetime_seconds": -1},
        {"lifetime_seconds": 10**18},
        {"scope": {"nothing": []}},
        {"scope": {"events": "run"}},
        {"scope": {"cidr": ["10.0.0.1/8"]}},
        {"scope": {"expires_at": 1}},
    ],
)
async def test_what_cannot_be_asked_is_refused(house: House, bad: dict[str, Any]) -> None:
    ann = await house.person("ann@example.org")
    with pytest.raises(InvalidInput):
        await ask(house, ann, **bad)
    assert (await house.authority.admin_keys.list(ann, after=None, limit=10)).items == []
