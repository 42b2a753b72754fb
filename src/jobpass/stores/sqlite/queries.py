"""Reads ``queries.sql`` and the numbered migrations, once."""

from __future__ import annotations

from importlib.resources import files

from jobpass.stores.queries import read_queries


def _read_migrations() -> tuple[str, ...]:
    """The migrations in order; the first one leads to schema 1."""
    found = sorted(
        (entry.name, entry) for entry in (files(__package__) / "migrations").iterdir() if entry.name.endswith(".sql")
    )
    for number, (name, _) in enumerate(found, 1):
        if not name.startswith(f"{number:04}_"):
            raise ValueError(f"migration {number} is missing, found {name}")
    return tuple(entry.read_text("utf-8") for _, entry in found)


QUERIES = read_queries(__package__)
MIGRATIONS = _read_migrations()
