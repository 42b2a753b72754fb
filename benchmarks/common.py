"""What all benchmarks share: a row of the table, alternating runs, the table and its JSON."""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
import timeit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_SLICE_SECONDS = 0.005  # long enough for the clock, short enough that a noisy neighbour hits all callables alike


@dataclass(frozen=True)
class Row:
    """One measurement; ``ratio`` is to the yardstick of its table, ``ok`` whether ``target`` holds if it has one."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    target: str | None = None
    ok: bool | None = None
    note: str = ""


@dataclass(frozen=True)
class Times:
    """Seconds a call of each callable, one figure a run."""

    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """The median of all runs, in seconds a call."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, yardstick: str) -> float:
        """The median of the ratios within each run: what slows the machine for a while slows both."""
        pairs = zip(self.seconds[name], self.seconds[yardstick], strict=True)
        return statistics.median(one / other for one, other in pairs)


def alternate(callables: Mapping[str, Callable[[], Any]], runs: int, cpu: bool = False) -> Times:
    """Time each callable in turn, ``runs`` times over, each for about 5 ms with the garbage collector off.

    ``cpu`` counts this process's CPU time, for what neither waits nor uses threads: others on the machine then only
    disturb by what they do to its caches.
    """
    clock = time.process_time if cpu else time.perf_counter
    timers = {name: timeit.Timer(call, timer=clock) for name, call in callables.items()}
    counts = {name: _count(timer) for name, timer in timers.items()}
    seconds: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(runs):
        for name, timer in timers.items():
            seconds[name].append(timer.timeit(counts[name]) / counts[name])
    return Times(seconds)


def _count(timer: timeit.Timer) -> int:
    """How many calls take about one slice."""
    count = 1
    while (took := timer.timeit(count)) < _SLICE_SECONDS / 4:
        count *= 4
    return max(1, round(count * _SLICE_SECONDS / took))


def at_most(name: str, value: float, unit: str, ratio: float, bound: float, note: str = "") -> Row:
    """A row whose ratio must not exceed ``bound``."""
    return Row(name, value, unit, ratio, f"≤ {bound:g}", ratio <= bound, note)


def at_least(name: str, value: float, unit: str, ratio: float, bound: float, note: str = "") -> Row:
    """A row whose ratio must reach ``bound``."""
    return Row(name, value, unit, ratio, f"≥ {bound:g}", ratio >= bound, note)


def table(title: str, rows: Sequence[Row]) -> str:
    """The rows as aligned text."""
    cells = [("", "value", "unit", "ratio", "target", "", "note")]
    for row in rows:
        verdict = "" if row.ok is None else "ok" if row.ok else "MISSED"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        cells.append((row.name, f"{row.value:,.4g}", row.unit, ratio, row.target or "", verdict, row.note))
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    lines = [f"{title}"]
    for name, value, unit, ratio, target, verdict, note in cells:
        lines.append(
            f"  {name:<{widths[0]}}  {value:>{widths[1]}} {unit:<{widths[2]}}  {ratio:>{widths[3]}}"
            f"  {target:<{widths[4]}}  {verdict:<{widths[5]}}  {note}".rstrip()
        )
    return "\n".join(lines)


def save(name: str, rows: Sequence[Row]) -> Path:
    """Write the rows, with the machine they are from, to ``benchmarks/results/NAME.json``; the path."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    machine = {"python": sys.version.split()[0], "machine": platform.machine(), "system": platform.system()}
    path.write_text(json.dumps({"benchmark": name, **machine, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    return path
