"""A state that was asked for, and in which nothing was found: whether that is a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobpass.cli import output
from jobpass.errors import InvalidInput

if TYPE_CHECKING:
    from jobpass.client.sync import Client

MOST_NAMED = 100
"""States that an error names."""


def explain(client: Client, state: str) -> None:
    """Raise ``InvalidInput`` if no lifecycle has the state; say on stderr which ones have it in another case."""
    known = [(place.name, one.name) for one in client.lifecycles() for place in one.states]
    meant = [(name, lifecycle) for name, lifecycle in known if name != state and name.lower() == state.lower()]
    said = " and ".join(f"{name} (of {lifecycle})" for name, lifecycle in meant)
    if all(name != state for name, _ in known):
        if said:
            raise InvalidInput(f"No lifecycle has a state {state}; there is {said}.")
        there = ", ".join(list(dict.fromkeys(name for name, _ in known))[:MOST_NAMED])
        raise InvalidInput(f"No lifecycle has a state {state}. There are: {there}.")
    if said:
        output.note(f"jobpass: No job is {state}. There is also {said}.")
