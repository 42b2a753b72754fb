"""Jobs as processes of this machine: the executor of a worker of its own.

The worker's side of ``warm.py`` and ``child.py``. Nothing that a job's process says is trusted: lengths are bounded,
words are looked up, results are checked, and how long it may take is for this side to measure.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import Callable
from typing import Final

import msgspec

from jobpass.errors import SetupError
from jobpass.worker import frames
from jobpass.worker.executor import Report
from jobpass.worker.outcome import Last, judged, last_word
from jobpass.worker.results import check_json, check_perceval
from jobpass.worker.sandbox import kernel
from jobpass.worker.sandbox.isolation import Isolation
from jobpass.worker.warmed import Warm
from jobpass.worker.work import (
    CANCEL_GRACE_SECONDS,
    Canceled,
    Description,
    Failed,
    Outcome,
    Progress,
    Setup,
    Work,
)

ENDING_SECONDS: Final = 1.0
"""A job that has told how it ended has so long to be gone."""
BREATH_SECONDS: Final = 0.02
"""Between two looks at what a job tells, however much it tells."""
_CHUNK: Final = 256 * 1024
_AT_ONCE_BYTES: Final = 256 * 1024
"""A larger result, or part of one, is looked at in a thread: other jobs' leases have to be renewed meanwhile."""


class LocalExecutor:
    """Starts jobs through a warm process, and another one if that ends."""

    def __init__(self, setup: Setup, warmed: Warm) -> None:
        self._setup = setup
        self._warm = warmed
        self._lock = asyncio.Lock()
        self._closed = False

    @classmethod
    async def open(cls, setup: Setup) -> LocalExecutor:
        """Load the runner and find out what isolation there is. Raises ``SetupError`` if it cannot be used.

        From here on this process's memory and environment can be read by nobody but root.
        """
        kernel.set_dumpable(on=False)
        return cls(setup, await Warm.open(setup))

    @property
    def description(self) -> Description:
        """What the runner says of itself."""
        return self._warm.ready.description

    @property
    def isolation(self) -> Isolation:
        """What is in force."""
        return self._warm.ready.isolation

    @property
    def starter_pid(self) -> int:
        """The process that was started to start jobs."""
        return self._warm.pid

    async def start(self, work: Work, report: Report) -> LocalRunning:
        """Start a job. Raises ``SetupError`` if none can be started at present."""
        async with self._lock:
            if self._closed:
                raise SetupError("This executor is closed.")
            if self._warm.lost:
                await self._warm.close()
                self._warm = await Warm.open(self._setup)
        return LocalRunning(self._warm, work, report, self._setup)

    async def close(self) -> None:
        """Kill what runs, and leave nothing behind."""
        async with self._lock:
            self._closed = True
            await self._warm.close()


class LocalRunning:
    """A job that runs here."""

    def __init__(self, warmed: Warm, work: Work, report: Report, setup: Setup) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            self._job = warmed.start(theirs)
        self._channel = ours
        self._work = work
        self._report = report
        self._setup = setup
        self._partial: str | None = None
        self._perceval = setup.runner == "perceval"
        self._ending: Canceled | Failed | None = None  # what it is to be whatever the job says
        self._loop = asyncio.get_running_loop()
        self._timers = [self._loop.call_later(work.max_duration_seconds, self._out_of_time)]
        self._task = self._loop.create_task(self._run())

    async def wait(self) -> Outcome:
        """See ``Running``."""
        return await asyncio.shield(self._task)

    def cancel(self, grace_seconds: float = CANCEL_GRACE_SECONDS) -> None:
        """See ``Running``."""
        if self._ending is None and not self._job.exited.done():
            self._ending = Canceled()
            with contextlib.suppress(OSError):  # one that does not listen is killed
                self._channel.send(frames.pack(frames.Stop()))
            self._later(grace_seconds, self._job.kill)

    def kill(self) -> None:
        """See ``Running``."""
        if not self._job.exited.done():
            self._ending = self._ending or Canceled()
            self._job.kill()

    def _out_of_time(self) -> None:
        if self._ending is None:
            self._ending = Failed(
                "time_limit", f"It took longer than the {self._work.max_duration_seconds:g} s that it may."
            )
        self._job.kill()

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self._timers.append(self._loop.call_later(seconds, call))

    async def _run(self) -> Outcome:
        said: Outcome | None = None
        try:
            said = await self._talk()
        except (OSError, frames.BadFrame, msgspec.MsgspecError, UnicodeDecodeError) as error:
            if not self._job.exited.done() and not isinstance(error, OSError):
                self._ending = self._ending or Failed("result", f"What the job said cannot be read: {error}.")
                self._job.kill()
        finally:
            self._timers[0].cancel()  # what counts has been said
            self._later(ENDING_SECONDS, self._job.kill)
            try:
                code = await self._job.exited
            finally:
                self._job.kill()  # if this was cancelled
                self._channel.close()
                for timer in self._timers:
                    timer.cancel()
        return judged(said, self._ending, code, self._partial)

    async def _talk(self) -> Outcome | None:
        """Give it the work, and listen until it has told how it ended; None if it never did."""
        work = self._work
        begin = frames.Begin(
            job_id=work.job_id,
            command=work.command,
            max_duration_seconds=work.max_duration_seconds,
            max_shots=work.max_shots,
            max_samples=work.max_samples,
        )
        await self._loop.sock_sendall(self._channel, frames.pack(begin, work.payload))
        buffer = frames.Buffer(self._setup.limits.result_bytes)
        while data := await self._loop.sock_recv(self._channel, _CHUNK):
            buffer.add(data)
            latest: Progress | None = None
            while (found := buffer.next()) is not None:
                said = frames.from_job.decode(found[0])
                if not isinstance(said, frames.Told):
                    return await self._last_word(said, found[1])
                latest = await self._progress(said, found[1])
            if latest is not None:
                self._report(latest)
                await asyncio.sleep(BREATH_SECONDS)
        return None

    async def _progress(self, told: frames.Told, body: bytes) -> Progress:
        if not told.partial:
            return Progress(told.fraction, told.message)
        check = check_perceval if self._perceval else check_json
        try:
            self._partial = check(body) if len(body) < _AT_ONCE_BYTES else await asyncio.to_thread(check, body)
        except ValueError as problem:
            raise frames.BadFrame(f"what it has so far is refused: {problem}") from None
        return Progress(told.fraction, told.message, self._partial)

    async def _last_word(self, said: Last, body: bytes) -> Outcome:
        check = functools.partial(last_word, said, body, self._work.command, perceval=self._perceval)
        return check() if len(body) < _AT_ONCE_BYTES else await asyncio.to_thread(check)
