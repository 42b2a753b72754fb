"""What callers ask of the writer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from jobpass.ports import Judge
from jobpass.records import Job
from jobpass.stores.batch import Call


class Apply(Call, eq=False):
    """One ``JobStore.apply``."""

    uuid: str
    judge: Judge
    key: str | None
    apart: Job | None = None


class ApplyNext(Apply, eq=False):
    """One ``WorkStore.apply_next``: ``uuid`` is found when its turn comes."""

    platforms: tuple[str, ...] = ()


class Statement(Call, eq=False):
    """Any other write: ``work`` gets the connection inside the transaction, and changes nothing if it raises.

    It may be called again. ``counters`` are those whose numbers it takes, which nobody else does meanwhile. With
    ``changes_sessions`` no node answers a session from memory that it read before.
    """

    work: Callable[[Any], Awaitable[Any]]
    counters: tuple[str, ...] = ()
    changes_sessions: bool = False
