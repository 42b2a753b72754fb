"""How long a client may take to send a body."""

from __future__ import annotations

import asyncio
from typing import Any, Final

READ_SECONDS: Final = 30
"""A whole body has to come within so many seconds."""
STOPPING_SECONDS: Final = 2
"""The same once the server stops: what has not come by then was not accepted."""


class Deadlines:
    """Ends the reading of bodies that come too slowly.

    A timer for each request would cost more than the request's own reading; here a tick a second looks at all of them.
    """

    def __init__(self) -> None:
        self._reading: dict[asyncio.Task[Any], int] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._tick = 0

    def tick(self, limit_seconds: int) -> None:
        """Once a second: cancel what has been reading for longer than ``limit_seconds``."""
        self._tick += 1
        for task, since in list(self._reading.items()):
            if self._tick - since > limit_seconds and task not in self._late:
                self._late.add(task)
                task.cancel()

    def begin(self) -> asyncio.Task[Any] | None:
        """This task starts to read."""
        task = asyncio.current_task()
        if task is not None:
            self._reading[task] = self._tick
        return task

    def end(self, task: asyncio.Task[Any] | None) -> bool:
        """This task is done with reading; whether it was ended for being late."""
        if task is None:
            return False
        self._reading.pop(task, None)
        if task not in self._late:
            return False
        self._late.discard(task)
        task.uncancel()
        return True
