"""Executors of this machine for the tests, and what is left of the jobs that they ran."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jobpass.worker.executor import Report
from jobpass.worker.local import LocalExecutor
from jobpass.worker.work import Limits, Outcome, Setup, Work

FOLDER = Path(__file__).parents[1] / "worker" / "jobs"
SMALL = Limits(memory_bytes=512 * 2**20, tmp_bytes=16 * 2**20, files=64, processes=16, result_bytes=2**20)


def work(payload: Any = None, *, seconds: float = 20, command: str = "run", **others: Any) -> Work:
    """A job with this payload."""
    text = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Work(job_id="a-job", command=command, payload=text, max_duration_seconds=seconds, **others)


def function(name: str, **others: Any) -> Setup:
    """The setup for a function of ``tests/worker/jobs``: ``plain.echo``."""
    module, _, called = name.partition(".")
    return Setup(runner=f"python:{module}:{called}", **({"paths": (str(FOLDER),), "limits": SMALL} | others))


@asynccontextmanager
async def executing(setup: Setup) -> AsyncIterator[LocalExecutor]:
    """An executor, closed at the end."""
    executor = await LocalExecutor.open(setup)
    try:
        yield executor
    finally:
        await executor.close()


async def outcome(setup: Setup, job: Work, report: Report = lambda _: None) -> Outcome:
    """How one job ends."""
    async with executing(setup) as executor:
        return await (await executor.start(job, report)).wait()


def new_mark() -> str:
    """A name for processes which no other has."""
    return f"jp{secrets.token_hex(5)}"


def marked(mark: str) -> list[int]:
    """The processes of this name, zombies aside."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            stat = (folder / "stat").read_text() if folder.name.isdigit() else ""
        except OSError:
            continue
        if f"({mark})" in stat and stat.rpartition(")")[2].split()[0] != "Z":
            found.append(int(folder.name))
    return found


async def until(mark: str, *, count: int, seconds: float) -> None:
    """Wait until there are so many processes of this name, at least if any."""
    ends_at = time.monotonic() + seconds
    while (found := len(marked(mark))) < count if count else (found := len(marked(mark))) > 0:
        assert time.monotonic() < ends_at, f"there are {found} processes, not {count}, after {seconds} s"
        await asyncio.sleep(0.02)
