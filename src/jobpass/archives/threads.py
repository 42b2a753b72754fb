"""Work on files in a thread, so that the loop is free; who gives up waiting has stopped the work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from jobpass.errors import ArchiveFailed

T = TypeVar("T")


class Stop:
    """Whether the work is still wanted."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    def ask(self) -> None:
        """Have the next ``check`` raise."""
        self._asked.set()

    def check(self) -> None:
        """Return if the work is still wanted, else raise ``ArchiveFailed``."""
        if self._asked.is_set():
            raise ArchiveFailed("The work on the archive was stopped.")


async def in_thread(work: Callable[[Stop], T]) -> T:
    """What ``work`` returns. A cancelled caller goes on only when the thread has ended: nothing is done behind it."""
    stop = Stop()
    task = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.ask()
        await _ended(task)
        raise


async def _ended(task: asyncio.Future[T]) -> None:
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            continue  # asked again to go, which the end of the thread will allow
    if not task.cancelled():
        task.exception()  # looked at, so that it is not reported as forgotten
