"""Tickets: document tokens so narrow, and so short of life, that they may stand in a URL.

A ticket is limited to the action ``jobs.callback`` alone, to events that it names, and in time. It opens nothing but
the route of callbacks, and that route opens for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from jobpass.errors import InvalidInput
from jobpass.tokens.caveats import Actions, Caveat, Cidr, Events, ExpiresAt, Jobs, earliest_expiry, moment

ACTION: Final = "jobs.callback"
MAX_LIFE: Final = timedelta(days=30)
"""Longer than this no ticket lives from any moment at which it is looked at."""
SKEW: Final = timedelta(seconds=60)  # how far the clock of who made it may be ahead


def conditions(
    job_uuid: str, events: Iterable[str], expires_at: int, cidr: Iterable[str] | None = None
) -> tuple[Caveat, ...]:
    """What makes a job's document token a ticket; ``expires_at`` in seconds since the epoch. ``InvalidInput`` without
    any event.
    """
    allowed = tuple(events)
    if not allowed:
        raise InvalidInput.at("events", "must name what the sender may cause")
    networks = () if cidr is None else (Cidr(tuple(cidr)),)
    # The action comes last: only then is it a ticket, so that ``core`` is all of it.
    return (Jobs((job_uuid,)), *networks, Events(allowed), ExpiresAt(expires_at), Actions((ACTION,)))


def core(caveats: tuple[Caveat, ...]) -> tuple[Caveat, ...] | None:
    """The conditions up to the one with which the token became a ticket; None if it is none.

    Whatever its holder adds comes behind them, so a ticket that is narrowed further is still known as the same one.
    """
    action = events = end = False
    for count, caveat in enumerate(caveats, 1):
        action = action or (type(caveat) is Actions and caveat.allowed == (ACTION,))
        events = events or type(caveat) is Events
        end = end or type(caveat) is ExpiresAt
        if action and events and end:
            return caveats[:count]
    return None


def is_ticket(caveats: tuple[Caveat, ...], at: datetime) -> bool:
    """Whether these conditions make a document token a ticket, living or dead, that does not live too long."""
    end = earliest_expiry(caveats)
    return core(caveats) is not None and end is not None and moment(end) <= at + MAX_LIFE + SKEW
