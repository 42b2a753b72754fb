"""One step of a job through its lifecycle: one look-up."""

from __future__ import annotations

from typing import NoReturn

from jobpass.errors import IllegalTransition, UnknownEvent
from jobpass.lifecycle.model import Lifecycle


def step(lifecycle: Lifecycle, state: str, event: str) -> str:
    """The state after ``event`` in ``state``; names are compared exactly.

    Raises ``UnknownEvent`` if the lifecycle has no such event, whatever the state, and ``IllegalTransition`` with the
    legal events if it has, but not in this state (nor in a state that the lifecycle does not have).
    """
    after = lifecycle.table.get((state, event))
    if after is None:
        _refuse(lifecycle, state, event)
    return after


def _refuse(lifecycle: Lifecycle, state: str, event: str) -> NoReturn:
    if event not in lifecycle.event:
        raise UnknownEvent(event)
    raise IllegalTransition(event, state, lifecycle.legal(state))
