"""(a) SIGKILL of a server under load, at any moment, and its start."""

from __future__ import annotations

import asyncio
import random
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
        for _ in range(times):
            await asyncio.sleep(moments.uniform(LEAST_SECONDS, MOST_SECONDS))
            await made.hurt(node.kill_and_start)
        return await made.end("SIGKILL of the server, SQLite", made.starts)
