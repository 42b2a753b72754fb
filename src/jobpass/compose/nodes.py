"""Several server processes at one port, each a node of its own, and the process that starts and ends them. Linux.

They are fresh processes, no forks, and share nothing but the port: what makes them one server is the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jobpass import errors
from jobpass.errors import SetupError
from jobpass.server.listening import MAX_PORT, SharedPort, shared_port
from jobpass.settings import Settings

Ready = Callable[[str, int], None]

PAUSE_SECONDS: Final = (0.1, 0.5, 1, 2, 4, 8, 15)
"""Before a process that has ended is started again: the first time, the second, …; then always the last."""
STEADY_SECONDS: Final = 60
"""A process that ran so long is started again as if it had never failed."""
STARTS: Final = 3
"""A process that has ended so often without a word, before all listen, is given up, and the others with it."""
STOP_SECONDS: Final = 20
"""What has not ended so long after it was told to is killed; by itself it takes at most 15."""
BEAT_SECONDS: Final = 1.0
"""How often a process that serves says that its loop runs."""
LOOKS: Final = 3
"""Times that it is looked for that in ``frozen_seconds``, since this process may have stood still itself: then what was
said meanwhile is found by the next look."""
NAME_LENGTH: Final = 64
"""Of a node, in letters."""
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_TOLD: Final = {
    kind.code: kind
    for kind in (
        errors.KeyringError,
        errors.SchemaTooNew,
        errors.InvalidLifecycle,
        errors.BrokenRecord,
        errors.StoreUnavailable,
    )
}

log = logging.getLogger("jobpass.server")


class Listening(Struct, frozen=True, tag="listening"):
    """A node accepts connections."""


class Refused(Struct, frozen=True, tag="refused"):
    """It cannot serve: the error's code, and what it says."""

    code: str
    message: str

    def error(self) -> errors.Error:
        """The error again."""
        return _TOLD.get(self.code, SetupError)(self.message)


Answer = Listening | Refused
_decode: Final = msgspec.json.Decoder(Answer).decode


def expect_nodes(settings: Settings) -> None:
    """Raise ``SetupError`` if so many processes cannot serve by these settings."""
    count = settings.workers
    if count == 1:
        return
    if settings.store is None:
        raise SetupError(
            f"Several server processes are PostgreSQL's business: --workers {count} needs --store postgresql://…; "
            "one process serves a file."
        )
    if sys.platform != "linux":
        raise SetupError("Several server processes at one port need Linux, which gives each its share.")
    if len(_name(settings, count)) > NAME_LENGTH:
        raise SetupError(f"The setting node is too long: each process is a node of its own, {_name(settings, count)}.")
    if settings.metrics_port is not None and settings.metrics_port + count - 1 > MAX_PORT:
        raise SetupError(f"Each process has a port for its metrics: there are no {count} from {settings.metrics_port}.")


def serve(folder: Path, settings: Settings, ready: Ready) -> None:
    """Serve the folder by ``settings.workers`` processes until SIGTERM or SIGINT; ``ready`` is called once all listen.

    Raises what the first one says that cannot serve, if it says so before all listen. From then on one that ends is
    started again.
    """
    expect_nodes(settings)
    with shared_port(settings.host, settings.port) as port:
        asyncio.run(_Nodes(folder, settings, port, ready).run())


def _name(settings: Settings, number: int) -> str:
    return f"{settings.node}-{number}"


def _settings_of(settings: Settings, number: int) -> Settings:
    """The settings of one of the processes, which are numbered from 1; together they hash no more passwords at once."""
    return replace(
        settings,
        node=_name(settings, number),
        metrics_port=None if settings.metrics_port is None else settings.metrics_port + number - 1,
        password_slots=settings.password_slots or max(1, (os.cpu_count() or 1) // settings.workers),
    )


class _Nodes:
    def __init__(self, folder: Path, settings: Settings, port: SharedPort, ready: Ready) -> None:
        self._folder = folder
        self._settings = settings
        self._port = port
        self._ready = ready
        self._running: dict[int, Process] = {}
        self._listening: set[int] = set()
        self._complete = False
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Until the stop, or an error."""
        loop = asyncio.get_running_loop()
        for number in _STOP_SIGNALS:
            loop.add_signal_handler(number, self._end)
        keepers = [asyncio.create_task(self._keep(number)) for number in range(1, self._settings.workers + 1)]
        try:
            stopped = asyncio.create_task(self._stop.wait())
            await asyncio.wait({stopped, *keepers}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not self._stop.is_set():
                self._end()
            _, late = await asyncio.wait(keepers, timeout=STOP_SECONDS)
            self._kill(late)
            ended = await asyncio.gather(*keepers, return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    def _end(self) -> None:
        """Have all end; the second time they do not wait for what they have accepted."""
        self._stop.set()
        for process in self._running.values():
            _send(process, signal.SIGTERM)

    def _kill(self, late: set[asyncio.Task[None]]) -> None:
        if late:
            log.error("%d server processes did not end, and are killed", len(late))
        for process in self._running.values():
            _send(process, signal.SIGKILL)

    async def _keep(self, number: int) -> None:
        """Have this node served until the stop, by one process after the other."""
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stop.is_set():
            started = loop.time()
            code = await self._serve(number)
            if self._stop.is_set():
                return
            failures = 1 if loop.time() - started > STEADY_SECONDS else failures + 1
            if not self._complete and failures == STARTS:
                raise SetupError("A server process ends before it listens; the log says why.")
            pause = PAUSE_SECONDS[min(failures, len(PAUSE_SECONDS)) - 1]
            name = _name(self._settings, number)
            log.error("the process of node %s ended with %d; the next one starts in %s s", name, code, pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)

    async def _serve(self, number: int) -> int:
        """Have one process serve this node to its end; its exit code."""
        process = await self._start(number)
        self._running[number] = process
        try:
            if self._stop.is_set():
                _send(process, signal.SIGTERM)
            assert process.stdout is not None
            line = await process.stdout.readline()
            if line:
                self._heard(number, _decode(line))
                await self._follow(number, process)
            return await process.wait()
        finally:
            if process.returncode is None:
                _send(process, signal.SIGTERM)
                await process.wait()
            self._listening.discard(number)
            del self._running[number]

    async def _follow(self, number: int, process: Process) -> None:
        """Until the process ends, or is killed because it says nothing any more."""
        assert process.stdout is not None
        seconds, silent = self._settings.frozen_seconds, 0
        while silent < LOOKS:
            try:
                said = await asyncio.wait_for(process.stdout.read(4096), seconds / LOOKS)
            except TimeoutError:
                silent += 1
                continue
            if not said:
                return
            silent = 0
        name = _name(self._settings, number)
        log.error("the process of node %s has not moved for %d seconds, and is killed", name, seconds)
        _send(process, signal.SIGKILL)

    async def _start(self, number: int) -> Process:
        with self._port.socket() as listener:  # closed here, so that it ends with the process
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-P", "-m", "jobpass.compose.node", str(self._folder.absolute()), str(listener.fileno())),
                stdin=PIPE,
                stdout=PIPE,
                pass_fds=(listener.fileno(),),
                process_group=0,  # a terminal's Ctrl-C is this process's to pass on: a second signal would hurry it
            )
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(_settings_of(self._settings, number)) + b"\n")
        return process  # stdin stays open: its end tells the process that this one is gone

    def _heard(self, number: int, answer: Answer) -> None:
        if isinstance(answer, Refused):
            if not self._complete:
                raise answer.error()
            log.error("the process of node %s cannot serve: %s", _name(self._settings, number), answer.message)
            return
        self._port.leave()
        self._listening.add(number)
        log.info("node %s listens", _name(self._settings, number), extra={"pid": self._running[number].pid})
        if not self._complete and len(self._listening) == self._settings.workers:
            self._complete = True
            self._ready(self._port.host, self._port.port)


def _send(process: Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)
