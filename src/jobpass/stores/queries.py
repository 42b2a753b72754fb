"""Reads the named queries of a store that speaks SQL."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

_HEADING: Final = re.compile(r"^-- (\w+): .+$", re.MULTILINE)
_NOTE: Final = re.compile(r"^--.*\n?", re.MULTILINE)


def read_queries(package: str) -> dict[str, str]:
    """The text of each query in a package's ``queries.sql`` by its name, without notes."""
    text = (files(package) / "queries.sql").read_text("utf-8")
    parts = _HEADING.split(text)[1:]
    return {name: _NOTE.sub("", sql).strip() for name, sql in zip(parts[::2], parts[1::2], strict=True)}
