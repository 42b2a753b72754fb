"""Wakes those who wait for something to happen in the record."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from jobpass.errors import Error, TooMany

if TYPE_CHECKING:
    from jobpass.ports import WorkStore

MAX_LISTENERS: Final = 4096
"""At once, whoever they are."""
LOOK_SECONDS: Final = 0.02
"""How often it is looked whether another process has written, while somebody waits."""


class Listener:
    """Somebody who waits."""

    def __init__(self) -> None:
        self._happened = asyncio.Event()

    def wake(self) -> None:
        """Something happened since the last ``wait`` returned."""
        self._happened.set()

    async def wait(self, seconds: float) -> bool:
        """Return once something happens that was listened to, or has since the last time; False after ``seconds``."""
        if seconds > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._happened.wait(), seconds)
        happened = self._happened.is_set()
        self._happened.clear()
        return happened


class Hub:
    """``ports.Signals`` on a store.

    What others write to that is told by its topic, as they commit it; or by another number of ``commits_elsewhere``,
    which is looked at while somebody waits: then everybody looks again.
    """

    def __init__(self, store: WorkStore) -> None:
        self._elsewhere = store.commits_elsewhere
        store.subscribe(self._told)
        self._listeners: dict[str, set[Listener]] = {}
        self._count = 0
        self._seen = 0
        self._timer: asyncio.TimerHandle | None = None
        self.ending = False

    def end(self) -> None:
        """Nobody is to wait any more: the server stops."""
        self.ending = True
        for topic in list(self._listeners):
            self.publish(topic)

    def publish(self, topic: str) -> None:
        """As ``ports.Signals``."""
        for listener in self._listeners.get(topic, ()):
            listener.wake()

    @contextmanager
    def listen(self, topics: Collection[str]) -> Iterator[Listener]:
        """As ``ports.Signals``."""
        if self._count >= MAX_LISTENERS:
            raise TooMany("Too many are waiting for something.", retry_after_seconds=1)
        listener = Listener()
        self._count += 1
        for topic in topics:
            self._listeners.setdefault(topic, set()).add(listener)
        try:
            self._look()
            yield listener
        finally:
            self._count -= 1
            for topic in topics:
                self._forget(topic, listener)

    def _told(self, topics: Collection[str] | None) -> None:
        for topic in list(self._listeners) if topics is None else topics:
            self.publish(topic)

    def _forget(self, topic: str, listener: Listener) -> None:
        others = self._listeners.get(topic, set())
        others.discard(listener)
        if not others:
            self._listeners.pop(topic, None)

    def _look(self) -> None:
        """Begin to look whether another process writes, if nobody does."""
        if self._timer is None:
            self._seen = self._elsewhere()
            self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        if not self._count:
            return
        with suppress(Error):  # a store that cannot be read now, or is closed
            seen = self._elsewhere()
            if seen != self._seen:
                self._seen = seen
                for topic in list(self._listeners):
                    self.publish(topic)
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look_again)
