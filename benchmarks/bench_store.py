"""Benchmark (b): durable authorised events through the authority, in process, beside a bare apsw loop.

Each sender verifies the text of its job's document token, and submits an ``update``; the answer comes after the fsync
(synchronous=FULL). The yardstick writes the same rows to the same schema in groups of the same size, and does nothing
else. Alternating runs on fresh copies of one database.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import apsw
import uvloop

from benchmarks.bench_store_raw import ACTIVE, DATA, KID, bare_loop, make_database, spread
from benchmarks.common import Row, at_least
from jobpass.archives import FileArchives
from jobpass.authority.authority import Authority
from jobpass.authority.passwords import Passwords
from jobpass.clock import SystemClock
from jobpass.lifecycle.standard import STANDARD
from jobpass.stores.sqlite import SqliteStore
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mint import mint_document

STORED = 10_000
EVENTS = {1: 3_000, 32: 24_000, 256: 24_576}
"""How many events a run has, by the number of senders."""
TARGETS = {1: 0.50, 32: 0.75}
"""Of the bare loop's events a second."""


def run(runs: int = 5) -> list[Row]:
    """Medians of alternating runs, and of the ratios within each run."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place:
        original = Path(place) / "original.sqlite"
        make_database(original, STORED)
        for senders, events in EVENTS.items():
            bare, ours = [], []
            for turn in range(-1, runs):  # the first round warms up and is not counted
                count = events if turn >= 0 else events // 8 // senders * senders
                bare_rate = fresh(original, bare_loop, count, senders, ACTIVE)
                our_rate = fresh(original, authority_loop, count, senders, ACTIVE)
                if turn >= 0:
                    bare.append(bare_rate)
                    ours.append(our_rate)
            rows += _rows(senders, bare, ours)
    return rows


def _rows(senders: int, bare: list[float], ours: list[float]) -> list[Row]:
    ratio = statistics.median(one / other for one, other in zip(ours, bare, strict=True))
    yardstick = Row(f"bare apsw loop, groups of {senders}", statistics.median(bare), "events/s", 1.0)
    name, value = f"authority, {senders} sender{'s' * (senders > 1)}", statistics.median(ours)
    if senders in TARGETS:
        return [yardstick, at_least(name, value, "events/s", ratio, TARGETS[senders])]
    return [yardstick, Row(name, value, "events/s", ratio)]


def fresh(original: Path, loop: Any, *arguments: Any) -> float:
    """Run ``loop`` on a copy of the database, with nothing left to be written by the system."""
    copy = original.with_name("copy.sqlite")
    shutil.copyfile(original, copy)
    os.sync()
    try:
        return float(loop(copy, *arguments))
    finally:
        for file in original.parent.glob("copy.sqlite*"):
            file.unlink()


def authority_loop(path: Path, events: int, senders: int, jobs: int) -> float:
    """Events per second of verified tokens through the gate to the disk."""
    return uvloop.run(_authority_loop(path, events, senders, jobs))


async def _authority_loop(path: Path, events: int, senders: int, jobs: int) -> float:
    keyring = Keyring.generate(bytes.fromhex(KID), secrets.token_bytes(32))
    tokens = tokens_of(path, keyring, jobs)
    store = await SqliteStore.open(path)
    authority = Authority(
        store, keyring, STANDARD, Passwords(1), SystemClock(), secrets.token_bytes, archives=FileArchives()
    )
    credentials, submit = authority.credentials, authority.jobs.submit_event

    async def send(turn: int) -> None:
        uuid, text = tokens[turn % jobs]
        bearer = await credentials.identify(credentials.verify(text))
        await submit(bearer, uuid, "update", DATA)

    async def sender(first: int) -> None:
        for turn in range(first, events, senders):
            await send(turn)

    async def tend() -> None:
        while True:
            await asyncio.sleep(1)
            await authority.tend()

    await asyncio.gather(*(send(turn) for turn in range(jobs - 32, jobs)))
    tending = asyncio.create_task(tend())
    started = time.perf_counter()
    await asyncio.gather(*(sender(first) for first in range(senders)))
    seconds = time.perf_counter() - started
    tending.cancel()
    await authority.close()
    return events / seconds


def tokens_of(path: Path, keyring: Keyring, jobs: int) -> list[tuple[str, str]]:
    """Uuid and document token of the jobs that take turns."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    rows = {number: (uuid, serial) for number, uuid, serial in connection.execute("SELECT id, uuid, serial FROM job")}
    connection.close()
    chosen = [rows[number] for number in spread(len(rows), jobs)]
    return [(uuid, mint_document(keyring, KID, uuid, serial % 2**64)) for uuid, serial in chosen]
