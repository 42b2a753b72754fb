"""The words on a picture of a lifecycle: each event's name, how often it happened, and a note for who points at it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from jobpass.lifecycle.edges import ANY_STATE, Edges, edges
from jobpass.lifecycle.marks import Marks, Taken
from jobpass.lifecycle.model import Lifecycle

LONGEST: Final = 64
"""Characters of a name; no sound lifecycle has longer ones."""


@dataclass(frozen=True, slots=True)
class Label:
    """One event at one place: ``update ×312``."""

    text: str
    taken: bool
    admin: bool
    note: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of all lines between states, and of what keeps a state, by the same keys as ``edges``."""

    edges: Edges
    between: dict[tuple[str, str], list[Label]]
    inside: dict[str, list[Label]]

    def note(self, edge: tuple[str, str]) -> str:
        """What there is to say about a line."""
        return "\n".join(label.note for label in self.between[edge])


def labels(lifecycle: Lifecycle, seen: Marks) -> Labels:
    """All labels of a picture."""
    joined = edges(lifecycle)
    return Labels(
        joined,
        {edge: [_label(lifecycle, seen, edge[0], name) for name in names] for edge, names in joined.between.items()},
        {state: [_label(lifecycle, seen, state, name) for name in names] for state, names in joined.inside.items()},
    )


def _label(lifecycle: Lifecycle, seen: Marks, source: str, name: str) -> Label:
    found = _together(
        way for (state, event), way in seen.taken.items() if event == name and source in (state, ANY_STATE)
    )
    admin = name in lifecycle.admin_only
    event = lifecycle.event[name]
    note = printable(f"{name}: {event.description}" if event.description else name, 600)
    note += " (admin only)" if admin else ""
    if found is None:
        return Label(printable(name), False, admin, note)
    many = found.count > 1
    how_often = f"{found.count:,} times" if many else "once"
    when = "" if found.last is None else f", {'last at ' if many else 'at '}{moment(found.last)}"
    return Label(printable(name) + (f" ×{found.count}" if many else ""), True, admin, f"{note}\n{how_often}{when}")


def _together(ways: Iterable[Taken]) -> Taken | None:
    found: Taken | None = None
    for way in ways:
        if found is None:
            found = way
        else:
            times = [at for at in (found.last, way.last) if at is not None]
            found = Taken(found.count + way.count, max(times, default=None))
    return found


def heading(lifecycle: Lifecycle, seen: Marks) -> str:
    """What the picture shows, in a line."""
    kind = f"lifecycle {printable(lifecycle.name)}"
    what = f"Job {printable(seen.job)}, {kind}" if seen.job else f"L{kind[1:]}"
    if seen.current is None:
        return what
    since = f" since {moment(seen.since)}" if seen.since is not None else ""
    return f"{what}, now {printable(seen.current)}{since}"


def about_state(lifecycle: Lifecycle, name: str) -> str:
    """A state's note."""
    state = lifecycle.state.get(name)
    return printable(state.description or name, 600) if state is not None else printable(name)


def moment(at: datetime) -> str:
    """The moment in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def printable(text: str, longest: int = LONGEST) -> str:
    """The text in one line without control characters, which no picture can hold; cut where it is too long."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)
