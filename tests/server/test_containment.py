"""Containment over HTTP: every kind of leaked token, by text and by fingerprint, for its owner and for others."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from jobpass.tokens.attenuate import admin_token, attenuate
from jobpass.tokens.caveats import Actions, Cidr, Events, ExpiresAt
from jobpass.tokens.fingerprint import fingerprint
from support.asgi import Answer
from support.site import Owned, Site

ROUTE = "/api/tokens/contain"
PLACE = "192.0.2.7"


class Leak(NamedTuple):
    """A leaked text; what names it in records, whose it is by name, and a call that it opens."""

    text: str
    kind: str
    credential: str
    owner: str
    opens: Callable[[], Awaitable[bool]]


def named(text: str) -> dict[str, Any]:
    """The fingerprint of a text, as a body has it."""
    made = fingerprint(text)
    caveats = [caveat.decode() for caveat in made.caveats]
    return {
        "prefix": made.prefix,
        "identifier": made.identifier.hex(),
        "caveats": caveats,
        "sha256": made.digest.hex(),
    }


WAYS: dict[str, Callable[[str], dict[str, Any]]] = {
    "text": lambda text: {"token": text},
    "fingerprint": lambda text: {"fingerprint": named(text)},
}


async def contain(site: Site, login: str, way: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await site.ask("POST", ROUTE, token=login, json=way | more)
    assert answer.status == 200, answer.body
    return answer.json()


async def mint(site: Site, bearer: str, **wanted: Any) -> dict[str, Any]:
    answer = await site.ask("POST", "/api/tokens", token=bearer, json=wanted)
    assert answer.status == 200, answer.body
    return answer.json()


async def leak(site: Site, kind: str) -> Leak:
    """A token of this kind in the wrong hands; ann's, or zoe's for administrative power, or olga's API key."""

    def opens(method: str, path: str, text: str, **more: Any) -> Callable[[], Awaitable[bool]]:
        async def ask() -> bool:
            return (await site.ask(method, path, token=text, **more)).status != 401

        return ask

    ann = await site.login("ann")
    job = await site.job(ann, of=kind)
    if kind == "document":
        return Leak(job.token, "document", "", "ann", opens("GET", job.path, job.token))
    if kind == "login":
        credential = (await site.ask("GET", "/api/me", token=ann)).json()["credential"]["id"]
        return Leak(ann, "login", f"login:{credential}", "ann", opens("GET", "/api/me", ann))
    if kind in ("job", "attenuated"):
        made = await mint(site, ann)
        narrow = attenuate(made["token"], [Actions(("account.read",)), Cidr((f"{PLACE}/32",))])
        text = made["token"] if kind == "job" else narrow
        return Leak(text, "job", f"job:{made['credential']}", "ann", opens("GET", "/api/me", text))
    if kind in ("admin", "key"):
        key_id, key = await site.admin_key()
        token = admin_token(key, site.clock.now())
        text = token if kind == "admin" else key
        return Leak(text, "admin", f"admin:{key_id}", "zoe", opens("GET", job.path, token))
    olga = await site.login("olga", "operator")
    made = (await site.ask("POST", "/api/apikeys", token=olga, json={})).json()

    async def active() -> bool:  # no route of this server takes API keys: its record says
        found = await site.store.find_session(made["credential"])
        return found is not None and found.credential.revoked_at is None

    return Leak(made["key"], "apikey", f"apikey:{made['credential']}", "olga", active)


KINDS = ("document", "admin", "key", "login", "job", "attenuated", "apikey")


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_is_told_of_and_ended(site: Site, kind: str, way: Callable[[str], dict[str, Any]]) -> None:
    found = await leak(site, kind)
    rex = await site.login("rex", "operator")
    told = await contain(site, rex, way(found.text))
    assert (told["kind"], told["living"], told["email"]) == (found.kind, True, f"{found.owner}@example.org")
    assert told["credential"] == found.credential or kind == "document"
    assert "stopped" not in told
    assert await found.opens(), "who only asks ends nothing"
    ended = await contain(site, rex, way(found.text), revoke=True)
    stopped = ended["stopped"]
    if kind == "document":
        assert (stopped["credentials"], stopped["jobs"]) == ([], [told["job_uuid"]])
    else:
        assert stopped["jobs"] == []
        assert found.credential.partition(":")[2] in [one["credential"] for one in stopped["credentials"]]
    assert not await found.opens()
    again = await contain(site, rex, way(found.text), revoke=True)
    assert (again["living"], again["stopped"]) == (False, {"credentials": [], "jobs": [], "webhooks": []})
    assert found.text not in json.dumps((told, ended, again))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("kind", KINDS)
async def test_it_is_its_owners_business_and_unknown_to_others(
    site: Site, kind: str, way: Callable[[str], dict[str, Any]]
) -> None:
    found = await leak(site, kind)
    bob = await site.login("bob")
    hidden = await site.ask("POST", ROUTE, token=bob, json=way(found.text) | {"revoke": True, "rotate_jobs": True})
    assert (hidden.status, hidden.code) == (404, "unknown_credential")
    assert await found.opens()
    own = await site.login(found.owner, "operator" if kind == "apikey" else "author")
    told = await contain(site, own, way(found.text), revoke=True)
    assert (told["kind"], told["living"]) == (found.kind, True)
    assert not await found.opens()


async def test_what_it_touched_is_told_with_where_from(site: Site) -> None:
    ann = await site.login("ann")
    parent = await mint(site, ann, label="parent")
    child = await mint(site, parent["token"], label="child")
    job = await site.job(child["token"], of="leak")
    await site.ask("POST", job.events, token=parent["token"], json={"name": "run"})
    await site.ask("POST", job.events, token=ann, json={"name": "update"})
    await site.job(ann, of="none of its business")
    told = await contain(site, ann, {"token": parent["token"]})
    assert [(one["kind"], one["state"]) for one in told["ancestors"]] == [("login", "active")]
    assert [(one["label"], one["credential"]) for one in told["descendants"]] == [("child", child["credential"])]
    assert [(one["uuid"], one["events"]) for one in told["jobs"]] == [(job.uuid, 2)]
    events = [(one["name"], one["state"], one["credential"], one["address"]) for one in told["events"]]
    assert events == [
        ("create", "CREATED", f"job:{child['credential']}", PLACE),
        ("run", "RUNNING", f"job:{parent['credential']}", PLACE),
    ]
    assert (told["counted"], told["more"]) == (2, False)
    made = [one for one in told["audit"] if one["name"] == "token.created"]
    assert [(one["subject"], one["address"]) for one in made] == [(child["credential"], PLACE)]
    assert told["addresses"] == {PLACE: 2 + len(told["audit"])}
    of_child = await contain(site, ann, {"token": child["token"]})
    assert [one["label"] for one in of_child["ancestors"]] == ["parent", "login"]
    assert [one["name"] for one in of_child["events"]] == ["create"]
    by_document = await contain(site, ann, {"token": job.token})
    assert (by_document["job_uuid"], by_document["events"]) == (job.uuid, [])
    await site.send(job, "update")
    by_document = await contain(site, ann, {"token": job.token})
    assert [one["name"] for one in by_document["events"]] == ["update"]


async def test_an_end_takes_all_that_was_asked_for_with_it(site: Site) -> None:
    ann, rex = await site.login("ann"), await site.login("rex", "operator")
    first = await mint(site, ann)
    await mint(site, first["token"])
    asked = (
        await site.ask("POST", "/api/admin-keys", token=ann, json={"use_case": "repair", "storage": "a vault"})
    ).json()
    path, approval = f"/api/admin-keys/{asked['id']}", {"request_hash": asked["request_hash"]}
    await site.ask("POST", f"{path}/approve", token=rex, json=approval)
    key = (await site.ask("POST", f"{path}/collect", token=ann)).json()["key"]
    expired = await mint(site, ann, duration=10)
    site.clock.advance(10)
    stopped = (await contain(site, rex, {"token": ann}, revoke=True))["stopped"]
    kinds = [one["kind"] for one in stopped["credentials"]]
    assert sorted(kinds) == ["admin", "job", "job", "login"]
    assert expired["credential"] not in [one["credential"] for one in stopped["credentials"]]
    job = await site.job(await site.login("ann"), of="after")
    assert (await site.ask("GET", job.path, token=admin_token(key, site.clock.now()))).status == 401
    assert (await site.ask("GET", path, token=rex)).json()["state"] == "revoked"
    again = await site.login("ann")
    reopening = await site.ask("POST", "/api/tokens/reopen", token=again, form={"token": first["token"]})
    assert (reopening.status, reopening.code) == (400, "conflict")
    found = (await site.ask("GET", f"/api/tokens/{first['token_id']}", token=again)).json()
    assert (found["state"], found["valid"]) == ("compromised", False)


async def test_the_jobs_that_it_touched_have_new_serials_if_that_is_asked(site: Site) -> None:
    ann, bob = await site.login("ann"), await site.login("bob")
    made = await mint(site, ann)
    touched, other = await site.job(made["token"], of="touched"), await site.job(ann, of="other")
    stopped = (await contain(site, ann, {"token": made["token"]}, revoke=True, rotate_jobs=True))["stopped"]
    assert stopped["jobs"] == [touched.uuid]
    assert (await site.ask("GET", touched.path, token=touched.token)).status == 401
    assert (await site.ask("GET", other.path, token=other.token)).status == 200
    # Zoe's admin token touched bob's job: it is not hers to rotate, but an operator's.
    for asking, rotated in (("zoe", False), ("rex", True)):
        admin = await site.admin()
        bobs = await site.job(bob, of=asking)
        await site.ask("POST", bobs.events, token=admin, json={"name": "run"})
        login = await site.login(asking)
        stopped = (await contain(site, login, {"token": admin}, revoke=True, rotate_jobs=True))["stopped"]
        assert stopped["jobs"] == ([bobs.uuid] if rotated else [])
        assert (await site.ask("GET", bobs.path, token=bobs.token)).status == (401 if rotated else 200)
        assert (await site.ask("GET", bobs.path, token=admin)).status == 401


async def test_a_document_token_that_ended_before_ends_nothing(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann, of="rotated")
    fresh = (await site.ask("POST", f"{job.path}/token/rotate", token=ann)).json()["token"]
    told = await contain(site, ann, {"token": job.token}, revoke=True)
    assert (told["living"], told["stopped"]["jobs"]) == (False, [])
    assert (await site.ask("GET", job.path, token=fresh)).status == 200
    admin = await site.admin()
    assert (await site.ask("DELETE", job.path, token=admin)).status == 200
    for text in (job.token, fresh):
        assert (await site.ask("POST", ROUTE, token=ann, json={"token": text})).status == 404


async def test_an_expired_token_is_told_of_and_ended_for_good(site: Site) -> None:
    ann = await site.login("ann")
    made = await mint(site, ann, duration=10)
    narrowed = attenuate(made["token"], [ExpiresAt(int(site.clock.now().timestamp()) + 5)])
    site.clock.advance(5)
    assert (await contain(site, ann, {"token": narrowed}))["living"] is False
    assert (await contain(site, ann, {"token": made["token"]}))["living"] is True
    site.clock.advance(5)
    told = await contain(site, ann, {"fingerprint": named(made["token"])}, revoke=True)
    assert (told["living"], told["stopped"]["credentials"]) == (False, [])
    found = (await site.ask("GET", f"/api/tokens/{made['token_id']}", token=ann)).json()
    assert found["state"] == "compromised"


async def test_the_narrowed_copy_ends_the_whole(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann, of="narrow")
    narrow = attenuate(job.token, [Events(("update",))])
    stopped = (await contain(site, ann, {"fingerprint": named(narrow)}, revoke=True))["stopped"]
    assert stopped["jobs"] == [job.uuid]
    assert (await site.ask("GET", job.path, token=job.token)).status == 401


async def test_who_may_only_contain_contains_admin_keys_too(site: Site) -> None:
    key_id, key = await site.admin_key()
    zoe = attenuate(await site.login("zoe"), [Actions(("tokens.contain",))])
    told = await contain(site, zoe, {"token": key}, revoke=True)
    assert key_id in [one["credential"] for one in told["stopped"]["credentials"]]
    rex = await site.login("rex")
    assert (await site.ask("GET", f"/api/admin-keys/{key_id}", token=rex)).json()["state"] == "revoked"
    page = (await site.ask("GET", "/api/audit?name=token.contained", token=rex)).json()
    assert [one["subject"] for one in page["entries"]] == [key_id]


async def test_only_a_login_that_may_contains(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann, of="callers")
    made = (await mint(site, ann))["token"]
    callers = {
        made: 403,
        job.token: 403,
        await site.admin(): 403,
        attenuate(ann, [Actions(("jobs.read",))]): 403,
        attenuate(ann, [ExpiresAt(1)]): 401,
        "jp_log_nonsense": 401,
    }
    for caller, status in callers.items():
        answer = await site.ask("POST", ROUTE, token=caller, json={"token": made, "revoke": True})
        assert answer.status == status, answer.body
    assert (await site.ask("POST", ROUTE, json={"token": made, "revoke": True})).status == 401
    assert (await site.ask("GET", "/api/me", token=made)).status == 200
    allowed = attenuate(ann, [Actions(("tokens.contain",))])
    assert (await contain(site, allowed, {"token": made}, revoke=True))["stopped"]["credentials"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ([], 422),
        ({"token": None}, 422),
        ({"token": "nonsense"}, 422),
        ({"token": ""}, 422),
        ({"token": "jp_job_" + "A" * 9000}, 422),
        ({"token": 7}, 422),
        ({"token": "x", "else": 1}, 422),
        ({"token": "jp_job_AAAA", "revoke": "yes"}, 422),
        ({"fingerprint": {}}, 422),
        ({"fingerprint": "00"}, 422),
    ],
)
async def test_what_is_no_token_is_refused_and_not_repeated(quick_site: Site, body: Any, status: int) -> None:
    ann = await quick_site.login("ann")
    answer = await quick_site.ask("POST", ROUTE, token=ann, json=body)
    assert answer.status == status, answer.body
    assert b"jp_job_A" not in answer.body


async def test_a_fingerprint_that_is_not_of_a_token_of_this_server_is_unknown(quick_site: Site) -> None:
    ann = await quick_site.login("ann")
    made = (await mint(quick_site, ann))["token"]
    whole = named(made)
    both = await quick_site.ask("POST", ROUTE, token=ann, json={"token": made, "fingerprint": whole})
    assert both.status == 422

    async def ask(**changed: Any) -> Answer:
        return await quick_site.ask("POST", ROUTE, token=ann, json={"fingerprint": whole | changed, "revoke": True})

    other = named((await mint(quick_site, ann))["token"])
    unknown: list[dict[str, Any]] = [
        {"sha256": "0" * 64},
        {"sha256": other["sha256"]},
        {"identifier": other["identifier"]},
        {"identifier": whole["identifier"][:-2]},
        {"identifier": ""},
        {"identifier": whole["identifier"][:4] + "00000000" + whole["identifier"][12:]},
        {"prefix": "jp_log_"},
        {"prefix": ""},
        {"caveats": ['["actions",["jobs.read"]]']},
        {"caveats": ["x"] * 64},
        {"caveats": ["x" * 8192]},
    ]
    for changed in unknown:
        answer = await ask(**changed)
        assert (answer.status, answer.code) == (404, "unknown_credential"), changed
    for changed in (
        {"identifier": "abc"},
        {"identifier": "ZZ"},
        {"sha256": "0"},
        {"prefix": "jp_job_x"},
        {"caveats": ["x"] * 65},
        {"caveats": "x"},
        {"signature": "00"},
    ):
        assert (await ask(**changed)).status == 422, changed
    assert (await quick_site.ask("GET", "/api/me", token=made)).status == 200
    assert (await ask()).status == 200


async def test_the_audit_says_what_was_contained(site: Site) -> None:
    ann, rex = await site.login("ann"), await site.login("rex", "operator")
    made = await mint(site, ann)
    job: Owned = await site.job(made["token"], of="audit")
    await contain(site, ann, {"token": made["token"]})
    await contain(site, ann, {"token": made["token"]}, revoke=True, rotate_jobs=True)
    page = (await site.ask("GET", "/api/audit?name=token.contained", token=rex)).json()
    (entry,) = page["entries"]
    assert (entry["subject"], entry["principal"]) == (made["credential"], await site.user_id(ann))
    assert entry["data"] == {
        "kind": "job",
        "ended": [made["credential"]],
        "ended_in_all": 1,
        "rotated": [job.uuid],
        "disabled": [],
    }


async def leased(site: Site, stop: bool = False) -> tuple[str, str, str, str]:
    """A compute job of ann's that a worker has: its uuid, the token of the lease, ann's token and the worker's key."""
    ann, rex = await site.login("ann"), await site.login("rex", "operator")
    await site.ask("POST", "/api/platforms", token=rex, json={"name": "sim:a"})
    key = (await site.ask("POST", "/api/apikeys", token=rex, json={})).json()["key"]
    wanted = {"platform_name": "sim:a", "job_name": "x", "payload": {"command": "run"}}
    uuid = (await site.ask("POST", "/api/jobs", token=ann, json=wanted)).json()["job_id"]
    taken = await take(site, key)
    if stop:
        assert (await site.ask("POST", f"/api/jobs/{uuid}/cancel", token=ann)).status == 200
    return uuid, taken["token"], ann, key


async def take(site: Site, key: str) -> Any:
    asked = {"worker_id": "w", "platforms": ["sim:a"], "wait_s": 0}
    return (await site.ask("POST", "/api/workers/jobs/next", token=key, json=asked)).json()["job"]


async def complete(site: Site, uuid: str, token: str, results: bytes) -> int:
    return (await site.ask("POST", f"/api/workers/jobs/{uuid}/complete", token=token, body=results)).status


@pytest.mark.parametrize("who", ["ann", "rex"])
@pytest.mark.parametrize("rotate_jobs", [False, True])
async def test_the_token_of_a_lease_ends_with_the_lease(site: Site, who: str, rotate_jobs: bool) -> None:
    """Else whoever has it brings results of his own, whatever was contained."""
    uuid, token, ann, key = await leased(site)
    caller, bob = await site.login(who), await site.login("bob")
    assert (await site.ask("POST", ROUTE, token=bob, json={"token": token})).status == 404
    own = (await site.ask("POST", f"/api/pipelinejobs/{uuid}/token", token=ann)).json()["token"]
    told = await contain(site, caller, {"token": token})
    assert (told["living"], told["job_uuid"], told["kind"]) == (True, uuid, "document")
    done = await contain(site, caller, {"token": token}, revoke=True, rotate_jobs=rotate_jobs)
    assert done["stopped"]["jobs"] == [uuid]
    assert await complete(site, uuid, token, b'{"forged":1}') == 401
    again = await contain(site, caller, {"token": token}, revoke=True)
    assert (again["living"], again["stopped"]["jobs"]) == (False, [])
    assert (await site.ask("GET", f"/api/jobs/{uuid}/status", token=own)).status == 200
    fresh = await take(site, key)
    assert (fresh["job_id"], fresh["attempt"]) == (uuid, 2)
    assert await complete(site, uuid, fresh["token"], b'{"good":1}') == 200
    history = (await site.ask("GET", f"/api/pipelinejobs/{uuid}/history", token=ann)).json()["events"]
    assert [one["name"] for one in history] == ["create", "lease", "requeue", "lease", "complete"]
    assert history[2]["data"] == {"reason": "contained", "worker": "w", "attempt": 1}
    assert history[2]["credential"].startswith("login:")


async def test_a_job_that_was_to_be_stopped_is_when_its_lease_is_contained(site: Site) -> None:
    uuid, token, ann, key = await leased(site, stop=True)
    await contain(site, ann, {"token": token}, revoke=True)
    assert (await site.ask("GET", f"/api/jobs/{uuid}/status", token=ann)).json()["status"] == "canceled"
    assert await take(site, key) is None


async def test_the_token_of_a_lease_is_known_and_ended_after_the_rfcs(site: Site) -> None:
    uuid, token, ann, _ = await leased(site)
    bob = await site.login("bob")
    for caller, active in ((bob, False), (ann, True)):
        answer = await site.ask("POST", "/oauth/introspect", token=caller, form={"token": token})
        assert answer.json()["active"] is active
    assert (await site.ask("POST", "/oauth/revoke", token=bob, form={"token": token})).status == 200
    own = (await site.ask("POST", f"/api/pipelinejobs/{uuid}/token", token=ann)).json()["token"]
    assert (await site.ask("POST", "/oauth/revoke", token=ann, form={"token": token})).status == 200
    assert await complete(site, uuid, token, b"{}") == 401
    assert (await site.ask("GET", f"/api/jobs/{uuid}/status", token=own)).json()["status"] == "waiting"
    gone = await site.ask("POST", "/oauth/introspect", token=ann, form={"token": token})
    assert gone.json() == {"active": False}


async def test_webhooks_that_a_thief_made_or_changed_are_told_nothing_more(site: Site) -> None:
    """They would go on after the token: where they lead, and who knows the secret, is the thief's to say."""
    ann = await site.login("ann")
    stolen, job = await site.login("ann"), await site.job(ann, of="webhooks")

    async def make(token: str) -> str:
        wanted = {"url": "http://127.0.0.1:9/", "job_uuid": job.uuid, "events": []}
        answer = await site.ask("POST", "/api/webhooks", token=token, json=wanted)
        assert answer.status == 200, answer.body
        return answer.json()["id"]

    own, rotated, made = await make(ann), await make(ann), await make(stolen)
    gone = await make(stolen)
    assert (await site.ask("POST", f"/api/webhooks/{rotated}/rotate", token=stolen)).status == 200
    assert (await site.ask("DELETE", f"/api/webhooks/{gone}", token=ann)).status == 200
    stopped = (await contain(site, ann, {"token": stolen}, revoke=True))["stopped"]
    assert sorted(stopped["webhooks"]) == sorted([made, rotated])
    shown = (await site.ask("GET", "/api/webhooks", token=ann)).json()["webhooks"]
    assert {one["id"]: one["reason"] for one in shown} == {own: None} | dict.fromkeys(
        [rotated, made], "it was made, or changed, with a token that leaked"
    )
    assert (await site.ask("POST", f"/api/webhooks/{rotated}/enable", token=ann)).status == 200
    again = (await contain(site, ann, {"token": stolen}, revoke=True))["stopped"]
    assert again["webhooks"] == [rotated], "whoever contains it again means that, too"
