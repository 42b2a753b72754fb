"""How fast a catalogue of the seed system is imported, beside reading its lines as JSON; and in how much memory."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from benchmarks.common import Row

JOBS = int(os.environ.get("BENCH_IMPORT_JOBS", "50000"))
BOUND_BYTES = 500 * 1024 * 1024
PER_SECOND = 5_000
_READ = "import json, sys\nfor line in open(sys.argv[1], 'rb'): json.loads(line)"
# A process of its own tells what it needed, whatever its parent did before.
_RUN = """
import resource, sys, time
from jobpass.cli.main import run
started = time.process_time()
assert run(sys.argv[1:]) == 0
used, child = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
cpu = time.process_time() - started, child.ru_utime + child.ru_stime
print("used", *cpu, (used.ru_maxrss + child.ru_maxrss) * 1024)
"""


def run(runs: int = 1) -> list[Row]:
    """Import ``BENCH_IMPORT_JOBS`` jobs of some five events; the bounds are those of the whole, once a run."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        dump = folder / "jobs.json"
        _write(dump)
        for number in range(runs):
            rows += _once(folder / f"data-{number}", dump)
    return rows


def _once(data: Path, dump: Path) -> list[Row]:
    subprocess.run([sys.executable, "-m", "jobpass", "init", "--data", data], check=True, stdout=subprocess.DEVNULL)
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", _READ, dump], check=True)
    reading = time.perf_counter() - started
    command = ("import", "datacatalog", str(dump), "--data", str(data), "--json")
    first_seconds, writing, child, peak = _timed(*command, "--legacy-tokens-until", "1d")
    again_seconds, *_ = _timed(*command)
    mebibytes = peak / 1024 / 1024
    shares = f"µs of CPU a job: {writing / JOBS * 1e6:.0f}, and {child / JOBS * 1e6:.0f} to read"
    return [
        Row("json.loads of each line", JOBS / reading, "jobs/s", 1.0, note="the yardstick"),
        Row("import", JOBS / first_seconds, "jobs/s", reading / first_seconds, f"≥ {PER_SECOND:,}/s",
            JOBS / first_seconds >= PER_SECOND, shares),
        Row("import again, nothing changes", JOBS / again_seconds, "jobs/s", reading / again_seconds),
        Row(f"memory at most, {JOBS:,} jobs", mebibytes, "MiB", None, "≤ 500 MB", peak <= BOUND_BYTES),
    ]  # fmt: skip


def _timed(*arguments: str) -> tuple[float, float, float, int]:
    """Seconds, seconds of CPU of a command and of what it started, and bytes of memory of both at most."""
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", _RUN, *arguments], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    _, cpu, child, peak = done.stdout.splitlines()[-1].split()
    return seconds, float(cpu), float(child), int(peak)


def _write(dump: Path) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from support.catalogue import Catalogue, lines

    catalogue = Catalogue()
    jobs = catalogue.jobs(JOBS)
    with dump.open("wb") as file:
        file.write(lines(catalogue.pipelines))
        while batch := list(islice(jobs, 1000)):
            file.write(lines(batch))
