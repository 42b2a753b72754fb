"""Who is told of events, and what is still to be told."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from jobpass.records.jobs import Event


class Webhook(Struct, frozen=True):
    """A URL that its owner wants told of ``events`` (empty: all) of a job or of a pipeline's jobs.

    ``id`` has 32 hex characters. The secret follows from the root key ``kid`` and ``secret_number``, which grows by one
    with each rotation; the one before, of ``previous_kid``, signs too until ``previous_until``. ``failing_since`` is
    the first failure after the last success. A disabled one is told nothing; ``reason`` says why.
    """

    id: str
    owner: int
    url: str
    job_uuid: str | None
    pipeline_uuid: str | None
    events: tuple[str, ...]
    kid: str
    secret_number: int
    created_at: datetime
    previous_kid: str | None = None
    previous_until: datetime | None = None
    failing_since: datetime | None = None
    disabled_at: datetime | None = None
    reason: str | None = None

    def __repr__(self) -> str:
        return f"Webhook(id={self.id!r}, owner={self.owner!r}, disabled_at={self.disabled_at!r})"


class News(Struct, frozen=True, gc=False):
    """An event of a job as a subscriber's filter sees it; ``owner`` is the job's."""

    job_uuid: str
    pipeline_uuid: str
    owner: int
    sequence: int
    name: str
    at: datetime


class Delivery(Struct, frozen=True):
    """Something that one webhook is to be told: an event of a job, or nothing but that it is there (a ping).

    ``message`` is the id by which the receiver tells a repetition: the event's uuid. ``attempts`` counts those that
    were begun; ``dead_at`` is when it was given up, ``last_error`` why the last attempt failed.
    """

    id: int
    webhook: str
    message: str
    made_at: datetime
    attempts: int = 0
    job_uuid: str | None = None
    sequence: int = 0
    event: str | None = None
    dead_at: datetime | None = None
    last_error: str | None = None


class Claim(Struct, frozen=True):
    """A delivery that is this server's to send, with what is sent; ``happened`` and ``pipeline_uuid`` None: a ping."""

    delivery: Delivery
    webhook: Webhook
    pipeline_uuid: str | None
    happened: Event | None
