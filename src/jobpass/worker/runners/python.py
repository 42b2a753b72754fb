"""The runner ``python:MODULE:FUNCTION``: a function ``(payload, report) -> result`` of plain values.

The payload is the job's JSON, decoded; the result is anything that JSON can say. ``report(fraction, message, partial)``
tells how far it is, and raises ``CancelRequested`` when the job is to end: what the function returns after that, it
returns as what it had by then.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from jobpass.errors import SetupError
from jobpass.worker.runners.runner import CancelRequested, Report, Result, RunnerFailed
from jobpass.worker.work import Description, Setup, Work

_TARGET: Final = re.compile(r"python:([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")

Tell = Callable[..., None]
Function = Callable[[Any, Tell], Any]


class PythonRunner:
    """Calls one function."""

    def __init__(self, function: Function, commands: tuple[str, ...]) -> None:
        self._function = function
        self._commands = commands

    @classmethod
    def make(cls, setup: Setup) -> PythonRunner:
        """Import the module and find the function in it."""
        parts = _TARGET.fullmatch(setup.runner)
        if parts is None:
            raise SetupError(f"There is no runner {setup.runner!r}: perceval, command or python:MODULE:FUNCTION.")
        try:
            module = importlib.import_module(parts[1])
        except ModuleNotFoundError as error:
            if error.name is None or not f"{parts[1]}.".startswith(f"{error.name}."):
                raise
            raise SetupError(
                f"There is no module {parts[1]} where this worker imports from; give its --path."
            ) from None
        function = getattr(module, parts[2], None)
        if not callable(function):
            raise SetupError(f"The module {parts[1]} has no function {parts[2]}.")
        return cls(function, setup.commands)

    def describe(self) -> Description:
        """The commands that it was told to take."""
        return Description({"available_commands": list(self._commands)})

    def run(self, work: Work, report: Report) -> Result:
        """Call the function; its result as JSON text."""
        payload = decode(work.payload)
        told = False

        def tell(fraction: float, message: str = "", partial: Any = None) -> None:
            nonlocal told
            try:
                report(fraction, message, None if partial is None else encode(partial))
            except CancelRequested:
                told = True
                raise

        result = self._function(payload, tell)
        if told:
            raise CancelRequested(encode(result))
        return Result(encode(result))


def decode(payload: bytes) -> Any:
    """The payload as plain values."""
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RunnerFailed("payload", f"The payload is not JSON that can be read: {error}.") from None


def encode(value: Any) -> str:
    """JSON text of a result."""
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise RunnerFailed("result", f"What the function returned is nothing that JSON can say: {error}.") from None
