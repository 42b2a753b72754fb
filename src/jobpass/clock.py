"""Time as a value: the one place that reads the machine's clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Tells the time; a test gives one that stands still."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        ...

    def steady(self) -> float:
        """Seconds since some moment, by a clock that nobody puts, and that may stand while the machine sleeps."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present moment, aware, UTC."""
        return datetime.now(UTC)

    def steady(self) -> float:
        """The machine's monotonic clock."""
        return time.monotonic()


class FixedClock:
    """A clock that moves only when told; for tests and for replaying."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        """The moment it was set to."""
        return self.at

    def steady(self) -> float:
        """What it was set to passes for it."""
        return (self.at - EPOCH).total_seconds()

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``, which may be negative."""
        self.at += timedelta(seconds=seconds)


def to_microseconds(at: datetime) -> int:
    """Whole microseconds since the epoch, exact."""
    since = at - EPOCH  # dividing it by a microsecond costs twice as much
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_microseconds(microseconds: int) -> datetime:
    """The aware UTC moment; inverse of ``to_microseconds``."""
    return EPOCH + timedelta(microseconds=microseconds)
