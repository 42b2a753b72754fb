"""Introspection and revocation (RFC 7662, RFC 7009), with a client library that is not ours too."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jobpass.clock import to_microseconds
from jobpass.tokens.attenuate import admin_token, attenuate
from jobpass.tokens.caveats import Actions, Events, ExpiresAt
from jobpass.tokens.mint import mint_credential, mint_document
from support.asgi import JSON
from support.process import make_folder, process
from support.site import Site

INACTIVE = b'{"active":false}'


async def told(site: Site, caller: str, token: str) -> dict[str, Any]:
    """What an introspection says."""
    answer = await site.ask("POST", "/oauth/introspect", token=caller, form={"token": token})
    assert answer.status == 200, answer.body
    assert answer.header("content-type") == "application/json"
    assert token not in answer.body.decode()
    return answer.json()


async def test_what_each_kind_is(site: Site) -> None:
    ann, olga = await site.login("ann"), await site.login("olga", "operator")
    job = await site.job(ann)
    now = to_microseconds(site.clock.now()) // 1_000_000
    ann_id = str(await site.user_id(ann))
    login = {"active": True, "token_type": "Bearer", "kind": "login", "sub": ann_id, "iat": now, "exp": now + 43_200}
    document = {"active": True, "token_type": "Bearer", "kind": "document", "sub": f"job:{job.uuid}", "job": job.uuid}
    for caller in (ann, olga):
        assert await told(site, caller, ann) == login | {"scope": ""}
        assert await told(site, caller, job.token) == document | {"scope": ""}
        narrow = attenuate(job.token, [Events(("update", "finish")), ExpiresAt(now + 60)])
        assert await told(site, caller, narrow) == document | {"scope": "update finish", "exp": now + 60}
        reading = attenuate(ann, [Actions(("jobs.read",))])
        assert await told(site, caller, reading) == login | {"scope": "jobs.read"}
    _, key = await site.admin_key()
    admin = await told(site, olga, admin_token(key, site.clock.now()))
    assert (admin["active"], admin["kind"]) == (True, "admin")
    assert now + 600 < admin["exp"] <= now + 1200


async def test_what_is_not_active_looks_the_same(site: Site) -> None:
    ann, bob, olga = await site.login("ann"), await site.login("bob"), await site.login("olga", "operator")
    job = await site.job(ann)
    now = to_microseconds(site.clock.now()) // 1_000_000
    ended = await site.login("ann")
    await site.ask("POST", "/api/logout", token=ended)
    _, key = await site.admin_key()
    for token in (
        "nonsense",
        "jp_doc_x",
        "x" * 20_000,
        "\0",
        "ключ",
        job.token[:-4] + "AAAA",
        mint_document(site.keyring, site.keyring.signing_kid, job.uuid, 5),
        mint_document(site.keyring, site.keyring.signing_kid, "10700000-0000-5000-8000-000000000000", 5),
        mint_credential(site.keyring, "login", "0" * 32),
        mint_credential(site.keyring, "job", "0" * 32),
        attenuate(job.token, [ExpiresAt(now)]),
        attenuate(ann, [ExpiresAt(now)]),
        ended,
        key,
    ):
        answer = await site.ask("POST", "/oauth/introspect", token=olga, form={"token": token})
        assert (answer.status, answer.body) == (200, INACTIVE), token[:40]
    for hidden in (ann, olga, job.token, admin_token(key, site.clock.now())):
        answer = await site.ask("POST", "/oauth/introspect", token=bob, form={"token": hidden})
        assert (answer.status, answer.body) == (200, INACTIVE)


@pytest.mark.parametrize("path", ["/oauth/introspect", "/oauth/revoke"])
async def test_the_caller_has_a_token_and_sends_a_form(site: Site, path: str) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    form = {"token": job.token}
    for token in (None, "x", job.token[:-4] + "AAAA"):
        assert (await site.ask("POST", path, token=token, form=form)).code == "invalid_token"
    for token in (job.token, await site.admin()):
        assert (await site.ask("POST", path, token=token, form=form)).status in (403, 404)
    assert (await site.ask("POST", f"{path}?token={job.token}", token=ann, form=form)).status == 422
    assert (await site.ask("POST", path, token=ann, json=form)).status == 415
    assert (await site.ask("POST", path, token=ann, body=b"token=x", headers=[JSON])).status == 415
    kind = [(b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")]
    for body, field in (
        (b"", "token"),
        (b"token=", "token"),
        (b"token_type_hint=access_token", "token"),
        (b"token=a&token=b", "_body"),
        (b"token=%ff", "_body"),
        (b"token=\xff", "_body"),
        (b"&".join(b"a%d=1" % n for n in range(100)), "_body"),
    ):
        answer = await site.ask("POST", path, token=ann, body=body, headers=kind)
        assert answer.status == 422, body
        assert list(answer.json()["detail"]["form"]) == [field]
    assert (await site.ask("GET", path, token=ann)).status == 405
    assert (await site.ask("GET", job.path, token=job.token)).status == 200


async def test_revocation(site: Site) -> None:
    ann, bob, olga = await site.login("ann"), await site.login("bob"), await site.login("olga", "operator")
    job = await site.job(ann)

    async def revoke(caller: str, token: str) -> None:
        answer = await site.ask("POST", "/oauth/revoke", token=caller, form={"token": token, "token_type_hint": "x"})
        assert (answer.status, answer.body) == (200, b"{}")

    for token in (job.token, ann, "nonsense"):
        await revoke(bob, token)  # none of his business: the same answer, and nothing happens
    assert (await site.ask("GET", job.path, token=job.token)).status == 200
    await revoke(ann, attenuate(job.token, [Events(("update",))]))
    assert (await site.ask("GET", job.path, token=job.token)).status == 401
    second = (await site.ask("POST", f"{job.path}/token", token=ann)).json()["token"]
    assert (await site.ask("GET", job.path, token=second)).status == 200
    await revoke(olga, ann)
    assert (await site.ask("GET", "/api/me", token=ann)).status == 401
    key_id, key = await site.admin_key()
    admin = admin_token(key, site.clock.now())
    assert (await site.ask("GET", job.path, token=admin)).status == 200
    await revoke(olga, admin)
    assert (await site.ask("GET", job.path, token=admin)).status == 401
    shown = await site.ask("GET", f"/api/admin-keys/{key_id}", token=olga)
    assert shown.json()["state"] == "revoked"


async def test_authlib(tmp_path: Path) -> None:
    from authlib.integrations.requests_client import OAuth2Session

    folder = await make_folder(tmp_path)

    def use(url: str) -> None:
        with OAuth2Session(token={"access_token": folder.login, "token_type": "Bearer"}) as session:
            more = {"token": folder.job.token, "auth": session.token_auth}
            answer = session.introspect_token(f"{url}/oauth/introspect", **more)
            assert answer.status_code == 200
            assert (answer.json()["active"], answer.json()["job"]) == (True, folder.job.uuid)
            hinted = session.introspect_token(f"{url}/oauth/introspect", token_type_hint="access_token", **more)
            assert hinted.json() == answer.json()
            revoked = session.revoke_token(f"{url}/oauth/revoke", **more)
            assert (revoked.status_code, revoked.json()) == (200, {})
            again = session.introspect_token(f"{url}/oauth/introspect", **more)
            assert again.content == INACTIVE

    with process(folder) as (_server, url):
        await asyncio.to_thread(use, url)
