"""Two nodes on one database: what one of them did holds on the other, wakes who waits there, and is done once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from jobpass.authority.workers import LEASE_SECONDS
from jobpass.records import Profile
from jobpass.stores.postgres import PostgresStore
from support.clocks import Shifted
from support.postgres import EMPTY, sql
from support.site import Site, make_site
from support.yard import JOB, RESULT, Yard, events_of, make_yard


@pytest.fixture
async def yards(postgres_url: str) -> AsyncIterator[tuple[Yard, Yard]]:
    """The queue as each of the nodes has it."""
    await sql(postgres_url, EMPTY)
    here = make_site(await PostgresStore.open(postgres_url))
    there = make_site(await PostgresStore.open(postgres_url), here.clock, here.keyring)
    yard = await make_yard(here)
    yield yard, yard._replace(site=there)
    await here.authority.close()
    await there.authority.close()


async def _until_refused(site: Site, path: str, token: str) -> float:
    """The seconds until a token that opened the path does no more."""
    started = time.monotonic()
    while (await site.ask("GET", path, token=token)).status != 401:
        assert time.monotonic() - started < 5
        await asyncio.sleep(0.01)
    return time.monotonic() - started


async def test_a_token_that_ends_on_one_node_ends_on_the_other_within_a_second(yards: tuple[Yard, Yard]) -> None:
    here, there = yards
    made = await here.post("/api/tokens", here.login, json={"label": "leaked"})
    child = (await here.post("/api/tokens", made.json()["token"], json={"label": "child"})).json()["token"]
    for token in (made.json()["token"], child):
        for yard in yards:
            assert (await yard.get("/api/jobs", token)).status == 200
    revoked = await there.post("/api/tokens/revoke", here.login, form={"token": made.json()["token"]})
    assert revoked.status == 200
    for token in (made.json()["token"], child):
        assert (await there.get("/api/jobs", token)).status == 401
        assert await _until_refused(here.site, "/api/jobs", token) < 1
    assert (await here.get("/api/jobs")).status == 200


async def test_somebody_disabled_on_one_node_is_out_on_the_other_within_a_second(yards: tuple[Yard, Yard]) -> None:
    here, there = yards
    ann = await here.site.user_id(here.login)
    assert (await there.get("/api/jobs")).status == 200
    disabled = await here.site.ask("PUT", f"/api/users/{ann}", token=here.operator, json={"active": False})
    assert disabled.status == 200, disabled.body
    assert await _until_refused(there.site, "/api/jobs", here.token) < 1


async def test_a_job_goes_its_way_over_both_nodes(yards: tuple[Yard, Yard]) -> None:
    here, there = yards
    job_id = await here.submit()
    job = await there.lease()
    assert job["job_id"] == job_id
    assert (await here.report(job, "progress", json={"progress": 0.5, "progress_message": "half"})).status == 200
    assert (await there.get(f"/api/jobs/{job_id}/status")).json()["progress"] == 0.5
    assert (await there.complete(job)).status == 200
    assert (await here.report(job, "progress", json={"progress": 0.6})).status in (401, 409)
    assert (await here.get(f"/api/job/result/{job_id}")).json()["results"].encode() == RESULT
    again = await here.post(f"/api/job/rerun/{job_id}", json={})
    assert again.status == 200, again.body
    assert (await here.lease())["payload"] == JOB["payload"]


async def test_a_status_that_is_held_is_answered_when_another_node_ends_the_job(yards: tuple[Yard, Yard]) -> None:
    here, there = yards
    took = []
    for _ in range(4):
        job_id = await here.submit()
        job = await here.lease()
        held = asyncio.create_task(there.get(f"/api/job/status/{job_id}"))
        await asyncio.sleep(0.1)
        assert not held.done()
        assert (await here.complete(job)).status == 200
        ended = time.perf_counter()
        assert (await asyncio.wait_for(held, 5)).json()["status"] == "completed"
        took.append(time.perf_counter() - ended)
    assert min(took) < 0.1, took
    assert max(took) < 0.9, took


async def test_a_stream_tells_what_another_node_did(yards: tuple[Yard, Yard]) -> None:
    here, there = yards
    job_id = await here.submit()
    stream = asyncio.create_task(there.get(f"/api/jobs/{job_id}/events"))
    await asyncio.sleep(0.1)
    job = await here.lease()
    await asyncio.sleep(0.1)
    assert (await here.complete(job)).status == 200
    ended = time.perf_counter()
    names = [name for name, _ in events_of((await asyncio.wait_for(stream, 5)).body)]
    assert time.perf_counter() - ended < 0.9
    assert names == ["create", "lease", "complete", "end"]


async def test_a_worker_that_waits_on_another_node_has_a_job_at_once(yards: tuple[Yard, Yard]) -> None:
    here, there = yards
    took = []
    for _ in range(6):
        waiting = asyncio.create_task(there.lease(wait_s=5))
        await asyncio.sleep(0.1)
        started = time.perf_counter()
        job_id = await here.submit()
        submitted = time.perf_counter()
        job = await asyncio.wait_for(waiting, 5)
        took.append((submitted - started, time.perf_counter() - submitted))
        assert job["job_id"] == job_id
        assert (await there.complete(job)).status == 200
    assert min(after for _, after in took) < 0.05, took


async def test_room_that_one_node_makes_is_used_on_the_other(yards: tuple[Yard, Yard]) -> None:
    here, there = yards
    jobs = [await here.submit() for _ in range(6)]
    held = [await here.lease() for _ in range(5)]
    assert [job["job_id"] for job in held] == jobs[:5]
    waiting = asyncio.create_task(there.lease(wait_s=5))
    await asyncio.sleep(0.1)
    assert not waiting.done(), "the owner has as many as may be"
    assert (await here.complete(held[2])).status == 200
    started = time.perf_counter()
    assert (await asyncio.wait_for(waiting, 5))["job_id"] == jobs[5]
    assert time.perf_counter() - started < 0.9


async def test_of_many_workers_on_both_nodes_each_has_another_job_and_nobody_more_than_may_be(
    yards: tuple[Yard, Yard],
) -> None:
    here, there = yards
    ann = await here.site.user_id(here.login)
    limits = Profile(max_concurrent_jobs=17)
    await here.site.store.change_principal(ann, lambda one: replace(one, profile=limits))
    jobs = [await yards[n % 2].submit() for n in range(24)]
    asked = (yards[n % 2].lease(f"w{n}") for n in range(40))
    leased = [job["job_id"] for job in await asyncio.gather(*asked) if job is not None]
    assert sorted(leased) == sorted(jobs[:17])
    for job_id in leased:
        history = await there.site.store.history(job_id, 0, 9)
        assert [event.name for event in history] == ["create", "lease"]
    assert Counter(job.state for job in (await here.site.store.list_work(after=None, limit=99)).items) == {
        "running": 17,
        "waiting": 7,
    }


async def test_one_submission_with_a_key_is_one_job_whoever_takes_it(yards: tuple[Yard, Yard]) -> None:
    here, there = yards

    async def submit(yard: Yard) -> str:
        headers = [(b"idempotency-key", b"once")]
        answer = await yard.post("/api/job", json=JOB, headers=headers)
        assert answer.status == 200, answer.body
        job_id: str = answer.json()["job_id"]
        return job_id

    assert len(set(await asyncio.gather(*(submit(yards[n % 2]) for n in range(8))))) == 1
    assert (await there.get("/api/jobs")).json() is not None
    assert len((await here.site.store.list_work(after=None, limit=9)).items) == 1


async def test_a_lease_that_lapsed_is_taken_back_once_whoever_tends(yards: tuple[Yard, Yard]) -> None:
    here, there = yards
    jobs = [await here.submit() for _ in range(5)]
    for _ in jobs:
        assert await here.lease() is not None
    here.site.clock.advance(LEASE_SECONDS + 1)  # nodes agree on the time within a fraction of a second
    await asyncio.gather(*(yard.site.authority.tend() for yard in (here, there, here, there)))
    await there.site.authority.tend()
    for job_id in jobs:
        assert [event.name for event in await there.site.store.history(job_id, 0, 9)] == ["create", "lease", "requeue"]


async def test_what_no_job_names_is_swept_once(yards: tuple[Yard, Yard]) -> None:
    here, there = yards
    at = here.site.clock.now()
    for number in range(1, 9):
        await here.site.store.add_blob(number, b"x", at)
    until = at + timedelta(seconds=1)
    swept = await asyncio.gather(*(yard.site.store.sweep_blobs(until, 3) for yard in (here, there)))
    assert sum(swept) in (3, 6)  # what somebody else is at is left to him
    left: list[Any] = [await there.site.store.read_blob(number, 0) for number in range(1, 9)]
    assert left.count(None) == sum(swept)


async def test_a_node_shows_how_far_its_clock_is_from_the_database_s(postgres_url: str) -> None:
    await sql(postgres_url, EMPTY)
    site = make_site(await PostgresStore.open(postgres_url, Shifted(-30)))
    site.app.tick()
    answer = await site.ask("GET", "/metrics", token=await site.login("olga", "operator"))
    await site.authority.close()
    (line,) = (line for line in answer.body.decode().splitlines() if line.startswith("jobpass_clock_offset_seconds "))
    assert -30.5 < float(line.split()[1]) < -29.5
