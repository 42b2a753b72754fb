"""Benchmark: 10^7 events and 10^6 credentials stored beside 10^4 of each, on SQLite and on PostgreSQL, 32 senders.

An event goes the whole way through the authority to the disk. *1,000 active*: these take turns, spread over all that
are stored. *All active*: no job comes again within a run, as if all took turns; what that costs is the b-tree's and the
disk's, too, so that a bare loop over the same rows stands beside it (apsw in groups of 32; pgbench with one statement
an event), and it is the growth of both that is compared. A check is that of a login token, 1,000 of them in turns.

The filling is not measured. ``python -m benchmarks.bench_volume --events 1000000`` stores less.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import uvloop

from benchmarks.bench_postgres import _support
from benchmarks.bench_store_raw import DATA, KID
from benchmarks.common import Row, at_most, save, table
from benchmarks.volumes import PER_JOB, PostgresVolume, SqliteVolume, credential_id, job_uuid, spread_over
from jobpass.archives import FileArchives
from jobpass.authority.authority import Authority
from jobpass.authority.passwords import Passwords
from jobpass.clock import SystemClock
from jobpass.lifecycle.standard import STANDARD
from jobpass.ports import Store
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mint import mint_credential, mint_document

FEW, MANY = 10_000, 10_000_000
"""Events; one credential for ten of them where there are many, as many as events where there are few."""
MOST_CREDENTIALS = 1_000_000
ACTIVE = 1_000
SENDERS = 32
EVENTS = 16_000
"""In one measurement."""
ROUNDS = 5
"""Of the 1,000 checks, after a first one that is not counted."""
BOUND = 1.25


class Volume(Protocol):
    """A database with so many jobs of ten events each, and credentials."""

    jobs: int
    credentials: int

    async def open(self) -> Store:
        """The store over it."""

    def bare(self, events: int, senders: int, jobs: int) -> float:
        """Events a second of the bare loop, of which ``jobs`` take turns."""


@dataclass
class Times:
    """Microseconds of each run."""

    ours: list[float] = field(default_factory=list)
    ours_all: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    bare_all: list[float] = field(default_factory=list)
    check: list[float] = field(default_factory=list)


def run(runs: int = 3, events: int = MANY) -> list[Row]:
    """Medians over alternating runs of the growth in each."""
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place:
        folder = Path(place)
        rows = _measure("SQLite", lambda name, many: SqliteVolume(folder / f"{name}.sqlite", *many), runs, events)
        for file in folder.iterdir():
            file.unlink()
        server = _support().Server({"max_wal_size": "4GB"})
        try:
            rows += _measure("PostgreSQL", lambda name, many: PostgresVolume(server, name, *many), runs, events)
        finally:
            server.close()
    return rows


def _measure(store: str, make: Callable[[str, tuple[int, int]], Volume], runs: int, events: int) -> list[Row]:
    keyring = Keyring.generate(bytes.fromhex(KID), secrets.token_bytes(32))
    started = time.monotonic()
    sizes = {FEW: (FEW // PER_JOB, FEW), events: (events // PER_JOB, min(MOST_CREDENTIALS, events))}
    volumes = {size: make(f"events_{size}", counts) for size, counts in sizes.items()}
    filled = time.monotonic() - started
    times = {size: Times() for size in volumes}
    for turn in range(-1, runs):  # the first round comes right after the filling, and is not counted
        for size, volume in volumes.items():
            _one_run(volume, keyring, times[size] if turn >= 0 else Times())
    return _rows(store, times[FEW], times[events], events, filled)


def _one_run(volume: Volume, keyring: Keyring, times: Times) -> None:
    every = min(EVENTS, volume.jobs)
    os.sync()
    times.bare.append(1e6 / volume.bare(EVENTS, SENDERS, ACTIVE))
    times.ours.append(1e6 / uvloop.run(_events(volume, keyring, ACTIVE)))
    times.bare_all.append(1e6 / volume.bare(EVENTS, SENDERS, every))
    times.ours_all.append(1e6 / uvloop.run(_events(volume, keyring, every)))
    times.check.append(uvloop.run(_checks(volume, keyring)))


def _rows(store: str, few: Times, many: Times, events: int, filled: float) -> list[Row]:
    def growth(name: str) -> float:
        pairs = zip(getattr(many, name), getattr(few, name), strict=True)
        return float(statistics.median(one / other for one, other in pairs))

    def middle(name: str) -> float:
        return float(statistics.median(getattr(many, name)))

    note = f"ratio to {FEW:,} events"
    compared = growth("ours_all") / growth("bare_all")
    grown = f"growth {growth('ours_all'):.2f}, of the bare loop {growth('bare_all'):.2f}"
    return [
        Row(f"{store}: bare loop, {ACTIVE:,} active", middle("bare"), "µs/event", growth("bare"), note=note),
        at_most(f"{store}: authority, {ACTIVE:,} active", middle("ours"), "µs/event", growth("ours"), BOUND, note),
        Row(f"{store}: bare loop, all active", middle("bare_all"), "µs/event", growth("bare_all"), note=note),
        at_most(f"{store}: authority, all active", middle("ours_all"), "µs/event", compared, BOUND, grown),
        at_most(f"{store}: check of a login token", middle("check"), "µs", growth("check"), BOUND, note),
        Row(f"{store}: filled with {events:,} events", filled, "s", note="not measured"),
    ]


async def _authority(volume: Volume, keyring: Keyring) -> Authority:
    store = await volume.open()
    return Authority(
        store, keyring, STANDARD, Passwords(1), SystemClock(), secrets.token_bytes, archives=FileArchives()
    )


async def _events(volume: Volume, keyring: Keyring, jobs: int) -> float:
    """Events a second of verified tokens through the gate to the database; ``jobs`` take turns."""
    numbers = spread_over(volume.jobs, jobs)
    targets = [(job_uuid(number), mint_document(keyring, KID, job_uuid(number), number)) for number in numbers]
    authority = await _authority(volume, keyring)
    credentials, submit = authority.credentials, authority.jobs.submit_event

    async def sender(first: int, end: int) -> None:
        for turn in range(first, end, SENDERS):
            uuid, text = targets[turn % jobs]
            bearer = await credentials.identify(credentials.verify(text))
            await submit(bearer, uuid, "update", DATA)

    async def all_of(end: int) -> float:
        started = time.perf_counter()
        await asyncio.gather(*(sender(first, end) for first in range(SENDERS)))
        return time.perf_counter() - started

    await all_of(min(jobs, ACTIVE))
    seconds = await all_of(EVENTS)
    await authority.close()
    return EVENTS / seconds


async def _checks(volume: Volume, keyring: Keyring) -> float:
    """Microseconds for a check, as a server does it that has seen each token before."""
    numbers = spread_over(volume.credentials, ACTIVE)
    texts = [mint_credential(keyring, "login", credential_id(number)) for number in numbers]
    authority = await _authority(volume, keyring)
    credentials = authority.credentials

    async def around() -> float:
        started = time.perf_counter()
        for text in texts:
            await credentials.identify(credentials.verify(text))
        return (time.perf_counter() - started) / len(texts) * 1e6

    await around()
    took = [await around() for _ in range(ROUNDS)]
    await authority.close()
    return statistics.median(took)


def main() -> None:
    """With fewer events, or fewer runs."""
    parser = argparse.ArgumentParser(description="Measure what many stored events cost.")
    parser.add_argument("--events", type=int, default=MANY)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if options.events < 10 * FEW or shutil.disk_usage(tempfile.gettempdir()).free < 1500 * options.events:
        sys.exit(f"--events is at least {10 * FEW:,}, and each needs 1.5 kB of disk")
    rows = run(options.runs, options.events)
    save("volume", rows)
    print(table("volume", rows))


if __name__ == "__main__":
    main()
