"""Work on files in threads, so that the loop is free; who gives up waiting has stopped the work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Final, TypeVar

from jobpass.errors import ArchiveFailed

T = TypeVar("T")

THREADS: Final = 4
"""How many archives of an installation are worked on at once; others wait."""


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


class Threads:
    """A few threads of their own, so that a slow file system holds up nothing else that uses threads."""

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(THREADS, thread_name_prefix="jobpass-archives")

    async def run(self, work: Callable[[], T], stop: Stop) -> T:
        """What ``work`` returns, which looks at ``stop`` often.

        A cancelled caller goes on only when the work has ended: nothing is done behind it.
        """

        def wanted() -> T:
            stop.check()
            return work()

        task = asyncio.get_running_loop().run_in_executor(self._pool, wanted)
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
            continue  # asked to go once more, which the end of the work will allow
    if not task.cancelled():
        task.exception()  # looked at, so that it is not reported as forgotten
