"""Counts of what the server does, in plain dictionaries: every request pays for them."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

BOUNDS_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper bounds of the histogram's buckets; one more is for what takes longer."""

_ZEROS: Final = (0,) * (len(BOUNDS_SECONDS) + 1)
_UNMATCHED: Final = ("other", "unmatched")


class Counters:
    """What was counted since the start; used from one thread.

    ``requests`` maps (method, route template, status) to the seconds in all, then the requests in each bucket.
    """

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, int], list[float]] = {}
        self.events: dict[str, int] = {}
        self.refusals: dict[str, int] = {}
        self.chore_failures = 0
        self.clock_offset_seconds: float | None = None
        """How far the process's clock is ahead of the store's, if they are two."""

    def answered(self, method: str, template: str, status: int, seconds: float) -> None:
        """A request got its answer; ``template`` is empty if no route fitted."""
        row = self.requests.get((method, template, status))
        if row is None:
            # Without a route the method can be any text, and each would be kept for ever.
            method, template = (method, template) if template else _UNMATCHED
            row = self.requests.setdefault((method, template, status), [0.0, *_ZEROS])
        row[0] += seconds
        row[1 + bisect_left(BOUNDS_SECONDS, seconds)] += 1

    def accepted(self, event: str) -> None:
        """An event was answered with success; ``event`` is a name that a lifecycle knows."""
        self.events[event] = self.events.get(event, 0) + 1

    def refused(self, code: str) -> None:
        """A request was refused."""
        self.refusals[code] = self.refusals.get(code, 0) + 1

    def chore_failed(self) -> None:
        """A chore did not do its duty."""
        self.chore_failures += 1
