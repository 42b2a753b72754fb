"""Old document tokens of imported jobs, until a date: 16 hex characters of a hash over a salt and the job's fields.

They are weaker than ours (64 bits, made without a key), so they open less: events and reads of their own job. One ends
with the serial that its job was imported with. Whatever is wrong with it, it is refused in the same words after the
same work.
"""

from __future__ import annotations

import hmac
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from jobpass.authority.bearer import Bearer
from jobpass.authority.buckets import Rate
from jobpass.authority.throttle import Throttle
from jobpass.errors import ForgedToken
from jobpass.records import LegacyToken
from jobpass.tokens.caveats import Actions, ExpiresAt
from jobpass.tokens.token import Verified

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.clock import Clock
    from jobpass.ports import ImportStore

TEXT: Final = re.compile(r"[0-9a-f]{16}")
"""All that can be an old token."""
OPENS: Final = ("jobs.read", "jobs.event")

ADDRESS: Final = Rate(100, 1.0)
"""Failures of one address: many jobs may report from behind it."""

SWEEP: Final = timedelta(hours=1)

_NOBODYS: Final = LegacyToken(
    0,
    "",
    "a" * 24,
    "['107b93f3-1eae-5e79-8a18-0a480f8aa3a5', {'owner': 'sd2eadm', 'project': 'SD2E-Community', 'tenant': 'sd2e'}]",
    datetime.max.replace(tzinfo=UTC),
)
"""What the token of a job without one is compared with, which nothing passes."""


class LegacyTokens:
    """Tells who presents an old token. One object a node remembers the failures."""

    def __init__(self, store: ImportStore, throttle: Throttle, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._throttle = throttle
        self._audit = audit
        self._clock = clock
        self._swept_at = clock.now()

    async def identify(self, text: str, job_uuid: str, address: str | None = None) -> Bearer:
        """Who presents ``text`` for this job.

        Raises ``ForgedToken`` if it is not the job's old token, or not any more, and ``TooMany`` where too many were
        refused before, for this job or from this address, while there are old tokens at all.
        """
        at, place = self._clock.now(), address or ""
        if not await self._store.has_legacy(at):  # there is nothing to guess, so nobody is slowed down
            raise ForgedToken("No old tokens are accepted here.")
        self._throttle.check(job_uuid, place, at)
        found = await self._store.find_legacy(job_uuid)
        lives = found is not None and at < found.until
        legacy = found if found is not None and lives else _NOBODYS
        fits = hmac.compare_digest(old_token(legacy.salt, legacy.fields), text)
        if not (fits and lives):
            self._throttle.failed(job_uuid, place, at)
            raise ForgedToken("The old token is not that of the job, or is accepted no more.")
        self._throttle.succeeded(job_uuid, place)
        caveats = (ExpiresAt(int(legacy.until.timestamp())), Actions(OPENS))
        verified = Verified("document", legacy.kid, job_uuid, legacy.serial, None, None, caveats)
        return Bearer(verified, None, address, legacy=True)

    async def tend(self) -> None:
        """Forget, once an hour, what ended by time; a chore."""
        at = self._clock.now()
        if at - self._swept_at >= SWEEP:
            self._swept_at = at
            await self._store.end_legacy(at)

    async def count(self) -> int:
        """How many live; for who holds the installation, as ``end``."""
        return await self._store.count_legacy(self._clock.now())

    async def end(self) -> int:
        """End all of them now, and forget what they are checked with; how many lived."""
        living = await self.count()
        await self._audit.record("legacy_tokens.ended", living=living)
        await self._store.end_legacy()
        return living


def old_token(salt: str, fields: str) -> str:
    """The token that the old algorithm makes of a salt and the text of a document's fields."""
    return sha256(f"{salt}:{fields}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def make_throttle() -> Throttle:
    """What remembers failures of old tokens, by job and by address."""
    return Throttle("Too many old tokens were refused.", ADDRESS)
