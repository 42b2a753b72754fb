"""Clocks that are wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobpass.clock import FixedClock, SystemClock


class Shifted:
    """The machine's clock, so many ``seconds`` ahead."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._clock = SystemClock()

    def now(self) -> datetime:
        """What it believes."""
        return self._clock.now() + timedelta(seconds=self.seconds)

    def steady(self) -> float:
        """The machine's: to be wrong is not to jump."""
        return self._clock.steady()


class Jumping(FixedClock):
    """A clock that somebody puts forward."""

    jumped = 0.0

    def jump(self, seconds: float) -> None:
        """So much is added to its time, though nothing has passed."""
        self.advance(seconds)
        self.jumped += seconds

    def steady(self) -> float:
        """What has passed."""
        return super().steady() - self.jumped
