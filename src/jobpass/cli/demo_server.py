"""A Jobpass server as a process of its own, for the demo: started, killed, started again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from jobpass.errors import SetupError

START_SECONDS = 20.0
STOP_SECONDS = 20.0
LOG_SECONDS = 2.0


class DemoServer:
    """Serves the data folder on one loopback port, which the first start finds."""

    def __init__(self, data: Path, log: Path, environ: dict[str, str]) -> None:
        self.data = data
        self.log = log
        self.url = ""
        self.pid = 0
        self._port = 0
        self._environ = environ
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it accepts connections; ``SetupError`` with its last words if it does not."""
        arguments = ["serve", "--data", str(self.data), "--port", str(self._port), "--json", "--log-format", "json"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-m", "jobpass", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environ,
                text=True,
            )
        assert self._process.stdout is not None
        said = _first_line(self._process.stdout, START_SECONDS)
        if not said:
            self.kill()
            raise SetupError(f"The server did not start: {self.log.read_text()[-500:]}")
        self.url = json.loads(said)["url"]
        self.pid = self._process.pid
        self._port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """End it with SIGKILL: it cannot do anything about it."""
        if self._process is not None:
            self._process.kill()
            self._gone()

    def stop(self) -> int | None:
        """Ask it to end, and its exit code; None if it does not run."""
        if self._process is None or self._process.poll() is not None:
            return None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return -signal.SIGKILL
        finally:
            self._gone()

    def _gone(self) -> None:
        assert self._process is not None
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def logged(self, request_id: str) -> dict[str, Any]:
        """The log line of a request, which may come a little after its answer; empty if it does not."""
        until = time.monotonic() + LOG_SECONDS
        while True:
            for line in self.log.read_text("utf-8", "replace").splitlines():
                if request_id in line and line.endswith("}"):
                    found: dict[str, Any] = json.loads(line)
                    return found
            if time.monotonic() > until:
                return {}
            time.sleep(0.02)


def _first_line(stream: IO[str], seconds: float) -> str:
    """The first line that comes in time, else an empty text."""
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(stream.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    return lines[0] if lines else ""
