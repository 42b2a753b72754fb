"""A state that was asked for, and in which nothing was found: whether that is a mistake."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from jobpass.cli import output
from jobpass.errors import InvalidInput

if TYPE_CHECKING:
    from jobpass.client.results import Job
    from jobpass.client.sync import Client

Named = list[tuple[str, str]]
"""States, each with its lifecycle."""

MOST_NAMED: Final = 100
"""States that an error names."""


def explain(client: Client, state: str, others: Iterable[Job]) -> None:
    """Raise ``InvalidInput`` if no lifecycle has the state.

    If none of the lifecycles of the ``others``, which are in any state, has it but in another case, say so on stderr.
    """
    known = {one.name: [place.name for place in one.states] for one in client.lifecycles()}
    meant = [(name, lifecycle) for lifecycle, names in known.items() for name in names if _is_nearly(name, state)]
    if all(state not in names for names in known.values()):
        raise InvalidInput(f"No lifecycle has a state {state}{_instead(meant, known)}")
    if not meant:
        return
    there = {job.lifecycle for job in others}
    if any(lifecycle in there for _, lifecycle in meant) and all(
        state not in known.get(lifecycle, ()) for lifecycle in there
    ):
        output.note(f"jobpass: These jobs have no state {state}; there is {_named(meant)}.")


def _is_nearly(name: str, state: str) -> bool:
    return name != state and name.lower() == state.lower()


def _instead(meant: Named, known: dict[str, list[str]]) -> str:
    if meant:
        return f"; there is {_named(meant)}."
    names = dict.fromkeys(name for names in known.values() for name in names)
    return f". There are: {', '.join(list(names)[:MOST_NAMED])}."


def _named(meant: Named) -> str:
    return " and ".join(f"{name} (of {lifecycle})" for name, lifecycle in meant)
