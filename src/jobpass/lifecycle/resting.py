"""Where a job comes to rest: nothing is at work there, though it may go on."""

from __future__ import annotations

from typing import Final

from jobpass.lifecycle.model import Lifecycle

RESTING_STATES: Final = frozenset(
    {"FINISHED", "FAILED", "REJECTED", "VALIDATED", "FINALIZED", "RETIRED", "completed", "canceled", "error"}
)
"""Those of the standard lifecycles; of others the final states alone are known to be such."""
STANDARD_LIFECYCLES: Final = frozenset({"pipeline", "compute"})


def rests(lifecycle: str, state: str, *, final: bool) -> bool:
    """Whether a job of this lifecycle rests in this state, which is ``final`` or not."""
    return final or (lifecycle in STANDARD_LIFECYCLES and state in RESTING_STATES)


def settles(lifecycle: Lifecycle, event: str) -> bool:
    """Whether the event can bring a job to rest."""
    return any(
        rests(lifecycle.name, after, final=after in lifecycle.final)
        for (_, name), after in lifecycle.table.items()
        if name == event
    )
