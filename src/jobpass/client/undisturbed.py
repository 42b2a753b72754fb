"""Work that no signal interrupts: while it lasts, the handlers that are Python code wait.

Python runs them in the main thread, between any two steps of whatever runs there, and what they raise (Ctrl-C does)
would end a write in its middle.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Final

SPARE_FRAMES: Final = 400
"""Calls in calls that the work may need; with fewer left it would fail half-way with ``RecursionError``."""

Handler = Callable[[int, FrameType | None], Any]

# The functions of ``signal`` call these two, and spend ten times as long on making enumerations of the answers.
_get = _signal.getsignal
_set = _signal.signal
_NUMBERS: Final = tuple(map(int, signal.valid_signals()))


def may_work_here() -> bool:
    """Whether work of an event loop can be done in this thread now: no loop runs in it, and its stack has room."""
    if asyncio._get_running_loop() is not None:
        return False
    try:
        sys._getframe(max(sys.getrecursionlimit() - SPARE_FRAMES, 0))
    except ValueError:  # the stack is not that deep
        return True
    return False


class _Handlers:
    """The handlers that are Python code; used by the main thread only, which alone can change them."""

    def __init__(self) -> None:
        self._found: list[Any] = []
        self._ours: list[tuple[int, Handler]] = []

    def now(self) -> list[tuple[int, Handler]]:
        """Signals and their handlers."""
        found = list(map(_get, _NUMBERS))
        if found != self._found:  # seldom: to look through them all takes twice as long as to compare
            self._ours = [(number, one) for number, one in zip(_NUMBERS, found, strict=True) if callable(one)]
            self._found = found
        return self._ours


_handlers = _Handlers()


class Undisturbed:
    """A context in which no Python handler of a signal runs; those of the signals that came run when it is left.

    In another than the main thread, where Python runs no handlers, it does nothing.
    """

    __slots__ = ("_came", "_held", "_holding")

    def __init__(self) -> None:
        self._held: dict[int, Handler] = {}
        self._holding = True
        self._came: list[int] = []

    def __enter__(self) -> None:
        if threading.get_ident() != threading.main_thread().ident:
            return
        try:
            for number, handler in _handlers.now():
                self._held[number] = handler
                _set(number, self._note)
        except BaseException:  # a handler that was not held yet has raised
            self._put_back()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._put_back()
        self._run_handlers()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._holding:
            self._came.append(number)
        else:  # it was not put back: another handler, which was, raised before
            self._held[number](number, frame)

    def _put_back(self) -> None:
        self._holding = False
        for number, handler in self._held.items():
            _set(number, handler)

    def _run_handlers(self) -> None:
        if self._came:
            number = self._came.pop(0)
            try:
                self._held[number](number, sys._getframe())
            finally:
                self._run_handlers()
