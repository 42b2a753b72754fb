"""Benchmark: jobs through ``jobpass serve`` and ``jobpass worker``, from their submission to their results.

The worker has four slots and a ``python:`` runner whose function does nothing; the senders are those of ``compute``,
where the worker is written by hand and runs nothing. Beside it the same worker where namespaces are refused, so that
each job is a fork with limits and a filter. Both workers run as a user without privileges. All is on loopback, the
database is SQLite (synchronous=FULL), and the three processes and the jobs share the machine's cores.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import bench_compute as compute
from benchmarks.bench_worker import UNPRIVILEGED
from benchmarks.common import Row, at_least, at_most
from jobpass.worker.sandbox import kernel, seccomp

HERE = Path(__file__).parent
SLOTS = 4
WARM_UP = 20


def run(runs: int = 3) -> list[Row]:
    """Medians of alternating runs."""
    measured: dict[str, list[tuple[float, float]]] = {"isolated": [], "refused": []}
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place:
        folder = Path(place)
        token, key = asyncio.run(compute._prepare(folder / "data"))
        (folder / "key").write_text(key)
        with compute._server(folder / "data") as url:
            for _ in range(runs):
                for mode, found in measured.items():
                    with _worker(mode, url, folder / "key"):
                        found.append(asyncio.run(_measure(url, token)))
    alone, rate = _middle(measured["isolated"])
    refused_alone, refused_rate = _middle(measured["refused"])
    return [
        at_most(
            "submit, wait and result of a job", alone * 1000, "ms", alone * 1000 / compute.TARGET_MS, 1.0, "p50, alone"
        ),
        at_least("jobs done with four slots", rate, "jobs/s", rate / compute.TARGET_RATE, 1.0, "in isolation"),
        Row("the first without namespaces", refused_alone * 1000, "ms", refused_alone / alone, note="to isolation"),
        Row("the second without namespaces", refused_rate, "jobs/s", refused_rate / rate, note="to isolation"),
    ]


def _middle(found: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(one[0] for one in found), statistics.median(one[1] for one in found)


@contextlib.contextmanager
def _worker(mode: str, url: str, key: Path) -> Iterator[None]:
    """A worker that is ready."""
    command = [*UNPRIVILEGED, sys.executable, "-m", "benchmarks.bench_cloud", mode]
    command += ["--url", url, "--apikey-file", str(key), "--platform", compute.PLATFORM, "--slots", str(SLOTS)]
    command += ["--runner", "python:noop:nothing", "--command", "nothing", "--path", str(HERE / "jobs")]
    command += ["--log-level", "error", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as worker:
        try:
            assert worker.stdout is not None
            told = json.loads(worker.stdout.readline())
            assert told["isolation"]["processes"] is (mode == "isolated"), told
            yield
        finally:
            worker.terminate()


async def _measure(url: str, token: str) -> tuple[float, float]:
    """Seconds of a lone job (the median), and jobs a second."""
    senders = [await compute.Connection.open(url) for _ in range(compute.SENDERS)]
    try:
        for _ in range(WARM_UP):
            await compute._one(senders[0], token)
        took = [await compute._one(senders[0], token) for _ in range(compute.ALONE)]
        return statistics.median(took), await compute._rate(senders, token)
    finally:
        for sender in senders:
            sender.close()


def main(mode: str, arguments: list[str]) -> None:
    """Become a worker."""
    if mode == "refused":
        kernel.no_new_privileges()
        kernel.filter_system_calls(seccomp.job_program())
    os.execv(sys.executable, [sys.executable, "-m", "jobpass", "worker", *arguments])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
