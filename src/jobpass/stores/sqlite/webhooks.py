"""Webhooks and their deliveries in SQLite.

A delivery names its event and holds nothing of it: what is sent is read from the history when it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final

import apsw

from jobpass.clock import to_microseconds
from jobpass.ports import Note
from jobpass.records import Claim, Delivery, News, Page, Principal, Webhook
from jobpass.stores.listing import WEBHOOK_FILTERS, page, read_cursor
from jobpass.stores.rows.accounts import principal_from
from jobpass.stores.rows.columns import Row, micro
from jobpass.stores.rows.webhooks import claim_from, delivery_from, news_from, webhook_from, webhook_row
from jobpass.stores.rules import check_replacement, crowded
from jobpass.stores.sqlite.part import Part, array, filtered
from jobpass.stores.sqlite.queries import QUERIES

NEWS_AT_ONCE: Final = 64
"""Numbers of events that one call looks at: it writes, and all other writers wait for it."""
ROWS_AT_ONCE: Final = 200
"""Events, each with one that listens, after which it goes no further; all who listen to one event are asked at once."""


class Webhooks(Part):
    """``ports.WebhookStore``."""

    async def add_webhook(self, webhook: Webhook, most: int, *, note: Note[Webhook] | None = None) -> None:
        """As ``ports.WebhookStore``."""
        bindings = webhook_row(webhook) | {"most": most}

        def add(cursor: apsw.Cursor) -> Webhook:
            if cursor.execute(QUERIES["add_webhook"], bindings).get is None:
                raise crowded(most)
            return webhook

        await self._write(add, note=note)

    async def find_webhook(self, webhook_id: str) -> Webhook | None:
        """As ``ports.WebhookStore``."""
        row = self._one("find_webhook", webhook_id)
        return None if row is None else webhook_from(row[1:])

    async def list_webhooks(self, *, owner: int | None, after: str | None, limit: int) -> Page[Webhook]:
        """As ``ports.WebhookStore``."""
        values = {"owner": owner, "after": read_cursor(after, self._newest("newest_webhook")), "limit": limit + 1}
        return page(self._rows(filtered("list_webhooks", WEBHOOK_FILTERS, values), values), limit, webhook_from)

    async def change_webhook(
        self,
        webhook_id: str,
        judge: Callable[[Webhook | None], Webhook],
        at: datetime,
        *,
        note: Note[Webhook] | None = None,
    ) -> Webhook:
        """As ``ports.WebhookStore``."""

        def put(cursor: apsw.Cursor) -> Webhook:
            row = cursor.execute(QUERIES["find_webhook"], (webhook_id,)).get
            standing = None if row is None else webhook_from(row[1:])
            changed = judge(standing)
            check_replacement(changed, standing)
            cursor.execute(QUERIES["change_webhook"], webhook_row(changed))
            if changed.disabled_at is not None:
                bindings = {"webhook": webhook_id, "at": to_microseconds(at), "reason": changed.reason}
                cursor.execute(QUERIES["bury_deliveries"], bindings)
            return changed

        return await self._write(put, note=note)

    async def delete_webhook(self, webhook_id: str, *, note: Note[bool] | None = None) -> bool:
        """As ``ports.WebhookStore``."""

        def delete(cursor: apsw.Cursor) -> bool:
            return cursor.execute(QUERIES["delete_webhook"], (webhook_id,)).get is not None

        return await self._write(delete, note=note)

    async def unfit_webhooks(self, kids: Collection[str]) -> list[Webhook]:
        """As ``ports.WebhookStore``."""
        rows = self._rows(QUERIES["unfit_webhooks"], (array(kids),))
        return [webhook_from(row[1:]) for row in rows]

    async def queue_news(self, wants: Callable[[Webhook, Principal, News], bool], at: datetime) -> bool:
        """As ``ports.WebhookStore``; without a listener or news it costs one look at two indexes, and no write."""
        if not self._rows(QUERIES["has_news"], ())[0][0]:
            return False

        def queue(cursor: apsw.Cursor) -> bool:
            position, newest = cursor.execute(QUERIES["feed_place"]).get
            rows, upto = _listened(cursor, position, min(position + NEWS_AT_ONCE, newest))
            webhooks: dict[str, Webhook] = {}
            wanted: list[dict[str, Any]] = []
            for row in rows:
                name = row[9]
                if name not in webhooks:
                    webhooks[name] = webhook_from(cursor.execute(QUERIES["find_webhook"], (name,)).get[1:])
                if wants(webhooks[name], principal_from(row[10:]), news_from(row[2:8])):
                    of = {"webhook": name, "job": row[1], "sequence": row[5], "message": row[8]}
                    wanted.append(of | {"at": to_microseconds(at)})
            cursor.executemany(QUERIES["add_delivery"], wanted)
            cursor.execute(QUERIES["move_feed"], (upto,))
            return bool(upto < newest)

        return await self._write(queue)

    async def add_ping(self, webhook_id: str, message: str, at: datetime) -> bool:
        """As ``ports.WebhookStore``."""
        of = {"webhook": webhook_id, "job": None, "sequence": 0, "message": message, "at": to_microseconds(at)}

        def add(cursor: apsw.Cursor) -> bool:
            if cursor.execute(QUERIES["waiting_ping"], (webhook_id,)).get is not None:
                return False
            cursor.execute(QUERIES["add_delivery"], of)
            return True

        return await self._write(add)

    async def due_webhooks(self, at: datetime) -> list[Webhook]:
        """As ``ports.WebhookStore``."""
        return [webhook_from(row[1:]) for row in self._rows(QUERIES["due_webhooks"], (to_microseconds(at),))]

    async def claim(self, webhook_id: str, at: datetime, until: datetime, limit: int) -> list[Claim]:
        """As ``ports.WebhookStore``."""

        def take(cursor: apsw.Cursor) -> list[Claim]:
            row = cursor.execute(QUERIES["find_listener"], (webhook_id,)).get
            if row is None:
                return []
            due: list[Row] = cursor.execute(
                QUERIES["due_deliveries"], (webhook_id, to_microseconds(at), limit)
            ).fetchall()
            return [_claim(cursor, identity, webhook_from(row[1:]), until) for (identity,) in due]

        return await self._write(take)

    async def note_delivered(self, claim: Claim, at: datetime, until: datetime | None) -> Claim | None:
        """As ``ports.WebhookStore``."""
        delivery = claim.delivery

        def end(cursor: apsw.Cursor) -> Claim | None:
            ended = cursor.execute(QUERIES["end_delivery"], (delivery.id, delivery.attempts)).get
            if ended is None:
                return None
            cursor.execute(QUERIES["note_sound"], (delivery.webhook,))
            following = _promote(cursor, delivery.webhook, ended[1], at)
            row = cursor.execute(QUERIES["find_listener"], (delivery.webhook,)).get
            if following is None or until is None or row is None:
                return None
            return _claim(cursor, following, webhook_from(row[1:]), until)

        return await self._write(end)

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

        def fail(cursor: apsw.Cursor) -> None:
            failed = cursor.execute(QUERIES["fail_delivery"], bindings).get
            if failed is None:
                return
            cursor.execute(QUERIES["note_failing"], (bindings["at"], delivery.webhook))
            if next_at is None:
                _promote(cursor, delivery.webhook, failed[1], at)

        await self._write(fail)

    async def release(self, claim: Claim, at: datetime) -> None:
        """As ``ports.WebhookStore``."""
        bindings = (to_microseconds(at), claim.delivery.id, claim.delivery.attempts)
        await self._write(lambda cursor: cursor.execute(QUERIES["release_delivery"], bindings))

    async def count_deliveries(self, webhook_id: str) -> tuple[int, int]:
        """As ``ports.WebhookStore``."""
        waiting, dead = self._rows(QUERIES["count_deliveries"], (webhook_id,))[0]
        return waiting, dead

    async def list_dead(self, webhook_id: str, *, after: str | None, limit: int) -> Page[Delivery]:
        """As ``ports.WebhookStore``."""
        start = read_cursor(after, self._newest("newest_delivery"))
        bindings = {"webhook": webhook_id, "after": start, "limit": limit + 1}
        return page(self._rows(QUERIES["list_dead"], bindings), limit, delivery_from)

    async def retry_dead(self, webhook_id: str, ids: Collection[int] | None, at: datetime, limit: int) -> int:
        """As ``ports.WebhookStore``."""
        chosen = None if ids is None else array(ids)
        bindings = {"webhook": webhook_id, "ids": chosen, "at": to_microseconds(at), "limit": limit}

        def revive(cursor: apsw.Cursor) -> int:
            revived: list[Row] = cursor.execute(QUERIES["revive_dead"], bindings).fetchall()
            for job in {job for _, job in revived}:
                if not cursor.execute(QUERIES["has_first"], (webhook_id, job)).get:
                    _promote(cursor, webhook_id, job, at)
            return len(revived)

        return await self._write(revive)

    async def sweep_deliveries(self, before: datetime, most_dead: int, most_waiting: int) -> list[str]:
        """As ``ports.WebhookStore``; counting is done aside."""
        rows = await self._rows_aside(QUERIES["crowded"], {"most": min(most_dead, most_waiting)})

        def forget(cursor: apsw.Cursor) -> None:
            cursor.execute(QUERIES["forget_old"], (to_microseconds(before),))
            for webhook, _, dead in rows:
                if dead > most_dead:
                    cursor.execute(QUERIES["forget_more"], {"webhook": webhook, "most": most_dead})

        await self._write(forget)
        return [webhook for webhook, waiting, _ in rows if waiting > most_waiting]


def _listened(cursor: apsw.Cursor, position: int, upto: int) -> tuple[list[Row], int]:
    """Rows of ``listened_news`` above ``position``, and up to where they are all that there are."""
    bounds = {"position": position, "upto": upto, "limit": ROWS_AT_ONCE}
    rows: list[Row] = cursor.execute(QUERIES["listened_news"], bounds).fetchall()
    if len(rows) < ROWS_AT_ONCE:
        return rows, upto
    last = rows[-1][0]
    if rows[0][0] < last:  # of the last event there may be more
        return [row for row in rows if row[0] < last], last - 1
    only = {"position": last - 1, "upto": last, "limit": -1}
    return cursor.execute(QUERIES["listened_news"], only).fetchall(), last


def _claim(cursor: apsw.Cursor, delivery: int, webhook: Webhook, until: datetime) -> Claim:
    cursor.execute(QUERIES["claim_delivery"], (to_microseconds(until), delivery))
    return claim_from(cursor.execute(QUERIES["claimed_delivery"], (delivery,)).get, webhook)


def _promote(cursor: apsw.Cursor, webhook: str, job: int | None, at: datetime) -> int | None:
    """The first that waits of the webhook and the job can be sent; its id, if there is one."""
    bindings = {"webhook": webhook, "job": job, "at": to_microseconds(at)}
    promoted: int | None = cursor.execute(QUERIES["promote_delivery"], bindings).get
    return promoted
