"""The process that starts jobs (``warm.py``), seen from the worker."""

from __future__ import annotations

import array
import asyncio
import contextlib
import os
import signal
import socket
import sys
from typing import Final

import msgspec

from jobpass.errors import SetupError
from jobpass.worker import warm
from jobpass.worker.work import ENVIRONMENT, Setup

READY_SECONDS: Final = 120.0
"""How long a runner's imports may take."""
_LISTEN_BYTES: Final = 4096


class Job:
    """What the warm process tells of one job."""

    def __init__(self) -> None:
        self.exited: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        """The exit code; None if the warm process ended before it could tell."""
        self.descriptor: int | None = None
        self._killed = False

    def started(self, descriptor: int) -> None:
        self.descriptor = descriptor
        if self._killed:
            self.kill()

    def ended(self, code: int | None) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None
        if not self.exited.done():
            self.exited.set_result(code)

    def kill(self) -> None:
        """Kill its first process, and with it all of its namespace; also if it is not there yet."""
        self._killed = True
        if self.descriptor is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.descriptor, signal.SIGKILL)


class Warm:
    """The warm process, seen from the worker."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket, ready: warm.Ready) -> None:
        self.ready = ready
        self.lost = False
        self._process = process
        self._control = control
        self._jobs: dict[int, Job] = {}
        self._last = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(control, self._listen)

    @classmethod
    async def open(cls, setup: Setup) -> Warm:
        """Start it, and wait until it is ready."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, warm.MESSAGE_BYTES)
        ours.setblocking(False)
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", "-m", "jobpass.worker.warm", str(theirs.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                env=ENVIRONMENT,
                pass_fds=(theirs.fileno(),),
            )
        try:
            return cls(process, ours, await _ready(ours, setup))
        except BaseException:  # also if this is cancelled
            ours.close()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise

    @property
    def pid(self) -> int:
        """Of the process that this one started: it waits for the one inside, and ends with it."""
        return self._process.pid

    def start(self, channel: socket.socket) -> Job:
        """Have a job's process made, which has this end of the socket to it."""
        job = Job()
        self._last += 1
        self._jobs[self._last] = job
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [channel.fileno()]))]
        try:
            self._control.sendmsg([str(self._last).encode()], rights)
        except BlockingIOError:  # hundreds wait to be started: this one can be run again
            del self._jobs[self._last]
            job.ended(None)
        except OSError:
            self._lose()
        return job

    def _listen(self) -> None:
        """All that it has said meanwhile."""
        try:
            while True:
                text, descriptors, _, _ = socket.recv_fds(self._control, _LISTEN_BYTES, 1)
                if not text:
                    return self._lose()
                told = warm.answer.decode(text)
                job = self._jobs.get(told.number) if isinstance(told, warm.Started | warm.Exited) else None
                if isinstance(told, warm.Started) and job is not None:
                    job.started(descriptors[0])
                elif isinstance(told, warm.Exited) and job is not None:
                    del self._jobs[told.number]
                    job.ended(told.code)
        except BlockingIOError:
            return None
        except OSError:
            return self._lose()

    def _lose(self) -> None:
        if not self.lost:
            self.lost = True
            self._loop.remove_reader(self._control)
            for job in self._jobs.values():
                job.kill()
                job.ended(None)
            self._jobs.clear()

    async def close(self) -> None:
        """End it, and every job with it."""
        self._lose()
        self._control.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


async def _ready(control: socket.socket, setup: Setup) -> warm.Ready:
    """Tell it what to prepare, and wait for its answer. Raises ``SetupError``."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(READY_SECONDS):
            await loop.sock_sendall(control, msgspec.json.encode(setup))
            text = await loop.sock_recv(control, warm.MESSAGE_BYTES)
        answer = warm.answer.decode(text) if text else None
    except TimeoutError:
        raise SetupError(f"The runner was not ready after {READY_SECONDS:g} s.") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise SetupError(f"The process that starts jobs cannot be talked to: {error}.") from None
    if isinstance(answer, warm.Ready):
        return answer
    if isinstance(answer, warm.Refused):
        raise SetupError(answer.message)
    raise SetupError("The process that starts jobs ended before it was ready.")
