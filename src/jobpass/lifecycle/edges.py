"""What a picture of a lifecycle has to join: events sorted by where they start, so that few lines say all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jobpass.lifecycle.model import Lifecycle

ANY_STATE: Final = "any state"
"""Stands for every state where an edge starts; no state's name has a space."""


@dataclass(frozen=True, slots=True)
class Edges:
    """``between`` maps (state or ``ANY_STATE``, another state) to events, ``inside`` a state to those that keep it."""

    between: dict[tuple[str, str], list[str]]
    inside: dict[str, list[str]]
    from_any: bool


def edges(lifecycle: Lifecycle) -> Edges:
    """The edges, in the lifecycle's order; those from every state to the same one last, as one."""
    names = [state.name for state in lifecycle.states]
    anywhere: dict[str, str] = {}
    for event in lifecycle.event:
        targets = {lifecycle.table.get((name, event)) for name in names}
        target = targets.pop()
        if target is not None and not targets and len(names) > 2:
            anywhere[event] = target
    between: dict[tuple[str, str], list[str]] = {}
    inside: dict[str, list[str]] = {}
    for name in names:
        for event in lifecycle.legal(name):
            target = lifecycle.table[name, event]
            if event not in anywhere and target == name:
                inside.setdefault(name, []).append(event)
            elif event not in anywhere:
                between.setdefault((name, target), []).append(event)
    for event, target in anywhere.items():
        between.setdefault((ANY_STATE, target), []).append(event)
    return Edges(between, inside, bool(anywhere))
