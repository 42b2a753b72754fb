"""Reads ``queries.sql`` and the numbered migrations, once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final, NamedTuple

from jobpass.stores.postgres.codecs import SPLIT
from jobpass.stores.queries import read_queries

_NAMED: Final = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


class Query(NamedTuple):
    """A statement with ``$1`` and so on, and the names of its bindings, if it has names, in that order."""

    sql: str
    names: tuple[str, ...] = ()

    def bound(self, values: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the bindings."""
        return [values[name] for name in self.names]


class Migration(NamedTuple):
    """A step of the schema: ``before`` only adds what older nodes do not mind; ``after`` takes away what none needs."""

    before: str
    after: str | None


def compiled(text: str) -> Query:
    """The query of a text with bindings named ``:name``, or with ``$1`` and so on."""
    names: list[str] = []

    def number(found: re.Match[str]) -> str:
        if found[1] not in names:
            names.append(found[1])
        return f"${names.index(found[1]) + 1}"

    return Query(_NAMED.sub(number, text), tuple(names))


def _read_migrations() -> tuple[Migration, ...]:
    """The migrations in order; the first one leads to schema 1."""
    folders = sorted((entry.name, entry) for entry in (files(__package__) / "migrations").iterdir() if entry.is_dir())
    found = []
    for number, (name, folder) in enumerate(folders, 1):
        if name != f"{number:04}":
            raise ValueError(f"migration {number} is missing, found {name}")
        after = folder / "after.sql"
        found.append(
            Migration((folder / "before.sql").read_text("utf-8"), after.read_text("utf-8") if after.is_file() else None)
        )
    return tuple(found)


TEXTS: Final = read_queries(__package__)
"""Each query as it is written, by its name."""
QUERIES: Final = {name: compiled(text) for name, text in TEXTS.items()}
JOINED: Final = frozenset(
    {
        "keys",
        "e_uuids",
        "e_names",
        "e_states",
        "e_credentials",
        "e_keys",
        "e_kids",
        "e_addresses",
        "last_events",
        "states",
        "w_states",
    }
)
"""Arrays of texts in ``write``."""
NUMBERS: Final = frozenset({"places", "ids", "versions", "sequences", "updated", "e_jobs", "e_sequences", "e_at"})
"""Those of numbers, which come as texts."""


_WORK: Final = {
    "work_set": ", work = coalesce(new.work, job.work)",
    "work_array": ", :works::bytea[]",
    "work_column": ", work",
    "write_queued": TEXTS["write_queued"],
}


def _write(parts: Mapping[str, str]) -> Query:
    text = TEXTS["write"]
    for name in _WORK:
        text = text.replace(f"{{{name}}}", parts.get(name, ""))
    for name in JOINED:
        text = text.replace(f"{{{name}}}", SPLIT.replace("{name}", name))
    return compiled(text)


WRITE: Final = _write({})
WRITE_WORK: Final = _write(_WORK)
"""The same where the work of a job changes."""
MIGRATIONS: Final = _read_migrations()
