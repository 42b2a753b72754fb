"""Compute jobs over HTTP, as the cloud's clients see them."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from msgspec.structs import replace

from jobpass.server.call import WorkLimits
from support.asgi import JSON, Answer
from support.site import Site
from support.yard import JOB, PAYLOAD, PLATFORM, RESULT, Yard, events_of, make_yard

NOBODYS = "1071269f-b251-4a5f-bec1-6d7f77131f3f"


def limited(site: Site, **limits: Any) -> None:
    """Other bounds for the site."""
    site.app._limits = WorkLimits(**({"hold_seconds": 0.0} | limits))


@pytest.fixture
async def yard(site: Site) -> Yard:
    limited(site)
    return await make_yard(site)


@pytest.fixture
async def quick(quick_site: Site) -> Yard:
    limited(quick_site)
    return await make_yard(quick_site)


async def test_the_real_clients_calls_from_the_platform_to_the_results(yard: Yard) -> None:
    specs = {"available_commands": ["probs"], "architecture": None, "constraints": {"max_mode_count": 24, "x": 1}}
    told = {"worker_id": "w1", "platform": PLATFORM, "specs": specs, "perfs": {"g2 (%)": 1.5}}
    assert (await yard.post("/api/workers/heartbeat", yard.key, json=told)).json() == {"heartbeat_s": 10}
    for path in ("/api/platforms/sim%3Alocal/processor", "/api/platform/sim%3Alocal", "//api/platform/sim:local/"):
        shown = (await yard.get(path)).json()
        assert (shown["name"], shown["type"], shown["status"]) == (PLATFORM, "simulator", "available")
        assert shown["specs"] == specs | {"constraints": {"max_mode_count": 9, "x": 1}}
        assert shown["perfs"] == {"g2 (%)": 1.5}
    room = (await yard.get("/api/jobs/availability")).json()
    assert room["max_jobs_in_queue"] - room["num_jobs_in_queue"] == 50
    job_id = await yard.submit()
    status = await yard.status(job_id)
    assert status == {
        "status": "waiting", "status_message": "", "progress": 0.0, "progress_message": "",
        "creation_datetime": yard.site.clock.now().timestamp(), "start_time": None, "duration": 0, "shots": None,
        "failure_code": None, "last_intermediate_results": None, "msg": "ok",
    }  # fmt: skip
    assert (await yard.get(f"/api/job/result/{job_id}")).json()["results"] is None
    job = await yard.lease()
    assert job["payload"] == PAYLOAD
    assert (job["job_id"], job["command"], job["attempt"], job["lease_s"]) == (job_id, "probs", 1, 30)
    yard.site.clock.advance(3.7)
    report = {"progress": 0.42, "progress_message": "Simulating", "intermediate_result": {"a": 1}}
    assert (await yard.report(job, "progress", json=report)).json() == {
        "status": "running", "cancel_requested": False, "lease_s": 30
    }  # fmt: skip
    status = await yard.status(job_id)
    assert (status["status"], status["progress"], status["progress_message"]) == ("running", 0.42, "Simulating")
    assert (status["duration"], status["last_intermediate_results"]) == (3, {"a": 1})
    assert (await yard.complete(job)).json()["status"] == "completed"
    result = (await yard.get(f"/api/job/result/{job_id}")).json()
    assert result["results"] == RESULT.decode()
    assert (result["results_type"], result["shots"], result["duration"], result["job_id"]) == ("probs", 7, 3, job_id)
    assert result["intermediate_results"] == [{"a": 1}]
    assert (await yard.status(job_id))["status"] == "completed"
    assert (await yard.get("/api/jobs/availability")).json()["num_jobs_in_queue"] == 0


async def test_plural_and_singular_paths_are_the_same(yard: Yard) -> None:
    ids = [(await yard.post(path, json=JOB)).json()["job_id"] for path in ("/api/job", "/api/jobs", "/api/jobs/")]
    for job_id in ids:
        for what in ("status", "result"):
            one, two = await yard.get(f"/api/job/{what}/{job_id}"), await yard.get(f"/api/jobs/{job_id}/{what}")
            assert (one.status, one.json()) == (200, two.json())
    for path, job_id in (("/api/job/cancel/{}", ids[0]), ("/api/jobs/{}/cancel", ids[1])):
        answer = await yard.site.ask("POST", path.format(job_id), token=yard.token)
        assert (answer.status, answer.json()) == (200, {"message": "ok"})
        refused = await yard.post(path.format(job_id))
        assert (refused.status, refused.json()["error"]) == (400, "Can not cancel job")
    for path, job_id in (("/api/job/rerun/{}", ids[0]), ("/api/jobs/{}/rerun", ids[1])):
        fresh = (await yard.post(path.format(job_id))).json()["job_id"]
        data = (await yard.get(f"/api/jobs/{fresh}/data")).json()
        assert (data["rerun_from"], data["payload"], data["status"]) == (job_id, PAYLOAD, "waiting")
        assert (data["platform_name"], data["token_label"], data["process_id"]) == (PLATFORM, "mine", JOB["process_id"])
    other = await yard.post(f"/api/jobs/{ids[0]}/rerun", json={"job_name": "n", "payload": {"command": "x"}, "z": 1})
    assert (await yard.get(f"/api/jobs/{other.json()['job_id']}/data")).json()["payload"] == {"command": "x"}


async def test_a_failed_job_tells_why_and_has_no_results(yard: Yard) -> None:
    job_id = await yard.submit()
    report = {"failure_code": "out_of_memory", "message": "more than 2 GiB"}
    assert (await yard.report(await yard.lease(), "fail", json=report)).json()["status"] == "error"
    result = await yard.get(f"/api/job/result/{job_id}")
    assert (result.status, result.json()["results"]) == (200, None)
    status = await yard.status(job_id)
    assert (status["status"], status["failure_code"], status["status_message"]) == (
        "error", "out_of_memory", "more than 2 GiB"
    )  # fmt: skip


async def test_a_job_that_takes_too_long_is_ended_also_while_its_worker_says_that_it_is_there(yard: Yard) -> None:
    job_id = await yard.submit(max_duration=20)
    job = await yard.lease()
    for _ in range(2):
        yard.site.clock.advance(25)
        assert (await yard.report(job, "progress", json={"progress": 0.5})).json()["status"] == "running"
        await yard.site.authority.tend()
    assert (await yard.report(job, "progress")).status == 401
    status = await yard.status(job_id)
    assert (status["status"], status["failure_code"]) == ("error", "time_limit")
    assert "20 s" in status["status_message"]


async def test_a_running_job_is_canceled_with_what_it_has_by_then(yard: Yard) -> None:
    job_id = await yard.submit()
    job = await yard.lease()
    assert (await yard.post(f"/api/job/cancel/{job_id}")).status == 200
    assert (await yard.status(job_id))["status"] == "cancel_requested"
    assert (await yard.report(job, "progress")).json()["cancel_requested"] is True
    assert (await yard.report(job, "canceled", body=b'{"part": 1}')).json()["status"] == "canceled"
    assert (await yard.get(f"/api/job/result/{job_id}")).json()["results"] == '{"part": 1}'
    job_id = await yard.submit()
    job = await yard.lease()
    await yard.post(f"/api/job/cancel/{job_id}")
    assert (await yard.report(job, "canceled")).status == 200
    assert (await yard.get(f"/api/job/result/{job_id}")).json()["results"] is None


async def test_who_may_do_what_is_answered_as_the_contract_has_it(yard: Yard) -> None:
    job_id = await yard.submit()
    job = await yard.lease()
    bob = await yard.site.login("bob")
    for method, path in (
        ("GET", "/api/job/status/{}"), ("GET", "/api/job/result/{}"), ("POST", "/api/job/cancel/{}"),
        ("POST", "/api/job/rerun/{}"), ("GET", "/api/jobs/{}/data"), ("GET", "/api/jobs/{}/events"),
    ):  # fmt: skip
        answers = [
            await yard.site.ask(method, path.format(one), token=bob) for one in (job_id, NOBODYS, "x", "%00", "%ff")
        ]
        assert [answer.status for answer in answers] == [404] * 5
        first = answers[0].json()
        assert first["error"].replace(job_id, NOBODYS) == answers[1].json()["error"]
        if "events" not in path:
            assert first["error"] == f"Not found job: {job_id}"
        for token in (yard.key, job["token"], await yard.site.admin(), "jp_job_x", None):
            answer = await yard.site.ask(method, path.format(job_id), token=token)
            assert answer.status == 401, (path, token and token[:7], answer.body)
    for token in (yard.token, yard.login, yard.operator, job["token"], await yard.site.admin()):
        for path in ("/api/workers/jobs/next", "/api/workers/heartbeat"):
            assert (await yard.post(path, token, json={})).status == 401
    for what in ("progress", "complete", "fail", "canceled", "requeue"):
        for token in (yard.token, yard.login, yard.key, await yard.site.admin()):
            assert (await yard.report(job | {"token": token}, what)).status == 401
        assert (await yard.report(job | {"job_id": NOBODYS}, what)).status == 404
    assert (await yard.status(job_id))["status"] == "running"
    assert (await yard.get(f"/api/job/status/{job_id}", yard.operator)).status == 200
    assert (await yard.post(f"/api/job/cancel/{job_id}", yard.operator)).status == 403


async def test_what_is_asked_for_wrongly_is_a_clear_refusal_and_makes_nothing(quick: Yard) -> None:
    for changed, status, word in (
        ({"platform_name": "sim:none"}, 404, "platform"),
        ({"platform_name": None}, 422, "platform_name"),
        ({"platform_name": 5}, 422, "platform_name"),
        ({"payload": None}, 422, "payload"),
        ({"payload": []}, 422, "payload"),
        ({"payload": "x"}, 422, "payload"),
        ({"payload": PAYLOAD | {"max_shots": 0}}, 422, "max_shots"),
        ({"payload": PAYLOAD | {"iterator": []}}, 422, "iterator"),
        ({"payload": PAYLOAD | {"job_context": 1}}, 422, "job_context"),
        ({"max_duration": 0}, 422, "max_duration"),
        ({"max_duration": 864_001}, 422, "max_duration"),
        ({"max_duration": True}, 422, "max_duration"),
        ({"job_name": "x" * 100_000}, 422, "job_name"),
        ({"process_id": ""}, 422, "process_id"),
        ({"job_name": "jp_job_AAAAAAAAAAAAAAAA"}, 422, "token"),
        ({"payload": {"command": "probs", "key": "jp_doc_AAAAAAAAAAAAAAAA"}}, 422, "token"),
        ({"job_group_name": {"$ne": None}}, 422, "job_group_name"),
    ):
        answer = await quick.post("/api/job", json=JOB | changed)
        assert answer.status == status, (changed, answer.body)
        assert word in answer.body.decode()
    for body in (b"", b"[]", b"{", b'{"job_name":NaN}', b'{"a":1,"a":1}', b"[" * 100_000, b'{"job_name":"\\ud800"}'):
        assert (await quick.post("/api/job", body=body)).status == 422
    wrong = JOB | {"payload": {"command": "probs", "deep": 0}}
    deep = json.dumps(wrong).replace('"deep": 0', '"deep": ' + "[" * 100 + "]" * 100).encode()
    assert (await quick.post("/api/job", body=deep)).status == 422
    assert (await quick.post("/api/job", body=b"{}", headers=[(b"content-type", b"text/plain")])).status == 415
    assert (await quick.get("/api/jobs")).json() == {"jobs": [], "next": None}
    digits = json.dumps(JOB).replace('"max_shots": 1000', f'"max_shots": {"9" * 400}').encode()
    assert (await quick.post("/api/job", body=digits)).status == 422


async def test_payloads_are_as_large_as_is_allowed_and_no_larger(yard: Yard) -> None:
    limited(yard.site, payload_bytes=600_000)
    fits = PAYLOAD | {"experiment": "ü" * 90_000}  # six bytes each, as it is sent here
    job_id = await yard.submit(payload=fits)
    assert (await yard.get(f"/api/jobs/{job_id}/data")).json()["payload"] == fits
    assert (await yard.lease())["payload"] == fits
    for size, status in ((610_000, 422), (700_000, 413)):
        answer = await yard.post("/api/job", json=JOB | {"payload": {"a": "x" * size}})
        assert answer.status == status, answer.body


async def test_results_are_streamed_whatever_their_size_and_their_pieces(yard: Yard) -> None:
    limited(yard.site, result_bytes=3_000_000)
    text = json.dumps({"results": 'ü"\\\n' * 200_000, "n": list(range(90_000))}, ensure_ascii=False).encode()
    assert 2_000_000 < len(text) < 3_000_000
    job_id = await yard.submit()
    job = await yard.lease()
    path = f"/api/workers/jobs/{job_id}/complete"
    sent = await yard.site.ask("POST", path, token=job["token"], body=text, chunk_bytes=7_777)
    assert sent.status == 200, sent.body
    result = await yard.get(f"/api/job/result/{job_id}")
    assert result.header("content-length") is None
    assert result.json()["results"].encode() == text
    job_id = await yard.submit()
    large = await yard.complete(await yard.lease(), b'{"a":"%b"}' % (b"x" * 3_000_000))
    assert (large.status, large.code) == (413, "too_large")
    assert (await yard.status(job_id))["status"] == "running"


async def test_results_that_are_refused_leave_nothing_behind(yard: Yard) -> None:
    large = json.dumps({"a": "x" * 600_000}).encode()
    job_id, other = await yard.submit(), await yard.submit()
    job = await yard.lease()
    assert (await yard.complete(job, large)).status == 200
    assert (await yard.report(job, "complete", body=large)).status == 409
    assert (await yard.report(await yard.lease(), "complete", body=large[:-1])).status == 422
    await yard.site.authority.tend()
    yard.site.clock.advance(7201)
    assert await yard.site.store.sweep_blobs(yard.site.clock.now(), 99) == 0
    assert (await yard.get(f"/api/jobs/{job_id}/result")).json()["results"] == large.decode()
    assert (await yard.status(other))["status"] == "running"


@pytest.mark.parametrize("text", [b"", b"[]", b'{"job_context":null}', b"\xff", b'{"a":"\xff"}', b"{"])
async def test_what_is_no_result_leaves_the_job_running(quick: Yard, text: bytes) -> None:
    job_id = await quick.submit()
    job = await quick.lease()
    assert (await quick.complete(job, text)).status == 422
    as_text = [(b"content-type", b"text/plain")]
    assert (await quick.report(job, "complete", body=RESULT, headers=as_text)).status == 415
    assert (await quick.report(job, "complete?shots=-1", body=RESULT)).status == 422
    assert (await quick.report(job, "complete?results_type=%00", body=RESULT)).status == 422
    assert (await quick.report(job, "complete?else=1", body=RESULT)).status == 422
    assert (await quick.status(job_id))["status"] == "running"
    assert (await quick.complete(job)).status == 200
    again = await quick.complete(job)
    assert (again.status, again.code) == (409, "illegal_transition")


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("progress", {"progress": 1.5}),
        ("progress", {"progress": "half"}),
        ("progress", {"progress_message": "x" * 1000}),
        ("progress", {"intermediate_result": []}),
        ("progress", {"intermediate_result": {"job_context": {}}}),
        ("progress", {"intermediate_result": {"a": "x" * 20_000}}),
        ("progress", {"status": "completed"}),
        ("fail", {"failure_code": "Not A Word"}),
        ("fail", {"message": "x" * 3000}),
        ("fail", {"message": "jp_doc_AAAAAAAAAAAAAAAAAAAA"}),
        ("requeue", {"reason": 5}),
    ],
)
async def test_a_worker_is_not_believed(quick: Yard, what: str, body: Any) -> None:
    job_id = await quick.submit()
    job = await quick.lease()
    assert (await quick.report(job, what, json=body)).status == 422
    assert (await quick.report(job, "progress", body=b'{"progress":NaN}')).status == 422
    assert (await quick.status(job_id))["status"] == "running"


async def test_the_next_job_is_waited_for_and_only_as_long_as_is_allowed(quick: Yard) -> None:
    took = []
    for _ in range(4):
        waiting = asyncio.create_task(quick.lease(wait_s=5))
        await asyncio.sleep(0.02)
        started = time.perf_counter()
        job_id = await quick.submit()
        assert (await waiting)["job_id"] == job_id
        took.append(time.perf_counter() - started)
    assert min(took) < 0.05, took
    started = time.perf_counter()
    assert await quick.lease(wait_s=0.1) is None
    assert 0.1 <= time.perf_counter() - started < 1
    for body in (
        {"worker_id": "w", "platforms": [PLATFORM], "wait_s": 26},
        {"worker_id": "w", "platforms": []},
        {"worker_id": "a b", "platforms": [PLATFORM]},
        {"worker_id": "w", "platforms": ["sim local"]},
        {"worker_id": "w", "platforms": [PLATFORM], "more": 1},
    ):
        assert (await quick.post("/api/workers/jobs/next", quick.key, json=body)).status == 422
    other = {"worker_id": "w", "platforms": ["sim:other"]}
    assert (await quick.post("/api/workers/jobs/next", quick.key, json=other)).status == 403


async def test_results_and_the_wish_for_another_job_come_in_one_request(quick: Yard) -> None:
    ids = [await quick.submit() for _ in range(2)]
    first = await quick.lease()
    wish = {"worker_id": "w1", "platforms": [PLATFORM]}

    async def both(job: Any, bearer: str | None = None, **changed: Any) -> Answer:
        done = {"job_id": job["job_id"], "token": job["token"], "results": {"n": 1}, "shots": 7} | changed
        return await quick.post("/api/workers/jobs/next", bearer or quick.key, json=wish | {"completed": done})

    for changed, status in (
        ({"results": []}, 422), ({"results": {"job_context": {}}}, 422), ({"results_type": "a b"}, 422),
        ({"results_type": "a\n"}, 422), ({"shots": -1}, 422), ({"more": 1}, 422), ({"job_id": NOBODYS}, 404),
        ({"job_id": "x"}, 404), ({"token": quick.key}, 401), ({"token": quick.token}, 401), ({"token": "x"}, 401),
        ({"results": {"a": "x" * 2_000_000}}, 413),
    ):  # fmt: skip
        assert (await both(first, **changed)).status == status, changed
    assert (await both(first, first["token"])).status == 401
    assert [(await quick.status(one))["status"] for one in ids] == ["running", "waiting"]  # nothing was given away
    answer = await both(first, results_type="probs")
    second = answer.json()["job"]
    assert (answer.status, second["job_id"], second["payload"]) == (200, ids[1], PAYLOAD)
    assert (await quick.get(f"/api/job/result/{ids[0]}")).json()["results"] == '{"n": 1}'
    again = await both(first)
    assert (again.status, again.code) == (409, "illegal_transition")
    assert (await both(second)).json() == {"job": None}
    assert [(await quick.status(one))["status"] for one in ids] == ["completed"] * 2


async def test_results_are_taken_also_if_no_other_job_may_be_had(quick: Yard) -> None:
    job_id = await quick.submit()
    job = await quick.lease()
    done = {"job_id": job_id, "token": job["token"], "results": {"n": 1}}
    wish = {"worker_id": "w1", "platforms": ["sim:other"], "completed": done}
    answer = await quick.post("/api/workers/jobs/next", quick.key, json=wish)
    assert (answer.status, answer.json()) == (200, {"job": None})
    assert (await quick.status(job_id))["status"] == "completed"


async def test_status_is_held_until_the_end_so_that_a_client_need_not_ask_again(quick: Yard) -> None:
    limited(quick.site, hold_seconds=2.0)
    took = []
    for _ in range(4):
        job_id = await quick.submit()
        started = time.perf_counter()
        held = asyncio.create_task(quick.status(job_id))
        await asyncio.sleep(0.02)
        await quick.complete(await quick.lease())
        assert (await held)["status"] == "completed"
        took.append(time.perf_counter() - started)
    assert min(took) < 0.15, took


async def test_the_same_idempotency_key_gives_the_same_job(quick: Yard) -> None:
    key = [(b"idempotency-key", b"once")]
    first = (await quick.post("/api/job", json=JOB, headers=key)).json()
    assert (await quick.post("/api/jobs", json=JOB, headers=key)).json() == first
    other = await quick.post("/api/job", json=JOB | {"job_name": "other"}, headers=key)
    assert other.status == 400
    assert (await quick.post("/api/job", json=JOB, headers=[(b"idempotency-key", b"a b")])).status == 422
    assert len((await quick.get("/api/jobs")).json()["jobs"]) == 1


async def test_the_queue_is_full_at_some_time(quick: Yard) -> None:
    login = await quick.site.store.find_login("ann@example.org")
    assert login is not None
    profile = replace(login.principal.profile, max_jobs_in_queue=1)
    await quick.site.store.change_principal(login.principal.id, lambda one: replace(one, profile=profile))
    await quick.submit()
    refused = await quick.post("/api/job", json=JOB)
    assert (refused.status, refused.json()["error"]) == (400, "Cannot create more than 1 jobs")
    assert refused.code == "limit_exceeded"
    assert refused.header("www-authenticate") is None


async def test_lists_have_pages_and_filters(yard: Yard) -> None:
    ids = [await yard.submit(job_group_name="g" if n % 2 else None) for n in range(5)]
    await yard.post(f"/api/jobs/{ids[1]}/cancel")

    async def found(query: str, token: str | None = None) -> list[str]:
        answer = await yard.get(f"/api/jobs?{query}", token)
        assert answer.status == 200, answer.body
        return [job["job_id"] for job in answer.json()["jobs"]]

    first = (await yard.get("/api/jobs?limit=2")).json()
    assert [job["job_id"] for job in first["jobs"]] == ids[:2]
    assert await found(f"limit=9&after={first['next']}") == ids[2:]
    assert await found("job_group_name=g") == [ids[1], ids[3]]
    assert await found("job_group_name=g&status=waiting") == [ids[3]]
    assert await found("status=canceled") == [ids[1]]
    assert await found(f"platform_name={PLATFORM}&since=2026-11-22T00:00:00Z") == ids
    assert await found("until=2026-11-22T00:00:00Z") == []
    assert await found("limit=9", yard.operator) == ids
    assert await found("user_id=99", yard.operator) == []
    bob = await yard.site.login("bob")
    assert await found("limit=9", bob) == []
    for wrong in ("limit=0", "limit=x", "after=99999", "since=yesterday", "user_id=x"):
        assert (await yard.get(f"/api/jobs?{wrong}")).status == 422


async def test_events_are_told_as_they_happen_and_from_where_one_left(yard: Yard) -> None:
    job_id = await yard.submit()
    path = f"/api/jobs/{job_id}/events"
    stream = asyncio.create_task(yard.get(path))
    await asyncio.sleep(0.02)
    job = await yard.lease()
    await yard.report(job, "progress", json={"progress": 0.5})
    await yard.complete(job)
    answer = await asyncio.wait_for(stream, 2)
    assert answer.header("content-type") == "text/event-stream"
    heard = events_of(answer.body)
    assert [name for name, _ in heard] == ["create", "lease", "update", "complete", "end"]
    assert [data["sequence"] for _, data in heard[:-1]] == [1, 2, 3, 4]
    assert heard[2][1]["data"] == {"progress": 0.5}
    again = await yard.site.ask("GET", path, token=yard.token, headers=[(b"last-event-id", b"3")])
    assert [name for name, _ in events_of(again.body)] == ["complete", "end"]
    for wrong in (b"x", b"-1", b"9" * 30):
        refused = await yard.site.ask("GET", path, token=yard.token, headers=[(b"last-event-id", wrong)])
        assert refused.status == 422
    history = (await yard.get(f"/api/pipelinejobs/{job_id}/history", yard.login)).json()["events"]
    assert history == [data for _, data in heard[:-1]]
    assert (await yard.get(f"/api/pipelinejobs/{job_id}/verify", yard.login)).json()["intact"] is True
    assert "token" not in answer.body.decode()


async def test_an_owners_document_token_opens_status_results_and_cancel_of_that_job(yard: Yard) -> None:
    job_id, other = await yard.submit(), await yard.submit()
    token = (await yard.post(f"/api/pipelinejobs/{job_id}/token", yard.login)).json()["token"]
    for path in (f"/api/jobs/{job_id}/status", f"/api/jobs/{job_id}/result"):
        assert (await yard.get(path, token)).status == 200
    assert (await yard.get(f"/api/jobs/{other}/status", token)).status == 404
    assert (await yard.post(f"/api/jobs/{job_id}/cancel", token)).status == 200
    for path in ("/api/jobs", "/api/jobs/availability", f"/api/jobs/{job_id}/data"):
        assert (await yard.get(path, token)).status == 401
    assert (await yard.post("/api/jobs", token, json=JOB, headers=[JSON])).status == 401


async def test_the_usage_report_counts_jobs_and_seconds(yard: Yard) -> None:
    await yard.submit()
    job = await yard.lease()
    yard.site.clock.advance(5)
    await yard.complete(job)
    report = (await yard.get("/api/tokens/usage/report", yard.login)).json()
    assert [(one["total_jobs"], one["usage"][0]["duration_seconds"]) for one in report] == [(1, 5)]
