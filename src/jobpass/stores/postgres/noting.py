"""What the audit is told of a write, in the transaction of that write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from jobpass.ports import Note, Placement
from jobpass.records import NO_LINK
from jobpass.stores.postgres.statements import many, one, take
from jobpass.stores.rows.audit import audit_row
from jobpass.stores.rules import check_placed

T = TypeVar("T")

AUDIT: Final = "audit"
"""The counter of entries: whoever holds it is the only one who appends."""


async def append(connection: Any, placement: Placement) -> None:
    """Append what is placed at the end of its node's chain."""
    sequence, link = await one(connection, "audit_head", placement.node) or (0, NO_LINK)
    entries = placement.place(sequence, link)
    check_placed(entries, placement.node, sequence)
    if entries:
        first = await take(connection, AUDIT, len(entries))
        await many(
            connection, "insert_audit", [(number, *audit_row(entry)) for number, entry in enumerate(entries, first)]
        )


def noted(work: Callable[[Any], Awaitable[T]], note: Note[T]) -> Callable[[Any], Awaitable[T]]:
    """``work``, and what the audit is told of its answer."""

    async def both(connection: Any) -> T:
        answer = await work(connection)
        placement = note(answer)
        if placement is not None:
            await append(connection, placement)
        return answer

    return both
