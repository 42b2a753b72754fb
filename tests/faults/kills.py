"""(a) SIGKILL of a server under load, at any moment, and its start."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

from faults.nodes import Node
from faults.trial import Verdict, trial

LEAST_SECONDS = 0.0
MOST_SECONDS = 0.6


async def kills(folder: Path, times: int, seed: int = 7) -> Verdict:
    """One node on SQLite, killed so often; between two kills it works for a moment."""
    moments = random.Random(seed)
    node = Node(folder / "data", folder / "node.log")
    async with trial(folder, [node]) as made:
        await made.begin()

        async def again() -> float:
            since = time.monotonic()
            await node.kill()
            await node.start()
            return since

        for _ in range(times):
            await asyncio.sleep(moments.uniform(LEAST_SECONDS, MOST_SECONDS))
            await made.hurt(again)
        return await made.end("SIGKILL of the server, SQLite")
