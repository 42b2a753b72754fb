"""A server as a process on its core: started, waited for, asked, watched, and ended by its pid."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from benchmarks.peers.errors import CannotMeasureError

READY_SECONDS = 120
END_SECONDS = 20
_ASK_SECONDS = 60
_POLL_SECONDS = 0.2
_LOG_BYTES = 4000


class Answer(NamedTuple):
    """Status and body of an answer."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A redirection is an answer like another: to the page for logging in, for instance."""


_opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def ask(url: str, method: str = "GET", authorization: str = "", body: str = "") -> Answer:
    """Send one request and read its answer, whatever its status; ``OSError`` if there is none."""
    request = urllib.request.Request(url, method=method, data=body.encode() if body else None)
    if authorization:
        request.add_header("Authorization", authorization)
    if body:
        request.add_header("Content-Type", "application/json")
    try:
        with _opener.open(request, timeout=_ASK_SECONDS) as answer:
            return Answer(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read())


def free_port() -> int:
    """A port of the loopback that nobody has at present."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def run(command: Sequence[str], folder: Path, environ: Mapping[str, str], why: str) -> str:
    """What a program printed that prepares something; ``CannotMeasureError`` with ``why`` if it failed."""
    try:
        done = subprocess.run(
            ["nice", *command], cwd=folder, env=dict(environ), capture_output=True, text=True, timeout=READY_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise CannotMeasureError(why, "it did not end") from error
    if done.returncode:
        raise CannotMeasureError(why, done.stdout[-_LOG_BYTES:] + done.stderr[-_LOG_BYTES:])
    return done.stdout


class Server:
    """A server's process and those that it starts, on one core; what they print goes to a file in ``folder``."""

    def __init__(self, command: Sequence[str], folder: Path, environ: Mapping[str, str], core: int) -> None:
        self._log = folder / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["taskset", "-c", str(core), *command], cwd=folder, env=dict(environ), stdout=log, stderr=log
            )

    def wait(self, url: str) -> None:
        """Return once the server answers anything at ``url``; ``CannotMeasureError`` if it ends or takes too long."""
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                raise CannotMeasureError("its server ended while starting", self.log())
            with contextlib.suppress(OSError):
                ask(url)
                return
            time.sleep(_POLL_SECONDS)
        raise CannotMeasureError(f"its server did not answer within {READY_SECONDS} s", self.log())

    def log(self) -> str:
        """The end of what the server has printed."""
        return self._log.read_bytes()[-_LOG_BYTES:].decode(errors="replace")

    def computed(self) -> float:
        """Seconds that the server's processes have computed in themselves, not in the system."""
        total = 0.0
        for process in self._family():
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.cpu_times().user
        return total

    def _family(self) -> list[psutil.Process]:
        try:
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def stop(self) -> None:
        """End the server and all that it started, each by its pid."""
        family = self._family()
        self._process.terminate()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for process in family[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()  # psutil makes sure that the pid is still that process
