"""No answer turns a narrowed token into a wider one: what it gives out is under the same conditions."""

from __future__ import annotations

import pytest

from jobpass.clock import to_microseconds
from jobpass.tokens import token as texts
from jobpass.tokens.attenuate import admin_token, attenuate
from jobpass.tokens.caveats import Actions, Caveat, Cidr, Events, ExpiresAt, Jobs, States, read_all
from support.asgi import Answer
from support.site import PASSWORD, PIPELINE, Owned, Site

NARROW = {
    "events": Events(("update",)),
    "states": States({"CREATED": ("update",)}),
    "network": Cidr(("0.0.0.0/0", "::/0")),
}


def caveats(text: str) -> tuple[Caveat, ...]:
    return read_all(texts.parse(text).caveats)


@pytest.mark.parametrize("narrow", NARROW.values(), ids=NARROW.keys())
async def test_a_narrowed_login_is_given_job_tokens_as_narrow_as_it_is(site: Site, narrow: Caveat) -> None:
    ann = await site.login("ann")
    job = await site.job(ann, of="narrow")
    login = attenuate(ann, [narrow])
    made = await site.ask("POST", "/api/pipelinejobs", token=login, json=await wanted(site, ann))
    event = await site.ask("POST", job.events, token=login, json={"name": "update"})
    again = await site.ask("POST", f"{job.path}/token", token=login)
    rotated = await site.ask("POST", f"{job.path}/token/rotate", token=login)
    given = [answer.json()["token"] for answer in (made, event, again, rotated)]
    assert [answer.status for answer in (made, event, again, rotated)] == [200] * 4
    assert [caveats(text) for text in given] == [(narrow,)] * 4


async def test_what_a_narrowed_login_is_given_cannot_do_more(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann, of="narrow")
    answer = await site.ask("POST", f"{job.path}/token", token=attenuate(ann, [NARROW["events"]]))
    narrowed = Owned(job.uuid, answer.json()["token"])
    assert (await site.send(narrowed, "run")).status == 403
    assert (await site.send(narrowed, "update")).status == 200
    assert (await site.send(job, "run")).status == 200


async def test_the_end_of_a_narrowed_login_is_the_end_of_what_it_is_given(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann, of="narrow")
    seconds = to_microseconds(site.clock.now()) // 1_000_000 + 60
    answer = await site.ask("POST", f"{job.path}/token", token=attenuate(ann, [ExpiresAt(seconds)]))
    narrowed = Owned(job.uuid, answer.json()["token"])
    assert (await site.send(narrowed, "run")).status == 200
    site.clock.advance(60)
    assert (await site.send(narrowed, "update")).status == 401


async def test_a_scoped_admin_token_hands_its_scope_on_and_not_its_window(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann, of="scope")
    _, key = await site.admin_key({"events": ["update"]})
    now = site.clock.now()
    later = to_microseconds(now) // 1_000_000 + 30
    scoped = attenuate(admin_token(key, now), [ExpiresAt(later), Jobs((job.uuid,))])
    given = (await site.ask("POST", f"{job.path}/token", token=scoped)).json()["token"]
    assert caveats(given) == (Events(("update",)), ExpiresAt(later), Jobs((job.uuid,)))
    _, whole = await site.admin_key()
    given = (await site.ask("POST", f"{job.path}/token", token=admin_token(whole, now))).json()["token"]
    assert given == job.token


async def wanted(site: Site, login: str) -> dict[str, object]:
    return {"pipeline_uuid": await site.pipeline(login), "data": {"of": PIPELINE["id"]}}


async def collected(site: Site, narrow: list[Caveat]) -> tuple[str, Answer]:
    """What zoe's narrowed login is given when it collects an approved key: where the request is, and the answer."""
    zoe, rex = await site.login("zoe"), await site.login("rex", "operator")
    wanted = {"use_case": "repair", "storage": "a vault", "scope": {"events": ["update", "run"]}}
    asked = (await site.ask("POST", "/api/admin-keys", token=zoe, json=wanted)).json()
    path, approval = f"/api/admin-keys/{asked['id']}", {"request_hash": asked["request_hash"]}
    assert (await site.ask("POST", f"{path}/approve", token=rex, json=approval)).status == 200
    return path, await site.ask("POST", f"{path}/collect", token=attenuate(zoe, narrow))


@pytest.mark.parametrize("narrow", NARROW.values(), ids=NARROW.keys())
async def test_a_narrowed_login_is_given_an_admin_key_as_narrow_as_it_is(site: Site, narrow: Caveat) -> None:
    ann = await site.login("ann")
    job = await site.job(ann, of="admin key")
    _, answer = await collected(site, [narrow])
    key = answer.json()["key"]
    assert caveats(key) == (Events(("update", "run")), narrow)
    token = admin_token(key, site.clock.now())
    update = await site.ask("POST", job.events, token=token, json={"name": "update"})
    ran = await site.ask("POST", job.events, token=token, json={"name": "run"})
    assert (update.status, ran.status) == (200, 200 if narrow == NARROW["network"] else 403)


async def test_a_login_that_is_limited_in_time_is_given_no_admin_key(site: Site) -> None:
    later = to_microseconds(site.clock.now()) // 1_000_000 + 60
    path, answer = await collected(site, [Actions(("admin_keys.request",)), ExpiresAt(later)])
    assert (answer.status, answer.json()["detail"]["code"]) == (403, "denied")
    zoe = await site.login("zoe")
    assert (await site.ask("GET", path, token=zoe)).json()["state"] == "approved"
    assert (await site.ask("POST", f"{path}/collect", token=zoe)).status == 200


async def test_a_narrowed_login_is_given_job_tokens_of_programs_and_api_keys_as_narrow_as_it_is(site: Site) -> None:
    for name, role, route, member in (
        ("ann", "author", "/api/tokens", "token"),
        ("olga", "operator", "/api/apikeys", "key"),
    ):
        login = await site.login(name, role)
        for narrow in NARROW.values():
            answer = await site.ask("POST", route, token=attenuate(login, [narrow]), json={})
            assert caveats(answer.json()[member]) == (narrow,)


@pytest.mark.parametrize("narrow", [*NARROW.values(), Actions(("users.manage",))], ids=[*NARROW.keys(), "action"])
async def test_a_narrowed_login_leaves_no_account_behind_that_is_not(site: Site, narrow: Caveat) -> None:
    """Who can log in to an account that it made, or whose password it set, has a token under no conditions."""
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    path, login = f"/api/users/{await site.user_id(ann)}", attenuate(olga, [narrow])
    mallory = {"email": "mallory@example.org", "password": PASSWORD, "role": "operator"}
    before = (await site.ask("GET", "/api/users", token=olga)).body
    for method, where, body in (
        ("POST", "/api/users", mallory),
        ("PUT", path, {"role": "operator"}),
        ("PUT", path, {"email": "mallory@example.org"}),
        ("PUT", path, {"active": False, "priority": 9}),
        ("POST", f"{path}/password", {"password": "several quiet otters"}),
        ("POST", f"{path}/enable", None),
    ):
        refused = await site.ask(method, where, token=login, json=body)
        assert (refused.status, refused.json()["detail"]["code"]) == (403, "denied"), where
    assert (await site.ask("GET", "/api/users", token=olga)).body == before
    assert await site.login("ann")
    disabled = await site.ask("POST", f"{path}/disable", token=login)
    assert (disabled.status, (await site.ask("GET", "/api/me", token=ann)).status) == (200, 401)


async def test_a_narrowed_login_approves_no_admin_key(site: Site) -> None:
    zoe, rex = await site.login("zoe"), await site.login("rex", "operator")
    asked = (await site.ask("POST", "/api/admin-keys", token=zoe, json={"use_case": "x", "storage": "y"})).json()
    path, approval = f"/api/admin-keys/{asked['id']}", {"request_hash": asked["request_hash"]}
    narrow = attenuate(rex, [Actions(("admin_keys.review",))])
    assert (await site.ask("POST", f"{path}/approve", token=narrow, json=approval)).status == 403
    assert (await site.ask("GET", path, token=zoe)).json()["state"] == "requested"
    assert (await site.ask("POST", f"{path}/deny", token=narrow, json={"reason": "no"})).status == 200
