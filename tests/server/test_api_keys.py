"""API keys over HTTP: made, seen and ended by operators, and good on no user's route."""

from __future__ import annotations

from typing import Any

import pytest

from jobpass.server.routes import ROUTES
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Actions, Caveat, Cidr, ExpiresAt, Platforms, read_all
from jobpass.tokens.token import parse
from support.samples import make_things, send
from support.site import Site


async def make(site: Site, bearer: str, **wanted: Any) -> dict[str, Any]:
    answer = await site.ask("POST", "/api/apikeys", token=bearer, json=wanted)
    assert answer.status == 200, answer.body
    return answer.json()


async def ask(site: Site, bearer: str, method: str, path: str) -> dict[str, Any]:
    answer = await site.ask(method, path, token=bearer)
    assert answer.status == 200, answer.body
    return answer.json()


def caveats(text: str) -> tuple[Caveat, ...]:
    return read_all(parse(text).caveats)


async def test_a_key_is_made_listed_shown_and_ended(site: Site) -> None:
    olga = await site.login("olga", "operator")
    made = await make(site, olga, label="rack", duration=60)
    path = f"/api/apikeys/{made['id']}"
    assert made["key"].startswith("jp_key_")
    assert (made["label"], made["duration"], made["platforms"], made["parent"]) == ("rack", 60, None, None)
    shown = await ask(site, olga, "GET", path)
    assert shown == made | {"key": made["key"][:27] + "…"}
    assert (await ask(site, olga, "GET", "/api/apikeys")) == {"api_keys": [shown], "next": None}
    revoked = await ask(site, olga, "POST", f"{path}/revoke")
    assert (revoked["state"], revoked["revoked_date"] is None) == ("revoked", False)
    assert (await ask(site, olga, "GET", "/api/apikeys"))["api_keys"] == []
    assert (await ask(site, olga, "GET", "/api/apikeys?include_revoked=true"))["api_keys"] == [revoked]
    assert (await ask(site, olga, "POST", f"{path}/reopen")) == shown
    assert (await ask(site, olga, "DELETE", path)) == {"message": "ok"}
    for method, target in (("GET", path), ("DELETE", path), ("POST", f"{path}/revoke"), ("POST", f"{path}/reopen")):
        answer = await site.ask(method, target, token=olga)
        assert (answer.status, answer.code) == (404, "unknown_credential")
    assert (await ask(site, olga, "GET", "/api/apikeys?include_revoked=1&include_expired=1"))["api_keys"] == []


async def test_a_key_opens_no_route_of_a_user(site: Site) -> None:
    olga = await site.login("olga", "operator")
    key = (await make(site, olga))["key"]
    things = await make_things(site)
    before = await site.standing(things.job, things.ann)
    for route in ROUTES:
        if route.bearer and "apikey" not in route.kinds:
            answer = await send(site, route, things, key)
            assert answer.status == 401, (route.method, route.template, answer.body)
    assert await site.standing(things.job, things.ann) == before


async def test_a_user_s_token_makes_and_sees_none(site: Site) -> None:
    olga, ann = await site.login("olga", "operator"), await site.login("ann")
    made = await make(site, olga)
    job_token = (await site.ask("POST", "/api/tokens", token=olga, json={})).json()["token"]
    path = f"/api/apikeys/{made['id']}"
    calls = [("POST", "/api/apikeys"), ("GET", "/api/apikeys"), ("GET", path), ("DELETE", path)]
    calls += [("POST", f"{path}/revoke"), ("POST", f"{path}/reopen")]
    for token in (ann, job_token, await site.admin(), made["key"]):
        for method, target in calls:
            answer = await site.ask(method, target, token=token, json={} if target == "/api/apikeys" else None)
            assert answer.status == (401 if token == made["key"] else 403), (method, target, answer.body)
    assert (await ask(site, olga, "GET", path))["state"] == "active"
    # Nor by the routes of job tokens, in which an API key is no token.
    for form in ({"token": made["key"]}, {"token_id": str(made["id"])}):
        assert (await site.ask("POST", "/api/tokens/revoke", token=olga, form=form)).status == 400
    assert (await site.ask("GET", f"/api/tokens/{made['id']}", token=olga)).status == 404
    token_id = (await site.ask("GET", "/api/tokens", token=olga)).json()[0]["id"]
    assert (await site.ask("GET", f"/api/apikeys/{token_id}", token=olga)).status == 404


async def test_what_is_compromised_deleted_or_expired_is_not_reopened(site: Site) -> None:
    olga = await site.login("olga", "operator")
    leaked, expired = await make(site, olga), await make(site, olga, duration=10)
    paths = [f"/api/apikeys/{one['id']}" for one in (leaked, expired)]
    not_revoked = await site.ask("POST", f"{paths[0]}/reopen", token=olga)
    assert (not_revoked.status, not_revoked.code) == (409, "conflict")
    ended = await ask(site, olga, "POST", f"{paths[0]}/revoke?compromised=true")
    assert ended["state"] == "compromised"
    await ask(site, olga, "POST", f"{paths[1]}/revoke")
    site.clock.advance(10)
    for path in paths:
        answer = await site.ask("POST", f"{path}/reopen", token=olga)
        assert (answer.status, answer.code) == (409, "conflict")
    living = await make(site, olga, duration=10)
    site.clock.advance(10)
    assert (await ask(site, olga, "GET", f"/api/apikeys/{living['id']}"))["state"] == "expired"
    assert living["id"] not in [one["id"] for one in (await ask(site, olga, "GET", "/api/apikeys"))["api_keys"]]
    with_expired = await ask(site, olga, "GET", "/api/apikeys?include_expired=true")
    assert [one["id"] for one in with_expired["api_keys"]] == [living["id"]]


async def test_a_deactivated_operator_s_keys_end_for_good(site: Site) -> None:
    olga, rex = await site.login("olga", "operator"), await site.login("rex", "operator")
    made, revoked, other = await make(site, olga), await make(site, olga), await make(site, rex)
    await ask(site, rex, "POST", f"/api/apikeys/{revoked['id']}/revoke")
    user = await site.user_id(olga)
    assert (await site.ask("PUT", f"/api/users/{user}", token=rex, json={"role": "author"})).status == 200
    assert (await site.ask("PUT", f"/api/users/{user}", token=rex, json={"role": "operator"})).status == 200
    for one in (made, revoked):
        path = f"/api/apikeys/{one['id']}"
        assert (await ask(site, rex, "GET", path))["state"] == "revoked"
        assert (await site.ask("POST", f"{path}/reopen", token=rex)).status == 409
    assert (await ask(site, rex, "GET", f"/api/apikeys/{other['id']}"))["state"] == "active"


async def test_a_narrowed_login_makes_keys_as_narrow_as_it_is(site: Site) -> None:
    olga = await site.login("olga", "operator")
    assert (await site.ask("POST", "/api/platforms", token=olga, json={"name": "sim:a"})).status == 200
    seconds = int(site.clock.now().timestamp()) + 30
    here, end = Cidr(("192.0.2.0/24",)), ExpiresAt(seconds)
    narrow = attenuate(olga, [here, end, Actions(("api_keys.manage",))])
    made = await make(site, narrow, platforms=["sim:a"])
    assert made["duration"] == 30
    assert set(caveats(made["key"])) == {here, end, Actions(("api_keys.manage",)), Platforms(("sim:a",))}
    assert (
        await site.ask("POST", "/api/apikeys", token=attenuate(olga, [Actions(("jobs.read",))]), json={})
    ).status == 403


async def test_labels_and_pages(site: Site) -> None:
    olga, rex = await site.login("olga", "operator"), await site.login("rex", "operator")
    labels = [(await make(site, olga))["label"] for _ in range(3)]
    assert labels == ["unknown", "unknown-2", "unknown-3"]
    taken = await site.ask("POST", "/api/apikeys", token=olga, json={"label": "unknown-2"})
    assert (taken.status, taken.code) == (409, "already_exists")
    assert (await make(site, rex))["label"] == "unknown"
    page = await ask(site, rex, "GET", "/api/apikeys?limit=3")
    assert ([one["label"] for one in page["api_keys"]], page["next"]) == (labels, 3)
    page = await ask(site, rex, "GET", "/api/apikeys?limit=3&offset=3")
    assert (len(page["api_keys"]), page["next"]) == (1, None)
    for query in ("limit=0", "limit=1001", "offset=-1", "include_revoked=perhaps", "else=1"):
        assert (await site.ask("GET", f"/api/apikeys?{query}", token=olga)).status == 422, query


@pytest.mark.parametrize(
    "body",
    [
        {"duration": 0},
        {"duration": 10 * 366 * 86_400 + 1},
        {"duration": True},
        {"label": ""},
        {"label": " a"},
        {"label": "a\0b"},
        {"platforms": ["sim:unknown"]},
        {"platforms": "sim:a"},
        {"platforms": [""]},
        {"else": 1},
        [],
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_made(quick_site: Site, body: Any) -> None:
    olga = await quick_site.login("olga", "operator")
    answer = await quick_site.ask("POST", "/api/apikeys", token=olga, json=body)
    assert answer.status == 422, answer.body
    assert (await ask(quick_site, olga, "GET", "/api/apikeys"))["api_keys"] == []


async def test_what_cannot_be_an_id_is_unknown(quick_site: Site) -> None:
    olga = await quick_site.login("olga", "operator")
    for text in ("0", "9" * 18, "9" * 400, "x", "-1", "1.0", "%31%00", "%D9%A1"):
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/revoke"), ("POST", "/reopen")):
            answer = await quick_site.ask(method, f"/api/apikeys/{text}{path}", token=olga)
            assert answer.status == 404, (text, answer.body)
