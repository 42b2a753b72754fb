"""The real client as processes of its own, of each version, and a cloud for it: ``jobpass serve`` and its workers."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jobpass.compose import init_data
from support.job_cloud import EMAIL, PASSWORD, PLATFORM, Cloud

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "client_perceval" / "driven.py"
NEWEST = "1.3.1"
OLDER = ("1.2.4", "1.1.0")
MEMORY = ("--memory", "1536")
"""What a worker may give a job of the runner perceval."""


def python_of(version: str) -> Path:
    """The interpreter that has this version; skips where there is none."""
    if version == NEWEST:
        if importlib.util.find_spec("perceval") is None:
            pytest.skip("perceval-quandela is not installed (make test-perceval)")
        return Path(sys.executable)
    found = ROOT / f".venv-perceval-{version}" / "bin" / "python"
    if not found.exists():
        pytest.skip(f"perceval-quandela {version} is not installed (make test-perceval)")
    return found


class Raised(Exception):
    """What the client raised: the name of its class and its text."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text


class RealClient:
    """A process with the client in it; its calls are those of ``driven.py``, by keyword."""

    def __init__(self, version: str, folder: Path) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("JOBPASS_", "PCVL_"))}
        home = folder / f"client-{version}"
        home.mkdir()
        self._log = (home / "log").open("w")
        self._process = subprocess.Popen(
            [python_of(version), SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=home,
            env=clean | {"PCVL_PERSISTENT_PATH": str(home), "HOME": str(home), "MPLBACKEND": "agg"},
        )
        self._number = 0
        self.version = self._answer()
        assert self.version == version

    def __getattr__(self, name: str) -> Any:
        def call(**parameters: Any) -> Any:
            assert self._process.stdin is not None
            self._number += 1
            self._process.stdin.write(json.dumps([self._number, name, parameters]) + "\n")
            self._process.stdin.flush()
            return self._answer()

        return call

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        answer: Any = {}
        while answer.get("number") != self._number:  # a test that gave up did not wait for its last one
            line = self._process.stdout.readline()
            assert line, f"the client ended: {Path(self._log.name).read_text()[-2000:]}"
            answer = json.loads(line)
        if "raised" in answer:
            raise Raised(*answer["raised"])
        return answer["said"]

    def until(self, job: str, *words: str, seconds: float = 30) -> Any:
        """The job's status as the client tells it, once it is one of these words. It asks once a second."""
        words = words or ("success", "canceled", "error")
        ends_at = time.monotonic() + seconds
        while (told := self.status(job=job))["word"] not in words:
            assert time.monotonic() < ends_at, told
            time.sleep(0.1)
        return told

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()


@contextmanager
def serving_process(folder: Path, **environ: str) -> Iterator[Cloud]:
    """A fresh cloud whose server is a process of ``jobpass serve``."""
    data = folder / "data"
    asyncio.run(init_data(data, EMAIL, PASSWORD, environ={}))
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JOBPASS_")}
    command = [sys.executable, "-m", "jobpass", "serve", "--data", str(data), "--port", "0", "--json"]
    with (
        (folder / "server.log").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=clean | environ) as server,
    ):
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            assert line, (folder / "server.log").read_text()
            cloud = Cloud(folder, json.loads(line)["url"])
            try:
                yield cloud
            finally:
                cloud.close()
            server.terminate()
            assert server.wait(20) == 0
        finally:
            if server.poll() is None:
                server.kill()


def connected(client: RealClient, cloud: Cloud, *, token: str | None = None, platform: str = PLATFORM) -> Any:
    """Let the client look at the platform."""
    return client.connect(platform=platform, token=token or cloud.token, url=cloud.url)
