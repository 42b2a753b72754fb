"""Webhooks and their deliveries in memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from jobpass.ports import Note
from jobpass.records import Claim, Delivery, Event, News, Page, Principal, Webhook
from jobpass.stores.listing import read_cursor
from jobpass.stores.memory.part import Part, page
from jobpass.stores.rules import check_replacement, crowded

NEWS_AT_ONCE = 1024


class _Queued(Struct):
    """A delivery as it stands; ``next_at`` is set for the first that waits of its webhook and job only."""

    delivery: Delivery
    event: Event | None
    next_at: datetime | None = None

    @property
    def waits(self) -> bool:
        return self.delivery.dead_at is None


class Webhooks(Part):
    """``ports.WebhookStore``."""

    def __init__(self) -> None:
        super().__init__()
        self._webhook_numbers: dict[str, int] = {}
        self._since: dict[str, int] = {}
        self._looked_at = 0
        self._queue: dict[int, _Queued] = {}
        self._deliveries_made = 0

    async def add_webhook(self, webhook: Webhook, most: int, *, note: Note[Webhook] | None = None) -> None:
        """As ``ports.WebhookStore``."""
        self._check_open()
        if sum(one.owner == webhook.owner for one in self._webhooks.values()) >= most:
            raise crowded(most)
        self._webhooks[webhook.id] = self._note(note, webhook)
        self._webhook_numbers[webhook.id] = len(self._webhook_numbers) + 1
        self._since[webhook.id] = len(self._news)

    async def find_webhook(self, webhook_id: str) -> Webhook | None:
        """As ``ports.WebhookStore``."""
        self._check_open()
        return self._webhooks.get(webhook_id)

    async def list_webhooks(self, *, owner: int | None, after: str | None, limit: int) -> Page[Webhook]:
        """As ``ports.WebhookStore``."""
        self._check_open()
        wanted = (
            (self._webhook_numbers[name], one)
            for name, one in self._webhooks.items()
            if owner is None or one.owner == owner
        )
        return page(wanted, read_cursor(after, len(self._webhook_numbers)), limit)

    async def change_webhook(
        self,
        webhook_id: str,
        judge: Callable[[Webhook | None], Webhook],
        at: datetime,
        *,
        note: Note[Webhook] | None = None,
    ) -> Webhook:
        """As ``ports.WebhookStore``."""
        self._check_open()
        standing = self._webhooks.get(webhook_id)
        changed = judge(standing)
        check_replacement(changed, standing)
        self._webhooks[webhook_id] = self._note(note, changed)
        if changed.disabled_at is not None:
            for one in self._of(webhook_id):
                if one.waits:
                    error = one.delivery.last_error or changed.reason
                    one.delivery, one.next_at = replace(one.delivery, dead_at=at, last_error=error), None
        elif standing is not None and standing.disabled_at is not None:
            self._since[webhook_id] = len(self._news)
        return changed

    async def delete_webhook(self, webhook_id: str, *, note: Note[bool] | None = None) -> bool:
        """As ``ports.WebhookStore``."""
        self._check_open()
        found = self._note(note, webhook_id in self._webhooks)
        for one in list(self._of(webhook_id)):
            del self._queue[one.delivery.id]
        self._webhooks.pop(webhook_id, None)
        return found

    async def unfit_webhooks(self, kids: Collection[str]) -> list[Webhook]:
        """As ``ports.WebhookStore``."""
        self._check_open()
        return [
            one
            for one in self._webhooks.values()
            if one.disabled_at is None and (one.kid not in kids or not self._principal(one.owner).active)
        ]

    async def queue_news(self, wants: Callable[[Webhook, Principal, News], bool], at: datetime) -> bool:
        """As ``ports.WebhookStore``."""
        self._check_open()
        upto = min(self._looked_at + NEWS_AT_ONCE, len(self._news))
        for number in range(self._looked_at, upto):
            uuid, event = self._news[number]
            if event is None:
                continue
            job = self._jobs[uuid][1]
            news = News(uuid, job.pipeline_uuid, job.owner, event.sequence, event.name, event.at)
            for webhook in self._listeners(news):
                if self._since[webhook.id] <= number and wants(webhook, self._principal(webhook.owner), news):
                    self._add(webhook.id, event.uuid, at, uuid, event)
        self._looked_at = upto
        return upto < len(self._news)

    def _listeners(self, news: News) -> list[Webhook]:
        return [
            one
            for one in self._webhooks.values()
            if (one.job_uuid == news.job_uuid or one.pipeline_uuid == news.pipeline_uuid)
            and one.disabled_at is None
            and self._principal(one.owner).active
        ]

    async def add_ping(self, webhook_id: str, message: str, at: datetime) -> bool:
        """As ``ports.WebhookStore``."""
        self._check_open()
        if self._waiting(webhook_id, None):
            return False
        self._add(webhook_id, message, at, None, None)
        return True

    async def due_webhooks(self, at: datetime) -> list[Webhook]:
        """As ``ports.WebhookStore``."""
        self._check_open()
        due = {one.delivery.webhook for one in self._queue.values() if one.next_at is not None and one.next_at <= at}
        return [self._webhooks[name] for name in sorted(due) if self._listens(name)]

    async def claim(self, webhook_id: str, at: datetime, until: datetime, limit: int) -> list[Claim]:
        """As ``ports.WebhookStore``."""
        self._check_open()
        if not self._listens(webhook_id):
            return []
        due = [(one.next_at, one) for one in self._of(webhook_id) if one.next_at is not None and one.next_at <= at]
        return [self._claim(one, until) for _, one in sorted(due, key=lambda pair: pair[0])[:limit]]

    async def note_delivered(self, claim: Claim, at: datetime, until: datetime | None) -> Claim | None:
        """As ``ports.WebhookStore``."""
        self._check_open()
        if self._claimed(claim) is None:
            return None
        delivery = claim.delivery
        del self._queue[delivery.id]
        webhook = self._webhooks[delivery.webhook]
        self._webhooks[webhook.id] = replace(webhook, failing_since=None)
        following = self._promote(delivery.webhook, delivery.job_uuid, at)
        if following is None or until is None or not self._listens(delivery.webhook):
            return None
        return self._claim(following, until)

    async def note_failure(self, claim: Claim, error: str, at: datetime, next_at: datetime | None) -> None:
        """As ``ports.WebhookStore``."""
        self._check_open()
        one = self._claimed(claim)
        if one is None:
            return
        dead_at = at if next_at is None else None
        one.delivery, one.next_at = replace(one.delivery, last_error=error, dead_at=dead_at), next_at
        webhook = self._webhooks[one.delivery.webhook]
        self._webhooks[webhook.id] = replace(webhook, failing_since=webhook.failing_since or at)
        if next_at is None:
            self._promote(webhook.id, one.delivery.job_uuid, at)

    async def release(self, claim: Claim, at: datetime) -> None:
        """As ``ports.WebhookStore``."""
        self._check_open()
        one = self._claimed(claim)
        if one is not None:
            one.delivery, one.next_at = replace(one.delivery, attempts=one.delivery.attempts - 1), at

    async def count_deliveries(self, webhook_id: str) -> tuple[int, int]:
        """As ``ports.WebhookStore``."""
        self._check_open()
        waiting = [one.waits for one in self._of(webhook_id)]
        return sum(waiting), len(waiting) - sum(waiting)

    async def list_dead(self, webhook_id: str, *, after: str | None, limit: int) -> Page[Delivery]:
        """As ``ports.WebhookStore``."""
        self._check_open()
        dead = ((one.delivery.id, one.delivery) for one in self._of(webhook_id) if not one.waits)
        return page(dead, read_cursor(after, self._deliveries_made), limit)

    async def retry_dead(self, webhook_id: str, ids: Collection[int] | None, at: datetime, limit: int) -> int:
        """As ``ports.WebhookStore``."""
        self._check_open()
        revived = [
            one
            for one in self._of(webhook_id)
            if one.delivery.dead_at is not None
            and one.delivery.dead_at <= at
            and (ids is None or one.delivery.id in ids)
        ][:limit]
        for one in revived:
            one.delivery = replace(one.delivery, dead_at=None, attempts=0)
        for job in {one.delivery.job_uuid for one in revived}:
            if all(other.next_at is None for other in self._waiting(webhook_id, job)):
                self._promote(webhook_id, job, at)
        return len(revived)

    async def sweep_deliveries(self, before: datetime, most_dead: int, most_waiting: int) -> list[str]:
        """As ``ports.WebhookStore``."""
        self._check_open()
        for webhook in self._webhooks:
            dead = [one.delivery for one in self._of(webhook) if one.delivery.dead_at is not None]
            for place, delivery in enumerate(reversed(dead)):
                if place >= most_dead or (delivery.dead_at is not None and delivery.dead_at < before):
                    del self._queue[delivery.id]
        return [name for name in self._webhooks if sum(one.waits for one in self._of(name)) > most_waiting]

    def _add(self, webhook: str, message: str, at: datetime, job: str | None, event: Event | None) -> None:
        self._deliveries_made += 1
        sequence, name = (0, None) if event is None else (event.sequence, event.name)
        delivery = Delivery(self._deliveries_made, webhook, message, at, 0, job, sequence, name)
        first = not self._waiting(webhook, job)
        self._queue[delivery.id] = _Queued(delivery, event, at if first else None)

    def _of(self, webhook: str) -> Iterator[_Queued]:
        return (one for one in self._queue.values() if one.delivery.webhook == webhook)

    def _waiting(self, webhook: str, job: str | None) -> list[_Queued]:
        """What waits of a webhook and a job, in order."""
        line = [one for one in self._of(webhook) if one.waits and one.delivery.job_uuid == job]
        return sorted(line, key=lambda one: (one.delivery.sequence, one.delivery.id))

    def _promote(self, webhook: str, job: str | None, at: datetime) -> _Queued | None:
        line = self._waiting(webhook, job)
        if not line:
            return None
        line[0].next_at = at
        return line[0]

    def _claim(self, one: _Queued, until: datetime) -> Claim:
        one.delivery, one.next_at = replace(one.delivery, attempts=one.delivery.attempts + 1), until
        job = one.delivery.job_uuid
        pipeline = None if job is None else self._jobs[job][1].pipeline_uuid
        return Claim(one.delivery, self._webhooks[one.delivery.webhook], pipeline, one.event)

    def _claimed(self, claim: Claim) -> _Queued | None:
        """The delivery, if nobody has claimed it anew."""
        one = self._queue.get(claim.delivery.id)
        return one if one is not None and one.waits and one.delivery.attempts == claim.delivery.attempts else None

    def _listens(self, webhook: str) -> bool:
        found = self._webhooks.get(webhook)
        return found is not None and found.disabled_at is None and self._principal(found.owner).active

    def _forget_job(self, uuid: str) -> None:
        """A job was deleted: neither what is queued of it nor what was not looked at is told to anybody."""
        self._queue = {name: one for name, one in self._queue.items() if one.delivery.job_uuid != uuid}
        for number in range(self._looked_at, len(self._news)):
            if self._news[number][0] == uuid:
                self._news[number] = uuid, None
