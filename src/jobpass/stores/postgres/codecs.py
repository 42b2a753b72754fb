"""Texts that PostgreSQL cannot hold as they are: it has no NUL in a text.

U+0001 begins an escape: ``\\x010`` is NUL, ``\\x011`` is U+0001 itself. Every text comes back as it was, no two become
one, all others lie in the database as they are, and the order of their bytes stays the order of their code points.

The driver packs and unpacks single texts by itself, once it was told (``database.prepare``), but not those in arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_BETWEEN: Final = "\x012"
_NOTHING: Final = "\x013"
SPLIT: Final = "string_to_array(:{name}::varchar, E'\\x012', E'\\x013')"
"""The array of a parameter that is ``joined``, in SQL; not of the type text, which the driver would pack once more."""


def packed(text: str) -> str:
    """The text as it lies in the database."""
    if text.isprintable():  # neither of the two is
        return text
    return text.replace("\x01", "\x011").replace("\x00", "\x010")


def packed_all(texts: Iterable[str | None]) -> list[str | None]:
    """An array of texts as it lies in the database."""
    return [text if text is None or text.isprintable() else packed(text) for text in texts]


def joined(texts: Iterable[str | None]) -> str:
    """Two or more texts in one, which ``SPLIT`` takes apart again: the driver needs five times as long for an array."""
    return _BETWEEN.join([_NOTHING if text is None else text if text.isprintable() else packed(text) for text in texts])


def numbered(numbers: Iterable[int]) -> str:
    """Numbers as the database writes an array of them; the driver would look at each twice before it packs any."""
    return f"{{{','.join(map(str, numbers))}}}"


def unpacked(text: str) -> str:
    """Inverse of ``packed``."""
    if "\x01" not in text:
        return text
    return text.replace("\x010", "\x00").replace("\x011", "\x01")
