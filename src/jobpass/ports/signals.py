"""Waiting for something to happen."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Protocol

Tell = Callable[[Collection[str] | None], None]
"""The topics (see ``Signals``) of what has happened; None: anything may have."""


class Listener(Protocol):
    """Somebody who waits for something to happen."""

    async def wait(self, seconds: float) -> bool:
        """Return once it happens, or has since this was asked before; False after ``seconds``."""
        ...


class Signals(Protocol):
    """Wakes those who wait for something to happen, by its topic: ``job:UUID``, ``queue:PLATFORM``."""

    @property
    def ending(self) -> bool:
        """Whether nobody is to wait any more."""
        ...

    def publish(self, topic: str) -> None:
        """It happened: whoever listens looks again."""
        ...

    def listen(self, topics: Collection[str]) -> AbstractContextManager[Listener]:
        """Listen while the context lasts, also to what other processes write; ``TooMany`` if too many do."""
        ...
