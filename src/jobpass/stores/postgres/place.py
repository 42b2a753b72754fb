"""Where the database is: its URL, taken apart and shown without its password."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from jobpass.errors import SetupError
from jobpass.urls import POSTGRES, masked

POOL_SIZE: Final = 10
"""Connections of a node that read; more of them write (``LANES``), and one follows what other nodes do."""
LANES: Final = 2
"""Connections of a node that write: while one's group is on its way to the disk, the other's is judged."""
STATEMENT_SECONDS: Final = 30.0
"""How long a statement may take, unless the URL has ``statement_seconds``."""

PRIMARY: Final = ("read-write", "primary")
"""Of libpq's ``target_session_attrs``: a standby may lag, and know nothing of a token's end for any time."""

_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class Place(NamedTuple):
    """A database: what the driver is given, how it may be shown, and how it is used."""

    url: str
    shown: str
    schema: str
    pool_size: int
    lanes: int
    statement_seconds: float

    def __repr__(self) -> str:
        return f"Place({self.shown!r})"


def read_place(url: str) -> Place:
    """The database that a URL names; ``SetupError``, which shows no password, for one that names none.

    ``schema``, ``pool_size``, ``lanes`` and ``statement_seconds`` are Jobpass's own; all else is for the driver, as
    libpq has it.
    """
    shown = masked(url)
    try:
        parts = urlsplit(url)
        members = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise SetupError("The store is not a URL that can be read.") from None
    if parts.scheme not in POSTGRES or (not parts.netloc and "host" not in members):
        raise SetupError(f"The store {shown} is not like postgresql://user@host/database.")
    schema = members.pop("schema", "jobpass")
    if not _SCHEMA.fullmatch(schema):
        raise SetupError(f"The store {shown}: schema must be a plain name in lower case.")
    if members.setdefault("target_session_attrs", PRIMARY[0]) not in PRIMARY:
        raise SetupError(f"The store {shown}: target_session_attrs must be {' or '.join(PRIMARY)}.")
    pool = _number(members, "pool_size", POOL_SIZE, 1, 1000, shown)
    lanes = _number(members, "lanes", LANES, 1, 16, shown)
    seconds = _number(members, "statement_seconds", STATEMENT_SECONDS, 1, 3600, shown)
    driven = urlunsplit(parts._replace(query=urlencode(members)))
    return Place(driven, shown, schema, int(pool), int(lanes), seconds)


def _number(members: dict[str, Any], name: str, default: float, least: int, most: int, shown: str) -> float:
    text = str(members.pop(name, default))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise SetupError(f"The store {shown}: {name} must be {least} to {most}.")
    return value
