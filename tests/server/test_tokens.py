"""Job tokens over HTTP: what they open, what they make, and how they end."""

from __future__ import annotations

from typing import Any

import pytest

from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Actions, Cidr, ExpiresAt
from support.asgi import Answer
from support.site import Site

FAMILIES = ("/api/tokens", "/api/auth/tokens")
NOT_FOUND = "Authentication and authorization failed: token not found"


async def mint(site: Site, bearer: str, **wanted: Any) -> dict[str, Any]:
    answer = await site.ask("POST", "/api/tokens", token=bearer, json=wanted)
    assert answer.status == 200, answer.body
    return answer.json()


async def shown(site: Site, bearer: str, number: int) -> dict[str, Any]:
    answer = await site.ask("GET", f"/api/tokens/{number}", token=bearer)
    assert answer.status == 200, answer.body
    return answer.json()


async def me(site: Site, token: str) -> Answer:
    return await site.ask("GET", "/api/me", token=token)


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_token_is_made_listed_shown_changed_and_ended(site: Site, family: str) -> None:
    ann = await site.login("ann")
    made = (await site.ask("POST", family, token=ann, json={"label": "ci", "duration": 60, "else": 1})).json()
    assert made["token"].startswith("jp_job_")
    assert made["duration"] == 60
    number = made["token_id"]
    assert (await me(site, made["token"])).json()["credential"]["kind"] == "job"
    for bearer in (ann, made["token"]):
        listed = (await site.ask("GET", family, token=bearer)).json()
        assert [one["id"] for one in listed] == [number]
    one = (await site.ask("GET", f"{family}/{number}", token=ann)).json()
    assert (one["label"], one["count"], one["state"], one["valid"]) == ("ci", 2, "active", True)
    assert one["token"] == listed[0]["key"] == made["token"][:27] + "…"
    assert made["token"] not in str((one, listed))
    changed = await site.ask("PUT", f"{family}/{number}", token=ann, json={"label": "cd", "priority": 2, "else": 1})
    assert changed.json() == {"message": "ok"}
    one = (await site.ask("GET", f"{family}/{number}", token=ann)).json()
    assert (one["label"], one["priority"]) == ("cd", 2)
    assert (await site.ask("POST", f"{family}/revoke", token=ann, form={"token": made["token"]})).status == 200
    assert (await me(site, made["token"])).status == 401
    assert (await site.ask("GET", family, token=ann)).json() == []
    assert len((await site.ask("GET", f"{family}?include_revoked=True", token=ann)).json()) == 1
    assert (await site.ask("POST", f"{family}/reopen", token=ann, form={"token_id": str(number)})).status == 200
    assert (await me(site, made["token"])).status == 200
    assert (await site.ask("POST", f"{family}/delete-by-ids", token=ann, json={"token_ids": [number]})).status == 200
    assert (await me(site, made["token"])).status == 401
    assert (await site.ask("GET", f"{family}/{number}", token=ann)).status == 404
    assert (await site.ask("GET", f"{family}?include_revoked=true&include_expired=1", token=ann)).json() == []


async def test_the_older_paths_do_the_same(site: Site) -> None:
    ann = await site.login("ann")
    made = (await site.ask("POST", "/api/auth/token/generate", token=ann, json={})).json()
    path = f"/api/auth/token/{made['token_id']}"
    assert (await site.ask("GET", path, token=ann)).json()["label"] == "unknown"
    assert (await site.ask("POST", "/api/auth/token/revoke", token=ann, form={"token": made["token"]})).status == 200
    for delete in ("/api/auth/token/delete", "/api/tokens/delete", "/api/auth/tokens/delete"):
        fresh = await mint(site, ann)
        assert (await site.ask("POST", delete, token=ann, json={"tokens": [fresh["token"]]})).status == 200
        assert (await me(site, fresh["token"])).status == 401


async def test_labels_are_a_users_own_and_the_default_is_numbered(site: Site) -> None:
    ann, bob = await site.login("ann"), await site.login("bob")
    assert [(await mint(site, ann))["label"] for _ in range(4)] == ["unknown", "unknown-2", "unknown-3", "unknown-4"]
    assert (await mint(site, ann, label=None))["label"] == "unknown-5"
    assert (await mint(site, bob))["label"] == "unknown"
    again = await site.ask("POST", "/api/tokens", token=ann, json={"label": "unknown-2"})
    assert (again.status, again.code) == (400, "already_exists")
    two = await mint(site, ann, label="two")
    taken = await site.ask("PUT", f"/api/tokens/{two['token_id']}", token=ann, json={"label": "unknown"})
    assert (taken.status, taken.code) == (400, "already_exists")
    await site.ask("POST", "/api/tokens/delete-by-ids", token=ann, json={"token_ids": [two["token_id"]]})
    assert (await mint(site, ann, label="two"))["token_id"] > two["token_id"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"duration": 0}, 422),
        ({"duration": -1}, 422),
        ({"duration": 10**18}, 422),
        ({"duration": 10 * 366 * 86_400 + 1}, 422),
        ({"duration": True}, 422),
        ({"duration": 1.5}, 422),
        ({"duration": "60"}, 422),
        ({"label": ""}, 422),
        ({"label": " a"}, 422),
        ({"label": "a\0b"}, 422),
        ({"label": "x" * 10_000}, 422),
        ({"priority": 3}, 400),
        ({"priority": -1}, 422),
        ({"actions": ["fly"]}, 422),
        ({"platforms": "sim:local"}, 422),
        ({"user_id": 10**30}, 422),
        ([], 422),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_made(quick_site: Site, body: Any, status: int) -> None:
    ann = await quick_site.login("ann")
    answer = await quick_site.ask("POST", "/api/tokens", token=ann, json=body)
    assert answer.status == status, answer.body
    assert (await quick_site.ask("GET", "/api/tokens", token=ann)).json() == []


async def test_ten_years_are_allowed_and_numbers_without_end_are_not(quick_site: Site) -> None:
    ann = await quick_site.login("ann")
    assert (await mint(quick_site, ann, duration=10 * 365 * 86_400))["duration"] == 10 * 365 * 86_400
    for raw in (b'{"duration":' + b"9" * 400 + b"}", b'{"duration":NaN}', b'{"label":"\xff"}', b"[" * 60_000):
        answer = await quick_site.ask("POST", "/api/tokens", token=ann, body=raw)
        assert answer.status == 422, raw[:20]


async def test_a_child_is_never_stronger_and_ends_with_its_parent(site: Site) -> None:
    ann = await site.login("ann")
    parent = await mint(site, ann, duration=100, priority=1)
    assert (await site.ask("POST", "/api/tokens", token=parent["token"], json={"priority": 2})).status == 400
    site.clock.advance(40)
    child = await mint(site, parent["token"], duration=1000, priority=1)
    assert child["duration"] == 60
    grandchild = await mint(site, child["token"], duration=10)
    assert (await shown(site, ann, child["token_id"]))["parent"] == parent["credential"]
    assert (await site.ask("POST", "/api/tokens/revoke", token=ann, form={"token": parent["token"]})).status == 200
    for one in (parent, child, grandchild):
        assert (await me(site, one["token"])).status == 401
        assert (await shown(site, ann, one["token_id"]))["state"] == "revoked"
    reopening = await site.ask("POST", "/api/tokens/reopen", token=ann, form={"token": child["token"]})
    assert (reopening.status, reopening.code) == (400, "conflict")
    assert (await site.ask("POST", "/api/tokens/reopen", token=ann, form={"token": parent["token"]})).status == 200
    assert (await me(site, child["token"])).status == 401, "only the token itself is reopened"
    assert (await site.ask("POST", "/api/tokens/reopen", token=ann, form={"token": child["token"]})).status == 200
    assert (await me(site, child["token"])).status == 200
    site.clock.advance(60)
    assert (await me(site, child["token"])).status == 401


async def test_what_narrows_the_token_that_asks_narrows_what_it_is_given(site: Site) -> None:
    ann = await site.login("ann")
    seconds = int(site.clock.now().timestamp())
    for bearer in (ann, (await mint(site, ann))["token"]):
        narrowed = attenuate(bearer, [Actions(("tokens.create", "tokens.read")), ExpiresAt(seconds + 30)])
        child = await mint(site, narrowed, actions=["tokens.read", "jobs.read"], may_mint=False)
        assert child["duration"] == 30
        assert (await shown(site, ann, child["token_id"]))["actions"] == ["tokens.read"]
        assert (await site.ask("GET", "/api/tokens", token=child["token"])).status == 200
        assert (await me(site, child["token"])).status == 403
        assert (await site.ask("POST", "/api/tokens", token=child["token"], json={})).status == 403
        elsewhere = attenuate(bearer, [Cidr(("203.0.113.0/24",))])
        assert (await site.ask("POST", "/api/tokens", token=elsewhere, json={})).status == 403


async def test_who_may_make_none_makes_none(site: Site) -> None:
    ann = await site.login("ann")
    made = await mint(site, ann, may_mint=False)
    answer = await site.ask("POST", "/api/tokens", token=made["token"], json={})
    assert (answer.status, answer.code) == (403, "denied")
    assert (await shown(site, ann, made["token_id"]))["may_mint"] is False


async def test_a_job_token_is_no_session(site: Site) -> None:
    olga = await site.login("olga", "operator")
    made = (await mint(site, olga))["token"]
    assert (await site.ask("GET", "/api/users", token=made)).status == 403
    assert (await site.ask("POST", "/api/logout", token=made)).status == 403
    assert (await site.ask("GET", "/api/audit", token=made)).status == 403
    assert (await site.ask("POST", "/api/apikeys", token=made, json={})).status == 403
    assert (await site.ask("POST", "/api/tokens/contain", token=made, json={"token": made})).status == 403
    user = await site.user_id(olga)
    present = {"password": "another odd long sentence", "present": "x"}
    assert (await site.ask("POST", f"/api/users/{user}/password", token=made, json=present)).status == 403
    ann = await site.login("ann")
    job = await site.job(ann)
    assert (await site.ask("GET", job.path, token=made)).status == 404, "an operator's job token is an author's"
    listed = [(await site.ask("GET", "/api/pipelinejobs", token=one)).json()["jobs"] for one in (olga, made)]
    assert (job.uuid in str(listed[0]), listed[1]) == (True, [])


async def test_a_job_token_works_on_its_owners_jobs(site: Site) -> None:
    ann = await site.login("ann")
    made = (await mint(site, ann))["token"]
    job = await site.job(made, of="a program")
    sent = await site.ask("POST", job.events, token=made, json={"name": "update"})
    assert (sent.status, sent.json()["token"]) == (200, job.token)
    bob = (await mint(site, await site.login("bob")))["token"]
    assert (await site.ask("GET", job.path, token=bob)).status == 404


async def test_tokens_of_others_are_an_operators_business(site: Site) -> None:
    ann, bob, olga = await site.login("ann"), await site.login("bob"), await site.login("olga", "operator")
    anns, bobs = await mint(site, ann), await mint(site, bob)
    user = await site.user_id(ann)
    assert (await site.ask("GET", f"/api/tokens/{anns['token_id']}", token=bob)).status == 404
    revoking = await site.ask("POST", "/api/tokens/revoke", token=bob, form={"token": anns["token"]})
    assert revoking.status == 400
    assert (await me(site, anns["token"])).status == 200
    assert (await site.ask("GET", f"/api/tokens?user_id={user}", token=bob)).status == 403
    assert (await site.ask("POST", "/api/tokens", token=bob, json={"user_id": user})).status == 403
    assert len((await site.ask("GET", "/api/tokens", token=olga)).json()) == 2
    of_ann = (await site.ask("GET", f"/api/tokens?user_id={user}&limit=10&offset=0", token=olga)).json()
    assert [one["id"] for one in of_ann] == [anns["token_id"]]
    given = await mint(site, olga, user_id=user, label="from olga")
    assert (await me(site, given["token"])).json()["user_id"] == user
    assert (await site.ask("POST", "/api/tokens", token=olga, json={"user_id": 10**6})).status == 422
    olgas = (await mint(site, olga))["token"]
    assert (await site.ask("POST", "/api/tokens", token=olgas, json={"user_id": user})).status == 403
    assert (await site.ask("GET", f"/api/tokens/{bobs['token_id']}", token=olgas)).status == 404


async def test_a_job_token_ends_only_itself_and_what_it_made(site: Site) -> None:
    ann = await site.login("ann")
    first, second = await mint(site, ann), await mint(site, ann)
    child = await mint(site, first["token"])
    for body in ({"token": second["token"]}, {"token_id": str(second["token_id"])}):
        answer = await site.ask("POST", "/api/tokens/revoke", token=first["token"], form=body)
        assert (answer.status, answer.code) == (403, "denied")
    other = {"token_id": str(second["token_id"])}
    assert (await site.ask("POST", "/api/tokens/reopen", token=first["token"], form=other)).status == 403
    renamed = await site.ask("PUT", f"/api/tokens/{second['token_id']}", token=first["token"], json={"label": "x"})
    assert renamed.status == 403
    ids = {"token_ids": [child["token_id"], second["token_id"]]}
    assert (await site.ask("POST", "/api/tokens/delete-by-ids", token=first["token"], json=ids)).status == 403
    assert (await me(site, child["token"])).status == 200, "all or none"
    form, own = {"token": child["token"]}, {"token": first["token"]}
    assert (await site.ask("POST", "/api/tokens/revoke", token=first["token"], form=form)).status == 200
    assert (await site.ask("POST", "/api/tokens/revoke", token=first["token"], form=own)).status == 200
    assert (await me(site, second["token"])).status == 200


async def test_what_was_compromised_deleted_or_expired_is_not_reopened(site: Site) -> None:
    ann = await site.login("ann")
    leaked, expired, deleted = [await mint(site, ann, duration=100) for _ in range(3)]
    form = {"token": leaked["token"], "compromised": "true"}
    assert (await site.ask("POST", "/api/tokens/revoke", token=ann, form=form)).status == 200
    assert (await shown(site, ann, leaked["token_id"]))["state"] == "compromised"
    assert (await site.ask("POST", "/api/tokens/revoke", token=ann, form={"token": expired["token"]})).status == 200
    await site.ask("POST", "/api/tokens/delete", token=ann, json={"tokens": [deleted["token"]]})
    living = await mint(site, ann, duration=10_000)
    site.clock.advance(100)
    for one in (leaked, expired, deleted, living):
        answer = await site.ask("POST", "/api/tokens/reopen", token=ann, form={"token": one["token"]})
        assert answer.status == 400, answer.body
    assert (await me(site, leaked["token"])).status == 401
    assert (await me(site, deleted["token"])).status == 401


async def test_a_deactivated_users_tokens_end_at_once_and_for_good(site: Site) -> None:
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    made, revoked = await mint(site, ann), await mint(site, ann)
    await site.ask("POST", "/api/tokens/revoke", token=ann, form={"token": revoked["token"]})
    user = await site.user_id(ann)
    assert (await site.ask("PUT", f"/api/users/{user}", token=olga, json={"active": False})).json()["active"] is False
    refused = await site.ask("GET", "/api/tokens", token=made["token"])
    assert (refused.status, refused.json()["error"]) == (401, "Invalid user")
    for path in ("/api/tokens", "/api/me", "/api/pipelines"):
        for token in (ann, made["token"]):
            assert (await site.ask("GET", path, token=token)).status == 401
    assert (await site.ask("PUT", f"/api/users/{user}", token=olga, json={"active": True})).json()["active"] is True
    assert (await me(site, made["token"])).status == 401
    for one in (made, revoked):
        reopening = await site.ask("POST", "/api/tokens/reopen", token=olga, form={"token_id": str(one["token_id"])})
        assert reopening.status == 400


async def test_the_refusals_have_the_words_of_the_contract(site: Site) -> None:
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    job = await site.job(ann)
    key = (await site.ask("POST", "/api/apikeys", token=olga, json={})).json()["key"]
    dead = await mint(site, ann)
    await site.ask("POST", "/api/tokens/revoke", token=ann, form={"token": dead["token"]})
    said = {
        None: NOT_FOUND,
        "jp_job_nonsense": NOT_FOUND,
        job.token: NOT_FOUND,
        key: NOT_FOUND,
        await site.admin(): NOT_FOUND,
        dead["token"]: "Invalid or expired job token",
    }
    for token, words in said.items():
        for method, path in (("GET", "/api/tokens"), ("POST", "/api/auth/tokens/revoke"), ("PUT", "/api/tokens/1")):
            answer = await site.ask(method, path, token=token)
            assert (answer.status, answer.json()["error"]) == (401, words), (method, path)
            assert answer.header("www-authenticate").startswith("Bearer")


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"token": ""},
        {"token": "jp_job_x", "token_id": "1"},
        {"token_id": "x"},
        {"token_id": "-1"},
        {"token_id": "1", "compromised": "perhaps"},
        {"token": "a\0b"},
        {"token_id": "9" * 18},
        {"token": "jp_log_" + "A" * 9000},
    ],
)
async def test_forms_that_name_no_token_are_refused(quick_site: Site, form: dict[str, str]) -> None:
    ann = await quick_site.login("ann")
    for path in ("/api/tokens/revoke", "/api/tokens/reopen"):
        answer = await quick_site.ask("POST", path, token=ann, form=form)
        assert answer.status in (400, 422), answer.body
    assert (await me(quick_site, ann)).status == 200


async def test_a_login_token_is_not_revoked_as_a_job_token(quick_site: Site) -> None:
    ann = await quick_site.login("ann")
    assert (await quick_site.ask("POST", "/api/tokens/revoke", token=ann, form={"token": ann})).status == 400
    assert (await me(quick_site, ann)).status == 200


async def test_pages(site: Site) -> None:
    ann = await site.login("ann")
    made = [(await mint(site, ann))["token_id"] for _ in range(5)]
    pages = [(await site.ask("GET", f"/api/tokens?limit=2&offset={at}", token=ann)).json() for at in (0, 2, 4, 6)]
    assert [[one["id"] for one in page] for page in pages] == [made[:2], made[2:4], made[4:], []]
    assert (await site.ask("GET", "/api/tokens?unknown=1&offset=&user_id=", token=ann)).status == 200
    for query in ("limit=0", "limit=10001", "offset=-1", "offset=x", "include_expired=perhaps", "limit=1&limit=2"):
        assert (await site.ask("GET", f"/api/tokens?{query}", token=ann)).status == 422, query


async def test_introspection_and_revocation_know_job_tokens(site: Site) -> None:
    ann, bob = await site.login("ann"), await site.login("bob")
    made = (await mint(site, ann))["token"]
    told = (await site.ask("POST", "/oauth/introspect", token=ann, form={"token": made})).json()
    assert (told["active"], told["kind"], told["sub"]) == (True, "job", str(await site.user_id(ann)))
    assert (await site.ask("POST", "/oauth/introspect", token=bob, form={"token": made})).json() == {"active": False}
    assert (await site.ask("POST", "/oauth/revoke", token=ann, form={"token": made})).status == 200
    assert (await me(site, made)).status == 401
