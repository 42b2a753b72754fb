"""The same event sent twice under one key stands once, also over a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

from jobpass.stores.sqlite.store import SqliteStore
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Events
from support.asgi import Answer
from support.site import Owned, Site, make_site


async def send(site: Site, job: Owned, key: str, name: str, token: str | None = None, **more: object) -> Answer:
    headers = [(b"idempotency-key", key.encode())]
    return await site.ask("POST", job.events, token=token or job.token, json={"name": name} | more, headers=headers)


async def test_a_replay_gives_the_first_answer(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    first = await send(site, job, "k1", "run", data={"n": 1})
    assert first.status == 200
    assert (await send(site, job, "k2", "finish")).json()["state"] == "FINISHED"
    again = await send(site, job, "k1", "run", data={"n": 1})
    assert (again.status, again.json()) == (200, first.json())
    history = (await site.ask("GET", f"{job.path}/history", token=ann)).json()["events"]
    assert [event["name"] for event in history] == ["create", "run", "finish"]


async def test_the_same_key_with_another_event_is_a_conflict(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    await send(site, job, "k", "update", data={"n": 1})
    before = await site.standing(job, ann)
    for name, data in (("update", {"n": 2}), ("update", None), ("run", {"n": 1})):
        answer = await send(site, job, "k", name, data=data)
        assert (answer.status, answer.code) == (409, "idempotency_conflict")
    assert await site.standing(job, ann) == before


async def test_a_key_belongs_to_its_job(site: Site) -> None:
    ann = await site.login("ann")
    job, other = await site.job(ann), await site.job(ann, n=2)
    one, two = await send(site, job, "k", "run"), await send(site, other, "k", "run")
    assert (one.json()["uuid"], two.json()["uuid"]) == (job.uuid, other.uuid)
    assert one.json()["event_uuid"] != two.json()["event_uuid"]


async def test_a_replay_is_authorised_again(site: Site) -> None:
    ann, bob = await site.login("ann"), await site.login("bob")
    job = await site.job(ann)
    assert (await send(site, job, "k", "run")).status == 200
    assert (await send(site, job, "k", "run", token=bob)).status == 404
    narrow = attenuate(job.token, [Events(("update",))])
    assert (await send(site, job, "k", "run", token=narrow)).status == 403
    assert (await send(site, job, "k", "run", token="jp_doc_x")).status == 401


async def test_many_senders_of_one_event_record_it_once(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    answers = await asyncio.gather(*(send(site, job, "k", "run", data=[1]) for _ in range(50)))
    assert {answer.body.partition(b',"token"')[0] for answer in answers} == {answers[0].body.partition(b',"token"')[0]}
    assert answers[0].status == 200
    history = (await site.ask("GET", f"{job.path}/history", token=ann)).json()["events"]
    assert [event["name"] for event in history] == ["create", "run"]


async def test_a_hundred_senders_all_stand_in_sequence(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    answers = await asyncio.gather(*(site.send(job, "update", data=number) for number in range(100)))
    assert {answer.status for answer in answers} == {200}
    assert sorted(answer.json()["sequence"] for answer in answers) == list(range(2, 102))
    assert (await site.ask("GET", f"{job.path}/verify", token=ann)).json()["intact"] is True


async def test_a_replay_after_a_restart(tmp_path: Path) -> None:
    first = make_site(await SqliteStore.open(tmp_path / "jobpass.sqlite"))
    ann = await first.login("ann")
    job = await first.job(ann)
    answer = await send(first, job, "k", "run", data={"n": 1})
    await first.authority.close()
    second = make_site(await SqliteStore.open(tmp_path / "jobpass.sqlite"), first.clock, first.keyring)
    again = await send(second, job, "k", "run", data={"n": 1})
    assert (again.status, again.json()) == (200, answer.json())
    history = (await second.ask("GET", f"{job.path}/history", token=ann)).json()["events"]
    assert [event["name"] for event in history] == ["create", "run"]
    await second.authority.close()
