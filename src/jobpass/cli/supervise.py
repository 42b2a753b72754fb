"""Run a command to its end: signals passed on, stderr seen by the person and its tail kept. Linux."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from jobpass.cli import exits
from jobpass.log import scrub

PASSED_ON: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
TAIL_BYTES: Final = 4096
"""How much of the end of stderr is kept for the record."""
_SPARE_BYTES: Final = 8192
"""Kept besides while reading: a token, which has at most so many, that begins before the tail must be found whole."""
_DRAIN_SECONDS: Final = 2.0
"""How long to read on after the command's end, in case a child of its own still holds stderr."""


class Ended(NamedTuple):
    """How a command ended: the code to leave with, the signal's name if one ended it, the scrubbed tail of stderr."""

    exit_code: int
    signal: str | None
    duration_seconds: float
    stderr: str


class Supervisor:
    """From the moment it is entered no signal of ``PASSED_ON`` is lost: the command gets those that come too early."""

    def __init__(self) -> None:
        self._early: list[int] = []
        self._watched: set[int] = set()
        self._before: dict[int, object] = {}
        self._mask: set[int] = set()

    def __enter__(self) -> Supervisor:
        # What is ignored (nohup) stays so, here and in the command. SIGCHLD ignored would hide the exit code.
        self._watched = {number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN}
        self._before = {number: signal.signal(number, self._note) for number in self._watched}
        self._before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _note(self, number: int, _frame: object) -> None:
        self._early.append(number)

    def run(self, command: Sequence[str], environ: Mapping[str, str]) -> Ended:
        """Run the command with this process's stdin and stdout; what keeps it from starting is an ``Ended`` too."""
        started = time.monotonic()
        try:
            process = subprocess.Popen(command, env=dict(environ), stderr=subprocess.PIPE)  # noqa: S603
        except (OSError, ValueError) as error:  # ValueError: a NUL in an argument
            code = exits.NO_COMMAND if isinstance(error, FileNotFoundError) else exits.NOT_STARTED
            why = error.strerror if isinstance(error, OSError) else str(error)
            return Ended(code, None, 0.0, scrub(f"{command[0]}: {why}"))
        with self._blocked():
            tee = _Tee(process)
            self._wait(process)
        text = tee.tail()
        status = process.returncode
        seconds = round(time.monotonic() - started, 3)
        if status < 0:
            return Ended(128 - status, signal.Signals(-status).name, seconds, text)
        return Ended(status, None, seconds, text)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        """Until the command ends, give it the signals that were sent to this process alone."""
        while process.poll() is None:
            while self._early:
                process.send_signal(self._early.pop(0))
            found = signal.sigtimedwait(self._watched | {signal.SIGCHLD}, 1.0)
            # A code above 0 means the kernel: the terminal's Ctrl-C has reached the command as well.
            if found is not None and found.si_signo != signal.SIGCHLD and found.si_code <= 0:
                process.send_signal(found.si_signo)

    @contextmanager
    def _blocked(self) -> Iterator[None]:
        signal.pthread_sigmask(signal.SIG_BLOCK, self._watched | {signal.SIGCHLD})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Threads that start in here leave the signals to the main thread."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*PASSED_ON, signal.SIGCHLD})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Tee:
    """Copies a command's stderr to ours as it comes, and keeps its end."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        self._pipe = process.stderr
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._thread = threading.Thread(target=self._copy, name="jobpass-stderr", daemon=True)
        self._thread.start()

    def _copy(self) -> None:
        descriptor = self._pipe.fileno()
        shown = True
        while chunk := os.read(descriptor, 65536):
            self._chunks.append(chunk)
            self._size += len(chunk)
            while self._size - len(self._chunks[0]) >= TAIL_BYTES + _SPARE_BYTES:
                self._size -= len(self._chunks.popleft())
            shown = shown and _write_all(2, chunk)

    def tail(self) -> str:
        """The last ``TAIL_BYTES`` of what was written, scrubbed."""
        self._thread.join(_DRAIN_SECONDS)
        kept = b"".join(list(self._chunks))[-TAIL_BYTES - _SPARE_BYTES :]
        return scrub(kept.decode("utf-8", "replace"))[-TAIL_BYTES:]


def _write_all(descriptor: int, data: bytes) -> bool:
    """Write it all; False if nobody reads there any more, which must not stop the command."""
    try:
        while data:
            data = data[os.write(descriptor, data) :]
    except OSError:
        return False
    return True
