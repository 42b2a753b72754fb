"""Jobs found by their links."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from jobpass.records import Linked
from jobpass.stores.postgres.codecs import packed_all

_LINKED: Final = (
    " AND EXISTS (SELECT 1 FROM job_link WHERE job_link.job = job.id AND relation = :relation_{n}"
    " AND target = ANY(:targets_{n}::text[]))"
)


def linked_filters(linked: Collection[Linked]) -> tuple[str, dict[str, Any]]:
    """The conditions on ``list_jobs``, and their bindings."""
    text = ""
    bindings: dict[str, Any] = {}
    for n, condition in enumerate(linked):
        text += _LINKED.replace("{n}", str(n))
        bindings |= {f"relation_{n}": condition.relation, f"targets_{n}": packed_all(condition.targets)}
    return text, bindings
