"""The cloud's contract: every path and answer about jobs, held against its document."""

from __future__ import annotations

from typing import Any

from support.asgi import Answer
from support.contract import Contract, needs_contract
from support.site import Site
from support.yard import JOB, PAYLOAD, Yard, make_yard

pytestmark = needs_contract
NOBODYS = "1071269f-b251-4a5f-bec1-6d7f77131f3f"


async def test_every_answer_about_jobs_is_one_of_the_contract(site: Site) -> None:
    contract, yard = Contract(), await make_yard(site)
    bob = await site.login("bob")

    async def ask(method: str, path: str, token: str | None = yard.token, **more: Any) -> Answer:
        answer = await site.ask(method, path, token=token, **more)
        contract.check(method, path, answer)
        return answer

    for create, one in (("/api/job", "/api/job/{what}/{id}"), ("/api/jobs", "/api/jobs/{id}/{what}")):
        await _check_refusals(ask, create, bob)
        fresh = {"job_group_name": create, "process_id": None, "max_duration": None}
        job_id = (await ask("POST", create, json=JOB | fresh)).json()["job_id"]
        for what, method in (
            ("status", "GET"),
            ("result", "GET"),
            ("cancel", "POST"),
            ("rerun", "POST"),
            ("data", "GET"),
        ):
            if what == "data" and create == "/api/job":
                continue  # there is no such older path
            path = one.format(what=what, id=job_id)
            assert (await ask(method, path, None)).status == 401
            assert (await ask(method, path, yard.key)).status == 401
            assert (await ask(method, path, bob)).status == 404
            assert (await ask(method, one.format(what=what, id=NOBODYS))).status == 404
        await _check_one(ask, yard, one, job_id)
    assert (await ask("GET", "/api/jobs/availability")).status == 200
    assert (await ask("GET", "/api/jobs/availability", bob)).json()["num_jobs_in_queue"] == 0
    assert (await ask("GET", "/api/jobs/availability", None)).status == 401
    done = {(method, path) for method, path, status in contract.seen if status == 200}
    assert contract.operations("/api/job") == done


async def _check_refusals(ask: Any, create: str, bob: str) -> None:
    for token in (None, "jp_job_x"):
        assert (await ask("POST", create, token, json=JOB)).status == 401
    assert (await ask("POST", create, json=JOB | {"platform_name": "sim:none"})).status == 404
    for wrong in ({"payload": None}, {"job_name": 5}, {"max_duration": 0}, {"payload": {"iterator": []}}):
        assert (await ask("POST", create, json=JOB | wrong)).status == 422
    await ask("POST", create, bob, json=JOB | {"process_id": f"{create} of bob"})
    theirs = JOB | {"process_id": f"{create} of bob"}
    assert (await ask("POST", create, json=theirs)).status == 400


async def _check_one(ask: Any, yard: Yard, one: str, job_id: str) -> None:
    async def all_of(status: str) -> None:
        assert (await ask("GET", one.format(what="status", id=job_id))).json()["status"] == status
        assert (await ask("GET", one.format(what="result", id=job_id))).status == 200
        data = (await ask("GET", f"/api/jobs/{job_id}/data")).json()
        assert (data["payload"], data["status"]) == (PAYLOAD, status)

    await all_of("waiting")
    while (job := await yard.lease())["job_id"] != job_id:
        await yard.complete(job)
    assert (await ask("POST", one.format(what="rerun", id=job_id))).status == 400
    await yard.report(job, "progress", json={"progress": 0.5, "intermediate_result": {"a": 1}})
    await all_of("running")
    await yard.complete(job)
    await all_of("completed")
    assert (await ask("POST", one.format(what="cancel", id=job_id))).status == 400
    fresh = (await ask("POST", one.format(what="rerun", id=job_id), json={"job_name": "n"})).json()["job_id"]
    assert (await ask("POST", one.format(what="rerun", id=job_id), json={"job_name": 5})).status == 422
    assert (await ask("POST", one.format(what="cancel", id=fresh))).json() == {"message": "ok"}
    assert (await ask("GET", one.format(what="status", id=fresh))).json()["status"] == "canceled"
