"""Slow down who guesses passwords, without locking out who knows one.

Leaky buckets of *failures*: one for each address, one for each pair of account and address, one for each account. The
bucket of the account counts only addresses that never logged in to it, so a flood from elsewhere slows the flood and
not the owner at a known place. A success empties the pair's bucket. Everything is bounded and forgotten in time.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Final

from jobpass.authority.buckets import MAX_KEYS, Buckets, Rate
from jobpass.errors import TooMany

PAIR: Final = Rate(5, 20.0)
ADDRESS: Final = Rate(30, 2.0)
ACCOUNT: Final = Rate(20, 5.0)


class Throttle:
    """Failures of log-ins (or of whatever ``message`` speaks of) in memory, one object a node."""

    def __init__(self, message: str = "Too many failed log-ins.", address: Rate = ADDRESS) -> None:
        self._message = message
        self._address = address
        self._failures = Buckets()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def check(self, account: str, address: str, at: datetime) -> None:
        """Return if an attempt may be made now; ``TooMany`` with the seconds to wait if not."""
        wait = max(self._failures.wait(key, rate, at) for key, rate in self._buckets(account, address))
        if wait > 0:
            raise TooMany(self._message, retry_after_seconds=int(wait) + 1)

    def failed(self, account: str, address: str, at: datetime) -> None:
        """Count a failure."""
        for key, rate in self._buckets(account, address):
            self._failures.add(key, rate, at)

    def succeeded(self, account: str, address: str) -> None:
        """Remember the place as one of the owner's."""
        self._failures.empty((account, address))
        self._known[account, address] = None
        self._known.move_to_end((account, address))
        while len(self._known) > MAX_KEYS:
            self._known.popitem(last=False)

    def _buckets(self, account: str, address: str) -> list[tuple[tuple[str, str], Rate]]:
        buckets = [((account, address), PAIR), (("", address), self._address)]
        if (account, address) not in self._known:
            buckets.append(((account, ""), ACCOUNT))
        return buckets
