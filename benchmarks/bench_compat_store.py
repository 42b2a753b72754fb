"""Benchmark: ``PipelineJobStore.handle`` of the compatibility package, in one thread, beside a bare apsw loop.

Each event goes the whole way: its job's document token is checked, the lifecycle asked, the row written to SQLite
(synchronous=FULL), the answer made. The yardstick inserts an event and updates its job in one transaction each, in a
copy of the same database, and does nothing else; the two take short turns, so that what slows the disk for a while
slows both. Flatness is the time of a late event of one job beside an early one.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.bench_inprocess import TURN, TURNS, bare
from benchmarks.bench_store_raw import DATA
from benchmarks.common import Row, at_least, at_most
from datacatalog.linkedstores.pipeline import PipelineStore
from datacatalog.linkedstores.pipelinejob import PipelineJobStore
from datacatalog.mongo import encode_connection_string
from datacatalog.mongo.connection import close_all

JOBS = 1_000
TARGET = 0.50
"""Of the bare loop's events a second."""
FLAT_EVENTS = 1_000
FLAT_ENDS = 100
FLAT_TARGET = 1.1
DATABASE = "jobpass.sqlite"

Jobs = list[tuple[str, str]]  # uuid and document token


def run(runs: int = 7) -> list[Row]:
    """Medians of all events of a run, then of the runs; each run on fresh copies of one folder."""
    environ = {"CATALOG_ADMIN_TOKEN_SECRET": secrets.token_urlsafe(32), "TACC_USERNAME": "bench"}
    bare_seconds, our_seconds, flat = [], [], []
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place, patch.dict(os.environ, environ):
        original = Path(place) / "original"
        jobs = make_jobs(original)
        for _ in range(runs):
            theirs, mine = one_run(original, jobs)
            bare_seconds.append(theirs)
            our_seconds.append(mine)
            flat.append(flatness(copy(original, "ours"), jobs))
    ratio = statistics.median(one / other for one, other in zip(bare_seconds, our_seconds, strict=True))
    steady = statistics.median(flat)
    return [
        Row("bare apsw loop, one event each", 1 / statistics.median(bare_seconds), "events/s", 1.0),
        at_least("PipelineJobStore.handle", 1 / statistics.median(our_seconds), "events/s", ratio, TARGET),
        at_most("one job: events 901-1000 / 1-100", steady, "x", steady, FLAT_TARGET),
    ]


def one_run(original: Path, jobs: Jobs) -> tuple[float, float]:
    """The median seconds of an event of the bare loop and of ours, which take short turns."""
    handle, data = PipelineJobStore(_mongodb(copy(original, "ours"))).handle, json.loads(DATA)

    def ours(first: int) -> list[float]:
        seconds = []
        for position in range(first, first + TURN):
            uuid, token = jobs[position % JOBS]
            started = time.perf_counter()
            handle({"uuid": uuid, "name": "update", "data": data}, token)
            seconds.append(time.perf_counter() - started)
        return seconds

    theirs: list[float] = []
    mine: list[float] = []
    try:
        with bare(copy(original, "bare") / DATABASE) as loop:
            for turn in range(-2, TURNS):
                for kept, do in ((theirs, loop), (mine, ours)):
                    took = do((turn + 2) * TURN)
                    if turn >= 0:  # the first ones warm up
                        kept.extend(took[2:])
    finally:
        close_all()
    return statistics.median(theirs), statistics.median(mine)


def make_jobs(folder: Path) -> Jobs:
    """A folder with jobs that run."""
    pipeline = PipelineStore(_mongodb(folder)).add_update_document({"id": "bench", "name": "Bench"})["uuid"]
    store = PipelineJobStore(_mongodb(folder))
    jobs = []
    for number in range(JOBS):
        made = store.create({"pipeline_uuid": pipeline, "child_of": [], "data": {"number": number}})
        jobs.append((made["uuid"], str(made["token"])))
    close_all()
    return jobs


def copy(original: Path, name: str) -> Path:
    """A copy of the folder, with nothing left to be written by the system."""
    folder = original.with_name(name)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original, folder)
    os.sync()
    return folder


def flatness(folder: Path, jobs: Jobs) -> float:
    """The median time of the last events of one job beside that of its first ones."""
    handle, data, seconds = PipelineJobStore(_mongodb(folder)).handle, json.loads(DATA), []
    try:
        for uuid, token in jobs[1:65]:
            handle({"uuid": uuid, "name": "update", "data": data}, token)
        uuid, token = jobs[0]
        for _ in range(FLAT_EVENTS):
            started = time.perf_counter()
            handle({"uuid": uuid, "name": "update", "data": data}, token)
            seconds.append(time.perf_counter() - started)
        return statistics.median(seconds[-FLAT_ENDS:]) / statistics.median(seconds[:FLAT_ENDS])
    finally:
        close_all()


def _mongodb(folder: Path) -> dict[str, Any]:
    return {"authn": encode_connection_string(f"sqlite://{folder}")}
