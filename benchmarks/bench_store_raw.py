"""The store alone beside a bare apsw loop: the same file, rows, indexes, pragmas and group size.

Run it: ``python benchmarks/bench_store_raw.py [--seconds 1.5] [--rounds 5] [--stored 1000,100000]``. Each figure is the
median of alternating runs on fresh copies of one database, each run on as many events.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw

from jobpass.records import Change, Event, Job
from jobpass.stores.rows.columns import Row
from jobpass.stores.rows.jobs import event_row, job_row
from jobpass.stores.sqlite import SqliteStore
from jobpass.stores.sqlite.database import CACHE_KIB, WAL_PAGES
from jobpass.stores.sqlite.queries import QUERIES

Runner = Callable[[Coroutine[Any, Any, float]], float]
Group = tuple[list[Row], list[Row]]
"""The rows of new events, and what their jobs' rows change to."""

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
DATA = b'{"progress":0.5,"message":"half of the files were read"}'
ACTIVE = 1_000
KID = "00000001"
"""The root key that the rows name; ``bench_store`` makes a keyring with it."""


def make_database(path: Path, stored: int, seed: int = 1) -> None:
    """A database made by our migrations, with ``stored`` jobs of one event each."""
    asyncio.run(_open_and_close(path))
    chance = random.Random(seed)
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN")
    cursor = connection.cursor()
    for number in range(1, stored + 1):
        job = _job(number, chance)
        list(cursor.execute(QUERIES["insert_job"], job_row(job)))
        cursor.execute(QUERIES["insert_event"], event_row(number, _event(job, 1)))
    connection.execute("COMMIT")
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()


def bare_loop(path: Path, events: int, group: int, jobs: int) -> float:
    """Events per second of BEGIN, insert, update, COMMIT over ready values: no judging, no answer, nothing else.

    ``jobs`` are the stored jobs that take turns, spread evenly over all; one event each in a group.
    """
    connection = apsw.Connection(str(path))
    cursor = connection.cursor()
    sequences = dict(cursor.execute("SELECT id, sequence FROM job"))
    groups = list(groups_of(spread(len(sequences), jobs), sequences, events, group))
    seconds = write_groups(connection, groups)
    connection.close()
    return len(groups) * group / seconds


def groups_of(numbers: list[int], sequences: dict[int, int], events: int, group: int) -> Iterator[Group]:
    """Ready values: the jobs of these ``numbers`` take turns, each from the sequence on that it has."""
    for start in range(0, events, group):
        inserts, updates = [], []
        for turn in range(start, start + group):
            number = numbers[turn % len(numbers)]
            sequences[number] += 1
            event = _event(_job(number, None), sequences[number])
            inserts.append(event_row(number, event))
            updates.append(("update", event.sequence, event.link, inserts[-1][5], number))
        yield inserts, updates


def write_groups(connection: apsw.Connection, groups: list[Group]) -> float:
    """The seconds that it takes to write these as our own connection does, each in a transaction of its own."""
    set_pragmas(connection)
    cursor = connection.cursor()
    insert, update = QUERIES["insert_event"], QUERIES["advance_job"]
    started = time.perf_counter()
    for inserts, updates in groups:
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany(insert, inserts)
        cursor.executemany(update, updates)
        cursor.execute("COMMIT")
    return time.perf_counter() - started


def set_pragmas(connection: apsw.Connection) -> None:
    """What our own writing connection has."""
    for name, value in (
        ("synchronous", "FULL"),
        ("foreign_keys", True),
        ("cache_size", -CACHE_KIB),
        ("wal_autocheckpoint", WAL_PAGES),
    ):
        connection.pragma(name, value)


def event_of(number: int, sequence: int) -> Event:
    """An event of the stored job of this number."""
    return _event(_job(number, None), sequence)


def store_loop(path: Path, events: int, senders: int, jobs: int, runner: Runner = asyncio.run) -> float:
    """Events per second of ``SqliteStore.apply`` with a judge that only makes the records; same jobs and rows."""
    return runner(_store_loop(path, events, senders, jobs))


async def _store_loop(path: Path, events: int, senders: int, jobs: int) -> float:
    store = await SqliteStore.open(path)
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    names = dict(connection.execute("SELECT id, uuid FROM job"))
    connection.close()
    uuids = [names[number] for number in spread(len(names), jobs)]
    names.clear()

    def judge(job: Any, _standing: Event | None) -> Change:
        sequence = job.sequence + 1
        event = _event(job, sequence)
        after = Job(
            job.uuid, job.lifecycle, job.state, "update", sequence, event.link, job.kid, job.serial, job.owner,
            job.pipeline_uuid, job.created_at, event.at, job.child_of, job.archive_path, job.session,
            job.previous_serial, job.previous_until,
        )  # fmt: skip
        return Change(job, after, event)

    async def sender(first: int) -> None:
        apply = store.apply
        for turn in range(first, events, senders):
            await apply(uuids[turn % jobs], judge)

    async def tender() -> None:
        while True:
            await asyncio.sleep(1)
            await store.tend()

    await asyncio.gather(*(store.apply(name, judge) for name in uuids[-32:]))
    tending = asyncio.create_task(tender())
    started = time.perf_counter()
    await asyncio.gather(*(sender(first) for first in range(senders)))
    seconds = time.perf_counter() - started
    tending.cancel()
    await store.close()
    return events / seconds


def measure(
    stored: int, senders: int, rounds: int, seconds: float, folder: Path, runner: Runner = asyncio.run
) -> dict[str, Any]:
    """Medians of alternating runs, each on a fresh copy."""
    original = folder / f"stored-{stored}.sqlite"
    if not original.exists():
        make_database(original, stored)
    jobs = min(ACTIVE, stored)
    events = round((4_000 if senders == 1 else 25_000) * seconds) // senders * senders
    bare: list[float] = []
    ours: list[float] = []
    for _ in range(rounds):
        for figures, run in ((bare, bare_loop), (ours, store_loop)):
            copy = folder / "copy.sqlite"
            shutil.copyfile(original, copy)
            os.sync()
            more = (runner,) if run is store_loop else ()
            figures.append(run(copy, events, senders, jobs, *more))
            for file in folder.glob("copy.sqlite*"):
                file.unlink()
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    return {
        "stored": stored,
        "senders": senders,
        "bare_events_per_second": round(statistics.median(bare)),
        "store_events_per_second": round(statistics.median(ours)),
        "ratio": round(statistics.median(ours) / statistics.median(bare), 3),
        "ratio_pairwise": round(statistics.median(ratios), 3),
    }


def spread(stored: int, jobs: int) -> list[int]:
    """Numbers of ``jobs`` rows, evenly over all that are stored, in a mixed order that is always the same."""
    numbers = [1 + position * stored // jobs for position in range(jobs)]
    random.Random(7).shuffle(numbers)
    return numbers


def _job(number: int, chance: random.Random | None) -> Job:
    bits = chance.getrandbits if chance else (lambda _: 0)
    name = str(uuid.UUID(int=bits(128)))
    return Job(
        name, "pipeline", "RUNNING", "create", 1, bytes(32), KID, bits(64), 1 + number % 50,
        "7d9c1f2e-0a8d-5c53-9c5e-0d7a5f0e5a11", AT, AT, (), f"/archive/{name}", None,
    )  # fmt: skip


def _event(job: Job, sequence: int) -> Event:
    name = f"0b5b1c1e-5c53-7c5e-8d7a-{sequence:012d}"
    return Event(sequence, name, "update", DATA, AT, job.state, "document:0123456789abcdef", None, KID, bytes(32))


async def _open_and_close(path: Path) -> None:
    await (await SqliteStore.open(path)).close()


def main() -> None:
    """Print a table, and JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stored", default="1000,100000")
    parser.add_argument("--senders", default="1,32,256")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--uvloop", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    runner = asyncio.run
    if args.uvloop:
        import uvloop

        runner = uvloop.run
    results = []
    with tempfile.TemporaryDirectory() as name:
        for stored in map(int, args.stored.split(",")):
            for senders in map(int, args.senders.split(",")):
                result = measure(stored, senders, args.rounds, args.seconds, Path(name), runner)
                results.append(result)
                if not args.json:
                    print("  ".join(f"{key} {value}" for key, value in result.items()), flush=True)
    if args.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
