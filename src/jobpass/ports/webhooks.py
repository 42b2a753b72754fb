"""Webhooks, what is still to be told, and where they may lead."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

from jobpass.ports.audit import Note
from jobpass.records import Claim, Delivery, News, Page, Principal, Webhook


class WebhookStore(Protocol):
    """Who wants to be told of events, and what is still to be told.

    Deliveries of one webhook and one job wait in the order of the job's history, and only the first of them can be
    claimed. Disabling a webhook makes all that waits for it dead; deleting it, or a job, takes the deliveries away.
    """

    async def add_webhook(self, webhook: Webhook, most: int, *, note: Note[Webhook] | None = None) -> None:
        """Keep a new webhook, which is told of events committed from now on; ``Conflict`` if its owner has ``most``."""
        ...

    async def find_webhook(self, webhook_id: str) -> Webhook | None:
        """The webhook of this id."""
        ...

    async def list_webhooks(self, *, owner: int | None, after: str | None, limit: int) -> Page[Webhook]:
        """Webhooks in order of creation; ``after`` as in ``list_jobs``."""
        ...

    async def change_webhook(
        self,
        webhook_id: str,
        judge: Callable[[Webhook | None], Webhook],
        at: datetime,
        *,
        note: Note[Webhook] | None = None,
    ) -> Webhook:
        """Replace the webhook by what the pure ``judge`` says of it as it stands, in one transaction.

        ``judge`` refuses by raising; of a webhook that is unknown (None) it must. One that is enabled again is told of
        events committed from then on.
        """
        ...

    async def delete_webhook(self, webhook_id: str, *, note: Note[bool] | None = None) -> bool:
        """Take the webhook away with all its deliveries; whether there was one."""
        ...

    async def unfit_webhooks(self, kids: Collection[str]) -> list[Webhook]:
        """Those that are not disabled but whose owner is, or whose root key is none of ``kids``."""
        ...

    async def queue_news(self, wants: Callable[[Webhook, Principal, News], bool], at: datetime) -> bool:
        """Look at some committed events that were not looked at, in the order in which they were committed.

        For each one and each webhook on its job or pipeline of which the pure ``wants`` says so (its second argument is
        the owner) a delivery waits; a disabled webhook or owner is not asked about. Each event is looked at exactly
        once, whoever else does the same and whatever dies meanwhile. Returns whether there may be more.
        """
        ...

    async def add_ping(self, webhook_id: str, message: str, at: datetime) -> bool:
        """Queue a ping; False if one is waiting already."""
        ...

    async def due_webhooks(self, at: datetime) -> list[Webhook]:
        """The webhooks, neither disabled nor their owner, for which something can be sent now."""
        ...

    async def claim(self, webhook_id: str, at: datetime, until: datetime, limit: int) -> list[Claim]:
        """Take at most ``limit`` deliveries of a webhook, longest due first, each the first that waits of its job.

        Nobody else gets them before ``until``, and their ``attempts`` count one more.
        """
        ...

    async def note_delivered(self, claim: Claim, at: datetime, until: datetime | None) -> Claim | None:
        """The claim was fulfilled; the next that waits of that job is claimed as by ``claim``, if there is one and
        ``until`` is given. Nothing happens if the delivery was claimed anew meanwhile."""
        ...

    async def note_failure(self, claim: Claim, error: str, at: datetime, next_at: datetime | None) -> None:
        """The attempt failed: the delivery may be claimed from ``next_at``, or is dead if that is None; then the next
        of that job can be. Nothing happens if the delivery was claimed anew meanwhile."""
        ...

    async def release(self, claim: Claim, at: datetime) -> None:
        """Give a claim back unsent, as if it had not been taken."""
        ...

    async def count_deliveries(self, webhook_id: str) -> tuple[int, int]:
        """How many wait, and how many are dead."""
        ...

    async def list_dead(self, webhook_id: str, *, after: str | None, limit: int) -> Page[Delivery]:
        """Dead deliveries in the order in which they were made; ``after`` as in ``list_jobs``."""
        ...

    async def retry_dead(self, webhook_id: str, ids: Collection[int] | None, at: datetime, limit: int) -> int:
        """Have dead deliveries (of these ids, or any that died by ``at``) wait again, at most ``limit``; how many."""
        ...

    async def sweep_deliveries(self, before: datetime, most_dead: int, most_waiting: int) -> list[str]:
        """Forget what died before ``before``, and of each webhook all but the last ``most_dead``; the ids of webhooks
        for which more than ``most_waiting`` wait."""
        ...


class Destinations(Protocol):
    """Where webhooks may be sent to."""

    async def check(self, url: str) -> None:
        """Return if the URL is a webhook's, and leads to addresses that are allowed now.

        Raises ``InvalidInput`` on ``json.url``, which tells nothing of what the name stands for.
        """
        ...
