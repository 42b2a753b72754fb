"""The application over a fresh authority, with two authors, an operator, a pipeline, and jobs."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any, NamedTuple

from argon2 import PasswordHasher

from jobpass.archives import FileArchives
from jobpass.authority.authority import Authority
from jobpass.authority.passwords import Passwords
from jobpass.clock import Clock, FixedClock
from jobpass.lifecycle.standard import STANDARD
from jobpass.outbox.addresses import Allowed
from jobpass.outbox.places import Places
from jobpass.ports import Archives, Destinations, Store
from jobpass.server.app import App, create_app
from jobpass.tokens.attenuate import admin_token
from jobpass.tokens.keyring import Keyring
from support.asgi import Answer, Asker

PASSWORD = "correct horse battery staple"
PIPELINE = {
    "id": "count",
    "name": "Count",
    "components": [{"uri": "https://example.org/"}],
    "processing_levels": ["0"],
    "kept": {"as": "it came"},
}
BODY_LIMIT_BYTES = 64 * 1024


class Owned(NamedTuple):
    """A job with its document token."""

    uuid: str
    token: str

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/api/pipelinejobs/{self.uuid}"

    @property
    def events(self) -> str:
        """Where its events go."""
        return f"{self.path}/events"


class Site(NamedTuple):
    """An application, and what one needs to use it."""

    ask: Asker
    app: App
    authority: Authority
    store: Store
    keyring: Keyring
    clock: FixedClock

    async def login(self, name: str, role: str = "author") -> str:
        """The login token of ``name@example.org``, whose account is made if need be."""
        email = f"{name}@example.org"
        if await self.store.find_login(email) is None:
            await self.authority.accounts.create(email, PASSWORD, role)
        answer = await self.ask("POST", "/api/login", json={"email": email, "password": PASSWORD})
        assert answer.status == 200, answer.body
        return answer.json()["token"]

    async def pipeline(self, login: str) -> str:
        """The uuid of the one pipeline."""
        answer = await self.ask("POST", "/api/pipelines", token=login, json=PIPELINE)
        assert answer.status == 200, answer.body
        return answer.json()["uuid"]

    async def job(self, login: str, **data: Any) -> Owned:
        """A job of these data."""
        wanted = {"pipeline_uuid": await self.pipeline(login), "data": data}
        answer = await self.ask("POST", "/api/pipelinejobs", token=login, json=wanted)
        assert answer.status == 200, answer.body
        return Owned(answer.json()["uuid"], answer.json()["token"])

    async def user_id(self, login: str) -> int:
        """The id of the account whose login token this is."""
        return (await self.ask("GET", "/api/me", token=login)).json()["user_id"]

    async def admin_key(self, scope: dict[str, Any] | None = None) -> tuple[str, str]:
        """An admin key that zoe asked for and rex approved: its id and its text."""
        zoe, rex = await self.login("zoe"), await self.login("rex", "operator")
        wanted = {"use_case": "repair", "storage": "a vault", "lifetime_seconds": 600, "scope": scope}
        asked = (await self.ask("POST", "/api/admin-keys", token=zoe, json=wanted)).json()
        path, approval = f"/api/admin-keys/{asked['id']}", {"request_hash": asked["request_hash"]}
        assert (await self.ask("POST", f"{path}/approve", token=rex, json=approval)).status == 200
        answer = await self.ask("POST", f"{path}/collect", token=zoe)
        assert answer.status == 200, answer.body
        return asked["id"], answer.json()["key"]

    async def admin(self) -> str:
        """An admin token of a fresh key."""
        _, key = await self.admin_key()
        return admin_token(key, self.clock.now())

    async def standing(self, job: Owned, login: str) -> tuple[Any, Any, Any]:
        """The job, its history, and what its token says: what a refused call must leave as it was."""
        shown = await self.ask("GET", job.path, token=login)
        history = await self.ask("GET", f"{job.path}/history?limit=1000", token=login)
        by_token = await self.ask("GET", job.path, token=job.token)
        assert (shown.status, history.status, by_token.status) == (200, 200, 200)
        return shown.json(), history.json(), by_token.json()

    async def send(self, job: Owned, name: str, **more: Any) -> Answer:
        """An event with the document token."""
        return await self.ask("POST", job.events, token=job.token, json={"name": name, **more})


def make_site(
    store: Store,
    clock: Clock | None = None,
    keyring: Keyring | None = None,
    destinations: Destinations | None = None,
    archives: Archives | None = None,
    *,
    callbacks: bool = False,
) -> Site:
    """A fresh one, with passwords that cost little; webhooks may lead to 127.0.0.0/8 unless told."""
    keyring = keyring or Keyring.generate(secrets.token_bytes(4), secrets.token_bytes(32))
    clock = clock or FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC))
    passwords = Passwords(2, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    authority = Authority(
        store,
        keyring,
        STANDARD,
        passwords,
        clock,
        secrets.token_bytes,
        archives=archives or FileArchives(),
        destinations=destinations or Places(Allowed(["127.0.0.0/8"])),
    )
    app = create_app(authority, randomness=secrets.token_bytes, body_limit_bytes=BODY_LIMIT_BYTES, callbacks=callbacks)
    return Site(Asker(app), app, authority, store, keyring, clock)
