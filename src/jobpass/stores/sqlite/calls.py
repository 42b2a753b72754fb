"""What callers ask of the SQLite writer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw

from jobpass.ports import Judge
from jobpass.stores.batch import Call


class Apply(Call):
    """One ``JobStore.apply``."""

    __slots__ = ("judge", "key", "uuid")

    def __init__(self, uuid: str, judge: Judge, key: str | None) -> None:
        self.result: Any = None
        self.error: Exception | None = None
        self.uuid = uuid
        self.judge = judge
        self.key = key


class Statement(Call):
    """Any other write: ``work`` gets the cursor inside the transaction, and changes nothing if it raises.

    With ``changes_sessions`` the cache of sessions is dropped when it is committed.
    """

    __slots__ = ("changes_sessions", "work")

    def __init__(self, work: Callable[[apsw.Cursor], Any], changes_sessions: bool = False) -> None:
        super().__init__()
        self.work = work
        self.changes_sessions = changes_sessions
