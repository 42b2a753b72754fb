"""The authority: joins its parts and adds nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING

from jobpass.authority import anchors
from jobpass.authority.accounts import Accounts
from jobpass.authority.admin_keys import DEFAULT_LIFETIME_SECONDS, AdminKeys
from jobpass.authority.api_keys import ApiKeys
from jobpass.authority.audit import Audit
from jobpass.authority.blobs import Blobs
from jobpass.authority.buckets import Buckets
from jobpass.authority.callbacks import Callbacks
from jobpass.authority.compute import LISTENERS_EACH, Compute
from jobpass.authority.containment import Containment
from jobpass.authority.credentials import Credentials
from jobpass.authority.export import documents
from jobpass.authority.gate import Gate
from jobpass.authority.history import Checked, verify_all, verify_audit
from jobpass.authority.holds import Holds
from jobpass.authority.imports import Imports, Options
from jobpass.authority.indexing import Indexing
from jobpass.authority.introspection import Introspection
from jobpass.authority.issuing import Issuing
from jobpass.authority.job_tokens import JobTokens
from jobpass.authority.jobs import Jobs
from jobpass.authority.lease_time import LeaseTime
from jobpass.authority.legacy import LegacyTokens, make_throttle
from jobpass.authority.pipelines import Pipelines
from jobpass.authority.platforms import Platforms
from jobpass.authority.recording import Indexings
from jobpass.authority.rekey import rekey
from jobpass.authority.resetting import Resetting, Underway
from jobpass.authority.signals import Hub
from jobpass.authority.submissions import Submissions
from jobpass.authority.telling import Telling
from jobpass.authority.throttle import Throttle
from jobpass.authority.webhooks import Webhooks
from jobpass.authority.workers import LEASE_SECONDS, POLLS, POLLS_EACH, Workers
from jobpass.ids import namespace
from jobpass.tokens.access import Access
from jobpass.tokens.verify import Verifier

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.passwords import Passwords
    from jobpass.clock import Clock
    from jobpass.lifecycle.registry import Lifecycles
    from jobpass.ports import Archives, Destinations, Randomness, Store
    from jobpass.tokens.keyring import Keyring, KeyState


class Authority:
    """Everything that can be asked of Jobpass in process; the server is a thin shell over it.

    ``node`` names the audit chain that it writes; ``admin_lifetime_seconds`` is the lifetime of an admin key that asks
    for none; ``single_operator`` lets an operator approve an own request. ``archives`` are where jobs put what they
    made. ``uuid_domain`` is the DNS name in whose namespace the uuids of jobs and pipelines are made.
    ``destinations`` says where webhooks may lead; without it none is made. ``lease_seconds`` is how long a worker has a
    job without saying anything of it.
    """

    def __init__(
        self,
        store: Store,
        keyring: Keyring,
        lifecycles: Lifecycles,
        passwords: Passwords,
        clock: Clock,
        randomness: Randomness,
        *,
        archives: Archives,
        node: str = "main",
        admin_lifetime_seconds: int = DEFAULT_LIFETIME_SECONDS,
        single_operator: bool = False,
        uuid_domain: str = "sd2e.org",
        destinations: Destinations | None = None,
        lease_seconds: int = LEASE_SECONDS,
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._throttle = Throttle()
        self._calls = Buckets()
        self._legacy_throttle = make_throttle()
        self._clock = clock
        self._randomness = randomness
        self._archives = archives
        self._node = node
        self._admin_lifetime_seconds = admin_lifetime_seconds
        self._single_operator = single_operator
        self._namespace = namespace(uuid_domain)
        self._underway = Underway()
        self._indexings = Indexings()
        self._destinations = destinations
        self._lease_seconds = lease_seconds
        self._lease_time = LeaseTime(store, clock, lease_seconds)
        self.signals = Hub(store)
        self._holds = Holds()
        self._listeners = Holds(most_each=LISTENERS_EACH)
        self._polls = Holds(POLLS, POLLS_EACH)
        self.lifecycles = lifecycles
        self._join(keyring)

    def _join(self, keyring: Keyring) -> None:
        store, clock, randomness = self._store, self._clock, self._randomness
        gate = Gate(keyring, self.lifecycles)
        self._gate = gate
        self._keyring = keyring
        self.audit = Audit(store, gate, keyring, clock, self._node)
        self.credentials = Credentials(store, Verifier(keyring), gate, clock)
        issuing = Issuing(store, keyring, randomness)
        self._join_work(gate)
        self.admin_keys = AdminKeys(
            store,
            gate,
            keyring,
            self.audit,
            clock,
            randomness,
            lifetime_seconds=self._admin_lifetime_seconds,
            single_operator=self._single_operator,
        )
        self.accounts = Accounts(
            store,
            gate,
            self._passwords,
            self._throttle,
            issuing,
            self.audit,
            clock,
            self.compute.abandon,
            self.admin_keys.withdraw,
        )
        self.job_tokens = JobTokens(store, gate, self.credentials, issuing, self.audit, clock)
        self.api_keys = ApiKeys(store, gate, self.credentials, issuing, self.audit, clock)
        self.platforms = Platforms(store, gate, self.audit, clock, randomness)
        self.pipelines = Pipelines(store, gate, clock, self._namespace)
        resetting = Resetting(
            store, gate, self._archives, self.credentials, self.audit, clock, randomness, self._underway
        )
        self.jobs = Jobs(
            store,
            gate,
            keyring,
            self.lifecycles,
            self.audit,
            clock,
            randomness,
            resetting,
            self._archives,
            self._namespace,
        )
        self.callbacks = Callbacks(
            store, gate, self.jobs, self.credentials, self.lifecycles, self.audit, clock, self._calls
        )
        self.webhooks = Webhooks(
            store, gate, keyring, self.lifecycles, self.audit, clock, randomness, self._destinations
        )
        self.legacy_tokens = LegacyTokens(store, self._legacy_throttle, self.audit, clock)
        self.indexing = Indexing(
            store,
            gate,
            keyring,
            self._archives,
            self.credentials,
            self.audit,
            clock,
            randomness,
            self._indexings,
            self._namespace,
        )
        self.telling = Telling(store, gate, keyring, self.audit, clock)
        self.containment = Containment(
            store, gate, self.credentials, self.admin_keys, self.workers, self.telling, self.audit, clock, randomness
        )
        self.introspection = Introspection(
            store, gate, self.credentials, self.jobs, self.admin_keys, self.workers, self.audit, clock
        )

    def _join_work(self, gate: Gate) -> None:
        store, clock, randomness, signals = self._store, self._clock, self._randomness, self.signals
        self.blobs = Blobs(store, clock, randomness)
        self.submissions = Submissions(store, gate, self._keyring, clock, randomness, self.blobs, signals)
        self.compute = Compute(store, gate, clock, randomness, self.blobs, signals, self._holds, self._listeners)
        self.workers = Workers(
            store,
            gate,
            self._keyring,
            clock,
            randomness,
            self.blobs,
            signals,
            self._polls,
            self._lease_time,
            self._lease_seconds,
        )

    def imports(self, options: Options) -> Imports:
        """An import of a seed system's catalogue; for who holds the installation, not for bearers."""
        return Imports(self._store, self.accounts, self._keyring, self.audit, self._randomness, options)

    def export(self) -> AsyncIterator[bytes]:
        """All pipelines and jobs as documents of such a catalogue, without secrets; likewise."""
        return documents(self._store)

    def now(self) -> datetime:
        """The time, as everything that is decided here sees it."""
        return self._clock.now()

    def admit(self, bearer: Bearer, action: str) -> None:
        """Return if the bearer may do what concerns no job but its own, else raise as the gate does."""
        at, own = self._clock.now(), bearer.verified.job_uuid
        self._gate.admit(bearer, Access(action, at, job=own, address=bearer.address))

    async def use_keyring(self, keyring: Keyring) -> None:
        """Go on with another keyring: what it has retired opens nothing any more, what it signs with signs."""
        credentials, audit = self.credentials, self.audit
        self._join(keyring)
        await credentials.flush()
        await audit.flush()

    @property
    def keys(self) -> tuple[KeyState, ...]:
        """The id and state of each root key, newest first."""
        return self._keyring.keys

    async def count_kids(self) -> dict[str, int]:
        """How many jobs and living credentials still need each root key."""
        return await self._store.count_kids(self._clock.now())

    async def lifecycles_gone(self) -> dict[str, int]:
        """How many jobs have a lifecycle that is not known here any more, by its name; looks at every job."""
        counts = await self._store.count_lifecycles()
        return {name: count for name, count in sorted(counts.items()) if name not in self.lifecycles}

    async def rekey_jobs(self) -> int:
        """Give the jobs of retired root keys new serials, so that their owners can have tokens; how many it were."""
        return await rekey(self._store, self._keyring, self._randomness, self._clock.now())

    def anchor(self) -> AsyncIterator[anchors.Line]:
        """The lines of an anchor of what stands now; for who holds the installation."""
        return anchors.heads(self._store, self._clock.now())

    def missing(self, anchored: list[anchors.AuditHead | anchors.JobHead]) -> AsyncIterator[anchors.Missing]:
        """What stood when the anchor was made and stands no more; the chains are to be verified first."""
        return anchors.missing(self._store, anchored)

    async def check(self) -> None:
        """Return if the record can be written now, else raise ``StoreUnavailable``."""
        await self._store.check()

    async def tend(self) -> None:
        """The periodic upkeep: the store's own, and what was counted and noted in memory is written."""
        await self._store.tend()  # first: it makes room, without which nothing else may be written
        await self.credentials.flush()
        await self.audit.flush()
        async with self._store.chore("tend") as mine:  # of several nodes one is enough
            if mine:
                await self.legacy_tokens.tend()
                await self.workers.tend()
                await self.accounts.tend()
                await self.blobs.sweep()

    def clock_offset(self) -> float | None:
        """How many seconds this process's clock is ahead of the store's; None if it is the same or not known."""
        return self._store.clock_offset()

    def verify(self) -> AsyncIterator[Checked]:
        """Check the history of every job; for who holds the installation, not for bearers."""
        return verify_all(self._store, self._keyring.chain_key)

    def verify_audit(self) -> AsyncIterator[Checked]:
        """Check the audit chain of every node; ``Checked.uuid`` is the node's name."""
        return verify_audit(self._store, self._keyring.chain_key)

    async def close(self) -> None:
        """Answer what was accepted, write what was noted, then let go of the store."""
        await self._indexings.stop()
        await self._underway.finish()
        await self.credentials.flush()
        await self.audit.flush()
        await self._store.close()
