"""The chore that tells webhooks: what happened is queued, what is due is sent, one after the other for each job.

Everything that counts is in the store: a process that dies leaves claims behind, which others take over when they have
run out. So a delivery is made at least once, and in the normal case once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from jobpass.clock import to_microseconds
from jobpass.errors import KeyringError, StoreUnavailable
from jobpass.outbox import message
from jobpass.outbox.sender import LIMIT_SECONDS, Outcome, Sender
from jobpass.outbox.target import parse
from jobpass.records import Claim, Webhook

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from jobpass.authority.authority import Authority
    from jobpass.clock import Clock
    from jobpass.ports import Randomness, WebhookStore

FAILING: Final = timedelta(days=5)
"""A webhook that has done nothing but fail for so long is disabled."""
POLL_SECONDS: Final = 0.25
FAILED_SECONDS: Final = 1.0
"""After something went wrong here: a full disk is no reason to ask for it all the time."""
UNFIT_SECONDS: Final = 5.0
SWEEP_SECONDS: Final = 60.0
STOP_SECONDS: Final = 3.0
"""What is under way when the server stops has so long to end."""
CHAIN: Final = 16
"""Deliveries for one job one after the other, before others may have the place."""
JITTER: Final = 0.1
"""A pause is longer or shorter by at most this part."""


class Limits(Struct, frozen=True):
    """How many deliveries are under way at once: at all, to one host, for one owner, to a webhook that fails."""

    total: int = 32
    host: int = 8
    owner: int = 16
    failing: int = 1


log = logging.getLogger("jobpass.webhooks")


class Outbox:
    """Sends until it is cancelled. ``authority`` may change its keyring meanwhile.

    ``retry_seconds`` are the pauses between attempts: there is one attempt more than these.
    """

    def __init__(
        self,
        authority: Authority,
        store: WebhookStore,
        sender: Sender,
        clock: Clock,
        randomness: Randomness,
        *,
        retry_seconds: tuple[int, ...],
        limits: Limits = Limits(),  # noqa: B008 - a frozen value
        poll_seconds: float = POLL_SECONDS,
        lease_seconds: float = LIMIT_SECONDS + 5,
    ) -> None:
        self._authority = authority
        self._store = store
        self._sender = sender
        self._clock = clock
        self._randomness = randomness
        self._retry_seconds = retry_seconds
        self._limits = limits
        self._poll_seconds = poll_seconds
        self._lease = timedelta(seconds=lease_seconds)
        self._tasks: set[asyncio.Task[None]] = set()
        self._counts: Counter[tuple[str, str | int]] = Counter()
        self._wake = asyncio.Event()
        self._last = ""

    @property
    def under_way(self) -> int:
        """How many deliveries are being made."""
        return len(self._tasks)

    async def run(self) -> None:
        """Send for ever; what is under way when this is cancelled has a moment to end, then is given back."""
        chores = [
            asyncio.create_task(self._repeat(lambda: self._authority.telling.disable_unfit(), UNFIT_SECONDS)),
            asyncio.create_task(self._repeat(lambda: self._authority.telling.sweep(), SWEEP_SECONDS)),
        ]
        try:
            while True:
                self._wake.clear()
                if not await self._guarded(self._step):
                    await self._pause()
        finally:
            for chore in chores:
                chore.cancel()
            await asyncio.wait(chores)
            await self._stop()

    async def _step(self) -> bool:
        """Queue some of what happened, and begin to send what is due; whether there may be more news."""
        now = self._clock.now()
        more = await self._store.queue_news(self._authority.telling.wants, now)
        webhooks = await self._store.due_webhooks(now)
        # Who has least under way comes first, and then whoever comes after the last one that was served: none is
        # passed over again and again.
        webhooks.sort(key=lambda one: (self._counts["owner", one.owner], one.id <= self._last, one.id))
        for webhook in webhooks:
            room = self._room(webhook)
            if room > 0:
                self._last = webhook.id
                for claim in await self._store.claim(webhook.id, now, now + self._lease, room):
                    self._begin(claim)
        return more

    def _room(self, webhook: Webhook) -> int:
        limits, counts = self._limits, self._counts
        room = [limits.total - self.under_way]
        for name, limit in zip(_names(webhook), (limits.host, limits.owner), strict=True):
            room.append(limit - counts[name])
        if webhook.failing_since is not None:
            room.append(limits.failing - counts["webhook", webhook.id])
        return min(room)

    def _begin(self, claim: Claim) -> None:
        names = (*_names(claim.webhook), ("webhook", claim.webhook.id))
        self._counts.update(names)
        task = asyncio.create_task(self._deliver(claim))
        self._tasks.add(task)

        def end(_: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._counts.subtract(names)
            for name in names:
                if not self._counts[name]:
                    del self._counts[name]
            self._wake.set()

        task.add_done_callback(end)

    async def _deliver(self, claim: Claim) -> None:
        """Send a claim, and what waits behind it for the same job while that goes well."""
        following: Claim | None = claim
        for place in range(1, CHAIN + 1):
            if following is None:
                return
            claim = following
            try:
                following = await self._send(claim, go_on=place < CHAIN)
            except asyncio.CancelledError:
                await self._store.release(claim, self._clock.now())
                raise
            except StoreUnavailable as error:  # the claim runs out, and somebody takes it again
                log.warning("what became of a delivery is not recorded: %s", error.message)
                return
            except Exception:  # one delivery that cannot be made must not end the others
                log.exception("a delivery failed")
                return

    async def _send(self, claim: Claim, *, go_on: bool) -> Claim | None:
        """Send once and record what became of it; the claim of what follows, if it was delivered and is to go on."""
        webhook, delivery = claim.webhook, claim.delivery
        at = self._clock.now()
        body, timestamp = message.body(claim), to_microseconds(at) // 1_000_000
        try:
            signature = self._authority.telling.secrets.signature(webhook, delivery.message, timestamp, body, at)
        except KeyringError:
            await self._authority.telling.disable_unfit()
            return None
        headers = {
            "content-type": message.MEDIA_TYPE,
            "webhook-id": delivery.message,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature,
        }
        outcome = await self._sender.post(webhook.url, headers, body)
        ended = self._clock.now()
        if outcome.delivered:
            return await self._store.note_delivered(claim, ended, ended + self._lease if go_on else None)
        await self._fail(claim, outcome, ended)
        return None

    async def _fail(self, claim: Claim, outcome: Outcome, at: datetime) -> None:
        webhook = claim.webhook
        log.info("a delivery failed: %s", outcome.sentence, extra={"webhook": webhook.id})
        await self._store.note_failure(claim, outcome.sentence, at, self._next(claim, outcome, at))
        if outcome.gone:
            await self._authority.telling.disable(webhook.id, "the receiver answered 410 Gone")
        elif webhook.failing_since is not None and at - webhook.failing_since >= FAILING:
            await self._authority.telling.disable(webhook.id, f"it failed for {FAILING.days} days")

    def _next(self, claim: Claim, outcome: Outcome, at: datetime) -> datetime | None:
        """When to try again, None for never: a ping has one attempt, and who answers 410 is asked no more."""
        attempts = claim.delivery.attempts
        if claim.happened is None or outcome.gone or attempts > len(self._retry_seconds):
            return None
        drawn = int.from_bytes(self._randomness(4), "big") / 0xFFFF_FFFF
        pause = self._retry_seconds[attempts - 1] * (1 + JITTER * (2 * drawn - 1))
        return at + timedelta(seconds=max(pause, outcome.retry_after_seconds))

    async def _pause(self) -> None:
        """Wait for a place to become free, for a moment at most."""
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _stop(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._sender.close()

    async def _repeat(self, chore: Callable[[], Awaitable[None]], seconds: float) -> None:
        while True:
            await self._guarded(chore)
            await asyncio.sleep(seconds)

    async def _guarded(self, work: Callable[[], Awaitable[bool | None]]) -> bool:
        """Do the work; whatever goes wrong is told, and must not end what comes after it."""
        try:
            return bool(await work())
        except StoreUnavailable as error:
            log.warning("webhooks wait for the store: %s", error.message)
        except Exception:
            log.exception("the chore of the webhooks failed")
        await asyncio.sleep(FAILED_SECONDS)
        return False


def _names(webhook: Webhook) -> tuple[tuple[str, str | int], tuple[str, str | int]]:
    """By what is counted how many deliveries are under way."""
    return ("host", parse(webhook.url).host), ("owner", webhook.owner)
