"""Accounts over HTTP: names, limits, platforms, and what ends with an account."""

from __future__ import annotations

from typing import Any

import pytest

from support.site import PASSWORD, Site

PROFILE = {
    "first_name": "Ann",
    "last_name": "Bell",
    "priority": 5,
    "company_id": 7,
    "platform_ids": ["p1", "p2"],
    "max_jobs_in_queue": 3,
    "max_concurrent_jobs": 1,
}


async def ask(site: Site, token: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    answer = await site.ask(method, path, token=token, json=body)
    assert answer.status == 200, answer.body
    return answer.json()


async def create(site: Site, operator: str, name: str, **more: Any) -> dict[str, Any]:
    return await ask(
        site, operator, "POST", "/api/users", {"email": f"{name}@example.org", "password": PASSWORD} | more
    )


async def test_an_account_has_what_it_is_given_and_else_what_is_usual(site: Site) -> None:
    olga = await site.login("olga", "operator")
    ann = await create(site, olga, "ann", **PROFILE)
    assert {name: ann[name] for name in PROFILE} == PROFILE
    assert (ann["role"], ann["is_admin"], ann["active"]) == ("author", False, True)
    bob = await create(site, olga, "bob")
    assert {name: bob[name] for name in PROFILE} == {
        "first_name": "",
        "last_name": "",
        "priority": 2,
        "company_id": None,
        "platform_ids": None,
        "max_jobs_in_queue": 50,
        "max_concurrent_jobs": 5,
    }
    path = f"/api/users/{ann['id']}"
    assert await ask(site, olga, "GET", path) == ann
    first = await ask(site, olga, "GET", "/api/users?limit=2")
    rest = await ask(site, olga, "GET", f"/api/users?limit=2&after={first['next']}")
    assert ([one["email"] for one in first["users"]], rest) == (
        ["olga@example.org", "ann@example.org"],
        {"users": [bob], "next": None},
    )
    changed = await ask(site, olga, "PUT", path, {"company_id": None, "platform_ids": None, "priority": 0})
    assert changed == ann | {"company_id": None, "platform_ids": None, "priority": 0}
    assert await ask(site, olga, "PUT", path, {}) == changed
    assert "password" not in str((ann, changed, first))


async def test_a_role_may_be_said_in_two_ways_that_agree(site: Site) -> None:
    olga = await site.login("olga", "operator")
    for number, (asked, role) in enumerate(
        [
            ({"is_admin": True}, "operator"),
            ({"is_admin": False}, "author"),
            ({"role": "operator", "is_admin": True}, "operator"),
            ({"role": "author"}, "author"),
        ]
    ):
        made = await create(site, olga, f"one{number}", **asked)
        assert (made["role"], made["is_admin"]) == (role, role == "operator")
        path = f"/api/users/{made['id']}"
        assert (await ask(site, olga, "PUT", path, {"is_admin": True}))["role"] == "operator"
        for wrong in ({"role": "author", "is_admin": True}, {"role": "operator", "is_admin": False}):
            assert (await site.ask("PUT", path, token=olga, json=wrong)).status == 422
    wrong_pair = {"email": "x@example.org", "password": PASSWORD, "role": "operator", "is_admin": False}
    assert (await site.ask("POST", "/api/users", token=olga, json=wrong_pair)).status == 422


async def test_a_lower_priority_holds_for_tokens_that_exist(site: Site) -> None:
    olga = await site.login("olga", "operator")
    user = await create(site, olga, "ann", priority=5)
    ann = await site.login("ann")
    made = (await site.ask("POST", "/api/tokens", token=ann, json={"priority": 5})).json()
    path = f"/api/tokens/{made['token_id']}"
    assert (await ask(site, ann, "GET", path))["priority"] == 5
    await ask(site, olga, "PUT", f"/api/users/{user['id']}", {"priority": 1})
    shown = await ask(site, ann, "GET", path)
    assert (shown["priority"], shown["user_priority"]) == (1, 1)
    answer = await site.ask("POST", "/api/tokens", token=ann, json={"priority": 2})
    assert (answer.status, answer.code) == (400, "limit_exceeded")


@pytest.mark.parametrize("how", ["put", "post"])
async def test_disabling_ends_every_kind_of_token_for_good(site: Site, how: str) -> None:
    rex = await site.login("rex", "operator")
    _, key = await site.admin_key()
    zoe = await site.login("zoe")
    user = f"/api/users/{await site.user_id(zoe)}"
    made = (await site.ask("POST", "/api/tokens", token=zoe, json={})).json()
    found = (await site.ask("POST", "/api/tokens/contain", token=rex, json={"token": key})).json()
    assert found["living"] is True
    if how == "put":
        await ask(site, rex, "PUT", user, {"active": False})
    else:
        await ask(site, rex, "POST", f"{user}/disable")
    wrong = await site.ask("POST", "/api/login", json={"email": "zoe@example.org", "password": PASSWORD})
    assert (wrong.status, wrong.code) == (401, "invalid_login")
    await ask(site, rex, "POST", f"{user}/enable")
    for token in (zoe, made["token"]):
        assert (await site.ask("GET", "/api/me", token=token)).status == 401
    assert (await site.ask("POST", "/api/tokens/contain", token=rex, json={"token": key})).json()["living"] is False
    again = await site.login("zoe")
    reopening = await site.ask("POST", "/api/tokens/reopen", token=again, form={"token_id": str(made["token_id"])})
    assert reopening.status == 400


async def test_an_operator_who_becomes_an_author_starts_anew(site: Site) -> None:
    olga, rex = await site.login("olga", "operator"), await site.login("rex", "operator")
    user = f"/api/users/{await site.user_id(olga)}"
    assert (await ask(site, rex, "PUT", user, {"last_name": "Lund"}))["role"] == "operator"
    assert (await site.ask("GET", "/api/me", token=olga)).status == 200, "a name ends nothing"
    assert (await ask(site, rex, "PUT", user, {"role": "author"}))["is_admin"] is False
    assert (await site.ask("GET", "/api/me", token=olga)).status == 401
    fresh = await site.login("olga")
    assert (await site.ask("GET", "/api/users", token=fresh)).status == 403


async def test_nobody_makes_the_own_account_less(site: Site) -> None:
    olga = await site.login("olga", "operator")
    own = f"/api/users/{await site.user_id(olga)}"
    for body in ({"active": False}, {"role": "author"}, {"is_admin": False}):
        answer = await site.ask("PUT", own, token=olga, json=body)
        assert (answer.status, answer.code) == (409, "conflict")
    assert (await ask(site, olga, "PUT", own, {"active": True, "role": "operator", "first_name": "Olga"}))["active"]


async def test_an_inactive_account_can_be_made_and_an_address_changed(site: Site) -> None:
    olga = await site.login("olga", "operator")
    user = await create(site, olga, "ann", active=False)
    login = {"email": "ann@example.org", "password": PASSWORD}
    assert (await site.ask("POST", "/api/login", json=login)).status == 401
    path = f"/api/users/{user['id']}"
    await ask(site, olga, "PUT", path, {"active": True, "email": "ANN.Bell@example.org"})
    assert (await site.ask("POST", "/api/login", json=login)).status == 401
    assert (await site.ask("POST", "/api/login", json=login | {"email": "ann.bell@example.org"})).status == 200
    taken = await site.ask("PUT", path, token=olga, json={"email": "olga@example.org"})
    assert (taken.status, taken.code) == (409, "already_exists")


async def test_accounts_are_an_operator_s_business(site: Site) -> None:
    olga, ann = await site.login("olga", "operator"), await site.login("ann")
    olgas = (await site.ask("POST", "/api/tokens", token=olga, json={})).json()["token"]
    path = f"/api/users/{await site.user_id(ann)}"
    for token in (ann, olgas, await site.admin()):
        for method, target, body in (
            ("PUT", path, {"priority": 1000}),
            ("POST", "/api/users", {"email": "x@example.org", "password": PASSWORD}),
            ("GET", path, None),
        ):
            assert (await site.ask(method, target, token=token, json=body)).status == 403, (method, target)
    assert (await site.ask("PUT", "/api/users/999", token=olga, json={"priority": 1})).status == 404


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"email": "none"},
        {"email": None},
        {"role": "king"},
        {"is_admin": 1},
        {"active": "no"},
        {"first_name": "x" * 101},
        {"last_name": "a\0b"},
        {"priority": -1},
        {"priority": 1001},
        {"priority": 1.5},
        {"company_id": -1},
        {"platform_ids": "p"},
        {"platform_ids": ["x" * 65]},
        {"max_jobs_in_queue": 1_000_001},
        {"max_concurrent_jobs": None},
        {"password": PASSWORD},
        {"else": 1},
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_changed(quick_site: Site, body: Any) -> None:
    olga = await quick_site.login("olga", "operator")
    user = await create(quick_site, olga, "ann")
    path = f"/api/users/{user['id']}"
    answer = await quick_site.ask("PUT", path, token=olga, json=body)
    assert answer.status == 422, answer.body
    assert await ask(quick_site, olga, "GET", path) == user
    if isinstance(body, dict) and "password" not in body:
        new = {"email": "new@example.org", "password": PASSWORD} | body
        assert (await quick_site.ask("POST", "/api/users", token=olga, json=new)).status == 422
