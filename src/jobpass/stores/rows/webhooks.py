"""Rows of webhooks and deliveries."""

from __future__ import annotations

from typing import Any

from jobpass.clock import from_microseconds, to_microseconds
from jobpass.records import Claim, Delivery, News, Webhook
from jobpass.stores.rows.columns import Row, decode_texts, encode_texts, micro, moment
from jobpass.stores.rows.jobs import event_from


def webhook_from(row: Row) -> Webhook:
    """A row of ``find_webhook`` without its number."""
    (identity, owner, url, job_uuid, pipeline_uuid, events, kid, secret_number, created_at, previous_kid,
     previous_until, failing_since, disabled_at, reason) = row  # fmt: skip
    return Webhook(
        identity,
        owner,
        url,
        job_uuid,
        pipeline_uuid,
        decode_texts(events),
        kid,
        secret_number,
        from_microseconds(created_at),
        previous_kid,
        moment(previous_until),
        moment(failing_since),
        moment(disabled_at),
        reason,
    )


def webhook_row(webhook: Webhook) -> dict[str, Any]:
    """The bindings of ``add_webhook`` but for ``most``, and of ``change_webhook``."""
    return {
        "id": webhook.id,
        "owner": webhook.owner,
        "url": webhook.url,
        "job_uuid": webhook.job_uuid,
        "pipeline_uuid": webhook.pipeline_uuid,
        "events": encode_texts(webhook.events),
        "kid": webhook.kid,
        "secret_number": webhook.secret_number,
        "created_at": to_microseconds(webhook.created_at),
        "previous_kid": webhook.previous_kid,
        "previous_until": micro(webhook.previous_until),
        "failing_since": micro(webhook.failing_since),
        "disabled_at": micro(webhook.disabled_at),
        "reason": webhook.reason,
    }


def news_from(row: Row) -> News:
    """The columns job's uuid, pipeline, owner, sequence, name, time of ``listened_news``."""
    job_uuid, pipeline_uuid, owner, sequence, name, at = row
    return News(job_uuid, pipeline_uuid, owner, sequence, name, from_microseconds(at))


def delivery_from(row: Row) -> Delivery:
    """A row of ``list_dead`` without its cursor."""
    identity, webhook, message, made_at, attempts, job_uuid, sequence, event, dead_at, last_error = row
    made = from_microseconds(made_at)
    return Delivery(identity, webhook, message, made, attempts, job_uuid, sequence, event, moment(dead_at), last_error)


def claim_from(row: Row, webhook: Webhook) -> Claim:
    """A row of ``claimed_delivery``."""
    pipeline_uuid, event = row[10], row[11:]
    return Claim(delivery_from(row[:10]), webhook, pipeline_uuid, None if event[0] is None else event_from(event))
