"""A worker's executor in a process of its own: ``python alone.py MODE [MARK]``; says what it found as JSON."""

from __future__ import annotations

import asyncio
import ctypes
import json
import sys
import time
from typing import Any

from jobpass.errors import SetupError
from jobpass.worker.local import LocalExecutor
from jobpass.worker.sandbox import isolation, kernel, seccomp
from support.jobs import executing, function, marked, outcome, until, work


def refuse_namespaces() -> None:
    """As a container that lets nobody make any: of this process and its children."""
    kernel.no_new_privileges()
    kernel.filter_system_calls(seccomp.job_program())


async def stay(mark: str) -> Any:
    async with executing(function("attacks.stay_with_daemons")) as executor:
        await (await executor.start(work(mark, seconds=60), lambda _: None)).wait()


async def look() -> Any:
    async with executing(function("plain.looks_around", require_isolation=True)) as executor:
        ended: Any = await (await executor.start(work(), lambda _: None)).wait()
        return {"missing": executor.isolation.missing, "seen": json.loads(ended.results)}


async def refused(mark: str) -> Any:
    refuse_namespaces()
    async with executing(function("plain.looks_around")) as executor:
        seen: Any = await (await executor.start(work(), lambda _: None)).wait()
        found = executor.isolation
    async with executing(function("attacks.stay_with_daemons")) as executor:
        running = await executor.start(work(mark), lambda _: None)
        await until(mark, count=5, seconds=5)
        started = time.monotonic()
        running.cancel()
        ended = await running.wait()
        seconds = time.monotonic() - started
        left = marked(mark)
    connected: Any = await outcome(function("attacks.connect"), work(1))
    return {
        "missing": found.missing,
        "complete": found.complete,
        "warning": isolation.warning(found),
        "seen": json.loads(seen.results),
        "daemons": str(ended),
        "seconds": seconds,
        "left": left,
        "connect": connected.message,
    }


async def required() -> Any:
    refuse_namespaces()
    return await _refusal(require_isolation=True)


async def from_root() -> Any:
    refuse_namespaces()
    try:
        ended: Any = await outcome(function("plain.looks_around"), work())
    except SetupError as error:
        return error.message
    return json.loads(ended.results)["uid"]


async def only_root() -> Any:
    refuse_namespaces()
    return await _refusal()


async def _refusal(**others: Any) -> Any:
    try:
        await LocalExecutor.open(function("plain.echo", **others))
    except SetupError as error:
        return error.message
    return None


async def dumpable() -> Any:
    get = ctypes.CDLL(None).prctl
    before = get(3, 0, 0, 0, 0)
    async with executing(function("plain.echo")):
        return {"before": before, "after": get(3, 0, 0, 0, 0)}


MODES: Any = {
    "stay": stay,
    "look": look,
    "refused": refused,
    "required": required,
    "from-root": from_root,
    "only-root": only_root,
    "dumpable": dumpable,
}

if __name__ == "__main__":
    print(json.dumps(asyncio.run(MODES[sys.argv[1]](*sys.argv[2:]))))
