"""One step of a job through its lifecycle: one look-up."""

from __future__ import annotations

from jobpass.errors import IllegalTransition, UnknownEvent
from jobpass.lifecycle.model import Lifecycle


def step(lifecycle: Lifecycle, state: str, event: str) -> str:
    """The state after ``event`` in ``state``; names are compared exactly.

    Raises ``UnknownEvent`` if the lifecycle has no such event, whatever the state, and ``IllegalTransition`` with the
    legal events if it has, but not in this state (nor in a state that the lifecycle does not have).
    """
    try:
        return lifecycle.table[state, event]
    except KeyError:
        raise _refusal(lifecycle, state, event) from None


def _refusal(lifecycle: Lifecycle, state: str, event: str) -> UnknownEvent | IllegalTransition:
    if event not in lifecycle.event:
        return UnknownEvent(event)
    return IllegalTransition(event, state, lifecycle.legal(state))
