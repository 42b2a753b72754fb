"""Servers as processes of their own, which can be killed and started again at the same address."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

START_SECONDS = 60.0
"""A server that does not listen by then never will."""
STOP_SECONDS = 30.0
PASSWORD = "correct-horse-battery"
EMAIL = "operator@localhost"
TESTS = Path(__file__).parents[1]
PYTHONPATH = os.pathsep.join(filter(None, (str(TESTS), os.environ.get("PYTHONPATH"))))
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("JOBPASS_")}


def free_port() -> int:
    """A port of loopback that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Killable(ABC):
    """A process that can be killed and started again."""

    _process: asyncio.subprocess.Process | None = None

    @abstractmethod
    async def start(self) -> None:
        """Return when it is ready; ``RuntimeError`` with what it said if it does not come up."""

    async def kill(self) -> None:
        """SIGKILL, if it runs; return when it is gone."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def kill_and_start(self) -> float:
        """Kill it and start it again; the moment of the kill."""
        since = time.monotonic()
        await self.kill()
        await self.start()
        return since


class Node(Killable):
    """A server over a data folder; ``more`` are further arguments of ``jobpass serve``."""

    def __init__(
        self,
        data: Path,
        log: Path,
        *more: str,
        command: tuple[str, ...] = ("-m", "jobpass", "serve"),
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = [sys.executable, *command, "--data", str(data), "--port", str(self.port), *more]
        self._environ = {"PYTHONPATH": PYTHONPATH, "JOBPASS_NODE": log.stem} | dict(environ or {})
        self.start_seconds: list[float] = []
        """How long each start took."""
        self._log = log

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Return when it accepts connections; ``RuntimeError`` with what it said if it does not come up."""
        since = time.monotonic()
        password = self._log.with_suffix(".password")
        password.write_text(PASSWORD)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                *("--json", "--no-access-log", "--log-format", "text", "--admin-password-file", str(password)),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=ENVIRON | self._environ,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            while line := await self._process.stdout.readline():
                if "url" in json.loads(line):
                    self.start_seconds.append(time.monotonic() - since)
                    return
        raise RuntimeError(f"the server has ended with {await self._process.wait()}: {self.said()[-2000:]}")

    def said(self) -> str:
        """What stands in its log."""
        return self._log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self) -> int:
        """SIGTERM; the exit code. It is killed if it takes too long."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()


async def verify(data: Path, *more: str) -> list[tuple[str, int]]:
    """What ``jobpass verify`` finds: the chains that do not hold, with the sequence where they break."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jobpass", "verify", "--data", str(data), "--json", *more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRON,
    )
    told, said = await process.communicate()
    if process.returncode not in (0, 1):
        raise RuntimeError(f"jobpass verify has ended with {process.returncode}: {said.decode()[-2000:]}")
    broken = json.loads(told)["broken"]
    assert bool(broken) == (process.returncode == 1)
    return [(one.get("uuid") or f"audit:{one.get('audit')}", one["sequence"]) for one in broken]
