"""Tickets for senders that can only call a URL: made here from a job's document token, without asking anybody."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

from jobpass.client.address import Address
from jobpass.client.narrow import later, texts
from jobpass.errors import InvalidInput, WrongKind
from jobpass.tokens import ticket
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.token import PREFIXES, parse
from jobpass.wire import paths


def callback_url(
    base: Address,
    token: str,
    now: datetime,
    events: Iterable[str],
    *,
    expires_in_seconds: float | None,
    expires_at: datetime | None,
    cidr: Iterable[str] | None,
) -> str:
    """As ``Client.callback_url``, by its parts."""
    read = parse(token)
    uuid = read.identity.job_uuid
    if read.prefix != PREFIXES["document"] or uuid is None:
        raise WrongKind("A ticket is made from a job's document token, which its owner can ask for again.")
    end = _end(now, expires_in_seconds, expires_at)
    networks = None if cidr is None else texts(cidr, "cidr")
    made = attenuate(token, ticket.conditions(uuid, texts(events, "events"), end, networks))
    return base.base + paths.fill(paths.CALLBACK, ticket=made)


def _end(now: datetime, seconds: float | None, at: datetime | None) -> int:
    if (seconds is None) == (at is None):
        raise InvalidInput("Say when the ticket ends: expires_in_seconds, or expires_at.")
    end = later(now, seconds) if seconds is not None else at
    if end is None or end.tzinfo is None:
        raise InvalidInput.at("expires_at", "must have a time zone")
    if not now < end <= now + ticket.MAX_LIFE:
        raise InvalidInput.at("expires_at", f"must be at most {ticket.MAX_LIFE.days} days ahead")
    return math.floor(end.timestamp())
