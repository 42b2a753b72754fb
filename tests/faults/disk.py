"""(d) A full disk under load, with and without a kill while it is full."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults import NotHereError
from faults.nodes import Node
from faults.trial import Trial, Verdict, trial
from jobpass.client.aio import AsyncClient
from jobpass.client.exchange import ONCE
from jobpass.errors import StoreUnavailable

DISK = "160m"
"""Room for a write-ahead log (64 MiB) and for the database, which grows when that is copied into it."""
FULL_SECONDS = 0.5
"""How long it stays full."""


@contextmanager
def small_disk(size: str = DISK) -> Iterator[Path]:
    """A file system of its own, as large as ``size`` says; ``NotHereError`` for who is not root."""
    if os.geteuid() != 0:
        raise NotHereError("mounting needs root")
    folder = Path(tempfile.mkdtemp(prefix="jobpass-disk-"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        folder.rmdir()
        raise NotHereError("mounting is not allowed here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


async def disk_full(folder: Path, times: int) -> Verdict:
    """One node on SQLite, whose disk is filled to the last byte so often; every second time it is killed then."""
    with small_disk() as disk:
        node = Node(disk / "data", folder / "node.log")
        async with trial(folder, [node]) as made:
            await made.begin()
            for number in range(times):
                await asyncio.sleep(0.3)
                await made.hurt(lambda killed=number % 2 == 1: _fill(made, node, disk / "ballast", killed=killed))
            return await made.end("disk full, SQLite")


async def _fill(made: Trial, node: Node, ballast: Path, *, killed: bool) -> float:
    """Leave no room, see that the service says so and can still be read from, and make room again: when that was."""
    await asyncio.to_thread(_take_all, ballast)
    await _refused(made)
    if killed:
        await node.kill()
        await node.start()
    async with AsyncClient(node.url, made.targets[0].token, retries=ONCE) as client:
        made.expect(await _is_ready(client) is False, "ready although the disk is full")
        made.expect((await client.job(made.targets[0].uuid)).sequence > 0, "no reading while the disk is full")
    await asyncio.sleep(FULL_SECONDS)
    await asyncio.to_thread(ballast.unlink)
    return time.monotonic()


async def _is_ready(client: AsyncClient) -> bool:
    try:
        await client.ready()
    except StoreUnavailable:
        return False
    return True


async def _refused(made: Trial) -> None:
    """Return when an event was refused since the disk is full."""
    start = len(made.log.calls)
    await made.load.until(lambda: any(call.code == StoreUnavailable.code for call in made.log.calls[start:]))


def _take_all(ballast: Path) -> None:
    """A file of all that is free; what is freed meanwhile is taken too."""
    with ballast.open("ab", buffering=0) as file:
        while free := shutil.disk_usage(ballast.parent).free:
            try:
                file.write(bytes(min(free, 1 << 20)))
            except OSError:
                return
