"""Benchmark (d): 1,000 active jobs among 10^3, 10^5 and 10^6 stored, through the authority, 32 senders.

The time for an event must not grow with what is stored: at most 1.25 × that among 10^3. The bare loop stands beside it,
since a part of the growth is the disk's and the b-tree's.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from benchmarks.bench_store import authority_loop, fresh
from benchmarks.bench_store_raw import ACTIVE, bare_loop, make_database
from benchmarks.common import Row, at_most

STORED = (1_000, 100_000, 1_000_000)
SENDERS = 32
EVENTS = 24_000
BOUND = 1.25


def run(runs: int = 5) -> list[Row]:
    """Medians over alternating runs of the time for an event, and its ratio to that among the fewest."""
    ours: dict[int, list[float]] = {stored: [] for stored in STORED}
    bare: dict[int, list[float]] = {stored: [] for stored in STORED}
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place:
        originals = {stored: Path(place) / f"{stored}" / "original.sqlite" for stored in STORED}
        for stored, original in originals.items():
            original.parent.mkdir()
            make_database(original, stored)
        for _ in range(runs):
            for stored, original in originals.items():
                bare[stored].append(1e6 / fresh(original, bare_loop, EVENTS, SENDERS, ACTIVE))
                ours[stored].append(1e6 / fresh(original, authority_loop, EVENTS, SENDERS, ACTIVE))
    rows = []
    for stored in STORED:
        grown = _growth(bare, stored)
        rows.append(Row(f"bare apsw loop, {stored:,} stored", statistics.median(bare[stored]), "µs/event", grown))
        name, value, ratio = f"authority, {stored:,} stored", statistics.median(ours[stored]), _growth(ours, stored)
        first = stored == STORED[0]
        rows.append(Row(name, value, "µs/event", ratio) if first else at_most(name, value, "µs/event", ratio, BOUND))
    return rows


def _growth(micros: dict[int, list[float]], stored: int) -> float:
    return statistics.median(now / first for now, first in zip(micros[stored], micros[STORED[0]], strict=True))
