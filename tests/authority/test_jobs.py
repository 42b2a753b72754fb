"""Jobs through the authority: made, moved, replayed, hidden, and refused in the right order."""

from __future__ import annotations

import asyncio

import pytest

from jobpass.errors import (
    Denied,
    ExpiredToken,
    IdempotencyConflict,
    IllegalTransition,
    InvalidInput,
    JobExists,
    RevokedToken,
    UnknownEvent,
    UnknownJob,
)
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Events, ExpiresAt, States
from jobpass.tokens.mint import mint_document
from support.house import MEMBERS, PIPELINE, House


async def test_a_job_is_made_moved_and_read(house: House) -> None:
    ann = await house.person("ann@example.org")
    made = await house.job(ann)
    assert (made.job.state, made.job.last_event, made.job.sequence) == ("CREATED", "create", 1)
    holder = await house.bearer(made.token)
    accepted = await house.authority.jobs.submit_event(holder, made.job.uuid, "run", b'{"host":"n1"}')
    assert (accepted.event.state, accepted.event.sequence, accepted.token) == ("RUNNING", 2, None)
    by_owner = await house.authority.jobs.submit_event(ann, made.job.uuid, "update")
    assert by_owner.token == made.token
    found = await house.authority.jobs.read(holder, made.job.uuid)
    job = found.job
    assert (job.state, job.sequence, found.data) == ("RUNNING", 3, b"{}")
    events = await house.authority.jobs.history(holder, made.job.uuid, 0, 100)
    assert [(e.sequence, e.name, e.data) for e in events] == [
        (1, "create", b"{}"),
        (2, "run", b'{"host":"n1"}'),
        (3, "update", b"null"),
    ]
    assert events[0].credential.startswith("login:")
    assert events[1].credential.startswith("document:")
    assert await house.authority.jobs.verify(holder, made.job.uuid) == (job, None)


async def test_the_same_parameters_find_the_same_job_for_its_owner_alone(house: House) -> None:
    ann, bob = await house.person("ann@example.org"), await house.person("bob@example.org")
    made = await house.job(ann)
    again = await house.job(ann)
    assert (again.job, again.token) == (made.job, made.token)
    with pytest.raises(JobExists) as refused:
        await house.authority.jobs.create(bob, made.job.pipeline_uuid, b"{}", {})
    assert "token" not in refused.value.detail
    for other in ({"archive_path": "/x"}, {"session": "s"}, {"lifecycle": "compute"}):
        with pytest.raises(JobExists):
            await house.authority.jobs.create(ann, made.job.pipeline_uuid, b"{}", {}, **other)
    assert len(await house.authority.jobs.history(ann, made.job.uuid, 0, 10)) == 1


async def test_what_a_job_is_made_from_must_exist(house: House) -> None:
    ann = await house.person("ann@example.org")
    with pytest.raises(InvalidInput) as refused:
        await house.authority.jobs.create(ann, "10650844-1baa-55c5-a481-5e945b19c065", b"{}", {})
    assert "json.pipeline_uuid" in refused.value.detail["fields"]
    pipeline = await house.authority.pipelines.put(ann, PIPELINE, MEMBERS)
    with pytest.raises(InvalidInput):
        await house.authority.jobs.create(ann, pipeline.uuid, b"{}", {}, lifecycle="nothing")


async def test_somebody_elses_job_is_hidden_in_every_way(house: House) -> None:
    ann, bob = await house.person("ann@example.org"), await house.person("bob@example.org")
    made, other = await house.job(ann), await house.job(bob, {"n": 2})
    jobs, uuid = house.authority.jobs, made.job.uuid
    for stranger in (bob, await house.bearer(other.token)):
        for attempt in (
            jobs.read(stranger, uuid),
            jobs.history(stranger, uuid, 0, 10),
            jobs.verify(stranger, uuid),
            jobs.submit_event(stranger, uuid, "run"),
            jobs.submit_event(stranger, uuid, "no_such_event"),
        ):
            with pytest.raises(UnknownJob) as hidden:
                await attempt
            assert hidden.value.detail == {"uuid": uuid}
    assert [job.uuid for job in (await jobs.list(bob, **ALL)).items] == [other.job.uuid]
    assert [job.uuid for job in (await jobs.list(await house.bearer(made.token), **ALL)).items] == [uuid]


ALL = {"state": None, "pipeline_uuid": None, "after": None, "limit": 100}


async def test_an_operator_sees_all_and_moves_only_his_own(house: House) -> None:
    ann, boss = await house.person("ann@example.org"), await house.person("boss@example.org", "operator")
    made = await house.job(ann)
    assert [job.uuid for job in (await house.authority.jobs.list(boss, **ALL)).items] == [made.job.uuid]
    assert (await house.authority.jobs.read(boss, made.job.uuid)).job == made.job
    with pytest.raises(Denied):
        await house.authority.jobs.submit_event(boss, made.job.uuid, "run")


async def test_an_event_is_refused_in_the_order_of_the_rules(house: House) -> None:
    """The token's job, its serial, the name, caveats and permission, idempotency, the lifecycle."""
    ann = await house.person("ann@example.org")
    made = await house.job(ann)
    uuid, submit = made.job.uuid, house.authority.jobs.submit_event
    await submit(ann, uuid, "update", b"1", "k")
    stale = await house.bearer(mint_document(house.keyring, made.job.kid, uuid, made.job.serial ^ 1))
    with pytest.raises(UnknownJob):
        await submit(stale, "1071269f-b251-5a5f-bec1-6d7f77131f3f", "finish")
    with pytest.raises(RevokedToken):
        await submit(stale, uuid, "no_such_event")
    narrow = await house.bearer(attenuate(made.token, [Events(("run",))]))
    with pytest.raises(UnknownEvent):
        await submit(narrow, uuid, "no_such_event")
    with pytest.raises(UnknownEvent):
        await submit(narrow, uuid, "UPDATE")
    with pytest.raises(Denied):
        await submit(narrow, uuid, "update", b"2", "k")
    holder = await house.bearer(made.token)
    with pytest.raises(IdempotencyConflict):
        await submit(holder, uuid, "finish", b"1", "k")
    with pytest.raises(Denied):
        await submit(holder, uuid, "reset")
    with pytest.raises(IllegalTransition) as illegal:
        await submit(holder, uuid, "finish")
    assert illegal.value.detail["legal"] == sorted(["create", "run", "update", "resource", "fail", "reset"])
    assert [e.name for e in await house.authority.jobs.history(ann, uuid, 0, 10)] == ["create", "update"]


async def test_a_repeated_event_is_recorded_once_and_authorised_again(house: House) -> None:
    ann = await house.person("ann@example.org")
    made = await house.job(ann)
    submit, uuid = house.authority.jobs.submit_event, made.job.uuid
    first = await submit(ann, uuid, "run", b'{"n":1}', "once")
    await submit(ann, uuid, "finish")
    again = await submit(await house.bearer(made.token), uuid, "run", b'{"n":1}', "once")
    assert again.event == first.event
    for name, data in (("run", b'{"n":2}'), ("update", b'{"n":1}'), ("run", b'{"n": 1}')):
        with pytest.raises(IdempotencyConflict):
            await submit(ann, uuid, name, data, "once")
    ended = await house.bearer(attenuate(made.token, [ExpiresAt(1)]))
    with pytest.raises(ExpiredToken):
        await submit(ended, uuid, "run", b'{"n":1}', "once")
    assert len(await house.authority.jobs.history(ann, uuid, 0, 10)) == 3


async def test_states_are_those_at_the_moment_of_writing(house: House) -> None:
    """A token that may fail only a waiting job cannot fail it once somebody else started it in the same group."""
    ann = await house.person("ann@example.org")
    made = await house.job(ann)
    waiting_only = await house.bearer(attenuate(made.token, [States({"CREATED": ("fail",)})]))
    submit = house.authority.jobs.submit_event
    ran, failed = await asyncio.gather(
        submit(ann, made.job.uuid, "run"), submit(waiting_only, made.job.uuid, "fail"), return_exceptions=True
    )
    assert not isinstance(ran, BaseException)
    assert isinstance(failed, Denied)


async def test_a_hundred_at_once_all_stand_in_sequence(house: House) -> None:
    ann = await house.person("ann@example.org")
    made = await house.job(ann)
    holder = await house.bearer(made.token)
    submit = house.authority.jobs.submit_event
    done = await asyncio.gather(*(submit(holder, made.job.uuid, "update", b"%d" % n) for n in range(100)))
    assert sorted(one.event.sequence for one in done) == list(range(2, 102))
    assert (await house.authority.jobs.verify(ann, made.job.uuid))[1] is None


async def test_verify_walks_every_job_and_names_the_broken(house: House) -> None:
    ann = await house.person("ann@example.org")
    good, bad = await house.job(ann), await house.job(ann, {"n": 2})
    checked = {one.uuid: one async for one in house.authority.verify()}
    assert {one.broken_at for one in checked.values()} == {None}
    assert set(checked) == {good.job.uuid, bad.job.uuid}
