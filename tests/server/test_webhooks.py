"""Webhooks over HTTP, on each store: who may have what told to whom."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Actions, Cidr, ExpiresAt, Jobs
from support.site import Owned, Site

URL = "http://127.0.0.1:9/secret/path"


async def subscribe(site: Site, token: str, **wanted: Any) -> dict[str, Any]:
    answer = await site.ask("POST", "/api/webhooks", token=token, json={"url": URL, **wanted})
    assert answer.status == 200, answer.body
    return answer.json()


async def test_a_webhook_from_beginning_to_end(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    made = await subscribe(site, ann, job_uuid=job.uuid, events=["finish", "fail", "finish"])
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert len(secret) == 6 + 44
    assert made == {
        "id": made["id"],
        "owner": await site.user_id(ann),
        "url": URL,
        "job_uuid": job.uuid,
        "pipeline_uuid": None,
        "events": ["finish", "fail"],
        "created_at": "2026-11-22T12:00:00Z",
        "previous_until": None,
        "failing_since": None,
        "disabled_at": None,
        "reason": None,
    }
    path = f"/api/webhooks/{made['id']}"
    assert (await site.ask("GET", path, token=ann)).json() == made | {"waiting": 0, "dead": 0}
    assert (await site.ask("GET", "/api/webhooks", token=ann)).json() == {"webhooks": [made], "next": None}
    rotated = (await site.ask("POST", f"{path}/rotate", token=ann, json={"grace_seconds": 60})).json()
    assert rotated.pop("secret") != secret
    assert rotated == made | {"previous_until": "2026-11-22T12:01:00Z"}
    assert (await site.ask("POST", f"{path}/ping", token=ann)).json()["message_id"].startswith("100")
    again = await site.ask("POST", f"{path}/ping", token=ann)
    assert (again.status, again.header("retry-after")) == (429, "60")
    assert (await site.ask("GET", path, token=ann)).json()["waiting"] == 1
    assert (await site.ask("GET", f"{path}/dead-letters", token=ann)).json() == {"dead_letters": [], "next": None}
    assert (await site.ask("DELETE", path, token=ann)).json() == {"id": made["id"], "deleted": True}
    for method, target in (("GET", path), ("DELETE", path), ("POST", f"{path}/ping"), ("GET", f"{path}/dead-letters")):
        assert (await site.ask(method, target, token=ann)).code == "unknown_webhook"


async def test_what_gave_and_took_power_is_in_the_audit_without_secret_or_path(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    made = await subscribe(site, ann, job_uuid=job.uuid)
    path = f"/api/webhooks/{made['id']}"
    rotated = (await site.ask("POST", f"{path}/rotate", token=ann)).json()
    await site.ask("POST", f"{path}/enable", token=ann)
    await site.ask("DELETE", path, token=ann)
    entries = [one for one in (await site.store.list_audit()).items if one.name.startswith("webhook")]
    assert [(one.name, one.subject, json.loads(one.data)) for one in entries] == [
        (
            "webhook.created",
            made["id"],
            {"job": job.uuid, "pipeline": None, "to": "http://127.0.0.1:9"},
        ),
        ("webhook.rotated", made["id"], {"grace_seconds": 86_400}),
        ("webhook.enabled", made["id"], {}),
        ("webhook.deleted", made["id"], {"owner": await site.user_id(ann)}),
    ]
    everything = repr((await site.store.list_audit()).items)
    for secret in (made["secret"], rotated["secret"], "secret/path"):
        assert secret not in everything


async def test_a_job_s_webhook_is_its_owner_s_only(site: Site) -> None:
    ann, bob, olga = await site.login("ann"), await site.login("bob"), await site.login("olga", "operator")
    job = await site.job(ann)
    wanted = {"url": URL, "job_uuid": job.uuid}
    unknown = wanted | {"job_uuid": "10700000-0000-5000-8000-000000000000"}
    hidden = await site.ask("POST", "/api/webhooks", token=bob, json=wanted)
    missing = await site.ask("POST", "/api/webhooks", token=bob, json=unknown)
    assert (hidden.status, hidden.code) == (missing.status, missing.code) == (404, "unknown_job")
    assert hidden.json()["error"] == missing.json()["error"]
    assert (await site.ask("POST", "/api/webhooks", token=olga, json=wanted)).code == "denied"
    for token in (job.token, await site.admin()):
        assert (await site.ask("POST", "/api/webhooks", token=token, json=wanted)).code == "denied"
        assert (await site.ask("GET", "/api/webhooks", token=token)).code == "denied"


async def test_another_s_webhook_is_hidden_and_an_operator_may_see_and_end_it(site: Site) -> None:
    ann, bob, olga = await site.login("ann"), await site.login("bob"), await site.login("olga", "operator")
    job = await site.job(ann)
    made = await subscribe(site, ann, job_uuid=job.uuid)
    path = f"/api/webhooks/{made['id']}"
    every = [
        ("GET", path),
        ("POST", f"{path}/rotate"),
        ("POST", f"{path}/enable"),
        ("POST", f"{path}/ping"),
        ("GET", f"{path}/dead-letters"),
        ("POST", f"{path}/dead-letters/retry"),
        ("DELETE", path),
    ]
    for method, target in every:
        answer = await site.ask(method, target, token=bob)
        assert (answer.status, answer.code) == (404, "unknown_webhook"), target
    assert (await site.ask("GET", "/api/webhooks", token=bob)).json()["webhooks"] == []
    (listed,) = (await site.ask("GET", "/api/webhooks", token=olga)).json()["webhooks"]
    shown = (await site.ask("GET", path, token=olga)).json()
    assert shown["url"] == listed["url"] == "http://127.0.0.1:9/…"
    assert "secret" not in shown
    assert (await site.ask("GET", f"{path}/dead-letters", token=olga)).status == 200
    for action in ("rotate", "enable", "ping", "dead-letters/retry"):
        assert (await site.ask("POST", f"{path}/{action}", token=olga)).code == "denied", action
    assert (await site.ask("GET", path, token=ann)).json()["previous_until"] is None
    assert (await site.ask("DELETE", path, token=olga)).status == 200
    assert (await site.ask("GET", path, token=ann)).status == 404


async def test_a_narrowed_token_leaves_nothing_behind(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    made = await subscribe(site, ann, job_uuid=job.uuid)
    pipeline = await site.pipeline(ann)
    path = f"/api/webhooks/{made['id']}"
    for caveat in (
        ExpiresAt(2_000_000_000),
        Jobs((job.uuid,)),
        Actions(("webhooks.manage", "webhooks.read")),
        Cidr(("192.0.2.0/24",)),
    ):
        narrow = attenuate(ann, [caveat])
        for wanted in ({"job_uuid": job.uuid}, {"pipeline_uuid": pipeline}):
            answer = await site.ask("POST", "/api/webhooks", token=narrow, json={"url": URL, **wanted})
            assert (answer.status, answer.code) == (403, "denied"), caveat
        for action in ("rotate", "enable", "ping", "dead-letters/retry"):
            assert (await site.ask("POST", f"{path}/{action}", token=narrow)).code == "denied", (caveat, action)
    assert len((await site.ask("GET", "/api/webhooks", token=ann)).json()["webhooks"]) == 1


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({}, "json.job_uuid"),
        ({"job_uuid": "{job}", "pipeline_uuid": "{pipeline}"}, "json.job_uuid"),
        ({"job_uuid": "JOB"}, "json.job_uuid"),
        ({"pipeline_uuid": "x"}, "json.pipeline_uuid"),
        ({"pipeline_uuid": "10600000-0000-5000-8000-000000000000"}, "json.pipeline_uuid"),
        ({"job_uuid": "{job}", "events": ["finished"]}, "json.events"),
        ({"job_uuid": "{job}", "events": ["FINISH"]}, "json.events"),
        ({"job_uuid": "{job}", "events": "finish"}, "json.events"),
        ({"job_uuid": "{job}", "url": "ftp://127.0.0.1/"}, "json.url"),
        ({"job_uuid": "{job}", "url": "http://user:pw@127.0.0.1/"}, "json.url"),
        ({"job_uuid": "{job}", "url": "http://10.0.0.1/"}, "json.url"),
        ({"job_uuid": "{job}", "url": "http://169.254.169.254/latest/meta-data"}, "json.url"),
        ({"job_uuid": "{job}", "url": "https://[::1]/"}, "json.url"),
        ({"job_uuid": "{job}", "url": "https://0/"}, "json.url"),
        ({"job_uuid": "{job}", "url": "https://does-not-exist.invalid/"}, "json.url"),
        ({"job_uuid": "{job}", "url": "http://127.0.0.1/{token}"}, "json._body"),
        ({"job_uuid": "{job}", "secret": "mine"}, "json.secret"),
        ({"job_uuid": "{job}", "owner": 1}, "json.owner"),
    ],
)
async def test_what_cannot_be_is_refused_where_it_stands(site: Site, wanted: dict[str, Any], field: str) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    filled = json.dumps({"url": URL} | wanted)
    for name, value in {"job": job.uuid, "pipeline": await site.pipeline(ann), "token": job.token}.items():
        filled = filled.replace(f"{{{name}}}", value)
    answer = await site.ask("POST", "/api/webhooks", token=ann, body=filled.encode())
    place, name = field.split(".")
    assert answer.status == 422, answer.body
    assert any(found.startswith(name) for found in answer.json()["detail"][place]), answer.body
    assert (await site.ask("GET", "/api/webhooks", token=ann)).json()["webhooks"] == []


async def test_nobody_has_more_than_a_hundred(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    for _ in range(100):
        await subscribe(site, ann, job_uuid=job.uuid)
    answer = await site.ask("POST", "/api/webhooks", token=ann, json={"url": URL, "job_uuid": job.uuid})
    assert (answer.status, answer.code) == (409, "conflict")
    page = (await site.ask("GET", "/api/webhooks?limit=99", token=ann)).json()
    rest = (await site.ask("GET", f"/api/webhooks?after={page['next']}", token=ann)).json()
    assert (len(page["webhooks"]), len(rest["webhooks"]), rest["next"]) == (99, 1, None)
    assert (await site.ask("DELETE", f"/api/webhooks/{rest['webhooks'][0]['id']}", token=ann)).status == 200
    await subscribe(site, ann, job_uuid=job.uuid)


@pytest.mark.parametrize("grace", [-1, 604_801, "1", 1.5, True])
async def test_a_grace_is_bounded(site: Site, grace: Any) -> None:
    ann = await site.login("ann")
    made = await subscribe(site, ann, job_uuid=(await site.job(ann)).uuid)
    answer = await site.ask("POST", f"/api/webhooks/{made['id']}/rotate", token=ann, json={"grace_seconds": grace})
    assert (answer.status, answer.code) == (422, "invalid_input")


async def test_secrets_differ_and_follow_from_the_root_key_alone(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    secrets = {(await subscribe(site, ann, job_uuid=job.uuid))["secret"] for _ in range(5)}
    assert len(secrets) == 5
    stored = repr((await site.store.list_webhooks(owner=None, after=None, limit=9)).items)
    assert not any(secret.removeprefix("whsec_") in stored for secret in secrets)


async def test_events_are_queued_for_nobody_while_nobody_sends(site: Site) -> None:
    """Nothing of a webhook is in an event's way."""
    ann = await site.login("ann")
    job = await site.job(ann)
    made = await subscribe(site, ann, job_uuid=job.uuid)
    assert isinstance(job, Owned)
    await site.send(job, "run")
    assert (await site.ask("GET", f"/api/webhooks/{made['id']}", token=ann)).json()["waiting"] == 0
