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
from jobpass.lifecycle.standard import STANDARD
from jobpass.stores.memory import MemoryStore
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

    async def job(self, owner: Bearer, data: dict[str, object] | None = None) -> Made:
        """A job on the one pipeline."""
        pipeline = await self.authority.pipelines.put(owner, PIPELINE, MEMBERS)
        return await self.authority.jobs.create(owner, pipeline.uuid, b"{}", data or {})


def make_house(clock: FixedClock, *, single_operator: bool = False) -> House:
    """A fresh one, with passwords that cost little."""
    keyring = Keyring.generate(secrets.token_bytes(4), secrets.token_bytes(32))
    store = MemoryStore()
    passwords = Passwords(2, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    authority = Authority(
        store,
        keyring,
        STANDARD,
        passwords,
        clock,
        secrets.token_bytes,
        archives=FileArchives(),
        single_operator=single_operator,
    )
    return House(authority, store, keyring, clock)
