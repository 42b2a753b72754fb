"""Benchmark: a job's directory of 10,000 and of 100,000 files is indexed, with and without digests.

Memory must not grow with the number of files, and the event loop must stay free for others: the longest time that it
was late is measured while the files are recorded, and while such a job is deleted.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common import Row

FEW, MANY = 10_000, 100_000
FOLDER = 1000
"""Files in one directory."""
SIZE_BYTES = 64
GROWTH_BYTES = 16 * 1024 * 1024
LATE_SECONDS = 0.1
TICK_SECONDS = 0.002


def run(runs: int = 1) -> list[Row]:
    """One indexing each, in a process of its own; ``runs`` is how often, and the last counts."""
    told: dict[tuple[int, bool], dict[str, Any]] = {}
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place:
            for count in (FEW, MANY):
                _fill(Path(place) / str(count), count)
                for fixity in (False, True):
                    told[count, fixity] = _measure(Path(place), count, fixity=fixity)
    rows = []
    for (count, fixity), one in told.items():
        name = f"{count:,} files {'with' if fixity else 'without'} digests"
        rows.append(Row(name, count / one["seconds"], "files/s", note=f"{one['seconds']:.1f} s"))
        late = one["late"]
        rows.append(_bounded(f"{name}: the loop late at most", late * 1000, "ms", LATE_SECONDS * 1000))
        if count == MANY:
            grown = one["peak"] - told[FEW, fixity]["peak"]
            rows.append(_bounded(f"{name}: more memory than {FEW:,}", grown / 2**20, "MiB", GROWTH_BYTES / 2**20))
            rows.append(_bounded(f"{name}: its deletion", one["deleted"] * 1000, "ms", LATE_SECONDS * 1000))
    return rows


def _bounded(name: str, value: float, unit: str, bound: float) -> Row:
    return Row(name, value, unit, None, f"≤ {bound:g}", value <= bound)


def _fill(folder: Path, count: int) -> None:
    for number in range(count):
        if number % FOLDER == 0:
            (folder / f"{number // FOLDER:04}").mkdir(parents=True)
        (folder / f"{number // FOLDER:04}" / f"{number:06}.csv").write_bytes(f"{number}".encode().ljust(SIZE_BYTES))


def _measure(place: Path, count: int, *, fixity: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.bench_index", str(place), str(count), str(int(fixity))]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


async def _index(place: Path, count: int, *, fixity: bool) -> dict[str, Any]:
    from jobpass.authority.indexing import Asked
    from jobpass.compose.installation import init_data, open_installation
    from jobpass.tokens.attenuate import admin_token

    data = place / f"data-{count}-{fixity}"
    password = "correct horse battery staple"
    await init_data(data, "operator@localhost", password, single_operator=True, environ={})
    environ = {"JOBPASS_ARCHIVES": json.dumps({"here": {"url": place.as_uri(), "roots": ["/"]}})}
    async with open_installation(data, environ=environ) as opened:
        house = opened.authority
        login = await house.accounts.login("operator@localhost", password)
        bearer = await house.credentials.identify(house.credentials.verify(login.token))
        members = {"id": "b", "name": "B", "components": [], "processing_levels": []}
        pipeline = await house.pipelines.put(bearer, json.dumps(members).encode(), members)
        made = await house.jobs.create(
            bearer, pipeline.uuid, b"{}", {}, archive_path=f"/{count}", archive_system="here"
        )
        for event in ("run", "finish"):
            await house.jobs.submit_event(bearer, made.job.uuid, event)
        late = _Late()
        started = time.perf_counter()
        await house.indexing.begin(bearer, made.job.uuid, Asked(fixity=fixity))
        while (found := await house.indexing.progress(bearer, made.job.uuid, 1)).running:
            pass
        seconds = time.perf_counter() - started
        assert found.run is not None
        assert (found.run.files, found.run.error, found.job.state) == (count, None, "FINISHED"), found
        answer = {"seconds": seconds, "late": late.stop(), "peak": _peak_bytes()}
        key = await house.admin_keys.request(bearer, use_case="b", storage="b", lifetime_seconds=600, scope=None)
        await house.admin_keys.approve(bearer, key.id, key.request_hash)
        text = admin_token(await house.admin_keys.collect(bearer, key.id), found.job.updated_at)
        admin = await house.credentials.identify(house.credentials.verify(text))
        late = _Late()
        await house.jobs.delete(admin, made.job.uuid)
        for _ in range(5):
            await house.tend()
        return answer | {"deleted": late.stop()}


class _Late:
    """How late the loop was at most since this was made."""

    def __init__(self) -> None:
        self._worst = 0.0
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(TICK_SECONDS)
            self._worst = max(self._worst, time.perf_counter() - before - TICK_SECONDS)

    def stop(self) -> float:
        """In seconds."""
        self._task.cancel()
        return self._worst


def _peak_bytes() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    folder, number, digests = sys.argv[1:]
    print(json.dumps(asyncio.run(_index(Path(folder), int(number), fixity=bool(int(digests))))))
