"""Leaky buckets: how much of something came lately, by key, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Final

from msgspec import Struct

MAX_KEYS: Final = 10_000
"""Buckets that are remembered; beyond it the one that was touched longest ago is forgotten."""


class Rate(Struct, frozen=True):
    """``burst`` at once, then one each ``seconds``."""

    burst: int
    seconds: float


class Buckets:
    """The levels of leaky buckets; each leaks one every ``Rate.seconds``."""

    def __init__(self) -> None:
        self._levels: OrderedDict[tuple[str, str], tuple[float, datetime]] = OrderedDict()

    def wait(self, key: tuple[str, str], rate: Rate, at: datetime) -> float:
        """Seconds until one more fits; 0 or less if it does now."""
        return (self._level(key, rate, at) - rate.burst + 1) * rate.seconds

    def add(self, key: tuple[str, str], rate: Rate, at: datetime) -> None:
        """Put one more in."""
        self._levels[key] = (self._level(key, rate, at) + 1, at)
        self._levels.move_to_end(key)
        while len(self._levels) > MAX_KEYS:
            self._levels.popitem(last=False)

    def empty(self, key: tuple[str, str]) -> None:
        """Forget what is in a bucket."""
        self._levels.pop(key, None)

    def __len__(self) -> int:
        return len(self._levels)

    def _level(self, key: tuple[str, str], rate: Rate, at: datetime) -> float:
        level, since = self._levels.get(key, (0.0, at))
        return max(0.0, level - (at - since).total_seconds() / rate.seconds)
