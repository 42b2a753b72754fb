"""The record of what job histories do not hold: log-ins, issues, revocations, reviews, refusals, settings.

One chain a node, keyed like a history's. What gives or takes power is one write with its entry, so that a process which
is killed leaves both or neither. Refusals are noted in memory, bounded for each source, and written by a chore, so that
a flood neither slows the door nor fills the disk.
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from jobpass.authority.buckets import Buckets, Rate
from jobpass.authority.chain import ChainKeys, mac
from jobpass.clock import to_microseconds
from jobpass.errors import KeyringError, StoreUnavailable
from jobpass.ports import Placement
from jobpass.records import NO_LINK, AuditEntry, Page
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.errors import Error
    from jobpass.ports import AuditStore
    from jobpass.tokens.keyring import Keyring

SOURCE: Final = Rate(20, 60.0)
"""Refusals of one source (an address) that are written one by one."""
NODE: Final = Rate(1000, 2.0)
"""Refusals of all sources together that are written one by one: some 15 MB a day at the most."""
MOST_NOTED: Final = 10_000
"""Refusals that wait to be written while the store is down; beyond these they are only counted."""
SUMMARY_SECONDS: Final = 60
"""How often it is written how many more there were."""

_encode = msgspec.json.Encoder(order="sorted").encode


def audit_link(chain_key: bytes, previous: bytes, entry: AuditEntry) -> bytes:
    """The link of ``entry`` after ``previous``: HMAC-SHA256 over its parts, each preceded by its length.

    The parts: ``jobpass/v1/audit``, previous link, node, sequence, time, name, principal, credential, address, subject,
    data; what is not there is an empty part. Numbers are decimal ASCII, the time microseconds since the epoch.
    """
    parts = (
        b"jobpass/v1/audit",
        previous,
        entry.node.encode(),
        b"%d" % entry.sequence,
        b"%d" % to_microseconds(entry.at),
        entry.name.encode(),
        b"" if entry.principal is None else b"%d" % entry.principal,
        (entry.credential or "").encode(),
        (entry.address or "").encode(),
        (entry.subject or "").encode(),
        entry.data,
    )
    return mac(chain_key, parts)


class Audit:
    """Writes and reads the audit of this node."""

    def __init__(self, store: AuditStore, gate: Gate, keyring: Keyring, clock: Clock, node: str) -> None:
        self._store = store
        self._gate = gate
        self._keyring = keyring
        self._clock = clock
        self._node = node
        self._noted: list[AuditEntry] = []
        self._refused = Buckets()
        self._more = 0
        self._summed_at = clock.now()

    async def record(
        self,
        name: str,
        *,
        bearer: Bearer | None = None,
        principal: int | None = None,
        address: str | None = None,
        subject: str | None = None,
        **data: Any,
    ) -> None:
        """Write one entry durably, after what was noted before it. ``data`` must hold no secret."""
        await self.flush()
        placement = self.placement(name, bearer=bearer, principal=principal, address=address, subject=subject, **data)
        await self._store.append_audit(placement.node, placement.place)

    def placement(
        self,
        name: str,
        *,
        bearer: Bearer | None = None,
        principal: int | None = None,
        address: str | None = None,
        subject: str | None = None,
        **data: Any,
    ) -> Placement:
        """One entry, for the write that it tells of. ``data`` must hold no secret."""
        credential = None
        if bearer is not None:
            credential, address = bearer.credential, bearer.address
            principal = bearer.session.principal.id if bearer.session is not None else principal
        return self._placement([self._entry(name, principal, credential, address, subject, data)])

    def note_refusal(
        self, error: Error, action: str, bearer: Bearer | None, address: str | None, subject: str | None
    ) -> None:
        """Note a refusal with its true reason, in memory; ``flush`` writes it."""
        at = self._clock.now()
        buckets = ((("source", address or ""), SOURCE), (("node", ""), NODE))
        if len(self._noted) >= MOST_NOTED or any(self._refused.wait(key, rate, at) > 0 for key, rate in buckets):
            self._more += 1
            return
        for key, rate in buckets:
            self._refused.add(key, rate, at)
        principal = bearer.session.principal.id if bearer is not None and bearer.session is not None else None
        credential = bearer.credential if bearer is not None else None
        data: dict[str, Any] = {"code": error.code, "action": action, "reason": error.message}
        if "reasons" in error.detail:
            data["reasons"] = error.detail["reasons"]
        self._noted.append(self._entry("refused", principal, credential, address, subject, data))

    async def flush(self) -> None:
        """Write what was noted; a chore. What cannot be written now stays noted."""
        entries = self._drain()
        if not entries:
            return
        placement = self._placement(entries)
        try:
            await self._store.append_audit(placement.node, placement.place)
        except StoreUnavailable:
            self._noted = entries + self._noted
            raise

    async def page(
        self,
        bearer: Bearer,
        *,
        name: str | None = None,
        principal: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[AuditEntry]:
        """Entries in order of writing, for an operator; what was only noted is written first."""
        self._gate.admit(bearer, Access("audit.read", self._clock.now(), address=bearer.address))
        await self.flush()
        return await self._store.list_audit(
            name=name, principal=principal, since=since, until=until, after=after, limit=limit
        )

    def _entry(
        self,
        name: str,
        principal: int | None,
        credential: str | None,
        address: str | None,
        subject: str | None,
        data: dict[str, Any],
    ) -> AuditEntry:
        """An entry without its place in the chain, which it gets when it is written."""
        at, kid = self._clock.now(), self._keyring.signing_kid
        return AuditEntry(self._node, 0, at, name, principal, credential, address, subject, _encode(data), kid, NO_LINK)

    def _drain(self) -> list[AuditEntry]:
        """Take what was noted and, now and then, how many refusals there were beyond it."""
        noted, self._noted = self._noted, []
        at = self._clock.now()
        if self._more and at - self._summed_at >= timedelta(seconds=SUMMARY_SECONDS):
            noted.append(self._entry("refused.more", None, None, None, None, {"more": self._more}))
            self._more, self._summed_at = 0, at
        return noted

    def _placement(self, entries: list[AuditEntry]) -> Placement:
        def place(sequence: int, previous: bytes) -> list[AuditEntry]:
            placed = []
            for entry in entries:
                sequence += 1
                numbered = replace(entry, sequence=sequence)
                previous = audit_link(self._keyring.chain_key(entry.kid), previous, numbered)
                placed.append(replace(numbered, link=previous))
            return placed

        return Placement(self._node, place)


def follows(entry: AuditEntry, sequence: int, previous: bytes, keys: ChainKeys) -> bool:
    """Whether ``entry`` is the one after ``sequence`` and its link holds after ``previous``."""
    try:
        key = keys(entry.kid)
    except KeyringError:  # a link of a key that is not ours is a bad one
        return False
    return entry.sequence == sequence + 1 and hmac.compare_digest(audit_link(key, previous, entry), entry.link)
