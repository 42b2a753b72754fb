"""Slow down who guesses passwords, without locking out who knows one.

Leaky buckets of *failures*: one for each address, one for each pair of account and address, one for each account. The
bucket of the account counts only addresses that never logged in to it, so a flood from elsewhere slows the flood and
not the owner at a known place. A success empties the pair's bucket. Everything is bounded and forgotten in time.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from jobpass.errors import TooMany


class Rate(Struct, frozen=True):
    """``burst`` failures at once, then one each ``seconds``."""

    burst: int
    seconds: float


PAIR: Final = Rate(5, 20.0)
ADDRESS: Final = Rate(30, 2.0)
ACCOUNT: Final = Rate(20, 5.0)
MAX_BUCKETS: Final = 10_000
"""Buckets and known places that are remembered; beyond it the one that was touched longest ago is forgotten."""


class Throttle:
    """Failures of log-ins in memory, one object a node."""

    def __init__(self) -> None:
        self._levels: OrderedDict[tuple[str, str], tuple[float, datetime]] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def check(self, account: str, address: str, at: datetime) -> None:
        """Return if an attempt may be made now; ``TooMany`` with the seconds to wait if not."""
        wait = max(
            (self._wait(key, rate, at) for key, rate in self._buckets(account, address)),
            default=0.0,
        )
        if wait > 0:
            raise TooMany("Too many failed log-ins.", retry_after_seconds=int(wait) + 1)

    def failed(self, account: str, address: str, at: datetime) -> None:
        """Count a failure."""
        for key, rate in self._buckets(account, address):
            self._levels[key] = (self._level(key, rate, at) + 1, at)
            self._levels.move_to_end(key)
        _trim(self._levels)

    def succeeded(self, account: str, address: str) -> None:
        """Remember the place as one of the owner's."""
        self._known[(account, address)] = None
        self._known.move_to_end((account, address))
        self._levels.pop((account, address), None)
        _trim(self._known)

    def _buckets(self, account: str, address: str) -> list[tuple[tuple[str, str], Rate]]:
        buckets = [((account, address), PAIR), (("", address), ADDRESS)]
        if (account, address) not in self._known:
            buckets.append(((account, ""), ACCOUNT))
        return buckets

    def _level(self, key: tuple[str, str], rate: Rate, at: datetime) -> float:
        level, since = self._levels.get(key, (0.0, at))
        return max(0.0, level - (at - since).total_seconds() / rate.seconds)

    def _wait(self, key: tuple[str, str], rate: Rate, at: datetime) -> float:
        return (self._level(key, rate, at) - rate.burst + 1) * rate.seconds


def _trim(kept: OrderedDict[tuple[str, str], Any]) -> None:
    while len(kept) > MAX_BUCKETS:
        kept.popitem(last=False)
