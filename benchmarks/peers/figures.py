"""What is measured, and what was found: pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from benchmarks.peers.load import Load

CONNECTIONS = 32


class Offer(NamedTuple):
    """A kind of request that a system answers, and Jobpass's that is nearest to it."""

    name: str
    beside: Literal["check", "mint", "event"]
    connections: int = CONNECTIONS


@dataclass(frozen=True)
class Round:
    """One round: the load, what the database has kept of it, and the greater share of a core that others took."""

    load: Load
    stored: int | None
    others: float

    @property
    def rate(self) -> float:
        """Requests a second that were answered with success and, if they are to be, stored."""
        done = self.load.succeeded if self.stored is None else min(self.load.succeeded, self.stored)
        return done / self.load.seconds


@dataclass
class Figure:
    """An operation's rounds, or the reason why there are none."""

    title: str
    offer: Offer
    rounds: list[Round] = field(default_factory=list)
    reason: str = ""

    @property
    def name(self) -> str:
        """Whose operation it is."""
        return f"{self.title}: {self.offer.name}"

    @property
    def rate(self) -> float:
        """The median of the rounds, in requests a second."""
        return statistics.median(one.rate for one in self.rounds)

    @property
    def others(self) -> float:
        """The median of the rounds' shares of a core that others took."""
        return statistics.median(one.others for one in self.rounds)

    def latency(self, percentile: str) -> float:
        """The median of the rounds' ``p50`` or ``p99``, in seconds."""
        return statistics.median(float(getattr(one.load, percentile)) for one in self.rounds)

    def ratio(self, other: Figure) -> float:
        """The median over the rounds of this rate to the other's in the same round."""
        pairs = zip(self.rounds, other.rounds, strict=True)
        return statistics.median(one.rate / beside.rate if beside.rate else 0.0 for one, beside in pairs)

    def miscounted(self) -> str:
        """The first round in which something answered with success was not stored, or more was stored than was sent."""
        for one in self.rounds:
            most = one.load.requests + one.load.broken + self.offer.connections  # so many may have been under way
            if one.stored is not None and not one.load.succeeded <= one.stored <= most:
                return f"{one.load.succeeded:,} were answered with success, {one.stored:,} are stored"
        return ""
