"""Benchmark: ``PipelineJobStore.handle`` of the compatibility package, in one thread, beside a bare apsw loop.

Each event goes the whole way: its job's document token is checked, the lifecycle asked, the row written to SQLite
(synchronous=FULL), the answer made. The yardstick inserts an event and updates its job in one transaction each, in a
copy of the same database, and does nothing else. Flatness is the time of a late event of one job beside an early one.
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

from benchmarks.bench_store_raw import DATA, bare_loop
from benchmarks.common import Row, at_least, at_most
from datacatalog.linkedstores.pipeline import PipelineStore
from datacatalog.linkedstores.pipelinejob import PipelineJobStore
from datacatalog.mongo import encode_connection_string
from datacatalog.mongo.connection import close_all

JOBS = 1_000
EVENTS = 2_000
TARGET = 0.50
"""Of the bare loop's events a second."""
FLAT_EVENTS = 1_000
FLAT_ENDS = 100
FLAT_TARGET = 1.1
DATABASE = "jobpass.sqlite"

Jobs = list[tuple[str, str]]  # uuid and document token


def run(runs: int = 7) -> list[Row]:
    """Medians of alternating runs on fresh copies of one folder, and of the ratios within each run."""
    environ = {"CATALOG_ADMIN_TOKEN_SECRET": secrets.token_urlsafe(32), "TACC_USERNAME": "bench"}
    bare, ours, flat = [], [], []
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place, patch.dict(os.environ, environ):
        original = Path(place) / "original"
        jobs = make_jobs(original)
        for turn in range(-1, runs):  # the first round warms up and is not counted
            count = EVENTS if turn >= 0 else EVENTS // 8
            bare_rate = bare_loop(copy(original) / DATABASE, count, 1, JOBS)
            our_rate = handle_loop(copy(original), jobs, count)
            if turn >= 0:
                bare.append(bare_rate)
                ours.append(our_rate)
                flat.append(flatness(copy(original), jobs))
    ratio = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
    steady = statistics.median(flat)
    return [
        Row("bare apsw loop, one event each", statistics.median(bare), "events/s", 1.0),
        at_least("PipelineJobStore.handle", statistics.median(ours), "events/s", ratio, TARGET),
        at_most("one job: events 901-1000 / 1-100", steady, "x", steady, FLAT_TARGET),
    ]


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


def copy(original: Path) -> Path:
    """A copy of the folder, with nothing left to be written by the system."""
    folder = original.with_name("copy")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original, folder)
    os.sync()
    return folder


def handle_loop(folder: Path, jobs: Jobs, events: int) -> float:
    """Events per second, the jobs taking turns."""
    handle, data = PipelineJobStore(_mongodb(folder)).handle, json.loads(DATA)
    try:
        for uuid, token in jobs[-32:]:
            handle({"uuid": uuid, "name": "update", "data": data}, token)
        started = time.perf_counter()
        for turn in range(events):
            uuid, token = jobs[turn % JOBS]
            handle({"uuid": uuid, "name": "update", "data": data}, token)
        return events / (time.perf_counter() - started)
    finally:
        close_all()


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
