"""Callbacks: what a ticket opens, what may come with it, and how often it counts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from jobpass.authority.callbacks import CALLS
from jobpass.server.callbacks import BODY_LIMIT_BYTES
from jobpass.server.openapi import document
from jobpass.server.routes import ROUTES, routes
from jobpass.stores.memory import MemoryStore
from jobpass.stores.sqlite.store import SqliteStore
from jobpass.tokens import ticket
from jobpass.tokens.attenuate import admin_token, attenuate
from jobpass.tokens.caveats import Actions, Cidr, Events, ExpiresAt
from jobpass.tokens.mint import mint_credential
from jobpass.wire.callbacks import AGAVE_EVENTS
from support.asgi import Answer
from support.samples import make_things, send
from support.site import Owned, Site, make_site
from support.tickets import ALL, ends, make, parts, path

STATUSES = json.loads((Path(__file__).parents[1] / "vectors" / "agave.json").read_text())


@pytest.fixture(params=["memory", "sqlite"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "jobpass.sqlite")
    made = make_site(store, callbacks=True)
    yield made
    await made.authority.close()


@pytest.fixture
async def quick() -> AsyncIterator[Site]:
    made = make_site(MemoryStore(), callbacks=True)
    yield made
    await made.authority.close()


async def running(site: Site) -> tuple[str, Owned]:
    """Ann's log-in, and her job, which runs."""
    ann = await site.login("ann")
    job = await site.job(ann)
    assert (await site.send(job, "run")).status == 200
    return ann, job


async def events(site: Site, job: Owned, login: str) -> list[tuple[str, str, object]]:
    answer = await site.ask("GET", f"{job.path}/history?limit=1000", token=login)
    return [(event["name"], event["state"], event["data"]) for event in answer.json()["events"]]


async def test_get_and_post_with_json_or_form_cause_an_event(site: Site) -> None:
    ann, job = await running(site)
    url = path(make(site, job))
    for answer in (
        await site.ask("GET", f"{url}?status=HEARTBEAT&n=1"),
        await site.ask("POST", url, json={"status": "HEARTBEAT", "n": 2}),
        await site.ask("POST", url, form={"status": "HEARTBEAT", "n": "3"}),
        await site.ask("POST", f"{url}?event=update", json={"n": 4, "status": 5}),
        await site.ask("POST", f"{url}?status=HEARTBEAT&n=5"),
    ):
        assert answer.status == 200, answer.body
        assert answer.json()["uuid"] == job.uuid
        assert answer.json()["token"] is None
        assert set(answer.json()) == {"uuid", "state", "last_event", "sequence", "event_uuid", "token", "at"}
    assert (await events(site, job, ann))[2:] == [
        ("update", "RUNNING", {"status": "HEARTBEAT", "n": "1"}),
        ("update", "RUNNING", {"status": "HEARTBEAT", "n": 2}),
        ("update", "RUNNING", {"status": "HEARTBEAT", "n": "3"}),
        ("update", "RUNNING", {"n": 4, "status": 5}),
        ("update", "RUNNING", {"status": "HEARTBEAT", "n": "5"}),
    ]


@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_of_agave_is_an_event(quick: Site, status: str) -> None:
    _, job = await running(quick)
    expected = {"UPDATED": "update", "KILLED": "fail"}.get(status, STATUSES[status])
    answer = await quick.ask("GET", path(make(quick, job), f"status={status}"))
    assert (answer.status, answer.json()["last_event"]) == (200, expected)
    if status == "KILLED":
        assert answer.json()["state"] == "FAILED"


def test_the_table_is_that_of_agave_but_for_what_was_wrong_with_it() -> None:
    differs = {status for status, event in STATUSES.items() if AGAVE_EVENTS[status] != event}
    assert (set(AGAVE_EVENTS), differs) == (set(STATUSES), {"UPDATED", "KILLED"})


@pytest.mark.parametrize(
    "query",
    [
        *("", "status=", "status=NONSENSE", "status=finished", "status=FINISHED%20", "status=%EF%BC%A6INISHED", "n=1"),
        *("event=finished", "event=FINISH", "event=", "event=may_reset", "event=finish&status=FINISHED"),
        *("status=FINISHED&status=FAILED", "status=%00"),
    ],
)
async def test_what_is_no_status_and_no_event_is_422(quick: Site, query: str) -> None:
    ann, job = await running(quick)
    before = await quick.standing(job, ann)
    for method in ("GET", "POST"):
        assert (await quick.ask(method, path(make(quick, job), query))).status == 422
    assert await quick.standing(job, ann) == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 422),
        (b'"FINISHED"', 422),
        (b'{"status":1}', 422),
        (b'{"status":null}', 422),
        (b'{"status":"FINISHED","status":"FAILED"}', 422),
        (b'{"status":"FINISHED","event":"finish"}', 422),
        (b'{"status":"FINISHED"', 422),
        (b'{"status":"FINISHED","a":NaN}', 422),
        (b'{"status":"FINISHED","a":"\\ud800"}', 422),
        (b'{"status":"FINISHED","a":' + b"[" * 65 + b"]" * 65 + b"}", 422),
        (b'{"status":"FINISHED","a":"' + b"x" * BODY_LIMIT_BYTES + b'"}', 413),
    ],
)
async def test_a_body_is_read_strictly_and_bounded(quick: Site, body: bytes, status: int) -> None:
    ann, job = await running(quick)
    before = await quick.standing(job, ann)
    assert (await quick.ask("POST", path(make(quick, job)), body=body)).status == status
    assert await quick.standing(job, ann) == before


async def test_a_body_of_another_type_is_refused(quick: Site) -> None:
    _, job = await running(quick)
    for kind in (b"text/plain", b"multipart/form-data; boundary=x", b"application/x-www-form-urlencoded; charset=x"):
        answer = await quick.ask(
            "POST", path(make(quick, job)), body=b"status=FINISHED", headers=[(b"content-type", kind)]
        )
        assert answer.status == 415, kind


async def test_a_ticket_opens_the_events_that_it_names(site: Site) -> None:
    ann, job = await running(site)
    only = make(site, job, ["update"])
    for told in ("status=FINISHED", "event=fail", "event=reset", "event=ready", "event=retire"):
        answer = await site.ask("GET", path(only, told))
        assert (answer.status, answer.code) == (403, "denied")
    assert (await site.ask("GET", path(only, "event=update"))).status == 200
    assert [name for name, _, _ in await events(site, job, ann)] == ["create", "run", "update"]


async def test_no_ticket_resets(site: Site) -> None:
    ann, job = await running(site)
    wide = make(site, job, ["reset", "ready", "delete", "cancel"])
    before = await site.standing(job, ann)
    for name, status in (("reset", 403), ("ready", 403), ("delete", 422), ("cancel", 422)):
        assert (await site.ask("POST", path(wide), json={"event": name})).status == status
    assert await site.standing(job, ann) == before


async def test_an_event_that_is_not_legal_now_is_409_and_may_come_again(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    url = path(make(site, job), "status=FINISHED")
    assert (await site.ask("GET", url)).code == "illegal_transition"
    assert (await site.send(job, "run")).status == 200
    assert (await site.ask("GET", url)).json()["state"] == "FINISHED"


async def test_an_event_that_brings_to_rest_counts_once_and_replays_give_the_first_answer(site: Site) -> None:
    ann, job = await running(site)
    text = make(site, job)
    first = await site.ask("GET", path(text, "status=FINISHED&try=1"))
    assert first.status == 200
    assert (await site.send(job, "index")).status == 200
    again = await site.ask("POST", path(text), json={"event": "finish", "try": 2})
    assert (again.status, again.json()) == (200, first.json())
    told = await events(site, job, ann)
    assert [name for name, _, _ in told] == ["create", "run", "finish", "index"]
    assert told[2][2] == {"status": "FINISHED", "try": "1"}


async def test_a_late_replay_does_not_end_the_next_run(site: Site) -> None:
    _, job = await running(site)
    text, admin = make(site, job), await site.admin()
    first = (await site.ask("GET", path(text, "status=FAILED"))).json()
    for name in ("reset", "ready", "run"):
        assert (await site.ask("POST", job.events, token=admin, json={"name": name})).status == 200
    assert (await site.ask("GET", path(text, "status=FAILED"))).json() == first
    assert (await site.ask("GET", job.path, token=job.token)).json()["state"] == "RUNNING"
    other = make(site, job, life=timedelta(days=6))
    assert (await site.ask("GET", path(other, "status=FAILED"))).json()["state"] == "FAILED"


async def test_a_ticket_that_its_holder_narrows_or_writes_otherwise_is_still_the_same(quick: Site) -> None:
    ann, job = await running(quick)
    text = make(quick, job)
    first = (await quick.ask("GET", path(text, "status=FINISHED"))).json()
    for more in ([Events(("finish",))], [ends(quick.clock.now(), timedelta(hours=1))], [Actions((ticket.ACTION,))]):
        again = await quick.ask("GET", path(attenuate(text, more), "status=FINISHED"))
        assert (again.status, again.json()) == (200, first)
    assert [name for name, _, _ in await events(quick, job, ann)] == ["create", "run", "finish"]


async def test_of_many_at_once_one_counts(site: Site) -> None:
    ann, job = await running(site)
    url = path(make(site, job), "status=FINISHED")
    answers = await asyncio.gather(*(site.ask("GET", url) for _ in range(20)))
    assert len({answer.body for answer in answers}) == 1
    assert [name for name, _, _ in await events(site, job, ann)] == ["create", "run", "finish"]


async def test_another_node_gives_the_first_answer(tmp_path: Path) -> None:
    """Two processes' worth of authority on one file, with the same keyring."""
    first = make_site(await SqliteStore.open(tmp_path / "jobpass.sqlite"), callbacks=True)
    ann, job = await running(first)
    second = make_site(await SqliteStore.open(tmp_path / "jobpass.sqlite"), first.clock, first.keyring, callbacks=True)
    url = path(make(first, job), "status=FINISHED")
    answers = [await node.ask("GET", url) for node in (first, second, first)]
    assert [answer.json() for answer in answers] == [answers[0].json()] * 3
    assert [name for name, _, _ in await events(second, job, ann)] == ["create", "run", "finish"]
    await second.authority.close()
    await first.authority.close()


async def test_other_events_count_each_time_but_not_without_end(quick: Site) -> None:
    ann, job = await running(quick)
    text, other = make(quick, job), make(quick, job, ["update"])
    beat = path(text, "status=HEARTBEAT")
    answers = [(await quick.ask("GET", beat)).status for _ in range(CALLS.burst + 1)]
    assert answers == [200] * CALLS.burst + [429]
    narrowed = attenuate(text, [Events(("update",))])
    refused = await quick.ask("GET", path(narrowed, "status=HEARTBEAT"))
    assert (refused.status, refused.header("retry-after")) == (429, str(int(CALLS.seconds) + 1))
    assert (await quick.ask("GET", path(other, "event=update"))).status == 200
    quick.clock.advance(CALLS.seconds)
    assert (await quick.ask("GET", beat)).status == 200
    assert (await quick.ask("GET", beat)).status == 429
    assert (await quick.ask("GET", path(text, "status=FINISHED"))).status == 200
    assert len(await events(quick, job, ann)) == 2 + CALLS.burst + 2 + 1


async def test_what_is_no_ticket_is_refused_alike(site: Site) -> None:
    """Whatever it opens elsewhere: nothing is told, nothing is done."""
    ann, job = await running(site)
    other = await site.job(ann, of="another")
    _, key = await site.admin_key()
    seconds = int(site.clock.now().timestamp())
    three = parts(site)
    texts = {
        "nonsense": "x",
        "not ASCII": "é",
        "a slash": "jp_doc_%2Fx",
        "a document token": job.token,
        "a login token": ann,
        "an operator's": await site.login("olga", "operator"),
        "an admin key": key,
        "an admin token": admin_token(key, site.clock.now()),
        "an admin token that looks like a ticket": attenuate(admin_token(key, site.clock.now()), [*three.values()]),
        "a login that looks like a ticket": attenuate(ann, [*three.values()]),
        "a job token": attenuate(mint_credential(site.keyring, "job", "1" * 32), [*three.values()]),
        "an API key": attenuate(mint_credential(site.keyring, "apikey", "2" * 32), [*three.values()]),
        **{f"without {name}": attenuate(job.token, [c for n, c in three.items() if n != name]) for name in three},
        "of two actions": attenuate(job.token, [three["events"], three["end"], Actions((ticket.ACTION, "jobs.event"))]),
        "of another action": attenuate(job.token, [three["events"], three["end"], Actions(("jobs.event",))]),
        "for too long": make(site, job, life=timedelta(days=30, seconds=61)),
        "expired": attenuate(make(site, job), [ExpiresAt(seconds)]),
        "forged": make(site, job)[:-3] + ("AAA" if make(site, job)[-3:] != "AAA" else "BBB"),
        "cut": make(site, job)[:-8],
    }
    before = await site.standing(job, ann), await site.standing(other, ann)
    for name, text in texts.items():
        for method, target in (("GET", "event=finish"), ("POST", "status=FINISHED"), ("GET", ""), ("POST", "event=x")):
            answer = await site.ask(method, path(text if "%" in text else quote(text), target))
            expected = (404, "unknown_route") if name == "a slash" else (401, "invalid_token")
            assert (answer.status, answer.code) == expected, (name, answer.body)
            if expected[0] == 401:
                assert answer.json() | {"request_id": ""} == {
                    "error": "The token is not valid.",
                    "detail": {"code": "invalid_token"},
                    "request_id": "",
                }
    assert (await site.standing(job, ann), await site.standing(other, ann)) == before


async def test_a_bad_ticket_is_refused_before_its_body_is_read(quick: Site) -> None:
    _, job = await running(quick)
    answer = await quick.ask("POST", path(job.token), body=b"{" + b"x" * 2**20)
    assert answer.status == 401


async def test_a_ticket_opens_nothing_else(quick: Site) -> None:
    things = await make_things(quick)
    text = make(quick, things.job)
    before = await quick.standing(things.job, things.ann)
    for route in ROUTES:
        if route.bearer:
            answer = await send(quick, route, things, text)
            expected = (401,) if route.kinds else (403, 404)  # where only some kinds are tokens at all
            assert answer.status in expected, (route.template, answer.body)
    assert await quick.standing(things.job, things.ann) == before
    for query in (f"token={text}", f"access_token={text}"):
        assert (await quick.ask("GET", f"{things.job.path}?{query}")).status == 401


async def test_it_ends_with_the_token_that_it_was_made_from_and_with_the_job(site: Site) -> None:
    ann, job = await running(site)
    text = make(site, job)
    assert (await site.ask("POST", f"{job.path}/token/rotate", token=ann)).status == 200
    ended = await site.ask("GET", path(text, "status=FINISHED"))
    assert (ended.status, ended.code) == (401, "invalid_token")
    again = Owned(job.uuid, (await site.ask("POST", f"{job.path}/token", token=ann)).json()["token"])
    fresh = make(site, again)
    assert (await site.ask("GET", path(fresh, "event=update"))).status == 200
    assert (await site.ask("DELETE", job.path, token=await site.admin())).status == 200
    gone = await site.ask("GET", path(fresh, "event=update"))
    assert (gone.status, gone.json() | {"request_id": ""}) == (401, ended.json() | {"request_id": ""})


async def test_it_ends_in_time_also_for_replays(quick: Site) -> None:
    _, job = await running(quick)
    text = make(quick, job, life=timedelta(minutes=1))
    assert (await quick.ask("GET", path(text, "status=FINISHED"))).status == 200
    quick.clock.advance(60)
    assert (await quick.ask("GET", path(text, "status=FINISHED"))).status == 401


async def test_networks_and_what_the_document_token_was_narrowed_to_hold(quick: Site) -> None:
    _, job = await running(quick)
    for condition, status in ((Cidr(("192.0.2.0/24",)), 200), (Cidr(("10.0.0.0/8",)), 403), (Events(("run",)), 403)):
        narrowed = Owned(job.uuid, attenuate(job.token, [condition]))
        assert (await quick.ask("GET", path(make(quick, narrowed), "event=update"))).status == status, condition


async def test_head_options_and_others_cause_nothing(quick: Site) -> None:
    ann, job = await running(quick)
    url = path(make(quick, job), "status=FINISHED")
    before = await quick.standing(job, ann)
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        answer = await quick.ask(method, url)
        assert (answer.status, answer.header("allow")) == (405, "GET, POST"), method
        assert not [name for name, _ in answer.headers if name.startswith(b"access-control")]
    assert await quick.standing(job, ann) == before
    good = await quick.ask("GET", url)
    assert (good.status, good.header("cache-control")) == (200, "no-store")
    assert not [name for name, _ in good.headers if name.startswith(b"access-control")]


async def test_off_there_is_no_such_route(quick_site: Site) -> None:
    ann = await quick_site.login("ann")
    job = await quick_site.job(ann)
    text = make(quick_site, job)
    unknown = await quick_site.ask("GET", "/api/nothing/x")
    for method in ("GET", "POST", "HEAD", "PUT"):
        answer = await quick_site.ask(method, path(text, "event=update"))
        assert answer.status == 404
        if method != "HEAD":
            assert answer.json() | {"request_id": ""} == unknown.json() | {"request_id": ""}
    shown = (await quick_site.ask("GET", "/openapi.json")).json()
    assert not [template for template in shown["paths"] if "callback" in template]


async def test_on_it_is_described(quick: Site) -> None:
    shown = (await quick.ask("GET", "/openapi.json")).json()
    described = shown["paths"]["/api/callbacks/{ticket}"]
    assert set(described) == {"get", "post"}
    assert {"200", "401", "403", "409", "422", "429"} <= set(described["get"]["responses"])
    assert "security" not in described["post"]
    assert shown == json.loads(json.dumps(document(routes(callbacks=True))))


async def audit(site: Site, name: str) -> list[dict[str, object]]:
    olga = await site.login("olga", "operator")
    return (await site.ask("GET", f"/api/audit?name={name}&limit=1000", token=olga)).json()["entries"]


async def test_a_real_token_in_a_url_is_in_the_audit_by_its_public_name(site: Site) -> None:
    ann, job = await running(site)
    key_id, key = await site.admin_key()
    for text in (job.token, ann, key, admin_token(key, site.clock.now()), "jp_doc_nonsense", job.token[:-4] + "AAAA"):
        assert (await site.ask("GET", path(text, "event=update"))).status == 401
    entries = await audit(site, "token.in_url")
    kinds = [(entry["data"]["kind"], entry["subject"], entry["credential"].partition(":")[0]) for entry in entries]
    assert kinds == [("document", job.uuid, "document"), ("login", None, "login"), ("admin", None, "admin")]
    assert entries[1]["principal"] == await site.user_id(ann)
    assert entries[2]["credential"] == f"admin:{key_id}"
    refused = [entry for entry in await audit(site, "refused") if "no ticket" in entry["data"]["reason"]]
    assert len(refused) == 4


async def test_so_is_one_that_was_narrowed_as_a_ticket_is(quick: Site) -> None:
    ann = await quick.login("ann")
    assert (await quick.ask("GET", path(attenuate(ann, [*parts(quick).values()]), "event=update"))).status == 401
    assert [entry["principal"] for entry in await audit(quick, "token.in_url")] == [await quick.user_id(ann)]


async def test_who_repeats_it_does_not_fill_the_audit(quick: Site) -> None:
    _, job = await running(quick)
    for _ in range(50):
        await quick.ask("GET", path(job.token, "event=update"))
    assert len(await audit(quick, "token.in_url")) == 1
    quick.clock.advance(60)
    await quick.ask("GET", path(job.token, "event=update"))
    assert len(await audit(quick, "token.in_url")) == 2


async def test_a_refused_ticket_is_in_the_audit_with_its_job(quick: Site) -> None:
    _, job = await running(quick)
    assert (await quick.ask("GET", path(make(quick, job, ["update"]), "event=fail"))).status == 403
    entry = (await audit(quick, "refused"))[-1]
    assert (entry["subject"], entry["data"]["action"]) == (job.uuid, "/api/callbacks/{ticket}")
    assert str(entry["credential"]).startswith("document:")


async def test_tokens_in_the_data_are_cut(quick: Site) -> None:
    ann, job = await running(quick)
    text = make(quick, job)
    answer = await quick.ask(
        "POST", path(text, f"url={quote(text)}"), json={"event": "update", "note": f"with {job.token}"}
    )
    assert answer.status == 200
    assert (await events(quick, job, ann))[-1][2] == {"note": "with jp_doc_…", "url": "jp_doc_…"}


async def test_a_ticket_works_for_other_lifecycles_by_event(quick: Site) -> None:
    ann = await quick.login("ann")
    wanted = {"pipeline_uuid": await quick.pipeline(ann), "data": {}, "lifecycle": "compute"}
    made = (await quick.ask("POST", "/api/pipelinejobs", token=ann, json=wanted)).json()
    job = Owned(made["uuid"], made["token"])
    text = make(quick, job, ["lease", "complete", "finish"])
    assert (await quick.ask("GET", path(text, "event=lease"))).json()["state"] == "running"
    unknown = await quick.ask("GET", path(text, "status=FINISHED"))
    assert (unknown.status, unknown.code) == (422, "unknown_event")
    first: Answer = await quick.ask("GET", path(text, "event=complete"))
    assert first.json()["state"] == "completed"
    assert (await quick.ask("GET", path(text, "event=complete&again=1"))).json() == first.json()


def test_all_events_of_the_table_are_those_that_a_sender_needs() -> None:
    assert set(AGAVE_EVENTS.values()) == set(ALL)
