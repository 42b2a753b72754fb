"""Real processes: each test calls the command as a person would, with a home of its own."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

import jobpass

PASSWORD = "correct-horse-battery"
COMMAND = (sys.executable, "-m", "jobpass")


@dataclass
class Shell:
    """Runs commands with ``home`` as the only place where settings and state are."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("JOBPASS_")}
        places = {"XDG_CONFIG_HOME": str(self.home / "config"), "XDG_STATE_HOME": str(self.home / "state")}
        return clean | places | {"HOME": str(self.home)} | self.variables

    def __call__(self, *arguments: object, stdin: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environ,
            cwd=self.home,
            timeout=timeout,
        )

    def good(self, *arguments: object, stdin: str = "") -> str:
        """The output of a call that must succeed."""
        done = self(*arguments, stdin=stdin)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    def json(self, *arguments: object, stdin: str = "") -> Any:
        """The JSON of a call that must succeed."""
        return json.loads(self.good(*arguments, "--json", stdin=stdin))

    def start(self, *arguments: object, **options: Any) -> subprocess.Popen[str]:
        """A command that goes on."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen([*COMMAND, *map(str, arguments)], text=True, env=self.environ, cwd=self.home, **pipes)


@dataclass
class Server:
    """A server that runs, and its data folder."""

    url: str
    data: Path
    process: subprocess.Popen[str]
    log: list[str]


def _serve(shell: Shell, data: Path, *options: object) -> Iterator[Server]:
    process = shell.start("serve", "--data", data, "--port", "0", "--json", *options)
    assert process.stdout is not None
    assert process.stderr is not None
    log: list[str] = []
    stderr = process.stderr
    reader = threading.Thread(target=lambda: log.extend(stderr), daemon=True)
    reader.start()
    line = process.stdout.readline()
    if not line:
        reader.join(5)
        raise AssertionError("".join(log))
    try:
        yield Server(json.loads(line)["url"], data, process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(20)
        reader.join(5)
        process.stdout.close()
        process.stderr.close()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    home = tmp_path / "home"
    home.mkdir()
    return Shell(home)


@dataclass
class Here(Shell):
    """The same command line in this process: for many calls where a process of its own adds nothing."""

    patch: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)
    captured: pytest.CaptureFixture[str] | None = None

    def __call__(self, *arguments: object, stdin: str = "", timeout: float = 60) -> subprocess.CompletedProcess[str]:
        from jobpass.cli.main import run

        assert self.captured is not None
        self.captured.readouterr()
        words = [str(word) for word in arguments]
        with self.patch.context() as patch:
            for name in os.environ.keys() - self.environ.keys():
                patch.delenv(name)
            for name, value in self.environ.items():
                patch.setenv(name, value)
            patch.chdir(self.home)
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            code = run(words)
        said = self.captured.readouterr()
        return subprocess.CompletedProcess(words, code, said.out, said.err)


@pytest.fixture
def here(shell: Shell, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """Shares its home, and so a log-in, with ``shell``."""
    return Here(shell.home, shell.variables, monkeypatch, capfd)


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that do not harm it; its operator has ``PASSWORD``."""
    place = tmp_path_factory.mktemp("installation")
    shell = Shell(place)
    (place / "password").write_text(PASSWORD + "\n")
    shell.good("init", "--data", place / "data", "--admin-password-file", place / "password")
    yield from _serve(shell, place / "data", "--log-format", "json")


@pytest.fixture
def serve(shell: Shell) -> Iterator[Callable[..., Server]]:
    """Starts servers of this test's own."""
    running: list[Iterator[Server]] = []

    def start(data: Path, *options: object) -> Server:
        running.append(_serve(shell, data, *options))
        return next(running[-1])

    yield start
    for one in running:
        next(one, None)


@pytest.fixture(scope="session")
def operator(installation: Server) -> Iterator[jobpass.Client]:
    """The installation's operator, by the SDK: for what a test needs and is not about."""
    with jobpass.Client(installation.url) as client:
        client.login("operator@localhost", PASSWORD)
        yield client


@pytest.fixture
def logged_in(shell: Shell, installation: Server, operator: jobpass.Client) -> Shell:
    """A shell with a saved log-in to the installation, which other tests use too."""
    saved = {"url": installation.url, "email": "operator@localhost", "token": operator.token}
    path = shell.home / "config" / "jobpass" / "login.json"
    path.parent.mkdir(parents=True, mode=0o700)
    path.touch(0o600)
    path.write_text(json.dumps(saved))
    return shell


@pytest.fixture(scope="session")
def password() -> str:
    return PASSWORD


@pytest.fixture(scope="session")
def pipeline(operator: jobpass.Client) -> str:
    members = {"id": "test", "name": "Test", "components": [], "processing_levels": []}
    uuid: str = operator.create_pipeline(members)["uuid"]
    return uuid


@pytest.fixture
def job(operator: jobpass.Client, pipeline: str, tmp_path: Path) -> dict[str, Any]:
    """A fresh job of the installation, with its token."""
    made: dict[str, Any] = msgspec.to_builtins(operator.create_job(pipeline, {"test": str(tmp_path)}))
    return made
