"""What of a lifecycle one job has seen: where it is, where it was, and which ways it took."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from jobpass.errors import InvalidInput
from jobpass.lifecycle.model import Lifecycle


@dataclass(frozen=True, slots=True)
class Marks:
    """``taken`` holds (state before, event) of every step."""

    current: str | None = None
    visited: frozenset[str] = frozenset()
    taken: frozenset[tuple[str, str]] = frozenset()


def marks(lifecycle: Lifecycle, current: str | None = None, path: Iterable[tuple[str, str]] = ()) -> Marks:
    """The marks of a job that is in ``current`` after ``path``, its history as (event, state after it) in order.

    ``current`` is the last state of the path unless given. A step that the table does not hold (``create`` in a
    lifecycle without it, or one from before a change of the lifecycle) marks its state only. ``InvalidInput`` for
    unknown states.
    """
    steps = list(path)
    if current is None and steps:
        current = steps[-1][1]
    named = [after for _, after in steps] + ([current] if current is not None else [])
    for state in named:
        if state not in lifecycle.state:
            raise InvalidInput.at("state", f"{str(state)[:64]!r} is not a state of lifecycle {lifecycle.name}")
    before = lifecycle.initial
    taken = set()
    for event, after in steps:
        if lifecycle.table.get((before, event)) == after:
            taken.add((before, event))
        before = after
    visited = set(named) | ({lifecycle.initial} if named else set())
    return Marks(current, frozenset(visited), frozenset(taken))
