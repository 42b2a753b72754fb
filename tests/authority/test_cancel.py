"""Cancel: a job to which nothing has happened is taken away, by who may, and never one that runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from jobpass.errors import Conflict, Denied, RevokedToken, UnknownJob
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Events, States
from support.house import House


@pytest.mark.parametrize("who", ["owner", "document", "admin"])
async def test_a_job_that_has_not_begun_is_taken_away_and_the_audit_says_so(house: House, who: str) -> None:
    ann, boss = await house.person("ann@example.org"), await house.person("boss@example.org", "operator")
    made = await house.job(ann)
    jobs, uuid = house.authority.jobs, made.job.uuid
    bearers = {"owner": ann, "document": await house.bearer(made.token), "admin": await house.admin()}
    assert (await jobs.cancel(bearers[who], uuid)).uuid == uuid
    with pytest.raises(UnknownJob):
        await jobs.read(ann, uuid)
    with pytest.raises(UnknownJob):
        await jobs.cancel(ann, uuid)
    told = (await house.authority.audit.page(boss, name="job.canceled")).items
    assert [(entry.subject, entry.credential, json.loads(entry.data)) for entry in told] == [
        (uuid, bearers[who].credential, {"sequence": 1, "head": made.job.head.hex(), "state": "CREATED"})
    ]
    again = await house.job(ann)
    assert (again.job.uuid, again.token != made.token) == (uuid, True)
    with pytest.raises(RevokedToken):
        await jobs.read(await house.bearer(made.token), uuid)


async def test_a_job_that_has_begun_stays(house: House) -> None:
    ann, boss = await house.person("ann@example.org"), await house.person("boss@example.org", "operator")
    jobs = house.authority.jobs
    for number, events in enumerate((["run"], ["update"], ["create"], ["fail"], ["reset", "ready"])):
        uuid = (await house.job(ann, {"n": number})).job.uuid
        for event in events:
            await jobs.submit_event(await house.admin(), uuid, event)
        before = await house.store.find_job(uuid)
        for bearer in (ann, await house.admin()):
            with pytest.raises(Conflict) as refused:
                await jobs.cancel(bearer, uuid)
            assert refused.value.message == 'Cannot cancel a job once it is running. Send a "fail" event instead.'
        assert await house.store.find_job(uuid) == before
    assert (await house.authority.audit.page(boss, name="job.canceled")).items == []


async def test_who_may_not(house: House) -> None:
    ann, bob = await house.person("ann@example.org"), await house.person("bob@example.org")
    boss = await house.person("boss@example.org", "operator")
    made, other = await house.job(ann), await house.job(bob, {"n": 2})
    jobs, uuid = house.authority.jobs, made.job.uuid
    for stranger in (bob, await house.bearer(other.token)):
        with pytest.raises(UnknownJob) as hidden:
            await jobs.cancel(stranger, uuid)
        assert hidden.value.detail == {"uuid": uuid}
    narrow = [
        boss,
        await house.bearer(attenuate(made.token, [Events(("run", "fail"))])),
        await house.bearer(attenuate(made.token, [States({"CREATED": ("run",)})])),
        await house.bearer(attenuate(made.token, [States({"RUNNING": ("cancel",)})])),
        await house.admin({"events": ["reset", "ready"]}),
        await house.admin({"actions": ["jobs.event", "jobs.read", "jobs.delete"]}),
    ]
    for bearer in narrow:
        with pytest.raises(Denied):
            await jobs.cancel(bearer, uuid)
    assert await house.store.find_job(uuid) == made.job
    wide = await house.bearer(attenuate(made.token, [States({"CREATED": ("cancel",)}), Events(("cancel",))]))
    assert (await jobs.cancel(wide, uuid)).uuid == uuid


async def test_of_cancel_and_run_exactly_one_wins(house: House) -> None:
    ann, boss = await house.person("ann@example.org"), await house.person("boss@example.org", "operator")
    jobs, canceled, lost = house.authority.jobs, 0, 0
    for number in range(40):
        made = await house.job(ann, {"n": number})
        uuid = made.job.uuid
        holder = await house.bearer(made.token)

        async def later(event: str, wait: int, uuid: str = uuid) -> object:
            for _ in range(wait):
                await asyncio.sleep(0)
            return await jobs.submit_event(ann, uuid, event)

        cancel, ran = await asyncio.gather(jobs.cancel(holder, uuid), later("run", number % 8), return_exceptions=True)
        standing = await house.store.find_job(uuid)
        if isinstance(cancel, BaseException):
            assert isinstance(cancel, Conflict)
            assert standing is not None
            assert (standing.state, isinstance(ran, BaseException)) == ("RUNNING", False)
            lost += 1
        else:
            assert standing is None
            assert isinstance(ran, UnknownJob)
            canceled += 1
    assert canceled > 0
    said = await house.authority.audit.page(boss, name="job.canceled")
    unsaid = await house.authority.audit.page(boss, name="job.not_canceled")
    assert len(said.items) - len(unsaid.items) == canceled
    assert lost >= len(unsaid.items)


async def test_an_anchor_does_not_miss_what_was_canceled(house: House, tmp_path: Path) -> None:
    from jobpass.authority import anchors

    ann = await house.person("ann@example.org")
    canceled, gone = await house.job(ann), await house.job(ann, {"n": 2})
    lines = [anchors.write(line) async for line in house.authority.anchor()]
    await house.authority.jobs.cancel(ann, canceled.job.uuid)
    del house.store._jobs[gone.job.uuid], house.store._histories[gone.job.uuid]
    missing = [one.what async for one in house.authority.missing(anchors.read(lines))]
    assert missing == [gone.job.uuid]
