"""What whoever sends to webhooks asks of the authority: who is to be told, what signs, and when to stop."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from jobpass.authority.webhook_secrets import Secrets
from jobpass.errors import UnknownWebhook
from jobpass.records import News, Principal, Webhook

if TYPE_CHECKING:
    from jobpass.authority.audit import Audit
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import Placement, WebhookStore
    from jobpass.tokens.keyring import Keyring

HISTORY: Final = timedelta(hours=1)
"""An event so much older than the webhook is not news: a history was brought in from elsewhere."""
KEPT: Final = timedelta(days=30)
"""Dead deliveries are kept so long."""
MOST_DEAD: Final = 10_000
"""Dead deliveries of one webhook that are kept."""
MOST_WAITING: Final = 100_000
"""Deliveries that may wait for one webhook before it is disabled."""


class Telling:
    """For the installation itself, which sends; not for bearers."""

    def __init__(self, store: WebhookStore, gate: Gate, keyring: Keyring, audit: Audit, clock: Clock) -> None:
        self._store = store
        self._gate = gate
        self.secrets = Secrets(keyring)
        self._audit = audit
        self._clock = clock

    def wants(self, webhook: Webhook, owner: Principal, news: News) -> bool:
        """Whether the webhook of this owner is to be told; pure."""
        if news.at < webhook.created_at - HISTORY or (webhook.events and news.name not in webhook.events):
            return False
        # The uuid of a job that was deleted can be that of another's job now.
        if webhook.job_uuid is not None and news.owner != owner.id:
            return False
        return self._gate.may_be_told(owner, news.owner)

    async def disable(self, webhook_id: str, reason: str) -> bool:
        """Tell the webhook nothing more; what waits for it is dead. False, and nothing, if it is gone, or disabled."""
        at = self._clock.now()
        ended = False

        def judge(webhook: Webhook | None) -> Webhook:
            nonlocal ended
            if webhook is None:
                raise UnknownWebhook("There is no such webhook.", id=webhook_id)
            ended = webhook.disabled_at is None
            return replace(webhook, disabled_at=at, reason=reason) if ended else webhook

        def note(webhook: Webhook) -> Placement | None:
            if not ended:
                return None
            return self._audit.placement("webhook.disabled", principal=webhook.owner, subject=webhook_id, reason=reason)

        try:
            await self._store.change_webhook(webhook_id, judge, at, note=note)
        except UnknownWebhook:  # deleted meanwhile
            return False
        return ended

    async def disable_unfit(self) -> None:
        """A chore: disable what has lost its owner or its root key."""
        living = self.secrets.living
        for webhook in await self._store.unfit_webhooks(living):
            lost = "its owner's account is disabled" if webhook.kid in living else "its root key was retired"
            await self.disable(webhook.id, lost)

    async def sweep(self) -> None:
        """A chore: forget old and too many dead deliveries, and disable what too much waits for."""
        before = self._clock.now() - KEPT
        for webhook_id in await self._store.sweep_deliveries(before, MOST_DEAD, MOST_WAITING):
            await self.disable(webhook_id, f"more than {MOST_WAITING} deliveries were waiting")
