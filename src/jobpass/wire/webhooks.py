"""The bodies of the HTTP contract that are about webhooks, and what a webhook is sent.

As in ``messages``: requests refuse unknown members, answers accept them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

Url = Annotated[str, Meta(min_length=1, max_length=2048)]
Uuid = Annotated[str, Meta(max_length=64)]
EventNames = Annotated[list[Annotated[str, Meta(pattern="^[a-z][a-z_]{0,63}$")]], Meta(max_length=64)]
Grace = Annotated[int, Meta(ge=0, le=604_800)]
DeadIds = Annotated[list[Annotated[int, Meta(ge=1, le=2**63 - 1)]], Meta(max_length=1000)]


class NewWebhook(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/webhooks``: a job or a pipeline, and which of its events; none named means all."""

    url: Url
    job_uuid: Uuid | None = None
    pipeline_uuid: Uuid | None = None
    events: EventNames = []

    def __repr__(self) -> str:
        return f"NewWebhook(job_uuid={self.job_uuid!r}, pipeline_uuid={self.pipeline_uuid!r})"


class WebhookAnswer(Struct, frozen=True, kw_only=True):
    """A webhook. Others than its owner see the beginning of ``url`` only.

    ``secret`` is there only where one is given out; ``waiting`` and ``dead`` count deliveries where one webhook is
    asked for. ``previous_until``: until when the secret before signs too.
    """

    id: str
    owner: int
    url: str
    job_uuid: str | None
    pipeline_uuid: str | None
    events: list[str]
    created_at: datetime
    previous_until: datetime | None
    failing_since: datetime | None
    disabled_at: datetime | None
    reason: str | None
    waiting: int | UnsetType = UNSET
    dead: int | UnsetType = UNSET
    secret: str | UnsetType = UNSET

    def __repr__(self) -> str:
        return f"WebhookAnswer(id={self.id!r}, owner={self.owner!r}, disabled_at={self.disabled_at!r})"


class WebhookList(Struct, frozen=True):
    """``GET /api/webhooks``; ``next`` is the ``after`` of the next page, null at the end."""

    webhooks: list[WebhookAnswer]
    next: str | None


class DeletedWebhook(Struct, frozen=True):
    """``DELETE /api/webhooks/{id}``."""

    id: str
    deleted: bool


class RotateSecret(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST …/rotate``: how long the secret before signs too."""

    grace_seconds: Grace = 86_400


class PingAnswer(Struct, frozen=True):
    """``POST …/ping``: the ``webhook-id`` of what will be sent."""

    message_id: str


class DeadLetter(Struct, frozen=True):
    """Something that was given up. ``message_id`` is its ``webhook-id``, the event's uuid; a ping has no job."""

    id: int
    message_id: str
    job_uuid: str | None
    sequence: int
    event: str | None
    made_at: datetime
    attempts: int
    dead_at: datetime | None
    last_error: str | None


class DeadLetterPage(Struct, frozen=True):
    """``GET …/dead-letters``; ``next`` is the ``after`` of the next page, null at the end."""

    dead_letters: list[DeadLetter]
    next: str | None


class RetryRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST …/dead-letters/retry``: which; absent means all."""

    ids: DeadIds | None = None


class RetryAnswer(Struct, frozen=True):
    """``POST …/dead-letters/retry``: how many wait again."""

    retried: int


class EventData(Struct, frozen=True):
    """An event of a job, as its history has it."""

    job_uuid: str
    pipeline_uuid: str
    sequence: int
    event: str
    event_uuid: str
    state: str
    at: datetime
    data: Raw


class EventMessage(Struct, frozen=True):
    """What a webhook is sent of an event; ``timestamp`` is when that happened."""

    type: Literal["job.event"]
    timestamp: datetime
    data: EventData


class PingMessage(Struct, frozen=True):
    """What a webhook is sent to see whether it is there."""

    type: Literal["webhook.ping"]
    timestamp: datetime
    data: dict[str, Any]
