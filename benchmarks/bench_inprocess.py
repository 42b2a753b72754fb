"""Benchmark: durable events through the client of ``jobpass.open``, beside the authority and a bare apsw loop.

All in one thread. The client's ``send`` goes the whole way: request, token check, gate, SQLite (synchronous=FULL),
answer. All three write the same rows to the same schema in alternating runs on fresh copies of one database; the bare
loop does nothing else. Flatness is the time of a late event of one job beside that of an early one.
"""

from __future__ import annotations

import secrets
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import jobpass
from benchmarks.bench_store import authority_loop, fresh, tokens_of
from benchmarks.bench_store_raw import ACTIVE, DATA, KID, bare_loop, make_database
from benchmarks.common import Row, at_least, at_most
from jobpass.tokens.keyring import Keyring

STORED = 10_000
EVENTS = 2_000
TARGET = 0.50
"""Of the bare loop's events a second."""
FLAT_EVENTS = 1_000
FLAT_ENDS = 100
FLAT_TARGET = 1.1


def run(runs: int = 7) -> list[Row]:
    """Medians of alternating runs, and of the ratios within each run."""
    figures: dict[str, list[float]] = {"bare": [], "authority": [], "client": []}
    flat: list[float] = []
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place:
        original = Path(place) / "original.sqlite"
        make_database(original, STORED)
        for turn in range(-1, runs):  # the first round warms up and is not counted
            count = EVENTS if turn >= 0 else EVENTS // 8
            rates = {
                "bare": fresh(original, bare_loop, count, 1, ACTIVE),
                "authority": fresh(original, authority_loop, count, 1, ACTIVE),
                "client": fresh(original, client_loop, count, ACTIVE),
            }
            if turn >= 0:
                flat.append(fresh(original, flatness))
                for name, rate in rates.items():
                    figures[name].append(rate)
    medians = {name: statistics.median(rates) for name, rates in figures.items()}
    ratios = {name: _ratio(rates, figures["bare"]) for name, rates in figures.items()}
    steady = statistics.median(flat)
    return [
        Row("bare apsw loop, one event each", medians["bare"], "events/s", 1.0),
        Row("authority", medians["authority"], "events/s", ratios["authority"]),
        at_least("client in process", medians["client"], "events/s", ratios["client"], TARGET),
        at_most("one job: events 901-1000 / 1-100", steady, "x", steady, FLAT_TARGET),
    ]


def _ratio(rates: list[float], bare: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(rates, bare, strict=True))


def client_loop(path: Path, events: int, jobs: int) -> float:
    """Events per second of ``client.send``, each with its own job's document token."""
    keyring, client = _open(path)
    try:
        tokens = tokens_of(path, keyring, jobs)
        data = _data()
        for uuid, text in tokens[-32:]:
            client.with_token(text).send(uuid, "update", data)
        started = time.perf_counter()
        for turn in range(events):
            uuid, text = tokens[turn % jobs]
            client.with_token(text).send(uuid, "update", data)
        return events / (time.perf_counter() - started)
    finally:
        client.close()


def flatness(path: Path) -> float:
    """The median time of the last events of one job beside that of its first ones."""
    keyring, client = _open(path)
    try:
        (uuid, text), *others = tokens_of(path, keyring, 64)
        data, seconds = _data(), []
        for other, token in others:
            client.with_token(token).send(other, "update", data)
        holder = client.with_token(text)
        for _ in range(FLAT_EVENTS):
            started = time.perf_counter()
            holder.send(uuid, "update", data)
            seconds.append(time.perf_counter() - started)
        return statistics.median(seconds[-FLAT_ENDS:]) / statistics.median(seconds[:FLAT_ENDS])
    finally:
        client.close()


def _open(path: Path) -> tuple[Keyring, jobpass.Client]:
    """A client over a data folder with this database."""
    folder = path.parent / "data"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "jobpass.sqlite").hardlink_to(path)
    keyring = Keyring.generate(bytes.fromhex(KID), secrets.token_bytes(32))
    (folder / "keyring.json").touch(0o600)
    (folder / "keyring.json").write_text(keyring.dump())
    return keyring, jobpass.open(f"sqlite://{folder}", environ={})


def _data() -> Any:
    import json

    return json.loads(DATA)
