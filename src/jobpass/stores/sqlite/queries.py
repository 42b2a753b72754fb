"""Reads ``queries.sql`` and the numbered migrations, once."""

from __future__ import annotations

import re
from importlib.resources import files

_HEADING = re.compile(r"^-- (\w+): .+$", re.MULTILINE)


def _read_queries() -> dict[str, str]:
    """The text of each query by its name."""
    text = (files(__package__) / "queries.sql").read_text("utf-8")
    parts = _HEADING.split(text)[1:]
    return {name: sql.strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}


def _read_migrations() -> tuple[str, ...]:
    """The migrations in order; the first one leads to schema 1."""
    found = sorted(
        (entry.name, entry) for entry in (files(__package__) / "migrations").iterdir() if entry.name.endswith(".sql")
    )
    for number, (name, _) in enumerate(found, 1):
        if not name.startswith(f"{number:04}_"):
            raise ValueError(f"migration {number} is missing, found {name}")
    return tuple(entry.read_text("utf-8") for _, entry in found)


QUERIES = _read_queries()
MIGRATIONS = _read_migrations()
