"""Benchmark: what isolation costs a job, from its start to its outcome, without a server.

A ``python:`` runner's function that returns what it got, 4 at a time; beside it the same executor where
namespaces are refused, so that what is left is a fork, limits, a system-call filter and the talk over a socket. Both
run as a user without privileges. The yardstick is an interpreter of that size which forks children that end at once.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.common import Row, at_least
from jobpass.worker.local import LocalExecutor
from jobpass.worker.sandbox import kernel, seccomp
from jobpass.worker.work import Completed, Progress, Setup, Work

JOBS = 1_000
SLOTS = 4
WARM_UP = 40
TARGET = 0.4
"""Of the bare forks."""
UNPRIVILEGED = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
FOLDER = Path(__file__).parents[1] / "tests" / "worker" / "jobs"


def run(runs: int = 5) -> list[Row]:
    """Medians of alternating runs."""
    names = ("isolated", "refused", "fork")
    seconds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            command = [*UNPRIVILEGED, sys.executable, "-m", "benchmarks.bench_worker", name]
            text = subprocess.run(command, check=True, capture_output=True, cwd=FOLDER.parents[2]).stdout
            seconds[name].append(json.loads(text))

    def middle(name: str, what: str) -> float:
        return statistics.median(one[what] for one in seconds[name])

    def to(name: str, yardstick: str) -> float:
        pairs = zip(seconds[name], seconds[yardstick], strict=True)
        return statistics.median(one["rate"] / other["rate"] for one, other in pairs)

    return [
        Row("bare fork, 4 at a time", middle("fork", "rate"), "/s", 1.0),
        Row("jobs without namespaces", middle("refused", "rate"), "/s", to("refused", "fork")),
        at_least("jobs in isolation", middle("isolated", "rate"), "/s", to("isolated", "fork"), TARGET),
        Row("one job at a time, without namespaces", middle("refused", "one") * 1000, "ms"),
        Row("one job at a time, in isolation", middle("isolated", "one") * 1000, "ms"),
    ]


async def measure(*, isolated: bool) -> dict[str, float]:
    """Jobs a second with all slots, and the median time of one alone, in seconds."""
    setup = Setup(runner="python:plain:echo", paths=(str(FOLDER),), require_isolation=isolated)
    executor = await LocalExecutor.open(setup)
    assert executor.isolation.namespaces is isolated
    slots = asyncio.Semaphore(SLOTS)

    def ignore(_: Progress) -> None:
        """Nobody is told here."""

    async def one() -> float:
        async with slots:
            started = time.perf_counter()
            work = Work(job_id="job", command="run", payload=b"{}", max_duration_seconds=30)
            outcome = await (await executor.start(work, ignore)).wait()
            assert isinstance(outcome, Completed), outcome
            return time.perf_counter() - started

    alone = [await one() for _ in range(WARM_UP)]
    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(JOBS)))
    rate = JOBS / (time.perf_counter() - started)
    await executor.close()
    return {"rate": rate, "one": statistics.median(alone)}


def forks() -> dict[str, float]:
    """Children that end at once, as many at a time."""
    gc.freeze()
    started = time.perf_counter()
    living: list[int] = []
    for _ in range(JOBS):
        if not (pid := os.fork()):
            os._exit(0)
        living.append(pid)
        if len(living) == SLOTS:
            os.waitpid(living.pop(0), 0)
    for pid in living:
        os.waitpid(pid, 0)
    return {"rate": JOBS / (time.perf_counter() - started)}


def main(mode: str) -> dict[str, float]:
    """One measurement, in this process."""
    if mode == "fork":
        return forks()
    if mode == "refused":
        kernel.no_new_privileges()
        kernel.filter_system_calls(seccomp.job_program())
    return asyncio.run(measure(isolated=mode == "isolated"))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
