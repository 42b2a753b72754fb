"""Benchmark: durable events through the client of ``jobpass.open``, beside the authority and a bare apsw loop.

All in one thread. The client's ``send`` goes the whole way: request, token check, gate, SQLite (synchronous=FULL),
answer. All three write the same rows to the same schema, each to a copy of one database, in short turns: what slows the
disk for a while slows all. The bare loop writes ready values and does nothing else. Flatness is the time of a late
event of one job beside that of an early one of another, sent in turns.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import uvloop

import jobpass
from benchmarks.bench_store import tokens_of
from benchmarks.bench_store_raw import DATA, KID, event_of, make_database, set_pragmas, spread
from benchmarks.common import Row, at_least, at_most
from jobpass.archives import FileArchives
from jobpass.authority.authority import Authority
from jobpass.authority.passwords import Passwords
from jobpass.clock import SystemClock
from jobpass.lifecycle.standard import STANDARD
from jobpass.stores.rows.jobs import event_row
from jobpass.stores.sqlite import SqliteStore
from jobpass.stores.sqlite.queries import QUERIES
from jobpass.tokens.keyring import Keyring

STORED = 10_000
JOBS = 1_000
TURN = 20
"""Events of one kind before it is another's turn; the first two of each are not counted."""
TURNS = 25
"""In one run."""
TARGET = 0.50
"""Of the bare loop's events a second."""
FLAT_EVENTS = 1_000
FLAT_ENDS = 100
FLAT_TARGET = 1.1

Turn = Callable[[int], list[float]]
"""number of the first event → seconds of each of ``TURN`` events"""


def run(runs: int = 7) -> list[Row]:
    """Medians of all events of a run, then of the runs."""
    rates: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {}
    flat: list[float] = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place:
            medians, steady = one_run(Path(place))
        flat.append(steady)
        for name, seconds in medians.items():
            rates.setdefault(name, []).append(1 / seconds)
            ratios.setdefault(name, []).append(medians["bare"] / seconds)
    value, ratio = ({name: statistics.median(all_) for name, all_ in one.items()} for one in (rates, ratios))
    steady = statistics.median(flat)
    return [
        Row("bare apsw loop, one event each", value["bare"], "events/s", 1.0),
        Row("authority", value["authority"], "events/s", ratio["authority"]),
        at_least("client in process", value["client"], "events/s", ratio["client"], TARGET),
        at_most("one job: events 901-1000 / 1-100", steady, "x", steady, FLAT_TARGET),
    ]


def one_run(place: Path) -> tuple[dict[str, float], float]:
    """The median seconds of an event of each kind, and the flatness."""
    make_database(place / "original.sqlite", STORED)
    seconds: dict[str, list[float]] = {"bare": [], "authority": [], "client": []}
    with (
        bare(_copy(place, "bare")) as one,
        authority(_copy(place, "authority")) as two,
        client(_copy(place, "client")) as three,
    ):
        for turn in range(-2, TURNS):
            for name, do in zip(seconds, (one, two, three), strict=True):
                took = do((turn + 2) * TURN)
                if turn >= 0:  # the first ones warm up
                    seconds[name] += took[2:]
    return {name: statistics.median(all_) for name, all_ in seconds.items()}, flatness(_copy(place, "flat"))


@contextmanager
def bare(path: Path) -> Iterator[Turn]:
    """BEGIN, insert, update, COMMIT over ready values."""
    connection = apsw.Connection(str(path))
    set_pragmas(connection)
    cursor = connection.cursor()
    sequences = dict(cursor.execute("SELECT id, sequence FROM job"))
    numbers = spread(len(sequences), JOBS)
    insert, update = QUERIES["insert_event"], QUERIES["advance_job"]

    def turn(first: int) -> list[float]:
        rows = []
        for number in (numbers[position % JOBS] for position in range(first, first + TURN)):
            sequences[number] += 1
            event = event_of(number, sequences[number])
            row = event_row(number, event)
            rows.append((row, ("update", event.sequence, event.link, row[5], number)))
        seconds = []
        for row, progress in rows:
            started = time.perf_counter()
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(insert, [row])
            cursor.executemany(update, [progress])
            cursor.execute("COMMIT")
            seconds.append(time.perf_counter() - started)
        return seconds

    yield turn
    connection.close()


@contextmanager
def authority(path: Path) -> Iterator[Turn]:
    """A token verified and an event submitted, on an event loop."""
    keyring = _keyring()
    tokens = tokens_of(path, keyring, JOBS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        store = runner.run(SqliteStore.open(path))
        ours = Authority(
            store, keyring, STANDARD, Passwords(1), SystemClock(), secrets.token_bytes, archives=FileArchives()
        )

        async def turn(first: int) -> list[float]:
            seconds = []
            for position in range(first, first + TURN):
                uuid, text = tokens[position % JOBS]
                started = time.perf_counter()
                bearer = await ours.credentials.identify(ours.credentials.verify(text))
                await ours.jobs.submit_event(bearer, uuid, "update", DATA)
                seconds.append(time.perf_counter() - started)
            return seconds

        yield lambda first: runner.run(turn(first))
        runner.run(ours.close())


@contextmanager
def client(path: Path) -> Iterator[Turn]:
    """``client.send``, each with its own job's document token."""
    data = json.loads(DATA)
    with _opened(path) as (ours, tokens):

        def turn(first: int) -> list[float]:
            seconds = []
            for position in range(first, first + TURN):
                uuid, text = tokens[position % JOBS]
                started = time.perf_counter()
                ours.with_token(text).send(uuid, "update", data)
                seconds.append(time.perf_counter() - started)
            return seconds

        yield turn


def flatness(path: Path) -> float:
    """The median time of the last events of one job beside that of the first ones of another."""
    data = json.loads(DATA)
    with _opened(path) as (ours, tokens):
        (old, old_token), (new, new_token), *others = tokens[:64]
        for other, token in others:
            ours.with_token(token).send(other, "update", data)
        late, early = ours.with_token(old_token), ours.with_token(new_token)
        for _ in range(FLAT_EVENTS - FLAT_ENDS):
            late.send(old, "update", data)
        seconds: dict[str, list[float]] = {old: [], new: []}
        for _ in range(FLAT_ENDS):
            for sender, uuid in ((late, old), (early, new)):
                started = time.perf_counter()
                sender.send(uuid, "update", data)
                seconds[uuid].append(time.perf_counter() - started)
        return statistics.median(seconds[old]) / statistics.median(seconds[new])


@contextmanager
def _opened(path: Path) -> Iterator[tuple[jobpass.Client, list[tuple[str, str]]]]:
    """A client of the folder that this database is in, and the tokens of its jobs."""
    keyring = _keyring()
    (path.parent / "keyring.json").touch(0o600)
    (path.parent / "keyring.json").write_text(keyring.dump())
    tokens = tokens_of(path, keyring, JOBS)
    with jobpass.open(f"sqlite://{path.parent}", environ={}) as ours:
        yield ours, tokens


def _keyring() -> Keyring:
    return Keyring.generate(bytes.fromhex(KID), secrets.token_bytes(32))


def _copy(place: Path, name: str) -> Path:
    """A copy of the database in a folder of its own."""
    (place / name).mkdir()
    shutil.copyfile(place / "original.sqlite", place / name / "jobpass.sqlite")
    return place / name / "jobpass.sqlite"
