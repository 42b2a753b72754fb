"""What webhooks are told: everything, in order for each job, signed, and nobody else's business."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import defaultdict
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from jobpass.clock import FixedClock, SystemClock
from jobpass.outbox.outbox import FAILING, Limits
from jobpass.stores.memory import MemoryStore
from jobpass.stores.sqlite.store import SqliteStore
from support.outgoing import House, eventually, sending
from support.receiver import Got, Receiver, receiving
from support.site import make_site


def events(receiver: Receiver) -> list[str]:
    return [got.data["event"] for got in receiver.got]


async def test_an_event_is_told_as_the_standard_has_it(house: House) -> None:
    async with receiving() as receiver, sending(house.site):
        made = await house.subscribe(receiver.url)
        await house.send("run")
        (got,) = await receiver.wait(1)
    (event,) = (await house.site.ask("GET", f"{house.job.path}/history?after=1", token=house.ann)).json()["events"]
    job = (await house.site.ask("GET", house.job.path, token=house.ann)).json()
    message = Webhook(made["secret"]).verify(got.body, got.headers)
    assert message == {
        "type": "job.event",
        "timestamp": event["at"],
        "data": {
            "job_uuid": house.job.uuid,
            "pipeline_uuid": job["pipeline_uuid"],
            "sequence": 2,
            "event": "run",
            "event_uuid": event["event_uuid"],
            "state": "RUNNING",
            "at": event["at"],
            "data": {"of": "run"},
        },
    }
    assert got.headers["webhook-id"] == event["event_uuid"]
    assert got.headers["content-type"] == "application/json"
    assert got.headers["webhook-signature"].count("v1,") == 1
    for forged in (got.body + b" ", got.body.replace(b"RUNNING", b"FAILED!")):
        with pytest.raises(WebhookVerificationError):
            Webhook(made["secret"]).verify(forged, got.headers)
    await house.until(made, waiting=0, dead=0, failing_since=None)


async def test_nothing_is_told_from_before_and_everything_after(house: House) -> None:
    await house.send("run")
    async with receiving() as receiver, sending(house.site):
        await house.subscribe(receiver.url)
        await house.send(*["update"] * 30, "finish")
        got = await receiver.wait(31)
        assert [one.data["sequence"] for one in got] == list(range(3, 34))
    await asyncio.sleep(0.05)
    assert len(receiver.got) == 31


async def test_what_happens_while_nobody_sends_is_told_later(house: House) -> None:
    async with receiving() as receiver:
        await house.subscribe(receiver.url)
        await house.send("run", "update")
        async with sending(house.site):
            await receiver.wait(2)
            assert events(receiver) == ["run", "update"]
        await house.send("finish")
        async with sending(house.site):
            await receiver.wait(3)
            assert events(receiver) == ["run", "update", "finish"]


async def test_a_failure_holds_up_its_job_until_it_is_delivered_under_the_same_id(house: House) -> None:
    answers = [500, 503, 200, 200]
    async with receiving(lambda _: answers.pop(0)) as receiver, sending(house.site, retry_seconds=(0, 0)):
        made = await house.subscribe(receiver.url)
        await house.send("run", "finish")
        got = await receiver.wait(4)
        assert [one.data["event"] for one in got] == ["run", "run", "run", "finish"]
        assert len({one.headers["webhook-id"] for one in got[:3]}) == 1
        assert len({one.body for one in got[:3]}) == 1
        for one in got:
            Webhook(made["secret"]).verify(one.body, one.headers)
        await house.until(made, waiting=0, dead=0, failing_since=None, disabled_at=None)


async def test_what_is_given_up_is_a_dead_letter_and_the_next_goes_on(house: House) -> None:
    bad = {"run"}
    async with (
        receiving(lambda got: 500 if got.data["event"] in bad else 200) as receiver,
        sending(house.site, retry_seconds=(0,)),
    ):
        made = await house.subscribe(receiver.url)
        await house.send("run", "finish")
        await receiver.wait(3)
        assert events(receiver) == ["run", "run", "finish"]
        await house.until(made, waiting=0, dead=1)
        (letter,) = await house.dead(made)
        assert (letter["event"], letter["attempts"], letter["last_error"]) == ("run", 2, "HTTP 500")
        assert letter["message_id"] == receiver.got[0].headers["webhook-id"]
        bad.clear()
        path = f"/api/webhooks/{made['id']}/dead-letters/retry"
        answer = await house.site.ask("POST", path, token=house.ann, json={"ids": [letter["id"]]})
        assert answer.json() == {"retried": 1}
        await receiver.wait(4)
        assert receiver.got[3].body == receiver.got[0].body
        await house.until(made, waiting=0, dead=0)
        assert (await house.site.ask("POST", path, token=house.ann)).json() == {"retried": 0}


async def test_many_jobs_beside_each_other_each_in_order_one_at_a_time(house: House) -> None:
    under_way: dict[str, int] = defaultdict(int)
    together = []

    async def answer(got: Got) -> int:
        job = got.data["job_uuid"]
        under_way[job] += 1
        together.append((under_way[job], sum(under_way.values())))
        await asyncio.sleep(0.001 * (hash(got.body) % 9))
        under_way[job] -= 1
        return 500 if secrets.randbelow(5) == 0 else 200

    jobs = [await house.site.job(house.ann, number=number) for number in range(12)]
    pipeline = (await house.site.ask("GET", house.job.path, token=house.ann)).json()["pipeline_uuid"]
    async with receiving(answer) as receiver, sending(house.site, retry_seconds=(0,) * 9):
        made = await house.subscribe(receiver.url, pipeline_uuid=pipeline)
        for name in ("run", "update", "update", "finish"):
            await asyncio.gather(*(house.send(name, job=job) for job in jobs))
        await eventually(lambda: len({got.headers["webhook-id"] for got in receiver.got}) == 48)
        await house.until(made, waiting=0, dead=0)
        assert max(one for one, _ in together) == 1
        assert 1 < max(all_ for _, all_ in together) <= 8
        told: dict[str, list[int]] = defaultdict(list)
        for got in receiver.got:
            told[got.data["job_uuid"]].append(got.data["sequence"])
        assert {tuple(dict.fromkeys(sequences)) for sequences in told.values()} == {(2, 3, 4, 5)}
        assert all(sequences == sorted(sequences) for sequences in told.values())
        assert set(told) == {job.uuid for job in jobs}


async def test_a_slow_receiver_holds_up_nobody_else(house: House) -> None:
    stuck = asyncio.Event()

    async def slow(_: Got) -> int:
        await stuck.wait()
        return 200

    async with receiving(slow) as tarpit, receiving() as receiver, sending(house.site, limits=Limits(total=4, host=4)):
        jobs = [await house.site.job(house.ann, number=number) for number in range(6)]
        pipeline = (await house.site.ask("GET", house.job.path, token=house.ann)).json()["pipeline_uuid"]
        await house.subscribe(tarpit.url.replace("127.0.0.1", "localhost"), pipeline_uuid=pipeline)
        await house.subscribe(receiver.url)
        for job in jobs:
            await house.send("run", job=job)
        await eventually(lambda: tarpit.open == 4)
        started = asyncio.get_running_loop().time()
        await house.send(*["update"] * 20)
        assert asyncio.get_running_loop().time() - started < 2
        assert tarpit.most_open == 4
        stuck.set()
        await receiver.wait(20)
        await tarpit.wait(26)


async def test_a_webhook_that_fails_has_one_place_only(house: House) -> None:
    released = asyncio.Event()

    async def answer(_: Got) -> int:
        if not released.is_set():
            return 500
        await asyncio.sleep(0.02)
        return 500

    jobs = [await house.site.job(house.ann, number=number) for number in range(10)]
    pipeline = (await house.site.ask("GET", house.job.path, token=house.ann)).json()["pipeline_uuid"]
    async with receiving(answer) as receiver, sending(house.site, retry_seconds=(0,) * 20):
        await house.subscribe(receiver.url, pipeline_uuid=pipeline)
        await house.send("run", job=jobs[0])
        await receiver.wait(1)
        released.set()
        await asyncio.sleep(0.1)
        receiver.most_open = 0
        await asyncio.gather(*(house.send("run", job=job) for job in jobs[1:]))
        await receiver.wait(len(receiver.got) + 10)
        assert receiver.most_open == 1


async def test_410_ends_it_at_once(house: House) -> None:
    async with receiving(lambda _: 410) as receiver, sending(house.site):
        made = await house.subscribe(receiver.url)
        await house.send("run", "finish")
        shown = await house.until(made, waiting=0, dead=2)
        assert shown["disabled_at"] is not None
        assert shown["reason"] == "the receiver answered 410 Gone"
        await house.send("index")
        await asyncio.sleep(0.05)
        assert len(receiver.got) == 1
        entry = (await house.site.store.list_audit(name="webhook.disabled")).items[0]
        assert (entry.subject, json.loads(entry.data)) == (made["id"], {"reason": "the receiver answered 410 Gone"})
        receiver.answer = lambda _: 200
        path = f"/api/webhooks/{made['id']}"
        assert (await house.site.ask("POST", f"{path}/dead-letters/retry", token=house.ann)).status == 409
        assert (await house.site.ask("POST", f"{path}/enable", token=house.ann)).json()["disabled_at"] is None
        await house.send("indexed")
        await receiver.wait(2)
        assert (await house.site.ask("POST", f"{path}/dead-letters/retry", token=house.ann)).json() == {"retried": 2}
        await receiver.wait(4)
        assert events(receiver) == ["run", "indexed", "run", "finish"]


async def test_what_fails_for_days_is_disabled() -> None:
    store = MemoryStore()
    site = make_site(store)
    ann = await site.login("ann")
    house = House(site, ann, await site.job(ann))
    async with receiving(lambda _: 500) as receiver, sending(site, retry_seconds=(86_400,) * 9) as outbox:
        made = await house.subscribe(receiver.url)
        await house.send("run")
        await house.until(made, failing_since="2026-11-22T12:00:00Z")
        for _ in range(4):
            site.clock.advance(86_400 * 1.2)
            await receiver.wait(len(receiver.got) + 1)
            await eventually(lambda: not outbox.under_way)
        standing = await store.find_webhook(made["id"])
        assert standing.disabled_at is None
        site.clock.advance(86_400 * 1.2)
        assert site.clock.now() - FAILING > standing.created_at
        await house.disabled(made)
        shown = await house._replace(ann=await site.login("ann")).webhook(made)
        assert shown["reason"] == "it failed for 5 days"
    await site.authority.close()


async def test_the_pauses_follow_the_schedule_with_some_jitter_and_the_receiver_s_wish() -> None:
    site = make_site(MemoryStore())
    ann = await site.login("ann")
    house = House(site, ann, await site.job(ann))
    answers = [500, b"HTTP/1.1 503 Busy\r\nretry-after: 1000\r\ncontent-length: 0\r\n\r\n", 500, 200]
    async with receiving(lambda _: answers.pop(0)) as receiver, sending(site, retry_seconds=(100, 200, 300)) as outbox:
        made = await house.subscribe(receiver.url)
        await house.send("run")
        for attempts, (early, late) in enumerate(((89, 111), (999, 1001), (269, 331)), 1):
            await receiver.wait(attempts)
            await eventually(lambda: not outbox.under_way)
            site.clock.advance(early)
            await asyncio.sleep(0.1)
            assert len(receiver.got) == attempts
            site.clock.advance(late - early)
        await receiver.wait(4)
        await house.until(made, waiting=0, dead=0)
    await site.authority.close()


async def test_only_the_events_that_were_asked_for(house: House) -> None:
    async with receiving() as receiver, sending(house.site):
        await house.subscribe(receiver.url, job_uuid=house.job.uuid, events=["finish", "fail"])
        await house.send("run", "update", "finish")
        await receiver.wait(1)
        await asyncio.sleep(0.05)
        assert events(receiver) == ["finish"]


async def test_a_pipeline_s_webhook_is_told_of_jobs_that_its_owner_may_see(house: House) -> None:
    site = house.site
    bob, olga = await site.login("bob"), await site.login("olga", "operator")
    pipeline = (await site.ask("GET", house.job.path, token=house.ann)).json()["pipeline_uuid"]
    async with receiving() as anns, receiving() as bobs, receiving() as olgas, sending(site):
        for token, receiver in ((house.ann, anns), (bob, bobs), (olga, olgas)):
            await house.subscribe(receiver.url, token, pipeline_uuid=pipeline)
        await house.send("run")
        other = await site.job(bob, by="bob")
        await house.send("run", job=other)
        await asyncio.gather(anns.wait(1), bobs.wait(2), olgas.wait(3))
        await asyncio.sleep(0.05)
        assert [got.data["job_uuid"] for got in anns.got] == [house.job.uuid]
        assert {got.data["job_uuid"] for got in bobs.got} == {other.uuid}
        assert len(olgas.got) == 3
        assert [got.data["event"] for got in bobs.got] == ["create", "run"]


async def test_during_a_rotation_both_secrets_sign(house: House) -> None:
    async with receiving() as receiver, sending(house.site):
        made = await house.subscribe(receiver.url)
        path = f"/api/webhooks/{made['id']}/rotate"
        second = (await house.site.ask("POST", path, token=house.ann)).json()
        await house.send("run")
        (got,) = await receiver.wait(1)
        assert got.headers["webhook-signature"].count("v1,") == 2
        for secret in (made["secret"], second["secret"]):
            Webhook(secret).verify(got.body, got.headers)
        third = (await house.site.ask("POST", path, token=house.ann, json={"grace_seconds": 0})).json()
        await house.send("update")
        got = (await receiver.wait(2))[1]
        Webhook(third["secret"]).verify(got.body, got.headers)
        for secret in (made["secret"], second["secret"]):
            with pytest.raises(WebhookVerificationError):
                Webhook(secret).verify(got.body, got.headers)
        assert len({made["secret"], second["secret"], third["secret"]}) == 3


async def test_a_disabled_owner_is_told_nothing_more(house: House) -> None:
    site = house.site
    olga = await site.login("olga", "operator")
    async with receiving(lambda _: 500) as receiver:
        made = await house.subscribe(receiver.url)
        async with sending(site, retry_seconds=(3600,)):
            await house.send("run")
            await receiver.wait(1)
            await site.ask("POST", f"/api/users/{await site.user_id(house.ann)}/disable", token=olga)
        async with sending(site):
            await house.disabled(made)
            await asyncio.sleep(0.05)
        assert len(receiver.got) == 1
        shown = (await site.ask("GET", f"/api/webhooks/{made['id']}", token=olga)).json()
        assert (shown["reason"], shown["dead"]) == ("its owner's account is disabled", 1)
        assert shown["url"] == f"http://127.0.0.1:{receiver.port}/…"


async def test_a_retired_root_key_disables_what_it_signed_and_rotating_brings_it_back(house: House) -> None:
    site = house.site
    async with receiving() as receiver, sending(site):
        made = await house.subscribe(receiver.url)
        first = site.keyring.signing_kid
        rotated = site.keyring.rotate(secrets.token_bytes(4), secrets.token_bytes(32))
        await site.authority.use_keyring(rotated)
        await house.send("run")
        (got,) = await receiver.wait(1)
        Webhook(made["secret"]).verify(got.body, got.headers)
        await site.authority.use_keyring(rotated.retire(first))
        house = house._replace(ann=await site.login("ann"))
        await site.ask("POST", f"{house.job.path}/token/rotate", token=house.ann)
        await site.ask("POST", house.job.events, token=house.ann, json={"name": "update"})
        shown = await house.until(made, reason="its root key was retired")
        assert shown["disabled_at"] is not None
        assert len(receiver.got) == 1
        path = f"/api/webhooks/{made['id']}"
        assert (await site.ask("POST", f"{path}/enable", token=house.ann)).code == "conflict"
        again = (await site.ask("POST", f"{path}/rotate", token=house.ann)).json()
        assert (await site.ask("POST", f"{path}/enable", token=house.ann)).status == 200
        await site.ask("POST", house.job.events, token=house.ann, json={"name": "run"})
        got = (await receiver.wait(2))[1]
        assert got.headers["webhook-signature"].count("v1,") == 1
        Webhook(again["secret"]).verify(got.body, got.headers)


async def test_no_token_is_told(house: House) -> None:
    async with receiving() as receiver, sending(house.site):
        await house.subscribe(receiver.url)
        await house.site.send(house.job, "run", data={"oops": [house.job.token, house.ann], "fine": "jp_x"})
        (got,) = await receiver.wait(1)
        assert got.data["data"] == {"oops": ["jp_doc_…", "jp_log_…"], "fine": "jp_x"}
        assert house.job.token not in str(got)


@pytest.mark.parametrize("data", ['"\\u0000"', "1e400", "[" * 60 + "]" * 60, '{"a":"é\U0001f600"}', "null"])
async def test_whatever_the_data_is_it_comes_as_it_was_sent(house: House, data: str) -> None:
    async with receiving() as receiver, sending(house.site):
        made = await house.subscribe(receiver.url)
        body = b'{"name":"run","data":%b}' % data.encode()
        answer = await house.site.ask("POST", house.job.events, token=house.job.token, body=body)
        assert answer.status == 200, answer.body
        (got,) = await receiver.wait(1)
        assert b'"data":%b}' % data.encode() in got.body
        Webhook(made["secret"]).verify(got.body, got.headers, json_parse=False)


async def test_a_ping_comes_once_and_one_that_fails_is_a_dead_letter_at_once(house: House) -> None:
    async with receiving() as receiver, sending(house.site, retry_seconds=(0,) * 5):
        made = await house.subscribe(receiver.url)
        path = f"/api/webhooks/{made['id']}/ping"
        answer = (await house.site.ask("POST", path, token=house.ann)).json()
        (got,) = await receiver.wait(1)
        assert got.headers["webhook-id"] == answer["message_id"]
        message = Webhook(made["secret"]).verify(got.body, got.headers)
        assert (message["type"], message["data"]) == ("webhook.ping", {"webhook": made["id"]})
        await house.until(made, waiting=0)
        receiver.answer = lambda _: 500
        await house.site.ask("POST", path, token=house.ann)
        await house.until(made, waiting=0, dead=1)
        assert len(receiver.got) == 2
        (letter,) = await house.dead(made)
        assert (letter["job_uuid"], letter["event"], letter["last_error"]) == (None, None, "HTTP 500")


async def test_what_is_under_way_when_it_stops_is_sent_by_the_next(house: House) -> None:
    async def never(_: Got) -> int:
        await asyncio.sleep(60)
        return 200

    async with receiving(never) as receiver:
        made = await house.subscribe(receiver.url)
        await house.send("run")
        async with sending(house.site, limit_seconds=50):
            await eventually(lambda: receiver.open == 1)
        assert (await house.webhook(made))["waiting"] == 1
        receiver.answer = lambda _: 200
        async with sending(house.site):
            await receiver.wait(1, seconds=5)
        shown = await house.webhook(made)
        assert (shown["waiting"], shown["dead"], shown["failing_since"]) == (0, 0, None)


async def test_two_that_send_from_one_file_send_each_once(tmp_path: Path) -> None:
    path = tmp_path / "jobpass.sqlite"
    site = make_site(await SqliteStore.open(path), SystemClock())
    other = make_site(await SqliteStore.open(path), SystemClock(), site.keyring)
    ann = await site.login("ann")
    house = House(site, ann, await site.job(ann))
    jobs = [await site.job(ann, number=number) for number in range(5)]
    pipeline = (await site.ask("GET", house.job.path, token=ann)).json()["pipeline_uuid"]

    async def answer(_: Got) -> int:
        await asyncio.sleep(0.002)
        return 200

    async with receiving(answer) as receiver, sending(site), sending(other):
        made = await house.subscribe(receiver.url, pipeline_uuid=pipeline)
        for name in ("run", *["update"] * 10, "finish"):
            for job in jobs:
                await house.send(name, job=job)
        await receiver.wait(60)
        await house.until(made, waiting=0)
        ids = [got.headers["webhook-id"] for got in receiver.got]
        assert len(ids) == len(set(ids)) == 60
        for job in jobs:
            sequences = [got.data["sequence"] for got in receiver.got if got.data["job_uuid"] == job.uuid]
            assert sequences == list(range(2, 14))
    await site.authority.close()
    await other.authority.close()


async def test_a_store_that_fails_for_a_while_costs_a_delay_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from jobpass.errors import StoreUnavailable

    store = house.site.store
    due, failures = store.due_webhooks, [StoreUnavailable("Full."), RuntimeError("odd")]

    async def failing(at: object) -> object:
        if failures:
            raise failures.pop(0)
        return await due(at)

    monkeypatch.setattr(store, "due_webhooks", failing)
    async with receiving() as receiver, sending(house.site):
        await house.subscribe(receiver.url)
        await house.send("run")
        await receiver.wait(1)
    assert failures == []


async def test_a_clock_that_stands_still_sends_all_the_same() -> None:
    site = make_site(MemoryStore())
    assert isinstance(site.clock, FixedClock)
    ann = await site.login("ann")
    house = House(site, ann, await site.job(ann))
    async with receiving() as receiver, sending(site):
        await house.subscribe(receiver.url)
        await house.send("run", "finish")
        got = await receiver.wait(2)
        assert {one.headers["webhook-timestamp"] for one in got} == {"1795348800"}
    await site.authority.close()
