"""A job cloud of one's own, as real processes: a server in this one's threads, and workers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jobpass
from jobpass.compose import init_data, serving
from support.jobs import FOLDER

EMAIL, PASSWORD = "olga@example.org", "correct horse battery staple"
PLATFORM = "sim:local"


class Worker:
    """A process of ``jobpass worker``."""

    def __init__(self, url: str, key_file: Path, *options: str, platform: str = PLATFORM) -> None:
        command = [sys.executable, "-m", "jobpass", "worker", "--url", url, "--apikey-file", str(key_file)]
        command += ["--platform", platform, "--json", *options]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("JOBPASS_")}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean, stdin=subprocess.DEVNULL
        )
        self.log: list[str] = []
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        stderr = self.process.stderr
        self._reader = threading.Thread(target=lambda: self.log.extend(stderr), daemon=True)
        self._reader.start()
        self.said = self.process.stdout.readline()

    @property
    def ready(self) -> Any:
        """What it said when it was ready."""
        return json.loads(self.said)

    def stop(self, number: int = signal.SIGTERM, seconds: float = 20) -> int:
        """Its exit code after the signal."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(seconds)
        self._reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code


class Cloud:
    """A server with a platform, an operator, an author with a job token, and a worker's key in a file."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.operator = jobpass.Client(url)
        self.operator.login(EMAIL, PASSWORD)
        self.operator.create_platform(PLATFORM)
        self.operator.create_user("ann@example.org", PASSWORD, max_jobs_in_queue=100_000, max_concurrent_jobs=1000)
        ann = jobpass.Client(url)
        ann.login("ann@example.org", PASSWORD)
        self.token = ann.create_token(label="tests").token
        ann.close()
        self.ann = jobpass.Client(url, self.token)
        self.key_file = folder / "worker.key"
        self.key_file.write_text(self.operator.create_api_key(label="worker").key + "\n")
        self.key_file.chmod(0o600)

    @contextmanager
    def worker(self, *options: str, runner: str | None = None, function: str = "plain.echo") -> Iterator[Worker]:
        """A worker of the platform; unless told with a function of ``tests/worker/jobs``."""
        module, _, called = function.partition(".")
        chosen = ["--runner", runner or f"python:{module}:{called}", "--path", str(FOLDER)]
        worker = Worker(self.url, self.key_file, *chosen, "--memory", "512", *options)
        try:
            yield worker
        finally:
            if worker.process.poll() is None:
                worker.process.kill()
            worker.stop()

    def close(self) -> None:
        """Let go of the connections."""
        self.ann.close()
        self.operator.close()


@contextmanager
def clouding(folder: Path, **environ: str) -> Iterator[Cloud]:
    """A fresh cloud in this folder."""
    data = folder / "data"
    asyncio.run(init_data(data, EMAIL, PASSWORD, environ={}))
    with serving(data, environ=environ) as url:
        cloud = Cloud(folder, url)
        try:
            yield cloud
        finally:
            cloud.close()
