"""What ends while something is under way ends that, too: nobody is given a token by a race."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from jobpass.records import AdminKey, Credential, Principal, Webhook
from jobpass.stores.memory import MemoryStore
from jobpass.tokens.attenuate import admin_token
from support.asgi import Answer
from support.site import PASSWORD, Site, make_site

Meanwhile = Callable[[], Awaitable[Any]]


class Paused(MemoryStore):
    """A store to which something else comes just before a credential is recorded, or a request for a key changed."""

    meanwhile: Meanwhile | None = None

    async def _pause(self) -> None:
        if self.meanwhile is not None:
            first, self.meanwhile = self.meanwhile, None
            await first()

    async def add_credential(self, credential: Credential, **more: Any) -> Credential:
        await self._pause()
        return await super().add_credential(credential, **more)

    async def add_webhook(self, webhook: Webhook, most: int, **more: Any) -> None:
        await self._pause()
        await super().add_webhook(webhook, most, **more)

    async def change_admin_key(
        self, key_id: str, judge: Callable[[AdminKey | None], AdminKey], **more: Any
    ) -> AdminKey:
        await self._pause()
        return await super().change_admin_key(key_id, judge, **more)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = make_site(Paused())
    yield made
    await made.authority.close()


async def ask_while(site: Site, meanwhile: Meanwhile, method: str, path: str, **more: Any) -> Answer:
    """The answer to what is asked while ``meanwhile`` is done."""
    assert isinstance(site.store, Paused)
    site.store.meanwhile = meanwhile
    answer = await site.ask(method, path, **more)
    assert site.store.meanwhile is None
    return answer


async def done(site: Site, method: str, path: str, token: str, **more: Any) -> None:
    answer = await site.ask(method, path, token=token, **more)
    assert answer.status == 200, answer.body


async def records(site: Site, owner: int) -> list[str]:
    """The kinds of an account's living credentials."""
    found = [one for kind in ("login", "job", "apikey", "admin") for one in await _listed(site, kind, owner)]
    return [one.kind for one in found if one.revoked_at is None]


async def _listed(site: Site, kind: str, owner: int) -> list[Credential]:
    return [one.credential for one in await site.store.list_credentials(kind, owner=owner, revoked=True, limit=100)]


LOGIN = {"email": "ann@example.org", "password": PASSWORD}


async def test_a_log_in_with_the_password_of_before_gives_nothing(site: Site) -> None:
    ann = await site.login("ann")
    new = {"password": secrets.token_urlsafe(20), "present": PASSWORD}
    ann_id = await site.user_id(ann)

    async def change() -> None:
        await done(site, "POST", f"/api/users/{ann_id}/password", ann, json=new)

    refused = await ask_while(site, change, "POST", "/api/login", json=LOGIN)
    assert (refused.status, refused.json()["detail"]["code"]) == (401, "invalid_login")
    assert await records(site, ann_id) == []
    kept = await site.ask("POST", "/api/login", json=LOGIN | {"password": new["password"]})
    assert kept.status == 200


async def test_a_log_in_to_an_account_that_is_disabled_meanwhile_does_not_come_back(site: Site) -> None:
    ann, rex = await site.login("ann"), await site.login("rex", "operator")
    ann_id = await site.user_id(ann)

    async def disable() -> None:
        await done(site, "POST", f"/api/users/{ann_id}/disable", rex)

    assert (await ask_while(site, disable, "POST", "/api/login", json=LOGIN)).status == 401
    await done(site, "POST", f"/api/users/{ann_id}/enable", rex)
    assert await records(site, ann_id) == []


async def test_a_webhook_that_is_made_while_its_token_is_contained_is_none(site: Site) -> None:
    ann, rex = await site.login("ann"), await site.login("rex", "operator")
    job = await site.job(ann)

    async def end() -> None:
        await done(site, "POST", "/api/tokens/contain", rex, json={"token": ann, "revoke": True})

    wanted = {"url": "http://127.0.0.1:9/", "job_uuid": job.uuid, "events": []}
    assert (await ask_while(site, end, "POST", "/api/webhooks", token=ann, json=wanted)).status == 401
    assert (await site.ask("GET", "/api/webhooks", token=rex)).json()["webhooks"] == []


@pytest.mark.parametrize("path", ["/api/tokens", "/api/apikeys"])
@pytest.mark.parametrize("how", ["contained", "disabled", "logged out"])
async def test_what_is_made_with_a_token_that_ends_meanwhile_ends_with_it(site: Site, path: str, how: str) -> None:
    olga, rex = await site.login("olga", "operator"), await site.login("rex", "operator")
    olga_id = await site.user_id(olga)

    async def end() -> None:
        if how == "contained":
            await done(site, "POST", "/api/tokens/contain", rex, json={"token": olga, "revoke": True})
        elif how == "disabled":
            await done(site, "POST", f"/api/users/{olga_id}/disable", rex)
        else:
            await done(site, "POST", "/api/logout", olga)

    refused = await ask_while(site, end, "POST", path, token=olga, json={"label": "kept"})
    assert refused.status in (400, 401), refused.body
    assert "jp_" not in refused.body.decode()
    if how == "disabled":
        await done(site, "POST", f"/api/users/{olga_id}/enable", rex)
    assert await records(site, olga_id) == []


async def _approved(site: Site, zoe: str, rex: str) -> str:
    wanted = {"use_case": "repair", "storage": "a vault"}
    asked = (await site.ask("POST", "/api/admin-keys", token=zoe, json=wanted)).json()
    path = f"/api/admin-keys/{asked['id']}"
    await done(site, "POST", f"{path}/approve", rex, json={"request_hash": asked["request_hash"]})
    return path


@pytest.mark.parametrize("how", ["disabled", "an author"])
async def test_what_was_approved_for_who_somebody_was_is_not_collected(site: Site, how: str) -> None:
    zoe, rex = await site.login("zoe", "operator"), await site.login("rex", "operator")
    path, zoe_id = await _approved(site, zoe, rex), await site.user_id(zoe)
    if how == "disabled":
        await done(site, "POST", f"/api/users/{zoe_id}/disable", rex)
        await done(site, "POST", f"/api/users/{zoe_id}/enable", rex)
    else:
        await done(site, "PUT", f"/api/users/{zoe_id}", rex, json={"is_admin": False})
        await done(site, "PUT", f"/api/users/{zoe_id}", rex, json={"is_admin": True})
    again = await site.login("zoe")
    assert (await site.ask("POST", f"{path}/collect", token=again)).status == 409
    shown = (await site.ask("GET", path, token=again)).json()
    assert (shown["state"], shown["reason"]) == ("revoked", "Its requester was disabled, or is an operator no more.")
    entries = (await site.ask("GET", "/api/audit?name=admin_key.revoked", token=rex)).json()["entries"]
    assert [one["subject"] for one in entries] == [path.rpartition("/")[2]]


async def test_a_key_that_is_collected_while_it_is_revoked_opens_nothing(site: Site) -> None:
    zoe, rex = await site.login("zoe"), await site.login("rex", "operator")
    path = await _approved(site, zoe, rex)
    keys: list[str] = []

    async def collect() -> None:
        keys.append((await site.ask("POST", f"{path}/collect", token=zoe)).json()["key"])

    revoked = await ask_while(site, collect, "POST", f"{path}/revoke", token=rex)
    assert (revoked.status, revoked.json()["state"]) == (200, "revoked")
    token = admin_token(keys[0], site.clock.now())
    assert (await site.ask("GET", "/api/pipelinejobs", token=token)).status == 401
    assert await records(site, await site.user_id(zoe)) == ["login"]


async def test_a_key_that_is_revoked_while_it_is_collected_is_not_given(site: Site) -> None:
    zoe, rex = await site.login("zoe"), await site.login("rex", "operator")
    path = await _approved(site, zoe, rex)

    async def revoke() -> None:
        await done(site, "POST", f"{path}/revoke", rex)

    async def collected() -> None:  # the request is; the key's record is what comes next
        assert isinstance(site.store, Paused)
        site.store.meanwhile = revoke

    refused = await ask_while(site, collected, "POST", f"{path}/collect", token=zoe)
    assert (refused.status, refused.json()["detail"]["code"]) == (409, "conflict")
    assert await records(site, await site.user_id(zoe)) == ["login"]


class Hashed(MemoryStore):
    """A store that is told when a password is about to be recorded, after it was hashed."""

    meanwhile: Meanwhile | None = None

    async def find_principal(self, principal_id: int) -> Principal | None:
        found = await super().find_principal(principal_id)
        if self.meanwhile is not None:
            first, self.meanwhile = self.meanwhile, None
            await first()
        return found


async def test_a_password_is_not_changed_by_a_token_that_ended_while_it_was_hashed() -> None:
    site = make_site(Hashed())
    assert isinstance(site.store, Hashed)
    ann, thief = await site.login("ann"), await site.login("ann")
    path = f"/api/users/{await site.user_id(ann)}/password"
    new = {"password": secrets.token_urlsafe(20), "present": PASSWORD}

    async def change() -> None:
        await done(site, "POST", path, ann, json=new)

    site.store.meanwhile = change
    stolen = await site.ask("POST", path, token=thief, json={"password": "stolen otters swim", "present": PASSWORD})
    assert stolen.status == 401
    assert (await site.ask("POST", "/api/login", json=LOGIN | {"password": new["password"]})).status == 200
    await site.authority.close()
