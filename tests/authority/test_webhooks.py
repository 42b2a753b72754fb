"""Who a webhook tells, by what its messages are signed, and when it ends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobpass.authority.telling import HISTORY, MOST_WAITING
from jobpass.authority.webhook_secrets import Secrets
from jobpass.authority.webhooks import MAX_GRACE_SECONDS
from jobpass.clock import FixedClock
from jobpass.errors import Conflict, InvalidInput, KeyringError
from jobpass.outbox.addresses import Allowed
from jobpass.outbox.places import Places
from jobpass.records import News, Principal, Webhook
from jobpass.tokens.keyring import Keyring
from support.house import House

ID = "5f" * 16


def webhook(clock: FixedClock, **fields: object) -> Webhook:
    plain = {"owner": 1, "url": "https://example.org/", "job_uuid": None, "pipeline_uuid": "p", "events": ()}
    return Webhook(**({"id": ID, "kid": "k", "secret_number": 1, "created_at": clock.now()} | plain | fields))


def principal(clock: FixedClock, **fields: object) -> Principal:
    return Principal(
        **({"id": 1, "email": "a@b", "role": "author", "active": True, "created_at": clock.now()} | fields)
    )


def news(clock: FixedClock, **fields: object) -> News:
    plain = {"job_uuid": "j", "pipeline_uuid": "p", "owner": 1, "sequence": 2, "name": "run", "at": clock.now()}
    return News(**(plain | fields))


def test_who_may_see_the_job_is_told(house: House) -> None:
    clock, wants = house.clock, house.authority.telling.wants
    mine, others = news(clock), news(clock, owner=2)
    author, operator = principal(clock), principal(clock, role="operator")
    assert wants(webhook(clock), author, mine)
    assert not wants(webhook(clock), author, others)
    assert wants(webhook(clock), operator, others)
    assert not wants(webhook(clock), principal(clock, active=False), mine)
    assert not wants(webhook(clock), principal(clock, role="operator", active=False), others)
    of_job = webhook(clock, job_uuid="j", pipeline_uuid=None)
    assert wants(of_job, author, mine)
    assert wants(of_job, operator, mine)
    assert not wants(of_job, operator, others)  # the job was deleted, and another made the same


def test_only_named_events_and_no_history_from_elsewhere(house: House) -> None:
    clock, wants = house.clock, house.authority.telling.wants
    owner = principal(clock)
    assert wants(webhook(clock, events=("fail", "run")), owner, news(clock))
    assert not wants(webhook(clock, events=("fail",)), owner, news(clock))
    made = clock.now()
    assert wants(webhook(clock), owner, news(clock, at=made - HISTORY))
    assert not wants(webhook(clock), owner, news(clock, at=made - HISTORY - timedelta(seconds=1)))


def test_a_signature_is_the_standard_s_and_two_while_a_secret_is_replaced(house: House) -> None:
    keyring, clock = house.keyring, house.clock
    signer = Secrets(keyring)
    one = webhook(clock, kid=keyring.signing_kid)
    at = clock.now()

    def by_hand(record: Webhook) -> str:
        key = base64.b64decode(signer.text(record).removeprefix("whsec_"), validate=True)
        assert len(key) == 32
        return "v1," + base64.b64encode(hmac.new(key, b"m.7.{}", hashlib.sha256).digest()).decode()

    assert signer.signature(one, "m", 7, b"{}", at) == by_hand(one)
    two = replace(one, secret_number=2, previous_kid=keyring.signing_kid, previous_until=at + timedelta(seconds=1))
    assert signer.signature(two, "m", 7, b"{}", at).split() == [by_hand(two), by_hand(one)]
    assert signer.signature(two, "m", 7, b"{}", at + timedelta(seconds=1)) == by_hand(two)
    assert signer.signature(replace(two, previous_until=None), "m", 7, b"{}", at) == by_hand(two)
    texts = {signer.text(replace(one, id=name, secret_number=n)) for name in ("a" * 32, "b" * 32) for n in (1, 2, 11)}
    assert len(texts) == 6


def test_a_retired_root_key_signs_nothing(house: House) -> None:
    first = house.keyring.signing_kid
    rotated = house.keyring.rotate(secrets.token_bytes(4), secrets.token_bytes(32))
    retired = rotated.retire(first)
    at = house.clock.now()
    one = webhook(house.clock, kid=first)
    assert Secrets(rotated).text(one) == Secrets(house.keyring).text(one)
    with pytest.raises(KeyringError):
        Secrets(retired).signature(one, "m", 7, b"", at)
    two = webhook(
        house.clock,
        kid=rotated.signing_kid,
        secret_number=2,
        previous_kid=first,
        previous_until=at + timedelta(days=1),
    )
    assert len(Secrets(rotated).signature(two, "m", 7, b"", at).split()) == 2
    assert len(Secrets(retired).signature(two, "m", 7, b"", at).split()) == 1


async def test_chores_disable_what_lost_its_ground_once_and_say_so(house: House) -> None:
    store, telling = house.store, house.authority.telling
    ann = await house.person("ann@example.org")
    assert ann.session is not None
    owner = ann.session.principal.id
    fine = webhook(house.clock, owner=owner, kid=house.keyring.signing_kid)
    lost = replace(fine, id="1a" * 16, kid="00000000")
    for one in (fine, lost):
        await store.add_webhook(one, 9)
    for _ in range(2):
        await telling.disable_unfit()
    assert await store.find_webhook(fine.id) == fine
    ended = await store.find_webhook(lost.id)
    assert ended == replace(lost, disabled_at=house.clock.now(), reason="its root key was retired")
    await store.change_principal(owner, lambda person: replace(person, active=False))
    await telling.disable_unfit()
    ended = await store.find_webhook(fine.id)
    assert ended is not None
    assert ended.reason == "its owner's account is disabled"
    await telling.disable("no such", "gone")
    entries = (await store.list_audit(name="webhook.disabled")).items
    assert [(entry.subject, entry.principal) for entry in entries] == [(lost.id, owner), (fine.id, owner)]
    assert json.loads(entries[0].data) == {"reason": "its root key was retired"}


async def test_what_too_much_waits_for_is_disabled(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    store, telling = house.store, house.authority.telling
    ann = await house.person("ann@example.org")
    assert ann.session is not None
    one = webhook(house.clock, owner=ann.session.principal.id, kid=house.keyring.signing_kid)
    await store.add_webhook(one, 9)
    await store.add_ping(one.id, "m", house.clock.now())
    await telling.sweep()
    assert await store.find_webhook(one.id) == one
    monkeypatch.setattr("jobpass.authority.telling.MOST_WAITING", 0)
    await telling.sweep()
    ended = await store.find_webhook(one.id)
    assert ended is not None
    assert ended.reason == "more than 0 deliveries were waiting"
    assert MOST_WAITING == 100_000


async def test_a_grace_is_bounded_and_a_disabled_one_is_not_pinged(house: House) -> None:
    ann = await house.person("ann@example.org")
    assert ann.session is not None
    one = webhook(house.clock, owner=ann.session.principal.id, kid=house.keyring.signing_kid)
    await house.store.add_webhook(one, 9)
    webhooks = house.authority.webhooks
    for grace in (-1, MAX_GRACE_SECONDS + 1):
        with pytest.raises(InvalidInput):
            await webhooks.rotate(ann, one.id, grace)
    assert (await webhooks.rotate(ann, one.id, MAX_GRACE_SECONDS)).webhook.secret_number == 2
    await webhooks.ping(ann, one.id)
    await house.authority.telling.disable(one.id, "why")
    with pytest.raises(Conflict, match="disabled: why"):
        await webhooks.ping(ann, one.id)
    with pytest.raises(Conflict, match="disabled: why"):
        await webhooks.retry(ann, one.id, None)


async def test_one_of_a_retired_root_key_is_enabled_with_another_secret_only(house: House) -> None:
    ann = await house.person("ann@example.org")
    assert ann.session is not None
    one = webhook(house.clock, owner=ann.session.principal.id, kid="00000000", url="http://127.0.0.1/")
    await house.store.add_webhook(one, 9)
    webhooks = house.authority.webhooks
    await house.authority.telling.disable_unfit()
    webhooks._destinations = Places(Allowed(["127.0.0.0/8"]))
    with pytest.raises(Conflict, match="rotate its secret"):
        await webhooks.enable(ann, one.id)
    await webhooks.rotate(ann, one.id, 60)
    assert (await webhooks.enable(ann, one.id)).disabled_at is None
    assert await webhooks.retry(ann, one.id, None) == 0


async def test_without_a_word_on_where_they_may_lead_none_is_made(house: House) -> None:
    ann = await house.person("ann@example.org")
    made = await house.job(ann)
    with pytest.raises(InvalidInput, match="sends no webhooks"):
        await house.authority.webhooks.create(
            ann, "https://example.org/", job_uuid=made.job.uuid, pipeline_uuid=None, events=()
        )


def test_a_secret_shows_in_no_repr(house: House) -> None:
    keyring: Keyring = house.keyring
    one = webhook(house.clock, kid=keyring.signing_kid, url="https://example.org/a-secret")
    assert "a-secret" not in repr(one)
    assert Secrets(keyring).text(one) not in repr((one, Secrets(keyring)))
