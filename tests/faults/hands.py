"""Workers as processes of their own, which can be killed, frozen and started again under another name."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path

from faults.nodes import ENVIRON, START_SECONDS, TESTS, Killable

SLOTS = 2
FUNCTION = "python:marked:work"
MEMORY_MIB = 512
JOBS = TESTS / "worker" / "jobs"


class Hand(Killable):
    """A worker of a platform; ``marks`` are those that it has put on results, by the names that it had."""

    def __init__(self, folder: Path, url: str, key_file: Path, platform: str) -> None:
        self.marks: dict[str, str] = {}
        self.name = ""
        self._folder = folder
        self._options = ["--url", url, "--apikey-file", str(key_file), "--platform", platform, "--slots", str(SLOTS)]

    async def start(self) -> None:
        """Return when it is ready; ``RuntimeError`` with what it said if it does not come up."""
        mark = f"{self._folder.name}-{len(self.marks)}"
        place = self._folder / mark
        place.mkdir(parents=True)
        (place / "mark.py").write_text(f"MARK = {mark!r}\n")
        log = self._folder / f"{mark}.log"
        with log.open("wb") as file:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "jobpass", "worker", *self._options, "--runner", FUNCTION, "--json"),
                *("--path", str(JOBS), "--path", str(place), "--memory", str(MEMORY_MIB), "--log-format", "text"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=file,
                env=ENVIRON,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            line = await self._process.stdout.readline()
        if not line:
            code = await self._process.wait()
            raise RuntimeError(f"the worker has ended with {code}: {log.read_text(errors='replace')[-2000:]}")
        self.name = json.loads(line)["worker"]
        self.marks[self.name] = mark

    async def freeze(self, seconds: float) -> float:
        """Stop it for so long, and let it go on; the moment of the stop."""
        assert self._process is not None
        since = time.monotonic()
        self._process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self._process.send_signal(signal.SIGCONT)
        return since
