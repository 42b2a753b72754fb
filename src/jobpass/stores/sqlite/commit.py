"""The thread that waits for the disk, so that the event loop does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

import apsw

Done = Callable[[apsw.Error | None], object]
_Task = tuple[Callable[[], object], asyncio.AbstractEventLoop, Done]


class CommitThread:
    """Runs one database call at a time off the loop; a queue and a wake-up cost less than an executor's futures."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._thread: Thread | None = None

    def submit(self, work: Callable[[], object], loop: asyncio.AbstractEventLoop, done: Done) -> None:
        """Run ``work`` in the thread, then ``done(error or None)`` on the loop."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="jobpass-commit", daemon=True)
            self._thread.start()
        self._tasks.put((work, loop, done))

    def close(self) -> None:
        """Let the running task end, then end the thread."""
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            work, loop, done = task
            error = None
            try:
                work()
            except apsw.Error as caught:
                error = caught
            with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits for the answer
                loop.call_soon_threadsafe(done, error)
            del task, work, loop, done
