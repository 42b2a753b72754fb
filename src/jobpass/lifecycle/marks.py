"""What of a lifecycle one job has seen: where it is, where it was, which ways it took, how often, and when last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from jobpass.errors import InvalidInput
from jobpass.lifecycle.model import Lifecycle


class Step(NamedTuple):
    """An event, the state after it, and when it was, if that is known."""

    event: str
    state: str
    at: datetime | None = None


AnyStep = Step | tuple[str, str] | tuple[str, str, datetime | None]


@dataclass(frozen=True, slots=True)
class Taken:
    """How often a way was taken, and when last."""

    count: int
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class Marks:
    """``taken`` is by (state before, event); ``since`` is when the job came to ``current``; ``job`` names it."""

    current: str | None = None
    visited: frozenset[str] = frozenset()
    taken: Mapping[tuple[str, str], Taken] = field(default_factory=dict)
    since: datetime | None = None
    job: str = ""


def marks(lifecycle: Lifecycle, current: str | None = None, path: Iterable[AnyStep] = (), job: str = "") -> Marks:
    """The marks of a job that is in ``current`` after ``path``, its history in order, which may be long.

    ``current`` is the last state of the path unless given. What the lifecycle has no more is passed over: of a step
    that its table does not hold (``create`` need not be in it) only the state counts, of an unknown state nothing.
    ``InvalidInput`` if the state where the job is now is not one of the lifecycle's.
    """
    before = lifecycle.initial
    last: str | None = None
    since: datetime | None = None
    visited: set[str] = set()
    taken: dict[tuple[str, str], Taken] = {}
    for event, state, at in (Step(*step) for step in path):
        way = (before, event)
        if lifecycle.table.get(way) == state:
            taken[way] = Taken(taken[way].count + 1 if way in taken else 1, at)
        if state != last:
            since = at
        visited.add(state)
        before = last = state
    now = last if current is None else current
    if now is None:
        return Marks(job=job)
    if now not in lifecycle.state:
        raise InvalidInput.at("state", f"{str(now)[:64]!r} is not a state of lifecycle {lifecycle.name}")
    visited = (visited & lifecycle.state.keys()) | {now, lifecycle.initial}
    return Marks(now, frozenset(visited), taken, since if now == last else None, job)
