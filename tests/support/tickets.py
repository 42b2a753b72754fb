"""Tickets, as somebody makes them by hand: every part of one can be left out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from jobpass.tokens import ticket
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Actions, Caveat, Events, ExpiresAt
from support.site import Owned, Site

ALL = ("run", "update", "resource", "finish", "fail")


def ends(at: datetime, life: timedelta = timedelta(days=7)) -> ExpiresAt:
    """The end of a ticket that is made now."""
    return ExpiresAt(int((at + life).timestamp()))


def make(site: Site, job: Owned, events: Iterable[str] = ALL, life: timedelta = timedelta(days=7)) -> str:
    """A ticket for these events, as the SDK makes it."""
    return attenuate(job.token, ticket.conditions(job.uuid, events, ends(site.clock.now(), life).at))


def path(text: str, query: str = "") -> str:
    """Where it is called."""
    return f"/api/callbacks/{text}{query and '?'}{query}"


def parts(site: Site) -> dict[str, Caveat]:
    """The three conditions without which a document token is no ticket."""
    return {"action": Actions((ticket.ACTION,)), "events": Events(ALL), "end": ends(site.clock.now())}
