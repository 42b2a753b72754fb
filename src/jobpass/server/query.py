"""Query parameters, read strictly: an unknown or repeated one is an error, not a guess."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from jobpass.errors import InvalidInput

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000
MAX_PARAMETERS: Final = 32
"""More in one request are refused unread."""
MAX_LENGTH: Final = 1024
"""Characters of one value."""
MAX_SEQUENCE: Final = 2**63 - 1

_NUMBER = re.compile(r"[0-9]{1,19}")


def parse_query(text: bytes, known: tuple[str, ...] | None) -> dict[str, str]:
    """The parameters by name; ``InvalidInput`` at ``query.<name>`` for unknown, repeated and overlong ones.

    Where ``known`` is None, none is unknown.
    """
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError:  # not ASCII, not UTF-8 behind the percent signs, or too many
        raise InvalidInput.at("query._query", "cannot be read") from None
    found: dict[str, str] = {}
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if known is not None and name not in known:
            fields[f"query.{name[:64]}"] = ["is not known here"]
        elif name in found:
            fields[f"query.{name}"] = ["comes twice"]
        elif len(value) > MAX_LENGTH or "\0" in value:
            fields[f"query.{name}"] = ["cannot be one"]
        found[name] = value
    if fields:
        raise InvalidInput("The query is not one that this route reads.", fields)
    return found


def integer(query: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number from ``low`` to ``high`` in decimal digits; ``InvalidInput`` at ``query.<name>``."""
    text = query.get(name)
    if text is None:
        return default
    value = int(text) if _NUMBER.fullmatch(text) else -1
    if not low <= value <= high:
        raise InvalidInput.at(f"query.{name}", f"must be a whole number from {low} to {high}")
    return value


def limit(query: Mapping[str, str]) -> int:
    """How many items a page may have."""
    return integer(query, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
