"""Group writing: the calls of one tick of the event loop go to the disk together.

A store hands each call to ``Batch.submit`` and gives ``Batch`` a function that writes a group. What arrives while a
group is being written is the next group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from msgspec import Struct

from jobpass.errors import StoreUnavailable
from jobpass.stores.rules import closed

GROUP_LIMIT = 256
"""Calls written together at most; bounds the memory of a transaction and the wait of its first caller."""


class Call(Struct, eq=False, kw_only=True):
    """What one caller wants, and what became of it: ``result``, or ``error`` if that is set."""

    future: Any = None
    result: Any = None
    error: Exception | None = None


C = TypeVar("C", bound=Call)
Write = Callable[[list[C], asyncio.AbstractEventLoop, Callable[[list[C]], None]], None]
"""(group, loop, done): writes the group, sets each call's result or error, then calls ``done(group)`` once on the
loop's thread, before it returns or later."""


class Batch(Generic[C]):
    """The queue before a store's one writer; used from one event loop at a time."""

    def __init__(self, write: Write[C], limit: int = GROUP_LIMIT) -> None:
        self._write = write
        self._limit = limit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[C] = []
        self._busy = False
        self._closed = False
        self._idle: asyncio.Future[None] | None = None

    def submit(self, call: C) -> asyncio.Future[Any]:
        """Queue the call; the future is answered once its group stands. Raises ``StoreUnavailable`` after ``close``.

        Cancelling the future gives up the answer, not the write.
        """
        if self._closed:
            raise closed()
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._adopt(loop)
        future: asyncio.Future[Any] = loop.create_future()
        call.future = future
        self._waiting.append(call)
        if not self._busy:
            self._busy = True
            if loop.is_running():
                loop.call_soon(self._flush)
            else:  # somebody does one call by hand, between two runs of the loop: no other can join its group
                self._flush()
        return future

    async def close(self) -> None:
        """Refuse further calls and return when those that were taken are answered."""
        self._closed = True
        loop = asyncio.get_running_loop()
        if self._busy and loop is self._loop:
            if self._idle is None:
                self._idle = loop.create_future()
            await asyncio.shield(self._idle)

    def _adopt(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._busy:
            raise StoreUnavailable("The store is at work in another event loop.", reason="other_loop")
        self._loop = loop

    def _flush(self) -> None:
        assert self._loop is not None
        waiting = self._waiting
        if len(waiting) <= self._limit:
            group, self._waiting = waiting, []
        else:
            group = waiting[: self._limit]
            del waiting[: self._limit]
        self._write(group, self._loop, self._answer)

    def _answer(self, group: list[C]) -> None:
        for call in group:
            future: asyncio.Future[Any] = call.future
            if future.done():  # its caller was cancelled
                continue
            if call.error is None:
                future.set_result(call.result)
            else:
                future.set_exception(_raisable(call.error))
        assert self._loop is not None
        if self._waiting:
            # Not at once: the callers just answered come first, and may join the next group.
            self._loop.call_soon(self._flush)
        else:
            self._busy = False
            if self._idle is not None and not self._idle.done():
                self._idle.set_result(None)


def _raisable(error: Exception) -> Exception:
    """What a future can hold; a coroutine would make the same of a ``StopIteration``."""
    if not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError("a judge raised StopIteration")
    wrapped.__cause__ = error
    return wrapped
