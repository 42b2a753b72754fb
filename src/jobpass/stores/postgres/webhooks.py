"""Webhooks and their deliveries in PostgreSQL.

Whoever writes an event that somebody listens to writes its number into ``news``; whoever looks at it takes it out. A
delivery names its event and holds nothing of it: what is sent is read from the history when it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final

from jobpass.clock import to_microseconds
from jobpass.ports import Note
from jobpass.records import Claim, Delivery, News, Page, Principal, Webhook
from jobpass.stores.listing import WEBHOOK_FILTERS, page, read_cursor
from jobpass.stores.postgres.codecs import packed_all
from jobpass.stores.postgres.part import Part, filtered
from jobpass.stores.postgres.queries import QUERIES
from jobpass.stores.postgres.statements import many, one, rows, run, run_named, take
from jobpass.stores.rows.accounts import principal_from
from jobpass.stores.rows.columns import micro
from jobpass.stores.rows.webhooks import claim_from, delivery_from, news_from, webhook_from, webhook_row
from jobpass.stores.rules import check_replacement, crowded

NEWS_AT_ONCE: Final = 64
"""Events that one call looks at: what this node writes waits for it."""


class Webhooks(Part):
    """``ports.WebhookStore``."""

    async def add_webhook(self, webhook: Webhook, most: int, *, note: Note[Webhook] | None = None) -> None:
        """As ``ports.WebhookStore``."""

        async def add(connection: Any) -> Webhook:
            row = await one(connection, "count_webhooks", webhook.owner)
            if row is not None and row[0] >= most:
                raise crowded(most)
            bindings = webhook_row(webhook) | {"number": await take(connection, "webhook")}
            await run_named(connection, "add_webhook", bindings)
            return webhook

        await self._write(add, "webhook", note=note)

    async def find_webhook(self, webhook_id: str) -> Webhook | None:
        """As ``ports.WebhookStore``."""
        row = await self._one("find_webhook", webhook_id)
        return None if row is None else webhook_from(row[1:])

    async def list_webhooks(self, *, owner: int | None, after: str | None, limit: int) -> Page[Webhook]:
        """As ``ports.WebhookStore``."""
        values = {"owner": owner, "after": read_cursor(after, await self._newest("webhook")), "limit": limit + 1}
        return page(await self._named(filtered("list_webhooks", WEBHOOK_FILTERS, values), values), limit, webhook_from)

    async def change_webhook(
        self,
        webhook_id: str,
        judge: Callable[[Webhook | None], Webhook],
        at: datetime,
        *,
        note: Note[Webhook] | None = None,
    ) -> Webhook:
        """As ``ports.WebhookStore``."""

        async def put(connection: Any) -> Webhook:
            row = await one(connection, "hold_webhook", webhook_id)
            standing = None if row is None else webhook_from(row[1:])
            changed = judge(standing)
            check_replacement(changed, standing)
            await run_named(connection, "change_webhook", webhook_row(changed))
            if changed.disabled_at is not None:
                bindings = {"webhook": webhook_id, "at": to_microseconds(at), "reason": changed.reason}
                await run_named(connection, "bury_deliveries", bindings)
            return changed

        return await self._write(put, "delivery", note=note)

    async def delete_webhook(self, webhook_id: str, *, note: Note[bool] | None = None) -> bool:
        """As ``ports.WebhookStore``."""

        async def delete(connection: Any) -> bool:
            return await one(connection, "delete_webhook", webhook_id) is not None

        return await self._write(delete, "delivery", note=note)

    async def unfit_webhooks(self, kids: Collection[str]) -> list[Webhook]:
        """As ``ports.WebhookStore``."""
        return [webhook_from(row[1:]) for row in await self._rows(QUERIES["unfit_webhooks"], packed_all(kids))]

    async def queue_news(self, wants: Callable[[Webhook, Principal, News], bool], at: datetime) -> bool:
        """As ``ports.WebhookStore``; without news it costs one look at an empty table, and no write."""
        if not await self._value("has_news"):
            return False

        async def queue(connection: Any) -> bool:
            numbers = [row[0] for row in await rows(connection, "next_news", NEWS_AT_ONCE)]
            webhooks: dict[str, Webhook] = {}
            wanted: list[dict[str, Any]] = []
            for row in await rows(connection, "listened_news", numbers):
                name = row[9]
                if name not in webhooks:
                    found = await one(connection, "find_webhook", name)
                    assert found is not None
                    webhooks[name] = webhook_from(found[1:])
                if wants(webhooks[name], principal_from(row[10:]), news_from(row[2:8])):
                    wanted.append(
                        {"webhook": name, "job": row[1], "line": row[1], "sequence": row[5], "message": row[8]}
                    )
            await _add_deliveries(connection, wanted, at)
            await run(connection, "forget_news", numbers)
            return len(numbers) == NEWS_AT_ONCE

        return await self._write(queue, "delivery")

    async def add_ping(self, webhook_id: str, message: str, at: datetime) -> bool:
        """As ``ports.WebhookStore``."""
        ping = {"webhook": webhook_id, "job": None, "line": 0, "sequence": 0, "message": message}

        async def add(connection: Any) -> bool:
            if await one(connection, "waiting_ping", webhook_id) is not None:
                return False
            await _add_deliveries(connection, [ping], at)
            return True

        return await self._write(add, "delivery")

    async def due_webhooks(self, at: datetime) -> list[Webhook]:
        """As ``ports.WebhookStore``."""
        return [webhook_from(row[1:]) for row in await self._rows(QUERIES["due_webhooks"], to_microseconds(at))]

    async def claim(self, webhook_id: str, at: datetime, until: datetime, limit: int) -> list[Claim]:
        """As ``ports.WebhookStore``."""

        async def claim(connection: Any) -> list[Claim]:
            row = await one(connection, "find_listener", webhook_id)
            if row is None:
                return []
            bindings = (webhook_id, to_microseconds(at), limit, to_microseconds(until))
            due = [identity for (identity,) in await rows(connection, "claim_due", *bindings)]
            found = {one[0]: one for one in await rows(connection, "claimed_deliveries", due)}
            return [claim_from(found[identity], webhook_from(row[1:])) for identity in due]

        return await self._write(claim)

    async def note_delivered(self, claim: Claim, at: datetime, until: datetime | None) -> Claim | None:
        """As ``ports.WebhookStore``."""
        delivery = claim.delivery

        async def end(connection: Any) -> Claim | None:
            ended = await one(connection, "end_delivery", delivery.id, delivery.attempts)
            if ended is None:
                return None
            await run(connection, "note_sound", delivery.webhook)
            following = await _promote(connection, delivery.webhook, ended[0], at)
            row = await one(connection, "find_listener", delivery.webhook)
            if following is None or until is None or row is None:
                return None
            await run(connection, "claim_delivery", to_microseconds(until), following)
            (found,) = await rows(connection, "claimed_deliveries", [following])
            return claim_from(found, webhook_from(row[1:]))

        return await self._write(end, "delivery")

    async def note_failure(self, claim: Claim, error: str, at: datetime, next_at: datetime | None) -> None:
        """As ``ports.WebhookStore``."""
        delivery = claim.delivery
        bindings = {
            "id": delivery.id,
            "attempts": delivery.attempts,
            "error": error,
            "at": to_microseconds(at),
            "next_at": micro(next_at),
        }

        async def fail(connection: Any) -> None:
            failed = await run_named(connection, "fail_delivery", bindings)
            if failed is None:
                return
            await run(connection, "note_failing", bindings["at"], delivery.webhook)
            if next_at is None:
                await _promote(connection, delivery.webhook, failed[0], at)

        await self._write(fail, "delivery")

    async def release(self, claim: Claim, at: datetime) -> None:
        """As ``ports.WebhookStore``."""
        bindings = (to_microseconds(at), claim.delivery.id, claim.delivery.attempts)
        await self._write(lambda connection: run(connection, "release_delivery", *bindings))

    async def count_deliveries(self, webhook_id: str) -> tuple[int, int]:
        """As ``ports.WebhookStore``."""
        waiting, dead = (await self._rows(QUERIES["count_deliveries"], webhook_id))[0]
        return waiting, dead

    async def list_dead(self, webhook_id: str, *, after: str | None, limit: int) -> Page[Delivery]:
        """As ``ports.WebhookStore``."""
        start = read_cursor(after, await self._newest("delivery"))
        return page(await self._rows(QUERIES["list_dead"], webhook_id, start, limit + 1), limit, delivery_from)

    async def retry_dead(self, webhook_id: str, ids: Collection[int] | None, at: datetime, limit: int) -> int:
        """As ``ports.WebhookStore``."""
        listed = None if ids is None else list(ids)

        async def revive(connection: Any) -> int:
            revived = await rows(connection, "revive_dead", webhook_id, to_microseconds(at), listed, limit)
            for line in sorted({row[0] for row in revived}):
                first = await one(connection, "has_first", webhook_id, line)
                if first is not None and not first[0]:
                    await _promote(connection, webhook_id, line, at)
            return len(revived)

        return await self._write(revive, "delivery")

    async def sweep_deliveries(self, before: datetime, most_dead: int, most_waiting: int) -> list[str]:
        """As ``ports.WebhookStore``."""
        found = await self._rows(QUERIES["crowded"], min(most_dead, most_waiting))

        async def forget(connection: Any) -> None:
            await run(connection, "forget_old", to_microseconds(before))
            for webhook, _, dead in found:
                if dead > most_dead:
                    await run(connection, "forget_more", webhook, most_dead)

        await self._write(forget, "delivery")
        return [webhook for webhook, waiting, _ in found if waiting > most_waiting]


async def _add_deliveries(connection: Any, wanted: list[dict[str, Any]], at: datetime) -> None:
    """Queue deliveries one after the other: whether one is first in line depends on those before it."""
    if not wanted:
        return
    query = QUERIES["add_delivery"]
    first = await take(connection, "delivery", len(wanted))
    made_at = to_microseconds(at)
    bindings = [query.bound(of | {"id": number, "at": made_at}) for number, of in enumerate(wanted, first)]
    await many(connection, "add_delivery", bindings)


async def _promote(connection: Any, webhook: str, line: int, at: datetime) -> int | None:
    """The first that waits of the webhook and the line can be sent; its id, if there is one."""
    row = await one(connection, "promote_delivery", webhook, line, to_microseconds(at))
    return None if row is None else row[0]
