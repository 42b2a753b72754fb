"""Benchmark (e): how long it takes to start, and how much memory it holds."""

from __future__ import annotations

import contextlib
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil

from benchmarks.common import Row

VERSION_BOUND_MS = 150
EVENTS = 20_000
SENDERS = 8


def run(runs: int = 9) -> list[Row]:
    """Medians of the times; the memory is that of one server."""
    version = statistics.median(_seconds("--version") for _ in range(runs)) * 1000
    bare = statistics.median(_seconds(None) for _ in range(runs)) * 1000
    rows = [
        Row("python -c pass", bare, "ms", 1.0),
        Row(
            "jobpass --version", version, "ms", version / bare, f"≤ {VERSION_BOUND_MS} ms", version <= VERSION_BOUND_MS
        ),
        Row("jobpass --help", statistics.median(_seconds("--help") for _ in range(runs)) * 1000, "ms"),
    ]
    ready = []
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place:
        folder = Path(place)
        _init(folder)
        for _ in range(max(3, runs // 3)):
            with _server(folder) as (_, seconds, _process):
                ready.append(seconds * 1000)
        rows.append(Row("jobpass serve, until /ready answers", statistics.median(ready), "ms"))
        with _server(folder) as (url, _, process):
            idle = process.memory_info().rss / 2**20
            _load(url, folder)
            loaded = process.memory_info().rss / 2**20
    rows.append(Row("memory of a server, idle", idle, "MiB"))
    rows.append(Row(f"memory after {EVENTS:,} events", loaded, "MiB", loaded / idle))
    return rows


def _seconds(argument: str | None) -> float:
    command = [sys.executable, "-c", "pass"] if argument is None else [_jobpass(), argument]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def _jobpass() -> str:
    return str(Path(sys.executable).with_name("jobpass"))


def _init(folder: Path) -> None:
    password = folder / "password"
    password.write_text(secrets.token_urlsafe(24))
    password.chmod(0o600)
    command = [_jobpass(), "init", "--data", str(folder / "data"), "--admin-email", "operator@localhost"]
    subprocess.run([*command, "--admin-password-file", str(password)], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[tuple[str, float, psutil.Process]]:
    """A server on a free port: its url, the seconds until it was ready, its process."""
    started = time.perf_counter()
    command = [_jobpass(), "serve", "--data", str(folder / "data"), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert httpx2.get(f"{url}/ready", trust_env=False).status_code == 200
        yield url, time.perf_counter() - started, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _load(url: str, folder: Path) -> None:
    from jobpass import Client

    with Client(url) as owner:
        owner.login("operator@localhost", (folder / "password").read_text())
        pipeline = owner.create_pipeline(
            {
                "id": "b",
                "name": "b",
                "components": [{"uri": "https://example.org/"}],
                "processing_levels": ["0"],
            }
        )
        jobs = [owner.create_job(pipeline["uuid"], {"n": n}) for n in range(SENDERS)]

    def send(number: int) -> None:
        job = jobs[number]
        with Client(url, job.token) as client:
            for _ in range(EVENTS // SENDERS):
                client.send(job.uuid, "update", {"progress": 0.5})

    threads = [threading.Thread(target=send, args=(number,)) for number in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
