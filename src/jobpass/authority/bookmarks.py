"""Where the next page of a long list begins: whoever pages by offset has a deep page for no more than another.

A page that is shown leaves a bookmark behind it. Whoever asks for the next one within a minute goes on from there, and
so neither misses nor sees twice what was there all the time, whatever ended meanwhile before it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Final

KEPT: Final = timedelta(minutes=1)
MOST: Final = 1024
"""Bookmarks in memory; the oldest go first, and who finds none has the rows counted."""


class Bookmarks:
    """The places behind pages, by list (filters) and offset."""

    def __init__(self) -> None:
        self._places: OrderedDict[tuple[Hashable, int], tuple[int, datetime]] = OrderedDict()

    def find(self, of: Hashable, offset: int, at: datetime) -> int | None:
        """The number from which the page at ``offset`` goes on, if the one before it was shown of late."""
        found = self._places.get((of, offset))
        return found[0] if found is not None and at - found[1] < KEPT else None

    def leave(self, of: Hashable, offset: int, number: int, at: datetime) -> None:
        """The page at ``offset`` begins at ``number``."""
        self._places[of, offset] = number, at
        self._places.move_to_end((of, offset))
        while len(self._places) > MOST:
            self._places.popitem(last=False)
