"""The runner ``command``: any executable.

It reads the payload on its standard input, writes its result as JSON on its standard output, and leaves with 0. It
tells how far it is by lines of JSON, ``{"progress": 0.5, "message": "half of it"}``, on the descriptor whose number is
in ``JOBPASS_PROGRESS_FD``. To end it early it is sent SIGTERM; what it writes then is what it had by then.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from jobpass.errors import SetupError
from jobpass.worker.runners.runner import CancelRequested, Report, Result, RunnerFailed
from jobpass.worker.work import ENVIRONMENT, Description, Setup, Work

PROGRESS_VARIABLE: Final = "JOBPASS_PROGRESS_FD"
LINE_BYTES: Final = 16 * 1024 * 1024
"""A line of progress that is longer ends the job."""
TAIL_BYTES: Final = 1500
"""How much of the end of standard error is shown of a command that failed."""
_CHUNK: Final = 65536
_DRAIN_SECONDS: Final = 0.5
"""How long to read on after the command's end, in case a child of its own still holds its output."""


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    """A line of progress."""

    progress: Annotated[float, Meta(ge=0, le=1)]
    message: str = ""
    partial: msgspec.Raw = msgspec.Raw()


_line: Final = msgspec.json.Decoder(Line)


class CommandRunner:
    """Runs one executable."""

    def __init__(self, command: tuple[str, ...], setup: Setup) -> None:
        self._command = command
        self._setup = setup

    @classmethod
    def make(cls, setup: Setup) -> CommandRunner:
        """Find the executable, where jobs see it."""
        if not setup.arguments:
            raise SetupError("The runner command needs the executable that it is to run.")
        found = shutil.which(setup.arguments[0])
        if found is None:
            raise SetupError(
                f"{setup.arguments[0]} is no executable where jobs are run; give what it needs as visible."
            )
        return cls((found, *setup.arguments[1:]), setup)

    def describe(self) -> Description:
        """The commands that it was told to take."""
        return Description({"available_commands": list(self._setup.commands)})

    def run(self, work: Work, report: Report) -> Result:
        """Run the executable to its end; what it wrote, if it left with 0 and it is JSON."""
        with tempfile.TemporaryFile() as payload:
            payload.write(work.payload)
            payload.seek(0)
            reading, writing = os.pipe()
            process = subprocess.Popen(  # noqa: S603 - what the operator gave
                [*self._command],
                stdin=payload,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=(writing,),
                env=_environment(work, writing),
            )
            os.close(writing)
        return _Watch(process, reading, report, self._setup.limits.result_bytes).result()


def _environment(work: Work, descriptor: int) -> dict[str, str]:
    given = {"JOBPASS_COMMAND": work.command, PROGRESS_VARIABLE: str(descriptor), "JOBPASS_JOB": work.job_id}
    for name, value in (("JOBPASS_MAX_SHOTS", work.max_shots), ("JOBPASS_MAX_SAMPLES", work.max_samples)):
        if value is not None:
            given[name] = str(value)
    return ENVIRONMENT | given


class _Watch:
    """Reads what a command writes, in three ways at once, until it ends."""

    def __init__(self, process: subprocess.Popen[bytes], progress: int, report: Report, limit_bytes: int) -> None:
        self._process = process
        self._progress = progress
        self._report = report
        self._limit_bytes = limit_bytes
        self._out, self._tail, self._line = bytearray(), b"", bytearray()
        self._last = (0.0, "")
        self._stopping = False

    def result(self) -> Result:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        with selectors.DefaultSelector() as selector:
            ways = {
                self._process.stdout.fileno(): self._take_output,
                self._process.stderr.fileno(): self._take_error,
                self._progress: self._take_progress,
            }
            for descriptor, take in ways.items():
                selector.register(descriptor, selectors.EVENT_READ, take)
            selector.register(self._report.fileno(), selectors.EVENT_READ, None)
            selector.register(os.pidfd_open(self._process.pid), selectors.EVENT_READ, None)
            self._read(selector, ways)
        return self._judged()

    def _read(self, selector: selectors.BaseSelector, ways: dict[int, Any]) -> None:
        ends_at: float | None = None
        while ways and (ends_at is None or time.monotonic() < ends_at):
            for key, _ in selector.select(None if ends_at is None else 0.05):
                if key.fd in ways:
                    if not (data := os.read(key.fd, _CHUNK)):
                        selector.unregister(key.fd)
                        del ways[key.fd]
                    key.data(data)
                elif key.fd == self._report.fileno():
                    selector.unregister(key.fd)
                    self._stop()
                else:  # the command has ended; a child of its own may hold its output
                    selector.unregister(key.fd)
                    ends_at = time.monotonic() + _DRAIN_SECONDS
        if ends_at is None:  # it closed all that it had, and runs on
            self._wait(selector)

    def _wait(self, selector: selectors.BaseSelector) -> None:
        while self._process.poll() is None:
            for key, _ in selector.select():
                selector.unregister(key.fd)
                if key.fd == self._report.fileno():
                    self._stop()

    def _stop(self) -> None:
        self._stopping = True
        self._process.send_signal(signal.SIGTERM)

    def _take_output(self, data: bytes) -> None:
        self._out += data
        if len(self._out) > self._limit_bytes:
            self._process.kill()
            raise RunnerFailed("result", f"The command wrote more than {self._limit_bytes} bytes.")

    def _take_error(self, data: bytes) -> None:
        self._tail = (self._tail + data)[-TAIL_BYTES:]

    def _take_progress(self, data: bytes) -> None:
        self._line += data
        while (end := self._line.find(b"\n")) >= 0:
            line = bytes(self._line[:end])
            del self._line[: end + 1]
            self._tell(line)
        if len(self._line) > LINE_BYTES:
            raise RunnerFailed("runner", f"The command wrote a line of progress of more than {LINE_BYTES} bytes.")

    def _tell(self, line: bytes) -> None:
        try:
            read = _line.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RunnerFailed(
                "runner", f"The command wrote a line of progress that cannot be read: {error}."
            ) from None
        try:
            self._report(read.progress, read.message, bytes(read.partial).decode() or None)
        except CancelRequested:
            self._stopping = True
            self._process.send_signal(signal.SIGTERM)

    def _judged(self) -> Result:
        code = self._process.wait()
        try:
            text = self._out.decode().strip()
            msgspec.json.decode(text, type=msgspec.Raw)
        except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
            text = ""
        if self._stopping:
            raise CancelRequested(text or None)
        if code != 0:
            how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"left with {code}"
            tail = self._tail.decode("utf-8", "replace").strip()
            raise RunnerFailed("runner", f"The command {how}: {tail}" if tail else f"The command {how}.")
        if not text:
            raise RunnerFailed("result", "What the command wrote on its standard output is not JSON.")
        return Result(text)
