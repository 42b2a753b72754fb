"""The authority: joins its parts and adds nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from jobpass.authority.accounts import Accounts
from jobpass.authority.credentials import Credentials
from jobpass.authority.gate import Gate
from jobpass.authority.history import Checked, verify_all
from jobpass.authority.jobs import Jobs
from jobpass.authority.pipelines import Pipelines
from jobpass.tokens.verify import Verifier

if TYPE_CHECKING:
    from jobpass.authority.passwords import Passwords
    from jobpass.clock import Clock
    from jobpass.lifecycle.registry import Lifecycles
    from jobpass.ports import Randomness, Store
    from jobpass.tokens.keyring import Keyring


class Authority:
    """Everything that can be asked of Jobpass in process; the server is a thin shell over it."""

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        lifecycles: Lifecycles,
        passwords: Passwords,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        gate = Gate(keyring, lifecycles)
        self._store = store
        self._keyring = keyring
        self.credentials = Credentials(store, Verifier(keyring))
        self.accounts = Accounts(store, gate, keyring, passwords, clock, randomness)
        self.pipelines = Pipelines(store, gate, clock)
        self.jobs = Jobs(store, gate, keyring, lifecycles, clock, randomness)

    async def check(self) -> None:
        """Return if the record can be written now, else raise ``StoreUnavailable``."""
        await self._store.check()

    async def tend(self) -> None:
        """The periodic upkeep of the store."""
        await self._store.tend()

    def verify(self) -> AsyncIterator[Checked]:
        """Check the history of every job; for who holds the installation, not for bearers."""
        return verify_all(self._store, self._keyring.chain_key)

    async def close(self) -> None:
        """Answer what was accepted, then let go of the store."""
        await self._store.close()
