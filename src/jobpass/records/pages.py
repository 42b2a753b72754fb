"""Pages of listings."""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Page(Struct, Generic[T], frozen=True):
    """One page of a listing; ``next`` is the cursor to go on from, None at the end."""

    items: list[T]
    next: str | None
