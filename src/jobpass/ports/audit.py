"""The audit chains."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol, TypeVar

from msgspec import Struct

from jobpass.records import AuditEntry, Page

T = TypeVar("T")

Places = Callable[[int, bytes], list[AuditEntry]]
"""Pure: (the last sequence of a node, its link) → the entries that follow. It may be called again with a later place;
only its last answer counts."""


class Placement(Struct, frozen=True):
    """What is to be appended to the chain of ``node``."""

    node: str
    place: Places


Note = Callable[[T], Placement | None]
"""(what a write answers) → what the audit is told of it, in the same transaction; None: nothing. It may be called
again, as what it notes may be judged again."""


class AuditStore(Protocol):
    """The audit chains, one a node."""

    async def append_audit(self, node: str, place: Places) -> None:
        """Append durably what ``place`` answers to the last sequence and link of the node (0 and 32 zero bytes at
        first); entries of several processes for one node follow each other."""
        ...

    async def list_audit(
        self,
        *,
        node: str | None = None,
        name: str | None = None,
        principal: int | None = None,
        credentials: Collection[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None = None,
        limit: int = 100,
    ) -> Page[AuditEntry]:
        """Entries in order of writing; ``since`` inclusive, ``until`` exclusive; ``after`` as in ``list_jobs``.
        ``credentials`` are public names, of which an entry's is one.

        ``next`` is None only for an empty page: from any other the caller can follow what is yet to come.
        """
        ...

    async def audit_nodes(self) -> list[str]:
        """The nodes that have a chain."""
        ...
