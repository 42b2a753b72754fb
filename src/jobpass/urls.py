"""URLs of databases, which may hold a password, as they may be shown."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

MASK: Final = "***"
POSTGRES: Final = ("postgresql", "postgres")
"""Schemes of a URL that names a database of PostgreSQL."""

_SECRETS: Final = ("password", "sslpassword")


def has_password(url: str) -> bool:
    """Whether a password stands in the URL, or may."""
    return MASK in masked(url)


def masked(url: str) -> str:
    """The URL with a mask in the place of each password; nothing of it if it cannot be read."""
    try:
        parts = urlsplit(url)
        members = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return MASK
    who, at, where = parts.netloc.rpartition("@")
    user, colon, _ = who.partition(":")
    netloc = f"{user}:{MASK}@{where}" if colon else f"{who}{at}{where}"
    query = parts.query
    if any(name in _SECRETS for name, _ in members):
        hidden = [(name, MASK if name in _SECRETS else value) for name, value in members]
        query = urlencode(hidden, safe="/:,*")
    return urlunsplit(parts._replace(netloc=netloc, query=query))
