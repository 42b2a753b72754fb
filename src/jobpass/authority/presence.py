"""How much of each day a platform could be used, by the heartbeats of its workers: pure.

A day is one of UTC. A platform was there between two heartbeats, of whichever of its workers, that are not far apart,
if it takes jobs at the second one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from jobpass.authority.platforms import status_at

if TYPE_CHECKING:
    from jobpass.records import Platform

HEARTBEAT_SECONDS: Final = 10
"""How often a worker says that it is there."""
LONGEST_GAP: Final = timedelta(seconds=3 * HEARTBEAT_SECONDS)
"""Further apart than this there was nobody between two heartbeats."""
KEPT_DAYS: Final = 30
DIGITS: Final = 4
"""Of what is told: a ten-thousandth of a day is less than a heartbeat."""


class _Presence(Struct, omit_defaults=True):
    """``Platform.presence``: the moment of the first heartbeat, and of each day the seconds that somebody was there.

    A later day that is not among them has none.
    """

    since: datetime | None = None
    days: dict[date, float] = {}


_decode = msgspec.json.Decoder(_Presence).decode
_encode = msgspec.json.Encoder().encode


def noted(platform: Platform, at: datetime) -> bytes:
    """``Platform.presence`` after a heartbeat; the platform is as it was before it."""
    known = _decode(platform.presence)
    oldest = _day(at) - timedelta(days=KEPT_DAYS - 1)
    days = {day: seconds for day, seconds in known.days.items() if day >= oldest}
    if platform.seen_at is not None and status_at(platform, at) == "available":
        for day, start, end in _split(platform.seen_at, at):
            days[day] = round(days.get(day, 0.0) + (end - start).total_seconds(), 3)
    return _encode(_Presence(known.since or at, days))


def availability(platform: Platform, at: datetime) -> dict[str, float]:
    """The share of each day since the first heartbeat, at most ``KEPT_DAYS`` of them, that the platform was there.

    Days are texts such as ``2026-11-26``; of today, and of the first one, it is the share of what was of it.
    """
    known = _decode(platform.presence)
    if known.since is None or known.since >= at:
        return {}
    begun = max(known.since, _midnight(_day(at) - timedelta(days=KEPT_DAYS - 1)))
    lengths = {day: (end - start).total_seconds() for day, start, end in _days(begun, at)}
    return {
        day.isoformat(): round(min(1.0, known.days.get(day, 0.0) / length), DIGITS) for day, length in lengths.items()
    }


def _split(start: datetime, end: datetime) -> Iterator[tuple[date, datetime, datetime]]:
    """The time between two heartbeats by days; nothing if they are too far apart, or the second is not later."""
    return _days(start, end) if end - start <= LONGEST_GAP else iter(())


def _days(start: datetime, end: datetime) -> Iterator[tuple[date, datetime, datetime]]:
    """Each day that has something of the time, with what that is."""
    while start < end:
        day = _day(start)
        until = min(end, _midnight(day + timedelta(days=1)))
        yield day, start, until
        start = until


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
