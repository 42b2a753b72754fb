"""Who may be kept waiting for an answer: so many at once, and nobody again right after it was of no use."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MOST: Final = 512
"""Held at once."""
MOST_EACH: Final = 64
"""Of one asker's."""
PAUSE_SECONDS: Final = 0.5
"""Who asks again so soon after an answer that did not come earlier for the wait is answered at once: who goes through
many jobs waits for one of them."""
REMEMBERED: Final = 10_000


class Holds:
    """The holders, and who was held in vain."""

    def __init__(self, most: int = MOST, most_each: int = MOST_EACH) -> None:
        self._most = most
        self._most_each = most_each
        self._held: Counter[str] = Counter()
        self._vain: OrderedDict[str, float] = OrderedDict()

    def may(self, asker: str, at: float) -> bool:
        """Whether one more call of the asker's may be held; ``at`` is the loop's time."""
        if self._held.total() >= self._most or self._held[asker] >= self._most_each:
            return False
        return at - self._vain.get(asker, float("-inf")) >= PAUSE_SECONDS

    @contextmanager
    def holding(self, asker: str) -> Iterator[None]:
        """Count one while it lasts."""
        self._held[asker] += 1
        try:
            yield
        finally:
            self._held[asker] -= 1
            if not self._held[asker]:
                del self._held[asker]

    def in_vain(self, asker: str, at: float) -> None:
        """The asker was held, and nothing came of it."""
        self._vain[asker] = at
        self._vain.move_to_end(asker)
        while len(self._vain) > REMEMBERED:
            self._vain.popitem(last=False)

    def __len__(self) -> int:
        return self._held.total()
