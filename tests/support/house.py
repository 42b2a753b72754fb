"""An authority on the memory store, with a clock that stands still and randomness that counts."""

from __future__ import annotations

import secrets
from typing import NamedTuple

from argon2 import PasswordHasher

from jobpass.archives import FileArchives
from jobpass.authority.authority import Authority
from jobpass.authority.bearer import Bearer
from jobpass.authority.jobs import Made
from jobpass.authority.passwords import Passwords
from jobpass.clock import FixedClock
from jobpass.lifecycle.registry import Lifecycles
from jobpass.lifecycle.standard import STANDARD
from jobpass.ports import Archives
from jobpass.stores.memory import MemoryStore
from jobpass.tokens.attenuate import admin_token
from jobpass.tokens.keyring import Keyring

PASSWORD = "correct horse battery"
PIPELINE = b'{"id":"count","name":"Count","components":[{"uri":"https://example.org/"}],"processing_levels":["0"]}'
MEMBERS = {
    "id": "count",
    "name": "Count",
    "components": [{"uri": "https://example.org/"}],
    "processing_levels": ["0"],
}


class House(NamedTuple):
    """An authority with what it was made from."""

    authority: Authority
    store: MemoryStore
    keyring: Keyring
    clock: FixedClock

    async def person(self, email: str, role: str = "author") -> Bearer:
        """Make an account and log it in."""
        await self.authority.accounts.create(email, PASSWORD, role)
        return await self.login(email)

    async def login(self, email: str) -> Bearer:
        """Log an account in."""
        logged_in = await self.authority.accounts.login(email, PASSWORD)
        return await self.bearer(logged_in.token)

    async def bearer(self, text: str) -> Bearer:
        """Who presents this text."""
        credentials = self.authority.credentials
        return await credentials.identify(credentials.verify(text), "192.0.2.7")

    async def admin(self, scope: dict[str, object] | None = None) -> Bearer:
        """The bearer of an admin token, of a key that zoe asked for and rex approved."""
        zoe, rex = await self.known("zoe@example.org"), await self.known("rex@example.org", "operator")
        keys = self.authority.admin_keys
        key = await keys.request(zoe, use_case="repair", storage="a vault", lifetime_seconds=600, scope=scope)
        await keys.approve(rex, key.id, key.request_hash)
        return await self.bearer(admin_token(await keys.collect(zoe, key.id), self.clock.now()))

    async def known(self, email: str, role: str = "author") -> Bearer:
        """Somebody, whose account is made if need be."""
        if await self.store.find_login(email) is None:
            return await self.person(email, role)
        return await self.login(email)

    async def job(self, owner: Bearer, data: dict[str, object] | None = None) -> Made:
        """A job on the one pipeline."""
        pipeline = await self.authority.pipelines.put(owner, PIPELINE, MEMBERS)
        return await self.authority.jobs.create(owner, pipeline.uuid, b"{}", data or {})


def make_house(
    clock: FixedClock,
    *,
    single_operator: bool = False,
    archives: Archives | None = None,
    lifecycles: Lifecycles = STANDARD,
    uuid_domain: str = "sd2e.org",
    store: MemoryStore | None = None,
    keyring: Keyring | None = None,
) -> House:
    """A fresh one, with passwords that cost little."""
    keyring = keyring or Keyring.generate(secrets.token_bytes(4), secrets.token_bytes(32))
    store = store or MemoryStore()
    passwords = Passwords(2, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    authority = Authority(
        store,
        keyring,
        lifecycles,
        passwords,
        clock,
        secrets.token_bytes,
        archives=archives or FileArchives(),
        single_operator=single_operator,
        uuid_domain=uuid_domain,
    )
    return House(authority, store, keyring, clock)
