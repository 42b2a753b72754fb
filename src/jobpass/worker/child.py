"""A job's own process: takes its work from the worker, goes into isolation, runs it, gives the result, and ends."""

from __future__ import annotations

import gc
import os
import select
import signal
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from jobpass.worker import frames
from jobpass.worker.runners.runner import CancelRequested, Runner, RunnerFailed
from jobpass.worker.sandbox import enter, kernel
from jobpass.worker.work import MESSAGE_CHARACTERS, Limits, Work

if TYPE_CHECKING:
    import socket

    from jobpass.worker.sandbox.enter import Ids

PAYLOAD_BYTES: Final = 64 * 1024 * 1024
REPORT_SECONDS: Final = 0.02
"""What is told more often, and has nothing new beside a number, is not passed on."""
_DRAIN_BYTES: Final = 65536
_DESCRIPTORS: Final = 1 << 20
"""No process has more."""
_NEW_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE)


class Inside(NamedTuple):
    """Where the process that starts jobs is: its ids, and the paths in ``/tmp`` that jobs are to see."""

    ids: Ids
    shown: list[str]


class Place(NamedTuple):
    """Where a job goes: further in, into a network of its own."""

    inside: Inside
    network: int


class Reporter:
    """``Report``, over the socket to the worker."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._told_at = 0.0
        self._requested = False

    def __call__(self, fraction: float, message: str = "", partial: str | None = None) -> None:
        """See ``Report``."""
        if not 0 <= fraction <= 1:
            raise ValueError(f"progress is a fraction of 1, not {fraction!r}")
        now = time.monotonic()
        if partial is not None or now - self._told_at >= REPORT_SECONDS:
            self._told_at = now
            header = frames.Told(float(fraction), str(message)[:MESSAGE_CHARACTERS], partial is not None)
            self._channel.sendall(frames.pack(header, (partial or "").encode()))
        if self._requested or self._asked():
            self._requested = True
            raise CancelRequested

    def fileno(self) -> int:
        """See ``Report``."""
        return self._channel.fileno()

    def _asked(self) -> bool:
        # The only thing that the worker says after the work is that it is to end; or it is gone.
        return bool(select.select([self._channel], [], [], 0)[0])


def run_job(channel: socket.socket, runner: Runner, limits: Limits, place: Place | None, processes: int) -> NoReturn:
    """In a new child: from here to its end. ``place`` is None where there are no namespaces."""
    code = 1
    try:
        _prepare(channel, place)
        work = _receive(channel)
        cpu_seconds = int(work.max_duration_seconds * (os.cpu_count() or 1)) + 2
        if place is not None:
            enter.enter_inner(place.inside.ids, limits, place.inside.shown, place.network)
            os.close(place.network)
            os.chdir("/tmp")  # noqa: S108 - the job's own
        enter.confine(limits, cpu_seconds, processes=processes, keep_group=place is None)
        channel.sendall(_ended(work, runner, Reporter(channel), limits))
        code = 0
    except OSError as error:
        _give_up(channel, f"The job's process could not be isolated: {error}.")
    finally:
        os._exit(code)


def _prepare(channel: socket.socket, place: Place | None) -> None:
    """Nothing of the process that this was forked from but its memory: no descriptors, no handlers, no group."""
    gc.disable()  # a collection would touch, and so copy, all that is shared
    for number in _NEW_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    kept = sorted({2, channel.fileno(), *(() if place is None else (place.network,)), _DESCRIPTORS})
    for low, high in pairwise(kept):
        os.closerange(low + 1, high)
    os.setsid()
    kernel.die_with_parent(signal.SIGKILL)


def _receive(channel: socket.socket) -> Work:
    buffer = frames.Buffer(PAYLOAD_BYTES)
    while (found := buffer.next()) is None:
        data = channel.recv(_DRAIN_BYTES)
        if not data:
            os._exit(1)  # the worker is gone
        buffer.add(data)
    begin = frames.to_job.decode(found[0])
    assert isinstance(begin, frames.Begin)
    return Work(
        job_id=begin.job_id,
        command=begin.command,
        payload=found[1],
        max_duration_seconds=begin.max_duration_seconds,
        max_shots=begin.max_shots,
        max_samples=begin.max_samples,
    )


def _ended(work: Work, runner: Runner, report: Reporter, limits: Limits) -> bytes:
    """Run it; the last frame. Whatever a job raises is how it ended."""
    gc.enable()
    try:
        done = runner.run(work, report)
        body = done.text.encode()
        if len(body) <= limits.result_bytes:
            return frames.pack(frames.Done(done.shots), body)
        return _broke("result", f"The result has {len(body)} bytes; {limits.result_bytes} are allowed.")
    except CancelRequested as stop:
        text = (stop.results or "").encode()
        fits = bool(text) and len(text) <= limits.result_bytes
        return frames.pack(frames.Stopped(fits), text if fits else b"")
    except RunnerFailed as failure:
        return _broke(failure.failure_code, str(failure))
    except MemoryError:
        return _broke("memory_limit", f"It needed more than the {limits.memory_bytes} bytes of memory that it may.")
    except BaseException as error:  # a job may raise anything
        return _broke("runner", _told_error(error))


def _told_error(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException:  # its text is the job's own code
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _broke(code: str, message: str) -> bytes:
    return frames.pack(frames.Broke(code, message.encode("utf-8", "replace").decode()[:MESSAGE_CHARACTERS]))


def _give_up(channel: socket.socket, message: str) -> None:
    try:
        channel.sendall(_broke("interrupted", message))
    except OSError:
        return
