"""Each route does what it is for, on each store."""

from __future__ import annotations

import pytest

from jobpass.server.routes import ROUTES
from support.site import PASSWORD, PIPELINE, Site


async def test_log_in_who_am_i_log_out(site: Site) -> None:
    await site.login("ann")
    answer = await site.ask("POST", "/api/login", json={"email": " Ann@Example.org", "password": PASSWORD})
    login = answer.json()
    token = login.pop("token")
    assert token.startswith("jp_log_")
    assert login == {
        "token_type": "Bearer",
        "duration": 43_200,
        "expires_at": "2026-11-23T00:00:00Z",
        "user_id": login["user_id"],
        "email": "ann@example.org",
        "is_admin": False,
    }
    me = await site.ask("GET", "/api/me", token=token)
    assert me.status == 200
    credential = me.json()["credential"]
    assert me.json() == {
        "user_id": login["user_id"],
        "email": "ann@example.org",
        "is_admin": False,
        "role": "author",
        "credential": {"id": credential["id"], "kind": "login", "expires_at": "2026-11-23T00:00:00Z"},
    }
    assert token not in me.body.decode()
    out = await site.ask("POST", "/api/logout", token=token)
    assert (out.status, out.json()) == (200, {"message": "logged out"})
    assert (await site.ask("GET", "/api/me", token=token)).status == 401
    assert (await site.ask("POST", "/api/logout", token=token)).status == 401


async def test_an_operator_is_told_so(site: Site) -> None:
    token = await site.login("olga", "operator")
    assert (await site.ask("GET", "/api/me", token=token)).json()["is_admin"] is True


async def test_pipelines_are_kept_as_they_came(site: Site) -> None:
    ann = await site.login("ann")
    made = await site.ask("POST", "/api/pipelines", token=ann, json=PIPELINE)
    uuid = made.json()["uuid"]
    assert made.json() == {"uuid": uuid} | PIPELINE
    assert uuid.startswith("106")
    again = await site.ask("POST", "/api/pipelines", token=ann, json={"uuid": uuid} | PIPELINE)
    assert (again.status, again.json()) == (200, made.json())
    assert (await site.ask("GET", f"/api/pipelines/{uuid}", token=ann)).json() == made.json()
    other = await site.ask("POST", "/api/pipelines", token=ann, json=PIPELINE | {"id": "other"})
    first = await site.ask("GET", "/api/pipelines?limit=1", token=ann)
    assert [one["uuid"] for one in first.json()["pipelines"]] == [uuid]
    second = await site.ask("GET", f"/api/pipelines?limit=1&after={first.json()['next']}", token=ann)
    assert second.json()["pipelines"] == [other.json()]
    assert (await site.ask("GET", "/api/pipelines", token=ann)).json()["next"] is None


async def test_a_pipeline_keeps_numbers_and_spaces_byte_for_byte(site: Site) -> None:
    ann = await site.login("ann")
    body = b' { "id":"p", "name":"P","components":[],"processing_levels":[ "1" ],"n":' + b"9" * 400 + b',"f":1.10}\n'
    made = await site.ask("POST", "/api/pipelines", token=ann, body=body)
    assert made.status == 200
    shown = await site.ask("GET", f"/api/pipelines/{made.json()['uuid']}", token=ann)
    assert shown.body == b'{"uuid":"%b",' % made.json()["uuid"].encode() + body.strip()[1:].lstrip()


async def test_a_job_from_its_making_to_its_end(site: Site) -> None:
    ann = await site.login("ann")
    wanted = {"pipeline_uuid": await site.pipeline(ann), "data": {"n": 1}, "archive_path": "/a", "session": "s"}
    made = (await site.ask("POST", "/api/pipelinejobs", token=ann, json=wanted)).json()
    token, path = made.pop("token"), f"/api/pipelinejobs/{made['uuid']}"
    assert token.startswith("jp_doc_")
    assert (made["state"], made["last_event"], made["sequence"]) == ("CREATED", "create", 1)
    assert (made["data"], made["child_of"], made["archive_path"], made["session"]) == ({"n": 1}, [], "/a", "s")
    assert made["lifecycle"] == "pipeline"
    again = (await site.ask("POST", "/api/pipelinejobs", token=ann, json=wanted)).json()
    assert again == made | {"token": token}

    ran = (await site.ask("POST", f"{path}/events", token=token, json={"name": "run", "data": [1, 2]})).json()
    assert ran == {
        "uuid": made["uuid"],
        "state": "RUNNING",
        "last_event": "run",
        "sequence": 2,
        "event_uuid": ran["event_uuid"],
        "token": token,
        "at": "2026-11-22T12:00:00Z",
    }
    by_owner = (await site.ask("POST", f"{path}/events", token=ann, json={"name": "finish"})).json()
    assert (by_owner["state"], by_owner["sequence"], by_owner["token"]) == ("FINISHED", 3, token)

    shown = (await site.ask("GET", path, token=token)).json()
    assert "token" not in shown
    assert (shown["state"], shown["sequence"], shown["data"]) == ("FINISHED", 3, {"n": 1})
    history = (await site.ask("GET", f"{path}/history", token=token)).json()
    assert history["next"] is None
    assert [(e["sequence"], e["name"], e["data"], e["state"]) for e in history["events"]] == [
        (1, "create", {"n": 1}, "CREATED"),
        (2, "run", [1, 2], "RUNNING"),
        (3, "finish", None, "FINISHED"),
    ]
    assert history["events"][1]["event_uuid"] == ran["event_uuid"]
    assert [e["credential"].partition(":")[0] for e in history["events"]] == ["login", "document", "login"]
    assert {len(e["hash"]) for e in history["events"]} == {64}
    verified = (await site.ask("GET", f"{path}/verify", token=token)).json()
    assert verified == {"uuid": made["uuid"], "events": 3, "intact": True, "broken_at": None}


async def test_a_history_in_pages(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    for number in range(4):
        assert (await site.send(job, "update", data=number)).status == 200
    page, seen = {"next": 0}, []
    while page["next"] is not None:
        page = (await site.ask("GET", f"{job.path}/history?after={page['next']}&limit=2", token=ann)).json()
        assert len(page["events"]) <= 2
        seen += page["events"]
    assert [event["sequence"] for event in seen] == [1, 2, 3, 4, 5]
    beyond = await site.ask("GET", f"{job.path}/history?after=9223372036854775807", token=ann)
    assert beyond.json() == {"events": [], "next": None}


async def test_jobs_are_listed_to_whom_they_belong(site: Site) -> None:
    ann, bob, olga = await site.login("ann"), await site.login("bob"), await site.login("olga", "operator")
    jobs = [await site.job(ann, n=number) for number in range(3)]
    his = await site.job(bob, of="bob")
    await site.send(jobs[0], "run")

    async def listed(token: str, query: str = "") -> list[str]:
        answer = await site.ask("GET", f"/api/pipelinejobs{query}", token=token)
        assert answer.status == 200, answer.body
        assert b"jp_" not in answer.body
        return [job["uuid"] for job in answer.json()["jobs"]]

    hers = [job.uuid for job in jobs]
    assert await listed(ann) == hers
    assert await listed(bob) == [his.uuid]
    assert await listed(olga) == [*hers, his.uuid]
    assert await listed(jobs[1].token) == [hers[1]]
    assert await listed(ann, "?state=RUNNING") == hers[:1]
    assert await listed(ann, f"?pipeline_uuid={await site.pipeline(ann)}&state=CREATED") == hers[1:]
    assert await listed(ann, "?pipeline_uuid=10600000-0000-5000-8000-000000000000") == []
    first = (await site.ask("GET", "/api/pipelinejobs?limit=2", token=ann)).json()
    assert await listed(ann, f"?limit=2&after={first['next']}") == hers[2:]


async def test_what_a_job_says_of_itself_is_kept_byte_for_byte(site: Site) -> None:
    ann = await site.login("ann")
    sample, pipeline = "103246e1-bcdf-5b6e-a8dc-4c7e81b91141", await site.pipeline(ann)
    body = (
        b'{"pipeline_uuid":"%b","data":{ },"acted_on":["%b"],"archive_patterns":[ "a$",{"level" : 1.50}],'
        b'"attributes":{"n":1.10, "deep":[[]]},"archive_path":"//a//b/"}' % (pipeline.encode(), sample.encode())
    )
    made = await site.ask("POST", "/api/pipelinejobs", token=ann, body=body)
    assert made.status == 200, made.body
    shown = await site.ask("GET", f"/api/pipelinejobs/{made.json()['uuid']}", token=made.json()["token"])
    for part in (
        b'"archive_patterns":[ "a$",{"level" : 1.50}]',
        b'"attributes":{"n":1.10, "deep":[[]]}',
        b'"product_patterns":[]',
        b'"archive_path":"/a/b"',
        b'"generated_by":["%b"]' % pipeline.encode(),
        b'"acted_on":["%b"]' % sample.encode(),
    ):
        assert part in shown.body
        assert part in made.body
    listed = await site.ask("GET", f"/api/pipelinejobs?acted_on={sample}", token=ann)
    assert [job["uuid"] for job in listed.json()["jobs"]] == [made.json()["uuid"]]
    assert b"attributes" not in listed.body
    for query in ("child_of=", f"child_of={sample}&child_of={sample}", "acted_on=%00", f"acted_to={sample}"):
        answer = await site.ask("GET", f"/api/pipelinejobs?{query}", token=ann)
        assert (answer.status, list(answer.json()["detail"]["query"])) == (422, [query.partition("=")[0]]), query


@pytest.mark.parametrize(
    "body",
    [b"[]", b'{"x":1}', b'{"no_clear_path":1}', b'{"no_clear_path":true,"data":[]}', b'{"data":1,"data":1}', b"{"],
)
async def test_a_reset_that_cannot_be_read_resets_nothing(site: Site, body: bytes) -> None:
    job = await site.job(await site.login("ann"))
    answer = await site.ask("POST", f"{job.path}/reset", token=await site.admin(), body=body)
    assert (answer.status, answer.code) == (422, "invalid_input")
    for headers in ([(b"idempotency-key", b"a b")], [(b"idempotency-key", b"a")] * 2):
        refused = await site.ask("POST", f"{job.path}/reset", token=await site.admin(), headers=headers)
        assert (refused.status, list(refused.json()["detail"]["header"])) == (422, ["Idempotency-Key"])
    found = await site.store.find_job(job.uuid)
    assert found is not None
    assert found.sequence == 1


async def test_a_reset_again_with_its_key_is_the_first_one(site: Site) -> None:
    job, admin = await site.job(await site.login("ann")), await site.admin()
    key = [(b"idempotency-key", b"k" * 255)]
    first = await site.ask("POST", f"{job.path}/reset", token=admin, json={"data": [1.50]}, headers=key)
    assert (first.status, first.json()["last_event"], first.json()["token"]) == (200, "ready", None)
    again = await site.ask("POST", f"{job.path}/reset", token=admin, json={"data": [1.50]}, headers=key)
    assert again.json() == first.json()
    other = await site.ask("POST", f"{job.path}/reset", token=admin, json={"data": [2]}, headers=key)
    assert (other.status, other.code) == (409, "idempotency_conflict")
    history = (await site.ask("GET", f"{job.path}/history", token=job.token)).json()["events"]
    assert [event["name"] for event in history] == ["create", "reset", "ready"]


async def test_health_and_readiness_need_nobody(site: Site) -> None:
    assert (await site.ask("GET", "/health")).json() == {"message": "ok"}
    assert (await site.ask("GET", "/ready")).json() == {"message": "ready"}


async def test_head_is_get_without_a_body(site: Site) -> None:
    whole, head = await site.ask("GET", "/health"), await site.ask("HEAD", "/health")
    assert (head.status, head.body) == (200, b"")
    assert head.header("content-length") == str(len(whole.body))


async def test_slashes_too_many_do_not_matter(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    for path in (f"//api/pipelinejobs//{job.uuid}/events", f"/api/pipelinejobs/{job.uuid}/events/", f"/{job.events}//"):
        answer = await site.ask("POST", path, token=job.token, json={"name": "update"})
        assert answer.status == 200, path
    assert (await site.ask("GET", "//health/")).status == 200
    assert (await site.ask("GET", "/api/pipelinejobs/", token=ann)).status == 200


async def test_no_row_of_the_table_is_left_out_here() -> None:
    """A new route makes this fail, until it has a test."""
    assert sorted(f"{route.method} {route.template}" for route in ROUTES) == [
        "DELETE /api/apikeys/{id}",
        "DELETE /api/pipelinejobs/{uuid}",
        "DELETE /api/webhooks/{id}",
        "GET /api/admin-keys",
        "GET /api/admin-keys/lifetime",
        "GET /api/admin-keys/{id}",
        "GET /api/apikeys",
        "GET /api/apikeys/{id}",
        "GET /api/audit",
        "GET /api/auth/token/{id}",
        "GET /api/auth/tokens",
        "GET /api/auth/tokens/{id}",
        "GET /api/lifecycles",
        "GET /api/me",
        "GET /api/pipelinejobs",
        "GET /api/pipelinejobs/{uuid}",
        "GET /api/pipelinejobs/{uuid}/files",
        "GET /api/pipelinejobs/{uuid}/history",
        "GET /api/pipelinejobs/{uuid}/index",
        "GET /api/pipelinejobs/{uuid}/verify",
        "GET /api/pipelines",
        "GET /api/pipelines/{uuid}",
        "GET /api/platforms",
        "GET /api/platforms/public",
        "GET /api/platforms/{id}",
        "GET /api/tokens",
        "GET /api/tokens/usage/report",
        "GET /api/tokens/{id}",
        "GET /api/users",
        "GET /api/users/{id}",
        "GET /api/webhooks",
        "GET /api/webhooks/{id}",
        "GET /api/webhooks/{id}/dead-letters",
        "GET /health",
        "GET /metrics",
        "GET /openapi.json",
        "GET /ready",
        "POST /api/admin-keys",
        "POST /api/admin-keys/{id}/approve",
        "POST /api/admin-keys/{id}/collect",
        "POST /api/admin-keys/{id}/deny",
        "POST /api/admin-keys/{id}/revoke",
        "POST /api/apikeys",
        "POST /api/apikeys/{id}/reopen",
        "POST /api/apikeys/{id}/revoke",
        "POST /api/auth/token/delete",
        "POST /api/auth/token/generate",
        "POST /api/auth/token/revoke",
        "POST /api/auth/tokens",
        "POST /api/auth/tokens/delete",
        "POST /api/auth/tokens/delete-by-ids",
        "POST /api/auth/tokens/reopen",
        "POST /api/auth/tokens/revoke",
        "POST /api/login",
        "POST /api/logout",
        "POST /api/pipelinejobs",
        "POST /api/pipelinejobs/{uuid}/cancel",
        "POST /api/pipelinejobs/{uuid}/events",
        "POST /api/pipelinejobs/{uuid}/index",
        "POST /api/pipelinejobs/{uuid}/reset",
        "POST /api/pipelinejobs/{uuid}/token",
        "POST /api/pipelinejobs/{uuid}/token/rotate",
        "POST /api/pipelines",
        "POST /api/platforms",
        "POST /api/platforms/{id}/retire",
        "POST /api/tokens",
        "POST /api/tokens/contain",
        "POST /api/tokens/delete",
        "POST /api/tokens/delete-by-ids",
        "POST /api/tokens/reopen",
        "POST /api/tokens/revoke",
        "POST /api/users",
        "POST /api/users/{id}/disable",
        "POST /api/users/{id}/enable",
        "POST /api/users/{id}/password",
        "POST /api/webhooks",
        "POST /api/webhooks/{id}/dead-letters/retry",
        "POST /api/webhooks/{id}/enable",
        "POST /api/webhooks/{id}/ping",
        "POST /api/webhooks/{id}/rotate",
        "POST /oauth/introspect",
        "POST /oauth/revoke",
        "PUT /api/admin-keys/{id}",
        "PUT /api/auth/tokens/{id}",
        "PUT /api/platforms/{id}",
        "PUT /api/tokens/{id}",
        "PUT /api/users/{id}",
    ]
