"""A clock that is wrong."""

from __future__ import annotations

from datetime import datetime, timedelta

from jobpass.clock import SystemClock


class Shifted:
    """The machine's clock, so many ``seconds`` ahead."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._clock = SystemClock()

    def now(self) -> datetime:
        """What it believes."""
        return self._clock.now() + timedelta(seconds=self.seconds)
