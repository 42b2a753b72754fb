"""In which form plain values lie in columns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from jobpass.clock import from_microseconds, to_microseconds

Row = tuple[Any, ...]
_SIGN = 1 << 63
WRAP = 1 << 64
"""A column of 64 bits has a sign: what is below 0 there is this much more."""
decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode


def signed(serial: int | None) -> int | None:
    """64 unsigned bits as a column's signed integer."""
    return serial - WRAP if serial is not None and serial >= _SIGN else serial


def unsigned(serial: int | None) -> int | None:
    """Inverse of ``signed``."""
    return serial + WRAP if serial is not None and serial < 0 else serial


def micro(at: datetime | None) -> int | None:
    """A time as it lies in a column, also one that may be missing."""
    return None if at is None else to_microseconds(at)


def moment(microseconds: int | None) -> datetime | None:
    """Inverse of ``micro``."""
    return None if microseconds is None else from_microseconds(microseconds)


def encode_texts(texts: tuple[str, ...]) -> str:
    """Texts as they lie in a column: a JSON array."""
    return msgspec.json.encode(texts).decode()
