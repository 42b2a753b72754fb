"""A lifecycle as a value: states, events, and one table that says which event leads where."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

ADMIN_ONLY_ACTIONS: Final = frozenset({"delete"})
"""Actions on a job that are no events of any lifecycle, and that only an admin token allows."""


@dataclass(frozen=True, slots=True)
class State:
    """A place where a job can be; out of a ``final`` one only admin-only events lead."""

    name: str
    description: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that can happen to a job; ``admin_only`` says that only an admin token may cause it."""

    name: str
    description: str = ""
    admin_only: bool = False


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """A sound state machine, as ``sound.build`` makes it; names are compared exactly.

    ``table`` maps (state, event) to the state after it; what it lacks is illegal. States and events keep their order.
    """

    name: str
    states: tuple[State, ...]
    initial: str
    events: tuple[Event, ...]
    table: Mapping[tuple[str, str], str]
    description: str = ""
    state: Mapping[str, State] = field(init=False, repr=False, compare=False)
    event: Mapping[str, Event] = field(init=False, repr=False, compare=False)
    final: frozenset[str] = field(init=False, repr=False, compare=False)
    admin_only: frozenset[str] = field(init=False, repr=False, compare=False)
    _legal: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        derived = {
            "table": MappingProxyType(dict(self.table)),
            "state": MappingProxyType({state.name: state for state in self.states}),
            "event": MappingProxyType({event.name: event for event in self.events}),
            "final": frozenset(state.name for state in self.states if state.final),
            "admin_only": ADMIN_ONLY_ACTIONS | {event.name for event in self.events if event.admin_only},
            "_legal": MappingProxyType(
                {
                    state.name: tuple(event.name for event in self.events if (state.name, event.name) in self.table)
                    for state in self.states
                }
            ),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def legal(self, state: str) -> tuple[str, ...]:
        """The events that are legal in ``state``, in the lifecycle's order; none for a state that it does not have."""
        return self._legal.get(state, ())

    def __hash__(self) -> int:
        return hash((self.name, self.initial, self.states, self.events))
