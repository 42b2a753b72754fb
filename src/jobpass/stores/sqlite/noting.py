"""What the audit is told of a write, in the transaction of that write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import apsw

from jobpass.ports import Note, Placement
from jobpass.records import NO_LINK
from jobpass.stores.rows.audit import audit_row
from jobpass.stores.rules import check_placed
from jobpass.stores.sqlite.queries import QUERIES

T = TypeVar("T")


def append(cursor: apsw.Cursor, placement: Placement) -> None:
    """Append what is placed at the end of its node's chain."""
    sequence, link = cursor.execute(QUERIES["audit_head"], (placement.node,)).get or (0, NO_LINK)
    entries = placement.place(sequence, link)
    check_placed(entries, placement.node, sequence)
    cursor.executemany(QUERIES["insert_audit"], [audit_row(entry) for entry in entries])


def noted(work: Callable[[apsw.Cursor], T], note: Note[T]) -> Callable[[apsw.Cursor], T]:
    """``work``, and what the audit is told of its answer."""

    def both(cursor: apsw.Cursor) -> T:
        answer = work(cursor)
        placement = note(answer)
        if placement is not None:
            append(cursor, placement)
        return answer

    return both
