"""Query parameters, read strictly: an unknown or repeated one is an error, not a guess."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import parse_qsl

from msgspec import Meta, ValidationError, convert

from jobpass.errors import InvalidInput

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 1000
MAX_PARAMETERS: Final = 32
"""More in one request are refused unread."""
MAX_REPEATED: Final = 1024
"""The same where a parameter may come several times."""
MAX_LENGTH: Final = 1024
"""Characters of one value."""
MAX_SEQUENCE: Final = 2**63 - 1
OFFSET_MAX: Final = 2**53

_Moment = Annotated[datetime, Meta(tz=True)]
_NUMBER = re.compile(r"[0-9]{1,19}")


def parse_query(text: bytes, known: tuple[str, ...] | None, repeated: tuple[str, ...] = ()) -> dict[str, str]:
    """The parameters by name; ``InvalidInput`` at ``query.<name>`` for unknown, repeated and overlong ones.

    Where ``known`` is None, none is unknown. Those in ``repeated`` may come several times: their values are joined by
    commas.
    """
    most = MAX_REPEATED if repeated else MAX_PARAMETERS
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=most)
    except ValueError:  # not ASCII, not UTF-8 behind the percent signs, or too many
        raise InvalidInput.at("query._query", "cannot be read") from None
    found: dict[str, str] = {}
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if known is not None and name not in known:
            fields[f"query.{name[:64]}"] = ["is not known here"]
        elif name in found and name in repeated:
            found[name] += f",{value}"
            continue
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


def number_in(members: Mapping[str, str], name: str) -> int:
    """A whole number in decimal digits which a form has; ``InvalidInput`` at ``form.<name>``."""
    text = members[name]
    if _NUMBER.fullmatch(text) is None:
        raise InvalidInput.at(f"form.{name}", "must be a whole number")
    return int(text)


def boolean(query: Mapping[str, str], name: str, place: str = "query") -> bool:
    """``true`` or ``false`` in any case, ``1`` or ``0``; False if it is absent or empty; else ``InvalidInput``."""
    text = query.get(name, "").lower()
    if text not in ("", "true", "false", "1", "0"):
        raise InvalidInput.at(f"{place}.{name}", "must be true or false")
    return text in ("true", "1")


def moment(query: Mapping[str, str], name: str) -> datetime | None:
    """A time of RFC 3339 with its offset; None if it is absent or empty; else ``InvalidInput``."""
    text = query.get(name)
    if not text:
        return None
    try:
        return convert(text.replace(" ", "+"), _Moment)  # a plus sign that nobody escaped is a blank by now
    except ValidationError:
        raise InvalidInput.at(f"query.{name}", "must be a time such as 2026-04-07T17:00:00Z") from None


def limit(query: Mapping[str, str]) -> int:
    """How many items a page may have."""
    return integer(query, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX)
