"""Admin keys, accounts, document tokens, lifecycles and the audit over HTTP, on each store."""

from __future__ import annotations

from typing import Any

import pytest

from jobpass.server import jobs
from jobpass.tokens.attenuate import admin_token
from support.site import PASSWORD, Site

ASKED: dict[str, Any] = {"use_case": "repair", "storage": "a vault", "lifetime_seconds": 600}


async def test_an_admin_key_from_request_to_revocation(site: Site) -> None:
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    asked = await site.ask("POST", "/api/admin-keys", token=ann, json=ASKED | {"scope": {"events": ["reset"]}})
    assert asked.status == 200, asked.body
    request = asked.json()
    path = f"/api/admin-keys/{request['id']}"
    assert request == {
        "id": request["id"],
        "state": "requested",
        "requester": await site.user_id(ann),
        "use_case": "repair",
        "storage": "a vault",
        "lifetime_seconds": 600,
        "scope": {"events": ["reset"]},
        "request_hash": request["request_hash"],
        "requested_at": "2026-11-22T12:00:00Z",
        "reviewer": None,
        "reviewed_at": None,
        "reason": None,
        "collected_at": None,
        "revoked_at": None,
    }
    assert (await site.ask("GET", path, token=olga)).json() == request
    assert (await site.ask("POST", f"{path}/collect", token=ann)).code == "conflict"

    changed = (await site.ask("PUT", path, token=ann, json=ASKED | {"use_case": "clean up"})).json()
    assert (changed["id"], changed["use_case"]) == (request["id"], "clean up")
    stale = {"request_hash": request["request_hash"]}
    assert (await site.ask("POST", f"{path}/approve", token=olga, json=stale)).code == "conflict"
    fresh = {"request_hash": changed["request_hash"]}
    assert (await site.ask("POST", f"{path}/approve", token=ann, json=fresh)).code == "denied"
    approved = (await site.ask("POST", f"{path}/approve", token=olga, json=fresh)).json()
    assert (approved["state"], approved["reviewer"]) == ("approved", await site.user_id(olga))

    assert (await site.ask("POST", f"{path}/collect", token=olga)).code == "denied"
    key = (await site.ask("POST", f"{path}/collect", token=ann)).json()["key"]
    assert key.startswith("jp_adk_")
    assert (await site.ask("POST", f"{path}/collect", token=ann)).status == 409

    job = await site.job(ann)
    admin = admin_token(key, site.clock.now())
    for name in ("run", "fail", "reset", "ready"):
        answer = await site.ask("POST", job.events, token=admin, json={"name": name})
        assert (answer.status, answer.json()["token"]) == (200, None), name
    history = (await site.ask("GET", f"{job.path}/history", token=ann)).json()["events"]
    assert {event["credential"] for event in history[1:]} == {f"admin:{request['id']}"}

    revoked = await site.ask("POST", f"{path}/revoke", token=olga, body=b"")
    assert (revoked.status, revoked.json()["state"]) == (200, "revoked")
    assert (await site.ask("POST", job.events, token=admin, json={"name": "run"})).status == 401


async def test_a_request_is_denied_with_a_reason(site: Site) -> None:
    ann, bob, olga = await site.login("ann"), await site.login("bob"), await site.login("olga", "operator")
    path = f"/api/admin-keys/{(await site.ask('POST', '/api/admin-keys', token=ann, json=ASKED)).json()['id']}"
    assert (await site.ask("GET", path, token=bob)).code == "unknown_credential"
    assert (await site.ask("POST", f"{path}/revoke", token=bob)).code == "unknown_credential"
    assert (await site.ask("POST", f"{path}/deny", token=olga, json={})).status == 422
    denied = await site.ask("POST", f"{path}/deny", token=olga, json={"reason": "use the tool"})
    assert (denied.json()["state"], denied.json()["reason"]) == ("denied", "use the tool")
    listed = [
        [key["state"] for key in (await site.ask("GET", "/api/admin-keys", token=token)).json()["admin_keys"]]
        for token in (ann, bob, olga)
    ]
    assert listed == [["denied"], [], ["denied"]]


async def test_requests_in_pages(site: Site) -> None:
    ann = await site.login("ann")
    ids = [(await site.ask("POST", "/api/admin-keys", token=ann, json=ASKED)).json()["id"] for _ in range(3)]
    seen, after = [], ""
    for _ in range(3):
        page = (await site.ask("GET", f"/api/admin-keys?limit=2{after}", token=ann)).json()
        seen += [key["id"] for key in page["admin_keys"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert seen == ids


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"use_case": ""}, "use_case"),
        ({"use_case": " "}, "use_case"),
        ({"storage": 1}, "storage"),
        ({"lifetime_seconds": 0}, "lifetime_seconds"),
        ({"lifetime_seconds": 10**30}, "lifetime_seconds"),
        ({"lifetime_seconds": 1.5}, "lifetime_seconds"),
        ({"scope": []}, "scope"),
        ({"scope": {"what": []}}, "scope"),
        ({"scope": {"expires_at": 1}}, "scope"),
        ({"use_case": "with jp_doc_AgIWAQOPFmpoQgadclBU36s1Jeb4"}, "_body"),
        ({"requester": 1}, "requester"),
        ({"state": "approved"}, "state"),
    ],
)
async def test_what_cannot_be_asked_for(site: Site, more: dict[str, Any], field: str) -> None:
    ann = await site.login("ann")
    answer = await site.ask("POST", "/api/admin-keys", token=ann, json=ASKED | more)
    assert answer.status == 422, answer.body
    assert list(answer.json()["detail"]["json"]) == [field]
    assert (await site.ask("GET", "/api/admin-keys", token=ann)).json()["admin_keys"] == []


async def test_the_lifetime(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    for token in (ann, job.token, await site.admin()):
        answer = await site.ask("GET", "/api/admin-keys/lifetime", token=token)
        assert answer.json() == {"lifetime_seconds": 3600}


async def test_accounts(site: Site) -> None:
    olga = await site.login("olga", "operator")
    new = {"email": "Eve@Example.org", "password": "tall ships sail slowly"}
    made = await site.ask("POST", "/api/users", token=olga, json=new)
    assert made.status == 200, made.body
    eve = made.json()
    assert eve == {
        "id": eve["id"],
        "email": "eve@example.org",
        "role": "author",
        "active": True,
        "created_at": "2026-11-22T12:00:00Z",
        "is_admin": False,
        "first_name": "",
        "last_name": "",
        "priority": 2,
        "company_id": None,
        "platform_ids": None,
        "max_jobs_in_queue": 50,
        "max_concurrent_jobs": 5,
    }
    path = f"/api/users/{eve['id']}"
    assert (await site.ask("GET", path, token=olga)).json() == eve
    users = (await site.ask("GET", "/api/users", token=olga)).json()
    assert [user["email"] for user in users["users"]] == ["olga@example.org", "eve@example.org"]
    assert (await site.ask("POST", "/api/users", token=olga, json=new)).code == "already_exists"
    login = (await site.ask("POST", "/api/login", json=new)).json()["token"]
    for method, target in (("GET", "/api/users"), ("GET", path), ("POST", f"{path}/disable"), ("GET", "/api/audit")):
        assert (await site.ask(method, target, token=login)).code == "denied", target

    assert (await site.ask("POST", f"{path}/disable", token=olga)).json()["active"] is False
    assert (await site.ask("GET", "/api/me", token=login)).status == 401
    assert (await site.ask("POST", "/api/login", json=new)).code == "invalid_login"
    assert (await site.ask("POST", f"{path}/enable", token=olga)).json()["active"] is True
    assert (await site.ask("GET", "/api/me", token=login)).status == 401  # for good
    assert (await site.ask("POST", "/api/login", json=new)).status == 200
    own = f"/api/users/{await site.user_id(olga)}/disable"
    assert (await site.ask("POST", own, token=olga)).code == "conflict"


async def test_passwords(site: Site) -> None:
    ann, bob = await site.login("ann"), await site.login("bob")
    path = f"/api/users/{await site.user_id(ann)}/password"
    new = "tall ships sail slowly"
    wrong = {"password": new, "present": "not the present one"}
    assert (await site.ask("POST", path, token=ann, json=wrong)).code == "invalid_login"
    assert (await site.ask("POST", path, token=bob, json={"password": new, "present": PASSWORD})).code == "denied"
    for bad in ("short", "passwordpassword", "x" * 2000):
        answer = await site.ask("POST", path, token=ann, json={"password": bad, "present": PASSWORD})
        assert answer.status == 422, bad
    assert (await site.ask("POST", path, token=ann, json={"password": new, "present": PASSWORD})).status == 200
    assert (await site.ask("GET", "/api/me", token=ann)).status == 401
    credentials = {"email": "ann@example.org", "password": new}
    assert (await site.ask("POST", "/api/login", json=credentials)).status == 200
    olga = await site.login("olga", "operator")
    reset = await site.ask("POST", path, token=olga, json={"password": PASSWORD})
    assert reset.status == 200
    assert (await site.ask("POST", "/api/login", json=credentials)).status == 401


@pytest.mark.parametrize("segment", ["0", "999999", "x", "-1", "1.0", "١", "9" * 400, "1e3", "%2e"])
async def test_an_unknown_account(site: Site, segment: str) -> None:
    olga = await site.login("olga", "operator")
    for method, ending, body in (
        ("GET", "", None),
        ("POST", "/disable", None),
        ("POST", "/enable", None),
        ("POST", "/password", {"password": "tall ships sail slowly"}),
    ):
        answer = await site.ask(method, f"/api/users/{segment}{ending}", token=olga, json=body)
        assert answer.code == "unknown_principal", (ending, answer.body)


async def test_the_document_token_again_and_another_one(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    assert (await site.ask("POST", f"{job.path}/token", token=ann)).json() == {"token": job.token}
    rotate = f"{job.path}/token/rotate"
    second = (await site.ask("POST", rotate, token=ann, json={"grace_seconds": 60})).json()["token"]
    statuses = [(await site.ask("GET", job.path, token=token)).status for token in (job.token, second)]
    assert statuses == [200, 200]
    site.clock.advance(60)
    statuses = [(await site.ask("GET", job.path, token=token)).status for token in (job.token, second)]
    assert statuses == [401, 200]
    third = (await site.ask("POST", rotate, token=ann)).json()["token"]
    statuses = [(await site.ask("GET", job.path, token=token)).status for token in (job.token, second, third)]
    assert statuses == [401, 401, 200]
    for body in ({"grace_seconds": -1}, {"grace_seconds": 86_401}, {"grace_seconds": "1"}, {"grace": 1}, [], None):
        answer = await site.ask("POST", rotate, token=ann, body=b"null") if body is None else None
        answer = answer or await site.ask("POST", rotate, token=ann, json=body)
        assert answer.status == 422, body
    assert (await site.ask("GET", job.path, token=third)).status == 200


async def test_lifecycles_as_data_and_final_states(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    answer = await site.ask("GET", "/api/lifecycles", token=job.token)
    known = {one["name"]: one for one in answer.json()["lifecycles"]}
    assert set(known) == {"pipeline", "compute"}
    pipeline = known["pipeline"]
    assert (pipeline["initial"], len(pipeline["states"]), len(pipeline["events"])) == ("CREATED", 11, 15)
    assert pipeline["table"]["CREATED"]["run"] == "RUNNING"
    assert "finish" not in pipeline["table"]["CREATED"]
    assert pipeline["admin_only"] == ["delete", "ready", "reset"]
    assert {event["name"] for event in pipeline["events"] if event["admin_only"]} == {"ready", "reset"}
    assert (await site.ask("GET", job.path, token=ann)).json()["final"] is False
    final = {state["name"] for state in pipeline["states"] if state["final"]}
    for name in ("run", "finish", "validate", "validated", "finalize", "retire"):
        assert (await site.send(job, name)).status == 200, name
    shown = (await site.ask("GET", job.path, token=ann)).json()
    assert shown["state"] == "RETIRED"
    assert shown["final"] is ("RETIRED" in final) is True
    assert (await site.ask("GET", "/api/pipelinejobs", token=ann)).json()["jobs"][0]["final"] is True


async def test_a_page_of_a_history_is_bounded_in_bytes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "PAGE_BYTES", 1000)
    monkeypatch.setattr(jobs, "SLICE", 3)
    ann = await site.login("ann")
    job = await site.job(ann)
    sizes = [10, 400, 400, 400, 5000, 10, 10, 10, 10, 10]
    for size in sizes:
        assert (await site.send(job, "update", data="x" * (size - 2))).status == 200
    after, pages = 0, []
    while after is not None:
        page = (await site.ask("GET", f"{job.path}/history?after={after}&limit=5", token=ann)).json()
        pages.append([event["sequence"] for event in page["events"]])
        after = page["next"]
    assert pages == [[1, 2, 3, 4], [5], [6], [7, 8, 9, 10, 11], []]


async def test_the_audit_in_pages_and_by_filters(site: Site) -> None:
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    job = await site.job(ann)
    site.clock.advance(10)
    await site.send(job, "reset")
    assert (await site.ask("GET", job.path, token=await site.login("bob"))).status == 404
    await site.ask("POST", "/api/login", json={"email": "ann@example.org", "password": "not the password"})

    async def entries(query: str) -> list[dict[str, Any]]:
        answer = await site.ask("GET", f"/api/audit?{query}", token=olga)
        assert answer.status == 200, answer.body
        return answer.json()["entries"]

    whole = await entries("limit=1000")
    assert [entry["sequence"] for entry in whole] == list(range(1, len(whole) + 1))
    assert {entry["node"] for entry in whole} == {"main"}
    refused = await entries("name=refused")
    assert [(one["data"]["code"], one["data"]["action"], one["subject"]) for one in refused] == [
        ("denied", "/api/pipelinejobs/{uuid}/events", job.uuid),
        ("unknown_job", "/api/pipelinejobs/{uuid}", job.uuid),
        ("invalid_login", "/api/login", None),
    ]
    assert refused[0]["credential"].startswith("document:")
    assert refused[0]["data"]["reasons"]
    assert {one["address"] for one in refused} == {"192.0.2.7"}
    hers = await entries(f"principal={await site.user_id(ann)}")
    assert {entry["name"] for entry in hers} == {"login"}
    late = await entries("since=2026-11-22T12:00:10Z")
    early = await entries("until=2026-11-22T13:00:10%2B01:00")
    assert early + late == whole
    paged, after = [], ""
    while page := (await site.ask("GET", f"/api/audit?limit=2{after}", token=olga)).json()["entries"]:
        paged += page
        answer = await site.ask("GET", f"/api/audit?limit=2{after}", token=olga)
        after = f"&after={answer.json()['next']}"
    assert paged == whole


@pytest.mark.parametrize(
    "query",
    ["since=yesterday", "since=2026-11-22", "since=2026-11-22T12:00:00", "principal=x", "after=x", "limit=0", "node=x"],
)
async def test_filters_that_cannot_be_read(site: Site, query: str) -> None:
    olga = await site.login("olga", "operator")
    answer = await site.ask("GET", f"/api/audit?{query}", token=olga)
    assert answer.status == 422, answer.body
    assert list(answer.json()["detail"]["query"]) == [query.partition("=")[0]]


async def test_true_reasons_go_to_the_audit_and_not_to_the_caller(site: Site) -> None:
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    await site.ask("POST", "/api/logout", token=ann)
    for token in ("jp_log_x", ann[:-1] + ("A" if ann[-1] != "A" else "Q"), ann, None):
        answer = await site.ask("GET", "/api/me", token=token)
        assert answer.code == "invalid_token"
    refused = (await site.ask("GET", "/api/audit?name=refused", token=olga)).json()["entries"]
    assert refused[0]["data"]["code"] == "malformed_token"
    assert [entry["data"]["code"] for entry in refused][2:] == ["revoked_token", "missing_token"]
