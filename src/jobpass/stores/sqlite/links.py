"""Jobs found by their links: which condition to begin with decides whether a page takes a millisecond or a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import apsw
import msgspec

from jobpass.records import Linked
from jobpass.stores.rows.columns import Row
from jobpass.stores.sqlite.queries import QUERIES

COUNTED: Final = 1000
"""Up to here the jobs that meet a condition are counted, to begin with the rarest one."""

_LINKED: Final = (
    " AND EXISTS (SELECT 1 FROM json_each(:targets_{n}) AS wanted CROSS JOIN job_link"
    " ON job_link.target = wanted.value AND job_link.relation = :relation_{n} AND job_link.job = job.id)"
)


def linked_jobs(cursor: apsw.Cursor, linked: Sequence[Linked], filters: str, values: Mapping[str, Any]) -> list[Row]:
    """The rows of ``list_linked`` for at least one condition; ``values`` are the bindings of ``list_jobs``."""
    bindings = dict(values)
    for n, condition in enumerate(linked):
        bindings[f"relation_{n}"] = condition.relation
        bindings[f"targets_{n}"] = msgspec.json.encode(condition.targets).decode()
    return cursor.execute(_statement(cursor, len(linked), filters, bindings), bindings).fetchall()


def _statement(cursor: apsw.Cursor, conditions: int, filters: str, bindings: Mapping[str, Any]) -> str:
    counts = [_count(cursor, _numbered("count_linked", n), bindings) for n in range(conditions)]
    rarest = min(range(conditions), key=counts.__getitem__)
    if bindings["owner"] is None or counts[rarest] <= _count(cursor, QUERIES["count_owned"], bindings):
        sql, others = _numbered("list_linked", rarest), set(range(conditions)) - {rarest}
    else:
        sql, others = QUERIES["list_owned"], set(range(conditions))
    return sql.replace("{filters}", filters + "".join(_LINKED.replace("{n}", str(n)) for n in sorted(others)))


def _numbered(name: str, n: int) -> str:
    return QUERIES[name].replace("{n}", str(n))


def _count(cursor: apsw.Cursor, sql: str, bindings: Mapping[str, Any]) -> int:
    count: int = cursor.execute(sql, {**bindings, "most": COUNTED}).get
    return count
