"""Webhooks and their deliveries: who is told what, in which order, exactly once into the queue."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobpass.errors import Conflict, InvalidInput
from jobpass.records import News, Webhook
from jobpass.stores.sqlite import SqliteStore

LEASE = timedelta(seconds=20)


def everything(*_):
    return True


@pytest.fixture
def hook(kit):
    """Makes the record of a webhook."""

    def make(name="w", **fields):
        plain = {"owner": 1, "url": "https://example.org/", "job_uuid": "job", "pipeline_uuid": None, "events": ()}
        return Webhook(id=name, **(plain | {"kid": "k1", "secret_number": 1, "created_at": kit.AT} | fields))

    return make


@pytest.fixture
async def house(store, kit, hook):
    """A store with two principals and a job."""
    for name in "ab":
        await store.add_principal(f"{name}@b", "author", "h", kit.AT)
    await store.apply("job", kit.create())
    return store


async def look(store, kit, wants=everything):
    while await store.queue_news(wants, kit.AT):
        pass


async def claim(store, kit, name="w", at=None, limit=9):
    at = at or kit.AT
    return await store.claim(name, at, at + LEASE, limit)


def told(claims):
    return [(one.delivery.job_uuid, one.delivery.sequence) for one in claims]


async def test_a_webhook_is_kept_found_listed_changed_and_deleted(house, kit, hook):
    first = hook(
        "w1", events=("finish", "fail"), previous_kid="k0", previous_until=kit.AT, failing_since=kit.AT, reason="r"
    )
    second = hook("w2", owner=2, job_uuid=None, pipeline_uuid="pipe")
    await house.add_webhook(first, 9)
    await house.add_webhook(second, 9)
    assert await house.find_webhook("w1") == first
    assert await house.find_webhook("w3") is None
    page = await house.list_webhooks(owner=None, after=None, limit=1)
    assert (page.items, page.next) == ([first], "1")
    assert (await house.list_webhooks(owner=None, after="1", limit=1)).items == [second]
    assert (await house.list_webhooks(owner=2, after=None, limit=9)).items == [second]
    with pytest.raises(InvalidInput):
        await house.list_webhooks(owner=None, after="3", limit=1)
    changed = await house.change_webhook("w1", lambda one: replace(one, secret_number=2, kid="k2"), kit.AT)
    assert changed == await house.find_webhook("w1") == replace(first, secret_number=2, kid="k2")
    assert await house.delete_webhook("w1")
    assert not await house.delete_webhook("w1")
    assert (await house.list_webhooks(owner=None, after=None, limit=9)).items == [second]


async def test_nobody_has_more_than_the_most(house, hook):
    await house.add_webhook(hook("w1"), 2)
    await house.add_webhook(hook("w2"), 2)
    with pytest.raises(Conflict):
        await house.add_webhook(hook("w3"), 2)
    await house.add_webhook(hook("w4", owner=2), 2)
    assert await house.find_webhook("w3") is None


async def test_a_judge_that_refuses_changes_nothing(house, kit, hook):
    await house.add_webhook(hook(), 9)

    def refuse(_):
        raise Conflict("no")

    with pytest.raises(Conflict):
        await house.change_webhook("w", refuse, kit.AT)
    with pytest.raises(Conflict):
        await house.change_webhook("unknown", refuse, kit.AT)
    with pytest.raises(ValueError, match="another record"):
        await house.change_webhook("w", lambda one: replace(one, id="x"), kit.AT)
    assert await house.find_webhook("w") == hook()


async def test_what_is_committed_after_it_was_made_is_queued_and_nothing_else(house, kit, hook):
    await house.apply("job", kit.send())
    await house.add_webhook(hook(), 9)
    await house.add_webhook(hook("p", job_uuid=None, pipeline_uuid="pipe"), 9)
    await house.add_webhook(hook("o", job_uuid="other"), 9)
    await house.apply("job", kit.send("run", data=b'{"a": 1}', state="RUNNING"))
    await house.apply("other", kit.create("other", pipeline_uuid="elsewhere"))
    await house.apply("third", kit.create("third"))
    asked = []

    def wants(webhook, owner, news):
        asked.append((webhook.id, owner.id, news))
        return True

    await look(house, kit, wants)
    run = News("job", "pipe", 1, 3, "run", kit.event(3).at)
    assert [(name, owner, news) for name, owner, news in asked if news.name == "run"] == [("w", 1, run), ("p", 1, run)]
    assert len(asked) == 4
    assert told(await claim(house, kit)) == [("job", 3)]
    assert sorted(told(await claim(house, kit, "p"))) == [("job", 3), ("third", 1)]
    assert told(await claim(house, kit, "o")) == [("other", 1)]
    await look(house, kit, wants)
    assert len(asked) == 4


async def test_what_is_not_wanted_is_not_queued(house, kit, hook):
    await house.add_webhook(hook(), 9)
    for name in ("update", "run", "update"):
        await house.apply("job", kit.send(name))
    await look(house, kit, lambda _w, _o, news: news.name == "run")
    assert told(await claim(house, kit)) == [("job", 3)]


async def test_a_claim_shows_what_is_sent(house, kit, hook):
    await house.add_webhook(hook(), 9)
    change = await house.apply("job", kit.send("run", data=b'{"a": 1}', state="RUNNING"))
    await look(house, kit)
    (one,) = await claim(house, kit)
    assert (one.webhook, one.pipeline_uuid, one.happened) == (hook(), "pipe", change.event)
    delivery = one.delivery
    assert (delivery.message, delivery.event, delivery.attempts) == (change.event.uuid, "run", 1)
    assert delivery.made_at == kit.AT


async def test_one_job_goes_in_order_and_others_beside_it(house, kit, hook):
    await house.add_webhook(hook(job_uuid=None, pipeline_uuid="pipe"), 9)
    await house.apply("job", kit.send())
    await house.apply("other", kit.create("other"))
    await house.apply("job", kit.send())
    await look(house, kit)
    claims = await claim(house, kit)
    assert sorted(told(claims)) == [("job", 2), ("other", 1)]
    assert await claim(house, kit) == []
    first = next(one for one in claims if one.delivery.job_uuid == "job")
    following = await house.note_delivered(first, kit.AT, kit.AT + LEASE)
    assert told([following]) == [("job", 3)]
    assert await claim(house, kit) == []
    assert await house.note_delivered(following, kit.AT, kit.AT + LEASE) is None
    assert await house.count_deliveries("w") == (1, 0)


async def test_without_a_lease_the_next_waits_to_be_claimed(house, kit, hook):
    await house.add_webhook(hook(), 9)
    for _ in range(2):
        await house.apply("job", kit.send())
    await look(house, kit)
    (one,) = await claim(house, kit)
    assert await house.note_delivered(one, kit.AT, None) is None
    assert told(await claim(house, kit)) == [("job", 3)]


async def test_a_failure_is_tried_again_from_its_time_on_and_holds_up_its_job(house, kit, hook):
    await house.add_webhook(hook(), 9)
    for _ in range(2):
        await house.apply("job", kit.send())
    await look(house, kit)
    (one,) = await claim(house, kit)
    later = kit.AT + timedelta(minutes=5)
    await house.note_failure(one, "HTTP 500", kit.AT, later)
    assert await claim(house, kit, at=later - timedelta(microseconds=1)) == []
    assert await house.due_webhooks(later - timedelta(microseconds=1)) == []
    assert [w.id for w in await house.due_webhooks(later)] == ["w"]
    (again,) = await claim(house, kit, at=later)
    assert (again.delivery.attempts, again.delivery.last_error) == (2, "HTTP 500")
    assert again.delivery.message == one.delivery.message
    assert again.webhook.failing_since == kit.AT
    following = await house.note_delivered(again, later, later + LEASE)
    assert told([following]) == [("job", 3)]
    assert (await house.find_webhook("w")).failing_since is None


async def test_what_is_given_up_is_dead_and_the_next_goes_on(house, kit, hook):
    await house.add_webhook(hook(), 9)
    for _ in range(3):
        await house.apply("job", kit.send())
    await look(house, kit)
    (one,) = await claim(house, kit)
    await house.note_failure(one, "HTTP 500", kit.AT, None)
    assert await house.count_deliveries("w") == (2, 1)
    (second,) = await claim(house, kit)
    assert told([second]) == [("job", 3)]
    page = await house.list_dead("w", after=None, limit=9)
    assert page.items == [replace(one.delivery, dead_at=kit.AT, last_error="HTTP 500")]
    assert page.next is None
    assert await house.retry_dead("w", [], kit.AT, 9) == 0
    assert await house.retry_dead("w", [one.delivery.id], kit.AT - timedelta(seconds=1), 9) == 0
    assert await house.retry_dead("w", [one.delivery.id], kit.AT, 9) == 1
    assert await claim(house, kit) == []  # one of this job is under way
    following = await house.note_delivered(second, kit.AT, kit.AT + LEASE)
    assert (told([following]), following.delivery.attempts) == ([("job", 2)], 1)
    assert told([await house.note_delivered(following, kit.AT, kit.AT + LEASE)]) == [("job", 4)]


async def test_dead_ones_come_in_pages_and_all_can_be_tried_again(house, kit, hook):
    await house.add_webhook(hook(job_uuid=None, pipeline_uuid="pipe"), 9)
    for name in "abc":
        await house.apply(name, kit.create(name))
    await look(house, kit)
    for one in await claim(house, kit):
        await house.note_failure(one, "no", kit.AT, None)
    first = await house.list_dead("w", after=None, limit=2)
    rest = await house.list_dead("w", after=first.next, limit=2)
    assert [one.job_uuid for one in (*first.items, *rest.items)] == ["a", "b", "c"]
    assert rest.next is None
    with pytest.raises(InvalidInput):
        await house.list_dead("w", after="4", limit=2)
    assert await house.retry_dead("w", None, kit.AT, 2) == 2
    assert await house.retry_dead("w", None, kit.AT, 2) == 1
    assert await house.retry_dead("w", None, kit.AT, 2) == 0
    assert sorted(told(await claim(house, kit))) == [("a", 1), ("b", 1), ("c", 1)]


async def test_a_claim_that_ran_out_is_another_s_and_the_late_one_changes_nothing(house, kit, hook):
    await house.add_webhook(hook(), 9)
    for _ in range(2):
        await house.apply("job", kit.send())
    await look(house, kit)
    (late,) = await claim(house, kit)
    (mine,) = await claim(house, kit, at=kit.AT + LEASE)
    assert mine.delivery.attempts == 2
    assert await house.note_delivered(late, kit.AT, kit.AT + LEASE) is None
    await house.note_failure(late, "late", kit.AT, None)
    await house.release(late, kit.AT)
    assert await house.count_deliveries("w") == (2, 0)
    assert await claim(house, kit, at=kit.AT + LEASE) == []
    assert told([await house.note_delivered(mine, kit.AT, kit.AT + LEASE)]) == [("job", 3)]


async def test_what_is_released_can_be_claimed_as_if_nothing_had_been(house, kit, hook):
    await house.add_webhook(hook(), 9)
    await house.apply("job", kit.send())
    await look(house, kit)
    (one,) = await claim(house, kit)
    await house.release(one, kit.AT)
    assert await claim(house, kit) == [one]


async def test_several_that_claim_at_once_get_each_delivery_once(house, kit, hook):
    await house.add_webhook(hook(job_uuid=None, pipeline_uuid="pipe"), 9)
    for number in range(20):
        await house.apply(f"j{number}", kit.create(f"j{number}"))
    await asyncio.gather(*(house.queue_news(everything, kit.AT) for _ in range(5)))
    found = [one for some in await asyncio.gather(*(claim(house, kit, limit=7) for _ in range(5))) for one in some]
    assert len(found) == len(set(told(found))) == 20


async def test_disabling_buries_what_waits_and_enabling_begins_anew(house, kit, hook):
    await house.add_webhook(hook(), 9)
    for _ in range(2):
        await house.apply("job", kit.send())
    await look(house, kit)
    (one,) = await claim(house, kit)
    off = await house.change_webhook("w", lambda one: replace(one, disabled_at=kit.AT, reason="why"), kit.AT)
    assert await house.count_deliveries("w") == (0, 2)
    assert [one.last_error for one in (await house.list_dead("w", after=None, limit=9)).items] == ["why", "why"]
    assert await house.note_delivered(one, kit.AT, kit.AT + LEASE) is None
    await house.apply("job", kit.send("asleep"))
    await look(house, kit)
    assert await claim(house, kit) == []
    assert await house.retry_dead("w", None, kit.AT, 1) == 1
    assert (await claim(house, kit), await house.due_webhooks(kit.AT)) == ([], [])
    await house.apply("job", kit.send("not looked at yet"))
    await house.change_webhook("w", lambda _: replace(off, disabled_at=None, reason=None), kit.AT)
    await house.apply("job", kit.send("awake"))
    await look(house, kit)
    (revived,) = await claim(house, kit)
    assert told([revived]) == [("job", 2)]
    assert told([await house.note_delivered(revived, kit.AT, kit.AT + LEASE)]) == [("job", 6)]


async def test_a_disabled_owner_is_told_nothing(house, kit, hook):
    await house.add_webhook(hook(), 9)
    await house.apply("job", kit.send())
    await look(house, kit)
    await house.change_principal(1, lambda one: replace(one, active=False))
    assert (await claim(house, kit), await house.due_webhooks(kit.AT)) == ([], [])
    await house.apply("job", kit.send())
    await look(house, kit)
    assert await house.count_deliveries("w") == (1, 0)
    assert [one.id for one in await house.unfit_webhooks(["k1"])] == ["w"]


async def test_unfit_is_also_what_has_no_root_key(house, kit, hook):
    await house.add_webhook(hook("w1", kid="k1"), 9)
    await house.add_webhook(hook("w2", kid="k2"), 9)
    await house.add_webhook(hook("w3", kid="k3", disabled_at=kit.AT), 9)
    assert [one.id for one in await house.unfit_webhooks(["k2"])] == ["w1"]
    assert await house.unfit_webhooks(["k1", "k2"]) == []
    assert {kid: count for kid, count in (await house.count_kids()).items() if kid != "k1"} == {"k2": 1}


async def test_a_deleted_job_takes_its_deliveries_with_it(house, kit, hook):
    await house.add_webhook(hook(job_uuid=None, pipeline_uuid="pipe"), 9)
    await house.apply("job", kit.send())
    await house.apply("other", kit.create("other"))
    await look(house, kit)
    claims = await claim(house, kit)
    await house.apply("job", kit.delete)
    assert await house.count_deliveries("w") == (1, 0)
    for one in claims:
        await house.note_delivered(one, kit.AT, kit.AT + LEASE)
    assert await house.count_deliveries("w") == (0, 0)


async def test_no_event_is_missed_after_the_newest_ones_were_deleted(house, kit, hook):
    await house.apply("big", kit.create("big", pipeline_uuid="elsewhere"))
    for _ in range(5):
        await house.apply("big", kit.send())
    await house.add_webhook(hook(), 9)
    await house.apply("job", kit.send())
    await house.apply("big", kit.send())
    await look(house, kit)
    await house.apply("job", kit.send("before"))
    await look(house, kit)
    await house.apply("big", kit.delete)
    await house.apply("job", kit.delete)
    await house.apply("job", kit.create("job"))
    await house.apply("job", kit.send("after"))
    await look(house, kit)
    assert await house.count_deliveries("w") == (2, 0)
    (one,) = await claim(house, kit)
    following = await house.note_delivered(one, kit.AT, kit.AT + LEASE)
    assert [one.delivery.event, following.delivery.event] == ["create", "after"]


async def test_a_job_made_again_is_not_told_by_its_old_deliveries(house, kit, hook):
    await house.add_webhook(hook(), 9)
    await house.apply("job", kit.send())
    await look(house, kit)
    await house.apply("job", kit.delete)
    await house.apply("job", kit.create("job"))
    assert await claim(house, kit) == []


async def test_one_ping_waits_at_a_time(house, kit, hook):
    await house.add_webhook(hook(), 9)
    assert await house.add_ping("w", "m1", kit.AT)
    assert not await house.add_ping("w", "m2", kit.AT)
    (one,) = await claim(house, kit)
    assert (one.happened, one.pipeline_uuid, one.delivery.job_uuid, one.delivery.message) == (None, None, None, "m1")
    assert await house.note_delivered(one, kit.AT, kit.AT + LEASE) is None
    assert await house.add_ping("w", "m3", kit.AT)
    (one,) = await claim(house, kit)
    await house.note_failure(one, "no", kit.AT, None)
    assert [one.message for one in (await house.list_dead("w", after=None, limit=9)).items] == ["m3"]


async def test_what_is_old_or_too_much_is_forgotten(house, kit, hook):
    await house.add_webhook(hook(job_uuid=None, pipeline_uuid="pipe"), 9)
    for name in "abcde":
        await house.apply(name, kit.create(name))
    await look(house, kit)
    claims = await claim(house, kit)
    for seconds, one in enumerate(claims[:4]):
        await house.note_failure(one, "no", kit.AT + timedelta(seconds=seconds), None)
    assert await house.sweep_deliveries(kit.AT, 9, 9) == []
    assert await house.count_deliveries("w") == (1, 4)
    await house.sweep_deliveries(kit.AT + timedelta(seconds=1), 9, 9)
    assert await house.count_deliveries("w") == (1, 3)
    assert await house.sweep_deliveries(kit.AT, 2, 0) == ["w"]
    left = (await house.list_dead("w", after=None, limit=9)).items
    assert [one.id for one in left] == sorted(one.delivery.id for one in claims[2:4])


async def test_all_who_listen_to_one_event_are_told_however_many(house, kit, hook):
    for number in range(450):
        await house.add_webhook(hook(f"w{number:03}"), 999)
    for _ in range(3):
        await house.apply("job", kit.send())
    await look(house, kit)
    assert {await house.count_deliveries(f"w{number:03}") for number in range(450)} == {(3, 0)}


async def test_looking_at_nothing_writes_nothing(tmp_path, kit, hook):
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    await store.add_principal("a@b", "author", "h", kit.AT)
    await store.apply("job", kit.create())
    version = store._reader.pragma("data_version")
    assert not await store.queue_news(everything, kit.AT)
    await store.add_webhook(hook(), 9)
    await look(store, kit)
    after = store._reader.pragma("data_version")
    assert not await store.queue_news(everything, kit.AT)
    assert store._reader.pragma("data_version") == after != version
    assert (await store.claim("w", kit.AT, kit.AT + LEASE, 9)) == []
    await store.close()


async def test_many_events_for_many_webhooks_are_queued_in_several_steps_without_a_gap(house, kit, hook):
    for number in range(30):
        await house.add_webhook(hook(f"w{number:02}"), 99)
    for _ in range(150):
        await house.apply("job", kit.send())
    await look(house, kit)
    assert [await house.count_deliveries(f"w{number:02}") for number in range(30)] == [(150, 0)] * 30
    (one,) = await claim(house, kit, "w29")
    sequences = []
    while one is not None:
        sequences.append(one.delivery.sequence)
        one = await house.note_delivered(one, kit.AT, kit.AT + LEASE)
    assert sequences == list(range(2, 152))
