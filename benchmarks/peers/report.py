"""The figures as tables of ``docs/peers.md``, between two marks, and as rows with their targets."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.bench_http import OTHERS_SHARE
from benchmarks.common import Row, at_least, at_most
from benchmarks.peers.figures import CONNECTIONS, Figure

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
CHECK_TARGET, MINT_TARGET, EVENT_TARGET, TAIL_BOUND = 8, 30, 50, 6
"""Of JupyterHub's checks and mints, of Prefect's set-states and Airflow's heartbeats; p99 to p50."""


@dataclass(frozen=True)
class Pair:
    """A peer's figure and Jobpass's of the same rounds."""

    peer: Figure
    ours: Figure

    @property
    def ratio(self) -> float | None:
        """Jobpass's rate to the peer's, if both were measured."""
        if self.peer.reason or self.ours.reason or not self.peer.rate:
            return None
        return self.ours.ratio(self.peer)


def targets(pairs: Sequence[Pair]) -> list[Row]:
    """The ratios that are promised, each with its verdict, or without one if something could not be measured."""
    rows = [
        _times("token check to JupyterHub's", _of(pairs, "JupyterHub", "token check"), CHECK_TARGET),
        _times("token mint to JupyterHub's", _of(pairs, "JupyterHub", "token mint"), MINT_TARGET),
        _times("durable event to Prefect's set-state", _of(pairs, "Prefect", "set-state"), EVENT_TARGET),
        _times("durable event to Airflow's heartbeat", _of(pairs, "Airflow", "heartbeat"), EVENT_TARGET),
    ]
    names = dict.fromkeys(pair.ours.offer.name for pair in pairs)
    return rows + [_tail(name, [pair.ours for pair in pairs if pair.ours.offer.name == name]) for name in names]


def _of(pairs: Sequence[Pair], name: str, operation: str) -> list[Pair]:
    return [pair for pair in pairs if pair.peer.title.startswith(name) and pair.peer.offer.name == operation]


def _times(name: str, pairs: Sequence[Pair], target: float) -> Row:
    """Ours over all connections to the peer's best, over however many it is at its best."""
    ours = next((pair.ours for pair in pairs if pair.ours.offer.connections == CONNECTIONS), None)
    measured = [pair.peer for pair in pairs if not pair.peer.reason and pair.peer.rate]
    if ours is None or ours.reason or not measured:
        reasons = [ours.reason if ours else "", *(pair.peer.reason for pair in pairs)]
        why = next(filter(None, reasons), "it was not part of the run")
        return Row(name, 0.0, "requests/s", None, f"≥ {target:g}", None, f"not measured: {why}")
    best = max(measured, key=lambda figure: figure.rate)
    few = best.offer.connections
    note = "" if few == CONNECTIONS else f"to the peer's best, with connections: {few}"
    return _judged(at_least(name, ours.rate, "requests/s", ours.ratio(best), target, note), [ours, best])


def _tail(name: str, figures: Sequence[Figure]) -> Row:
    full = [figure for figure in figures if figure.offer.connections == CONNECTIONS and figure.rounds]
    loads = [one.load for figure in full for one in figure.rounds]
    title = f"{name}: p99 to p50"
    if not loads:
        why = next((figure.reason for figure in figures if figure.reason), "it was not part of the run")
        return Row(title, 0.0, "ms", None, f"≤ {TAIL_BOUND:g}", None, f"not measured: {why}")
    ratio = statistics.median(load.p99 / load.p50 for load in loads)
    return _judged(at_most(title, statistics.median(load.p99 for load in loads) * 1e3, "ms", ratio, TAIL_BOUND), full)


def _judged(row: Row, figures: Sequence[Figure]) -> Row:
    """The row, without its verdict if others used the cores: that slows one process of two more than a lone one."""
    others = max(figure.others for figure in figures)
    if others <= OTHERS_SHARE:
        return row
    note = f"**no verdict**: others took {others:.0%} of a core"
    return replace(row, ok=None, note=f"{note}; {row.note}" if row.note else note)


def block(head: str, pairs: Sequence[Pair], rows: Sequence[Row]) -> str:
    """What stands between the marks, the marks with it: ``head``, the targets, the figures."""
    lines = [BEGIN, "", head, "", "| Jobpass's | ratio | target | |", "|---|---|---|---|"]
    for row in rows:
        verdict = row.note if row.ok is None else "ok" if row.ok else "**missed**"
        note = f"; {row.note}" if row.note and row.ok is not None else ""
        lines.append(f"| {row.name} | {_number(row.ratio)} | {row.target} | {verdict}{note} |")
    lines += ["", "| | connections | requests/s | answered | stored | failed | p50 | p99 | Jobpass ÷ it |"]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for _, group in itertools.groupby(pairs, key=lambda pair: pair.peer.title):
        beside = list(group)
        lines += [_line(pair.peer, pair.ratio) for pair in beside]
        lines += [_line(ours) for ours in {id(pair.ours): pair.ours for pair in beside}.values()]
    return "\n".join([*lines, "", END])


def _line(figure: Figure, ratio: float | None = None) -> str:
    if figure.reason:
        return f"| {figure.name} | {figure.offer.connections} | not measured: {figure.reason} | | | | | | |"
    stored = [one.stored for one in figure.rounds if one.stored is not None]
    cells = [
        figure.name,
        str(figure.offer.connections),
        _number(figure.rate),
        f"{sum(one.load.succeeded for one in figure.rounds):,}",
        f"{sum(stored):,}" if stored else "–",
        f"{sum(one.load.refused + one.load.broken for one in figure.rounds):,}",
        f"{figure.latency('p50') * 1e3:,.1f} ms",
        f"{figure.latency('p99') * 1e3:,.1f} ms",
        "" if ratio is None else f"**{_number(ratio)}**",
    ]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def write(page: Path, text: str) -> None:
    """Put the block in the place of the one on the page; ``ValueError`` unless each mark is there once, in order."""
    old = page.read_text()
    if old.count(BEGIN) != 1 or old.count(END) != 1 or old.index(BEGIN) > old.index(END):
        raise ValueError(f"{page.name} must have the marks {BEGIN} and {END}, once each and in this order")
    page.write_text(old[: old.index(BEGIN)] + text + old[old.index(END) + len(END) :])
