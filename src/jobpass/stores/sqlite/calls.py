"""What callers ask of the SQLite writer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import apsw
from msgspec import Struct

from jobpass.ports import Judge
from jobpass.stores.batch import Call


class Among(Struct, frozen=True):
    """Where the directory of a job lies that is to be made, and whether it was another owner's neighbour before.

    ``bindings`` are those of ``archive_newer``, which tells of the jobs since.
    """

    taken: bool
    bindings: dict[str, Any]


class Apply(Call, eq=False):
    """One ``JobStore.apply``."""

    uuid: str
    judge: Judge
    key: str | None
    among: Among | None = None


class ApplyNext(Apply, eq=False):
    """One ``WorkStore.apply_next``: ``uuid`` is found when its turn comes."""

    platforms: tuple[str, ...] = ()


class Statement(Call, eq=False):
    """Any other write: ``work`` gets the cursor inside the transaction, and changes nothing if it raises.

    With ``changes_sessions`` the cache of sessions is dropped when it is committed.
    """

    work: Callable[[apsw.Cursor], Any]
    changes_sessions: bool = False


Group = list[Apply | Statement]
"""What is written together."""
