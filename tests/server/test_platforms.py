"""Platforms over HTTP: kept by operators, seen by who may use them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Platforms
from support.site import Site

WHOLE = {
    "name": "qpu:one",
    "description": "a machine",
    "type": "physical",
    "status": "available",
    "max_shots": 1000,
    "max_duration": 600,
    "constraints": {"nodes": {"max": 3}},
}


async def ask(site: Site, token: str | None, method: str, path: str, body: Any = None) -> dict[str, Any]:
    answer = await site.ask(method, path, token=token, json=body)
    assert answer.status == 200, answer.body
    return answer.json()


async def names(site: Site, token: str | None, path: str = "/api/platforms") -> list[str]:
    return [one["name"] for one in (await ask(site, token, "GET", path))["platforms"]]


async def test_a_platform_is_added_shown_changed_and_retired(site: Site) -> None:
    olga, ann = await site.login("olga", "operator"), await site.login("ann")
    made = await ask(site, olga, "POST", "/api/platforms", WHOLE)
    assert {name: made[name] for name in WHOLE} == WHOLE
    assert made["specs"] == {"constraints": WHOLE["constraints"]}
    assert (made["perfs"], made["last_seen"], made["retired_date"], made["maintenance"]) == ({}, None, None, None)
    path = "/api/platforms/qpu:one"
    for token in (olga, ann):
        assert await ask(site, token, "GET", path) == made
        assert await ask(site, token, "GET", "/api/platforms") == {"platforms": [made]}
    changed = await ask(site, olga, "PUT", path, {"status": "unavailable", "max_shots": None, "description": "old"})
    assert changed == made | {"status": "unavailable", "max_shots": None, "description": "old"}
    assert await ask(site, olga, "PUT", path, {}) == changed
    retired = await ask(site, olga, "POST", f"{path}/retire")
    assert (retired["status"], retired["retired_date"] is None) == ("retired", False)
    site.clock.advance(1)
    assert await ask(site, olga, "POST", f"{path}/retire") == retired
    assert (await site.ask("GET", path, token=ann)).status == 404
    assert await names(site, ann) == await names(site, None, "/api/platforms/public") == []
    assert await names(site, olga) == ["qpu:one"]
    again = await site.ask("POST", "/api/platforms", token=olga, json={"name": "qpu:one"})
    assert (again.status, again.code) == (409, "already_exists")


async def test_anybody_is_told_which_there_are_and_no_more(site: Site) -> None:
    olga = await site.login("olga", "operator")
    await ask(site, olga, "POST", "/api/platforms", WHOLE)
    (shown,) = (await ask(site, None, "GET", "/api/platforms/public"))["platforms"]
    assert shown.keys() == {
        "id",
        "name",
        "description",
        "type",
        "status",
        "maintenance",
        "statistic",
        "created_date",
    }
    assert (await site.ask("GET", "/api/platforms")).status == 401


async def test_what_is_told_of_a_day_is_how_long_a_worker_was_there(site: Site) -> None:
    olga = await site.login("olga", "operator")
    await ask(site, olga, "POST", "/api/platforms", WHOLE | {"name": "sim:a"})
    key = (await ask(site, olga, "POST", "/api/apikeys", {"platforms": ["sim:a"]}))["key"]
    day = site.clock.now().date().isoformat()

    async def told() -> Any:
        (public,) = (await ask(site, None, "GET", "/api/platforms/public"))["platforms"]
        assert (await ask(site, olga, "GET", "/api/platforms/sim:a"))["statistic"] == public["statistic"]
        return public["statistic"]

    assert await told() == {}
    for _ in range(4):
        await ask(site, key, "POST", "/api/workers/heartbeat", {"worker_id": "w", "platform": "sim:a"})
        site.clock.advance(10)
    assert await told() == {day: {"availability": 0.75}}
    await ask(site, olga, "PUT", "/api/platforms/sim:a", {"description": "another"})
    site.clock.advance(20)
    assert await told() == {day: {"availability": 0.5}}


async def test_a_user_sees_the_platforms_that_he_may_use(site: Site) -> None:
    olga, ann = await site.login("olga", "operator"), await site.login("ann")
    made = [await ask(site, olga, "POST", "/api/platforms", {"name": f"sim:{name}"}) for name in "abc"]
    assert await names(site, ann) == ["sim:a", "sim:b", "sim:c"]
    user = f"/api/users/{await site.user_id(ann)}"
    await ask(site, olga, "PUT", user, {"platform_ids": [made[1]["id"]]})
    job_token = (await site.ask("POST", "/api/tokens", token=ann, json={})).json()["token"]
    for token in (ann, job_token):
        assert await names(site, token) == ["sim:b"]
        hidden = await site.ask("GET", "/api/platforms/sim:a", token=token)
        assert (hidden.status, hidden.code) == (404, "unknown_platform")
        assert (await site.ask("GET", "/api/platforms/sim:b", token=token)).status == 200
    await ask(site, olga, "PUT", user, {"platform_ids": []})
    assert await names(site, ann) == []
    # An operator's login sees all; an operator's job token is an author's.
    await ask(site, olga, "POST", "/api/platforms/sim:c/retire")
    assert await names(site, olga) == ["sim:a", "sim:b", "sim:c"]
    olgas = (await site.ask("POST", "/api/tokens", token=olga, json={})).json()["token"]
    assert await names(site, olgas) == ["sim:a", "sim:b"]
    narrow = attenuate(olga, [Platforms(("sim:a",))])
    assert (await site.ask("GET", "/api/platforms/sim:a", token=narrow)).status == 200
    assert (await site.ask("GET", "/api/platforms/sim:b", token=narrow)).status == 403


async def test_maintenance_is_told_while_it_is_planned(site: Site) -> None:
    olga = await site.login("olga", "operator")
    start = site.clock.now() + timedelta(minutes=1)
    planned = {"start_time": start.isoformat(), "end_time": (start + timedelta(minutes=1)).isoformat()}
    body = {"name": "sim:a", "maintenance": planned}
    path = "/api/platforms/sim:a"
    assert (await ask(site, olga, "POST", "/api/platforms", body))["status"] == "available"
    for expected in ("maintenance", "available"):
        site.clock.advance(60)
        assert (await ask(site, olga, "GET", path))["status"] == expected
    naive = {"start_time": (start - timedelta(minutes=5)).replace(tzinfo=None).isoformat()}
    assert (await ask(site, olga, "PUT", path, {"maintenance": naive}))["status"] == "maintenance"
    assert (await ask(site, olga, "PUT", path, {"maintenance": None}))["status"] == "available"


async def test_only_an_operator_keeps_them(site: Site) -> None:
    olga, ann = await site.login("olga", "operator"), await site.login("ann")
    await ask(site, olga, "POST", "/api/platforms", {"name": "sim:a"})
    olgas = (await site.ask("POST", "/api/tokens", token=olga, json={})).json()["token"]
    calls = [("POST", "/api/platforms", {"name": "sim:b"}), ("PUT", "/api/platforms/sim:a", {"status": "unavailable"})]
    calls.append(("POST", "/api/platforms/sim:a/retire", None))
    for token in (ann, olgas, await site.admin()):
        for method, path, body in calls:
            assert (await site.ask(method, path, token=token, json=body)).status == 403, (method, path)
    assert (await ask(site, None, "GET", "/api/platforms/public"))["platforms"][0]["status"] == "available"


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"name": "nocolon"},
        {"name": "SIM:a"},
        {"name": "sim:"},
        {"name": "sim:a/b"},
        {"name": "sim:" + "a" * 100},
        {"name": "sim:a\n"},
        {"name": "sim:a", "status": "gone"},
        {"name": "sim:a", "type": "Physical!"},
        {"name": "sim:a", "max_shots": 0},
        {"name": "sim:a", "max_shots": 2**53 + 1},
        {"name": "sim:a", "max_duration": 864_001},
        {"name": "sim:a", "constraints": []},
        {"name": "sim:a", "constraints": None},
        {"name": "sim:a", "description": "x" * 4001},
        {"name": "sim:a", "description": "jp_key_" + "A" * 40},
        {"name": "sim:a", "maintenance": {"start_time": "2030-01-02T00:00:00Z", "end_time": "2030-01-01T00:00:00Z"}},
        {"name": "sim:a", "maintenance": {"end_time": "2030-01-01T00:00:00Z"}},
        {"name": "sim:a", "maintenance": {"start_time": "soon"}},
        {"name": "sim:a", "else": 1},
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_made(quick_site: Site, body: Any) -> None:
    olga = await quick_site.login("olga", "operator")
    answer = await quick_site.ask("POST", "/api/platforms", token=olga, json=body)
    assert answer.status == 422, answer.body
    assert await names(quick_site, olga) == []
    await ask(quick_site, olga, "POST", "/api/platforms", {"name": "sim:a"})
    if body and isinstance(body, dict) and "name" in body and len(body) > 1:
        changes = {name: value for name, value in body.items() if name != "name"}
        answer = await quick_site.ask("PUT", "/api/platforms/sim:a", token=olga, json=changes)
        assert answer.status == 422, answer.body


async def test_names_are_looked_up_exactly(quick_site: Site) -> None:
    olga = await quick_site.login("olga", "operator")
    await ask(quick_site, olga, "POST", "/api/platforms", {"name": "sim:a"})
    for name in ("SIM:A", "sim:A", "sim%3Aa%00", "sim:a%20", "a" * 900, "%FF"):
        for method, path in (("GET", ""), ("PUT", ""), ("POST", "/retire")):
            body = {} if method == "PUT" else None
            answer = await quick_site.ask(method, f"/api/platforms/{name}{path}", token=olga, json=body)
            assert answer.status == 404, (name, answer.body)
    assert (await quick_site.ask("GET", "/api/platforms/sim%3Aa", token=olga)).status == 200
