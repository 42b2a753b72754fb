"""Narrow a token offline, from plain arguments."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from jobpass.errors import InvalidInput
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Actions, Caveat, Cidr, Events, ExpiresAt, Jobs, Platforms, States


def narrow(
    token: str,
    now: datetime,
    *,
    expires_in_seconds: float | None = None,
    expires_at: datetime | None = None,
    jobs: Iterable[str] | None = None,
    events: Iterable[str] | None = None,
    states: Mapping[str, Iterable[str]] | None = None,
    actions: Iterable[str] | None = None,
    platforms: Iterable[str] | None = None,
    cidr: Iterable[str] | None = None,
) -> str:
    """``token`` with a caveat for each argument that is given; it then does less, and cannot be turned back.

    ``states`` maps a state to the events that are allowed from it; ``cidr`` lists networks such as ``10.0.0.0/8``. An
    empty list forbids all that it speaks of. The end is rounded down to a whole second. Raises ``InvalidInput`` if
    nothing is given or something is not sound, ``MalformedToken`` if ``token`` is not one.
    """
    caveats: list[Caveat] = []
    if expires_in_seconds is not None:
        caveats.append(ExpiresAt(_seconds(later(now, expires_in_seconds), "expires_in_seconds")))
    if expires_at is not None:
        caveats.append(ExpiresAt(_seconds(expires_at, "expires_at")))
    if jobs is not None:
        caveats.append(Jobs(texts(jobs, "jobs")))
    if events is not None:
        caveats.append(Events(texts(events, "events")))
    if states is not None:
        caveats.append(States({state: texts(names, "states") for state, names in states.items()}))
    if actions is not None:
        caveats.append(Actions(texts(actions, "actions")))
    if platforms is not None:
        caveats.append(Platforms(texts(platforms, "platforms")))
    if cidr is not None:
        caveats.append(Cidr(texts(cidr, "cidr")))
    if not caveats:
        raise InvalidInput("Say what the token is to be limited to.")
    return attenuate(token, caveats)


def later(now: datetime, seconds: float) -> datetime:
    """The moment ``seconds`` after ``now``; ``InvalidInput`` if that is not later, or not in the calendar."""
    if not math.isfinite(seconds) or seconds <= 0:
        raise InvalidInput.at("expires_in_seconds", "must be more than 0")
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        raise InvalidInput.at("expires_in_seconds", "is too far away") from None


def _seconds(at: datetime, field: str) -> int:
    if at.tzinfo is None:
        raise InvalidInput.at(field, "must have a time zone")
    return math.floor(at.timestamp())


def texts(values: Iterable[str], field: str) -> tuple[str, ...]:
    """``values`` as a tuple; one text alone would be taken letter by letter, so it is refused."""
    found = tuple(values)
    if isinstance(values, str) or not all(isinstance(text, str) for text in found):
        raise InvalidInput.at(field, "must be a list of texts")
    return found
