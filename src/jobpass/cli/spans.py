"""A history as time: the gaps between events, long runs in one line, how long the job was in each state.

Everything here takes one event after the other and keeps few of them, however long the history is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jobpass.client.results import Event

FOLD: Final = 5
"""So many events on end that keep the state become one line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event, or a run of events that keep the state: ``names`` counts them, ``event`` is the last.

    ``start`` is when the event before it was (its own moment, if it is the first); ``before`` the state until then.
    """

    event: Event
    start: datetime
    before: str | None
    names: Counter[str]

    @property
    def gap(self) -> timedelta | None:
        """How long after the event before it; None for the first."""
        return None if self.before is None else self.event.at - self.start


def fold(events: Iterable[Event], least: int = FOLD) -> Iterator[Line]:
    """The lines of a history; runs of at least ``least`` events that keep the state are one line."""
    last: Event | None = None
    held: list[Line] = []
    run: Line | None = None
    for event in events:
        start, before = (event.at, None) if last is None else (last.at, last.state)
        line = Line(event, start, before, Counter([event.name]))
        if line.before != event.state:
            yield from held if run is None else [run]
            yield line
            held, run = [], None
        elif run is not None:
            run.names[event.name] += 1
            run = Line(event, run.start, run.before, run.names)
        else:
            held.append(line)
            if len(held) >= least:
                names = sum((one.names for one in held), Counter[str]())
                run, held = Line(event, held[0].start, line.before, names), []
        last = event
    yield from held if run is None else [run]


@dataclass(slots=True)
class Stays:
    """How long a job was in each state, in order of the first time; ``seconds`` is the whole."""

    seconds: float = 0.0
    events: int = 0
    since: datetime | None = None
    times: dict[str, float] = field(default_factory=dict)
    visits: Counter[str] = field(default_factory=Counter)
    last: Event | None = None

    def follow(self, events: Iterable[Event]) -> Iterator[Event]:
        """The same events, counted as they pass."""
        for event in events:
            self.add(event)
            yield event

    def add(self, event: Event) -> None:
        """Count the next event."""
        if self.last is not None:
            gap = (event.at - self.last.at).total_seconds()
            self.seconds += gap
            self.times[self.last.state] += gap
        if self.last is None or self.last.state != event.state:
            self.visits[event.state] += 1
            self.since = event.at
        self.times.setdefault(event.state, 0.0)
        self.events += 1
        self.last = event


def span(seconds: float) -> str:
    """How long that is, in at most ten characters: ``340 ms``, ``1.3 s``, ``12 m 05 s``, ``2 h 03 m``, ``3 d 04 h``."""
    if seconds < 0:
        return f"-{span(-seconds)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole // 60 % 60:02} m"
    return f"{whole // 86_400} d {whole // 3600 % 24:02} h"


def bar(start: float, end: float, cells: int) -> str:
    """A line from ``start`` to ``end``, parts of the whole, drawn on so many cells; a dot if it is too short."""
    left, right = (round(min(max(part, 0.0), 1.0) * cells * 2) for part in (start, end))
    if right <= left:
        at = min(left // 2, cells - 1)
        return " " * at + "·" + " " * (cells - at - 1)
    halves = [left <= half < right for half in range(cells * 2)]
    return "".join(_CELL[halves[2 * cell], halves[2 * cell + 1]] for cell in range(cells))


_CELL: Final = {(False, False): " ", (True, False): "╸", (False, True): "╺", (True, True): "━"}
