"""Document tokens given again, rotated and deleted; introspection and revocation; the audit of it all."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from jobpass.authority.audit import NODE, SOURCE
from jobpass.errors import (
    Conflict,
    Denied,
    InvalidInput,
    LoginFailed,
    RevokedToken,
    TooMany,
    UnknownJob,
    UnknownPrincipal,
)
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Events, ExpiresAt
from support.house import PASSWORD, House


async def test_the_token_is_the_same_text_until_it_is_rotated(house: House) -> None:
    ann = await house.person("ann@example.org")
    made = await house.job(ann)
    jobs, uuid = house.authority.jobs, made.job.uuid
    assert await jobs.token(ann, uuid) == made.token
    fresh = await jobs.rotate(ann, uuid)
    assert fresh != made.token
    with pytest.raises(RevokedToken):
        await jobs.submit_event(await house.bearer(made.token), uuid, "run")
    await jobs.submit_event(await house.bearer(fresh), uuid, "run")
    assert await jobs.token(ann, uuid) == fresh
    assert (await jobs.verify(ann, uuid))[1] is None


async def test_a_grace_lets_the_previous_token_live_that_long_and_no_older_one(house: House) -> None:
    ann = await house.person("ann@example.org")
    made = await house.job(ann)
    jobs, uuid = house.authority.jobs, made.job.uuid
    second = await jobs.rotate(ann, uuid, 10)
    await jobs.submit_event(await house.bearer(made.token), uuid, "update")
    third = await jobs.rotate(ann, uuid, 10)
    with pytest.raises(RevokedToken):
        await jobs.submit_event(await house.bearer(made.token), uuid, "update")
    await jobs.submit_event(await house.bearer(second), uuid, "update")
    house.clock.advance(10)
    with pytest.raises(RevokedToken):
        await jobs.submit_event(await house.bearer(second), uuid, "update")
    await jobs.submit_event(await house.bearer(third), uuid, "update")
    for grace in (-1, 86_401):
        with pytest.raises(InvalidInput):
            await jobs.rotate(ann, uuid, grace)


async def test_a_document_token_and_strangers_neither_fetch_nor_rotate_nor_delete(house: House) -> None:
    ann, bob = await house.person("ann@example.org"), await house.person("bob@example.org")
    boss = await house.person("boss@example.org", "operator")
    made = await house.job(ann)
    jobs, uuid = house.authority.jobs, made.job.uuid
    for bearer, error in ((await house.bearer(made.token), Denied), (bob, UnknownJob), (boss, Denied)):
        for attempt in (jobs.token(bearer, uuid), jobs.rotate(bearer, uuid), jobs.delete(bearer, uuid)):
            with pytest.raises(error):
                await attempt
    with pytest.raises(Denied):
        await jobs.delete(ann, uuid)
    assert await jobs.token(ann, uuid) == made.token


async def test_introspection_tells_the_owner_and_operators_and_nobody_else(house: House) -> None:
    ann, bob = await house.person("ann@example.org"), await house.person("bob@example.org")
    boss = await house.person("boss@example.org", "operator")
    made = await house.job(ann)
    ask = house.authority.introspection.introspect
    narrow = attenuate(made.token, [Events(("run", "update")), ExpiresAt(1_800_000_000)])
    for caller in (ann, boss):
        told = await ask(caller, narrow)
        assert told is not None
        assert (told.kind, told.job, told.exp, told.scope) == (
            "document",
            made.job.uuid,
            1_800_000_000,
            "run update",
        )
    assert await ask(bob, narrow) is None
    login = await house.authority.accounts.login("ann@example.org", PASSWORD)
    told = await ask(ann, login.token)
    assert told is not None
    assert (told.kind, told.sub) == ("login", str(login.principal.id))
    assert told.exp == told.iat + 12 * 3600
    await house.authority.jobs.rotate(ann, made.job.uuid)
    ended = [narrow, made.token, "nothing", attenuate(login.token, [ExpiresAt(1)]), "jp_doc_" + "A" * 60]
    for text in ended:
        assert await ask(boss, text) is None
    with pytest.raises(Denied):
        await ask(await house.bearer(await house.authority.jobs.token(ann, made.job.uuid)), made.token)


async def test_revocation_ends_what_is_the_callers_and_tells_nothing(house: House) -> None:
    ann, bob = await house.person("ann@example.org"), await house.person("bob@example.org")
    made = await house.job(ann)
    login = await house.authority.accounts.login("ann@example.org", PASSWORD)
    end = house.authority.introspection.revoke
    for text in ("nothing", login.token, made.token):
        await end(bob, text)
    held = await house.bearer(login.token)
    await house.authority.jobs.submit_event(await house.bearer(made.token), made.job.uuid, "run")
    await end(ann, login.token)
    await end(ann, login.token)
    await end(ann, made.token)
    with pytest.raises(RevokedToken):
        await house.authority.jobs.submit_event(await house.bearer(made.token), made.job.uuid, "update")
    with pytest.raises(RevokedToken):
        await house.authority.accounts.me(await house.bearer(login.token))
    assert held.session is not None


async def test_accounts_are_made_disabled_and_enabled_by_operators(house: House) -> None:
    ann, boss = await house.person("ann@example.org"), await house.person("boss@example.org", "operator")
    accounts = house.authority.accounts
    bob = await accounts.create("bob@example.org", PASSWORD, "author", boss)
    login = await accounts.login("bob@example.org", PASSWORD)
    for attempt in (
        accounts.create("eve@example.org", PASSWORD, "author", ann),
        accounts.list(ann, after=None, limit=10),
        accounts.read(ann, bob.id),
        accounts.set_active(ann, bob.id, False),
        accounts.set_password(ann, bob.id, PASSWORD + "!", None),
    ):
        with pytest.raises(Denied):
            await attempt
    assert (await accounts.set_active(boss, bob.id, False)).active is False
    with pytest.raises(RevokedToken):
        await accounts.me(await house.bearer(login.token))
    with pytest.raises(LoginFailed):
        await accounts.login("bob@example.org", PASSWORD)
    await accounts.set_active(boss, bob.id, True)
    with pytest.raises(RevokedToken):
        await accounts.me(await house.bearer(login.token))
    await accounts.login("bob@example.org", PASSWORD)
    with pytest.raises(Conflict):
        await accounts.set_active(boss, boss.session.principal.id, False)
    with pytest.raises(UnknownPrincipal):
        await accounts.set_active(boss, 10**6, False)


async def test_a_new_password_needs_the_present_one_and_ends_the_log_ins(house: House) -> None:
    ann, boss = await house.person("ann@example.org"), await house.person("boss@example.org", "operator")
    accounts, own = house.authority.accounts, ann.session.principal.id
    for present in (None, "wrong horse battery"):
        with pytest.raises(LoginFailed):
            await accounts.set_password(ann, own, "another long password", present)
    await accounts.set_password(ann, own, "another long password", PASSWORD)
    with pytest.raises(RevokedToken):
        await accounts.me(replace(ann, session=await house.store.find_session(ann.verified.credential_id)))
    with pytest.raises(LoginFailed):
        await accounts.login("ann@example.org", PASSWORD)
    await accounts.set_password(boss, own, PASSWORD, None)
    await accounts.login("ann@example.org", PASSWORD)


@pytest.mark.parametrize("password", ["password1234", "qwertyuiop12", "123456789012"])
async def test_common_passwords_are_refused(house: House, password: str) -> None:
    with pytest.raises(InvalidInput):
        await house.authority.accounts.create("ann@example.org", password, "author")


async def test_guessing_is_throttled(house: House) -> None:
    await house.person("ann@example.org")
    refused = 0
    for _ in range(20):
        try:
            await house.authority.accounts.login("ann@example.org", "wrong horse battery", "198.51.100.1")
        except LoginFailed:
            continue
        except TooMany:
            refused += 1
    assert refused == 15
    await house.authority.accounts.login("ann@example.org", PASSWORD, "192.0.2.7")


async def test_the_audit_tells_who_did_what_and_holds(house: House) -> None:
    ann, boss = await house.person("ann@example.org"), await house.person("boss@example.org", "operator")
    made = await house.job(ann)
    await house.authority.jobs.rotate(ann, made.job.uuid)
    await house.authority.accounts.logout(ann)
    audit = house.authority.audit
    page = await audit.page(boss)
    names = [entry.name for entry in page.items]
    assert names == ["user.created", "login", "user.created", "login", "job.rotated", "logout"]
    rotated = page.items[4]
    assert (rotated.principal, rotated.subject) == (ann.session.principal.id, made.job.uuid)
    assert rotated.credential == ann.credential
    assert [e.name for e in (await audit.page(boss, name="logout")).items] == ["logout"]
    assert {e.principal for e in (await audit.page(boss, principal=rotated.principal)).items} == {rotated.principal}
    with pytest.raises(Denied):
        await audit.page(await house.login("ann@example.org"))
    assert [one.broken_at async for one in house.authority.verify_audit()] == [None]


async def test_refusals_are_noted_with_their_true_reason_and_bounded(house: House) -> None:
    boss = await house.person("boss@example.org", "operator")
    audit = house.authority.audit
    for n in range(SOURCE.burst + 30):
        audit.note_refusal(Denied(reasons=[f"{n}"]), "jobs.event", None, "198.51.100.1", None)
    audit.note_refusal(RevokedToken("ended"), "jobs.event", boss, "192.0.2.7", "subject")
    noted = (await audit.page(boss, name="refused")).items
    assert len(noted) == SOURCE.burst + 1
    assert json.loads(noted[-1].data)["code"] == "revoked_token"
    assert (noted[-1].principal, noted[-1].subject) == (boss.session.principal.id, "subject")
    house.clock.advance(60)
    assert [json.loads(one.data) for one in (await audit.page(boss, name="refused.more")).items] == [{"more": 30}]


async def test_a_flood_of_refusals_from_everywhere_writes_little(house: House) -> None:
    boss = await house.person("boss@example.org", "operator")
    audit = house.authority.audit
    for second in range(300):
        for n in range(20):
            audit.note_refusal(Denied(), "jobs.event", None, f"2001:db8::{second:x}:{n:x}", None)
        house.clock.advance(1)
        await audit.flush()
    written = 0
    page = await audit.page(boss, name="refused", limit=1000)
    while page.items:
        written += len(page.items)
        page = await audit.page(boss, name="refused", after=page.next, limit=1000)
    assert NODE.burst < written <= NODE.burst + 300 / NODE.seconds + 1
    more = [json.loads(one.data)["more"] for one in (await audit.page(boss, name="refused.more")).items]
    assert len(more) == 5
    assert 6000 - written - 60 * 20 <= sum(more) <= 6000 - written
