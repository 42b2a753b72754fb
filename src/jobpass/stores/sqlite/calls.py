"""What callers ask of the SQLite writer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw

from jobpass.ports import Judge
from jobpass.stores.batch import Call


class Apply(Call, eq=False):
    """One ``JobStore.apply``."""

    uuid: str
    judge: Judge
    key: str | None


class Statement(Call, eq=False):
    """Any other write: ``work`` gets the cursor inside the transaction, and changes nothing if it raises.

    With ``changes_sessions`` the cache of sessions is dropped when it is committed.
    """

    work: Callable[[apsw.Cursor], Any]
    changes_sessions: bool = False
