"""Log-ins: the right one, every wrong one, and the end of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from statistics import median
from time import perf_counter

import pytest
from argon2 import PasswordHasher
from msgspec.structs import replace

from jobpass.authority.passwords import QUEUE_LENGTH, Passwords
from jobpass.errors import (
    AlreadyExists,
    Denied,
    ExpiredToken,
    InvalidInput,
    LoginFailed,
    RevokedToken,
    TooMany,
)
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Actions
from jobpass.tokens.mint import mint_credential
from support.house import MEMBERS, PASSWORD, PIPELINE, House


async def test_a_login_gives_a_token_that_ends(house: House) -> None:
    await house.authority.accounts.create(" Ann@Example.org ", PASSWORD, "author")
    logged_in = await house.authority.accounts.login("ANN@example.org", PASSWORD)
    assert logged_in.principal.email == "ann@example.org"
    assert PASSWORD not in repr(logged_in)
    assert logged_in.token not in repr(logged_in)
    ann = await house.bearer(logged_in.token)
    await house.authority.pipelines.put(ann, PIPELINE, MEMBERS)
    house.clock.advance(12 * 3600)
    with pytest.raises(ExpiredToken):
        await house.authority.pipelines.put(await house.bearer(logged_in.token), PIPELINE, MEMBERS)


async def test_wrong_log_ins_look_the_same(house: House) -> None:
    await house.person("ann@example.org")
    sentences = set()
    for email, password in (
        ("ann@example.org", "wrong horse battery"),
        ("ann@example.org", ""),
        ("bob@example.org", PASSWORD),
        ("", ""),
        ("ann@example.org", "\ud800" * 12),
        ("ann@example.org", "x" * 100_000),
    ):
        with pytest.raises(LoginFailed) as failed:
            await house.authority.accounts.login(email, password)
        sentences.add((str(failed.value), repr(failed.value.detail)))
    assert len(sentences) == 1


async def test_logout_ends_the_token_and_no_other(house: House) -> None:
    ann = await house.person("ann@example.org")
    other = await house.login("ann@example.org")
    await house.authority.accounts.logout(ann)
    text = mint_credential(house.keyring, "login", ann.verified.credential_id)
    with pytest.raises(RevokedToken):
        await house.authority.pipelines.put(await house.bearer(text), PIPELINE, MEMBERS)
    await house.authority.pipelines.put(other, PIPELINE, MEMBERS)


async def test_an_attenuated_login_token_does_less(house: House) -> None:
    await house.person("ann@example.org")
    logged_in = await house.authority.accounts.login("ann@example.org", PASSWORD)
    reader = await house.bearer(attenuate(logged_in.token, [Actions(("pipelines.read",))]))
    with pytest.raises(Denied):
        await house.authority.pipelines.put(reader, PIPELINE, MEMBERS)
    assert (await house.authority.pipelines.list(reader, after=None, limit=10)).items == []


async def test_a_token_without_a_record_opens_nothing(house: House) -> None:
    for kind in ("login", "job", "apikey"):
        with pytest.raises(RevokedToken):
            await house.bearer(mint_credential(house.keyring, kind, "ab" * 16))


async def test_a_record_of_another_kind_opens_nothing(house: House) -> None:
    ann = await house.person("ann@example.org")
    forged = replace(ann, verified=replace(ann.verified, credential_id="ab" * 16))
    with pytest.raises(RevokedToken):
        await house.authority.pipelines.put(forged, PIPELINE, MEMBERS)


@pytest.mark.parametrize("email", ["", "ann", "@b", "a@", "a@b@c", "a b@c", "a\x00@b", "a@" + "b" * 300])
async def test_what_is_no_address_is_refused(house: House, email: str) -> None:
    with pytest.raises(InvalidInput):
        await house.authority.accounts.create(email, PASSWORD, "author")


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 1025, "\ud800" * 12])
async def test_what_may_not_be_a_password_is_refused(house: House, password: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await house.authority.accounts.create("ann@example.org", password, "author")
    assert not password or password not in str(refused.value)


async def test_an_address_is_taken_once(house: House) -> None:
    await house.person("ann@example.org")
    with pytest.raises(AlreadyExists):
        await house.authority.accounts.create("ANN@example.org", PASSWORD, "author")


async def test_a_flood_of_log_ins_is_bounded() -> None:
    passwords = Passwords(1)
    stored = await passwords.hash(PASSWORD)
    await passwords.check("first", stored)
    attempts = [asyncio.create_task(passwords.check("wrong horse battery", stored)) for _ in range(QUEUE_LENGTH + 8)]
    await asyncio.sleep(0)
    refused = [task for task in attempts if task.done() and isinstance(task.exception(), TooMany)]
    assert len(refused) == 8
    for task in attempts:
        task.cancel()
    await asyncio.gather(*attempts, return_exceptions=True)


async def test_the_clock_of_a_token_is_read_on_every_use(house: House) -> None:
    ann = await house.person("ann@example.org")
    made = await house.job(ann)
    house.clock.advance(timedelta(hours=13).total_seconds())
    with pytest.raises(ExpiredToken):
        await house.authority.jobs.submit_event(ann, made.job.uuid, "run")
    await house.authority.jobs.submit_event(await house.bearer(made.token), made.job.uuid, "run")


async def test_unknown_addresses_and_wrong_passwords_take_the_same_time(house: House) -> None:
    """Both hash once; the first log-in of all, which makes the decoy, is not measured."""
    passwords = Passwords(1, PasswordHasher(time_cost=2, memory_cost=8192, parallelism=1))
    stored = await passwords.hash(PASSWORD)
    await passwords.check("wrong horse battery", None)

    async def seconds(password_hash: str | None) -> float:
        started = perf_counter()
        assert not await passwords.check("wrong horse battery", password_hash)
        return perf_counter() - started

    known, unknown = [], []
    for _ in range(9):
        known.append(await seconds(stored))
        unknown.append(await seconds(None))
    assert 0.5 < median(known) / median(unknown) < 2


async def test_another_keyring_does_not_forgive_guesses(house: House) -> None:
    await house.person("ann@example.org")
    for _ in range(5):
        with pytest.raises(LoginFailed):
            await house.authority.accounts.login("ann@example.org", "wrong horse battery", "198.51.100.1")
    await house.authority.use_keyring(house.keyring.rotate(b"abcd", bytes(range(32))))
    with pytest.raises(TooMany):
        await house.authority.accounts.login("ann@example.org", PASSWORD, "198.51.100.1")
