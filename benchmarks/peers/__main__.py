"""Measure Jobpass beside its peers and write ``docs/peers.md``: ``python -m benchmarks.peers [NAMES]``.

Each peer runs with Jobpass beside it, both servers on one core and the load on another; their rounds take turns.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.common import save, table
from benchmarks.peers.airflow import Airflow
from benchmarks.peers.environment import ROOT
from benchmarks.peers.errors import TROUBLE, CannotMeasureError, explained
from benchmarks.peers.figures import Figure
from benchmarks.peers.jupyterhub import JupyterHub
from benchmarks.peers.knox import Knox
from benchmarks.peers.load import generator
from benchmarks.peers.measure import cases, fail, measure
from benchmarks.peers.ours import Jobpass
from benchmarks.peers.peer import LOAD_CORE, SERVER_CORE, Peer
from benchmarks.peers.prefect import Prefect
from benchmarks.peers.report import Pair, block, targets, write

PAGE = ROOT / "docs" / "peers.md"
PEERS: tuple[type[Peer], ...] = (JupyterHub, Knox, Airflow, Prefect)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for, or all; 1 if a target was missed or could not be measured."""
    known = {kind.key: kind for kind in PEERS}
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="Measure beside the peers.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(known)}; the page needs all of them")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each operation, whose medians are shown")
    parser.add_argument("--seconds", type=int, default=6, help="how long a round takes")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(known)):
        parser.error(f"there is no peer {', '.join(unknown)}; there are {', '.join(known)}")
    if min(options.rounds, options.seconds) < 1:
        parser.error("--rounds and --seconds are at least 1")
    if not {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0):
        raise SystemExit("bench-peers needs two cores: one for the server, one for the load")
    tool = generator()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that every server is ended
    pairs = compare([known[name]() for name in options.names or known], options.rounds, options.seconds)
    rows = targets(pairs)
    head = _head(tool, pairs, options.rounds, options.seconds)
    save("peers", rows)
    print(table("peers", rows), end="\n\n")
    text = block(head, pairs, rows)
    print(text)
    if not options.names:
        write(PAGE, text)
    return 0 if all(row.ok for row in rows) else 1


def compare(peers: Sequence[Peer], rounds: int, seconds: int) -> list[Pair]:
    """Every peer's figures and Jobpass's beside them; a peer that fails leaves its reason, and the next one comes."""
    ready = {peer.key: _trouble(peer.prepare) for peer in peers}  # all of it before anything is measured
    ours = Jobpass()
    ours.prepare()
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory(prefix="jobpass-peers-") as place, ExitStack() as stack:
        stack.callback(ours.stop)
        ours.start(_folder(place, ours.key))
        for peer in peers:
            folder = _folder(place, peer.key)
            print(f"{peer.title}: measuring", file=sys.stderr, flush=True)
            try:
                trouble = ready[peer.key] or _trouble(lambda: peer.start(folder))  # noqa: B023 - called at once
                pairs += _beside(peer, trouble, ours, rounds, seconds, folder)
            finally:
                peer.stop()
    return pairs


def _trouble(step: Callable[[], None]) -> CannotMeasureError | None:
    """Why a step of a peer failed, if it did."""
    try:
        step()
    except TROUBLE as error:
        return explained(error)
    return None


def _beside(
    peer: Peer, trouble: CannotMeasureError | None, ours: Jobpass, rounds: int, seconds: int, folder: Path
) -> list[Pair]:
    """The peer's operations, or the trouble in place of them, and those of Jobpass's that they are compared with."""
    if trouble is None:
        theirs = cases(peer, peer.operations())
        figures = [case.figure for case in theirs]
    else:
        theirs, figures = [], [Figure(peer.title, offer) for offer in peer.offers]
        for figure in figures:
            fail(figure, trouble)
    wanted = {(figure.offer.beside, figure.offer.connections) for figure in figures}
    beside = cases(ours, [one for one in ours.operations() if (one.offer.beside, one.offer.connections) in wanted])
    measure([*theirs, *beside], rounds, seconds, folder)
    for case in beside:
        if wrong := case.figure.miscounted():
            fail(case.figure, CannotMeasureError(wrong))
    found = {(case.figure.offer.beside, case.figure.offer.connections): case.figure for case in beside}
    return [Pair(figure, found[figure.offer.beside, figure.offer.connections]) for figure in figures]


def _folder(place: str, name: str) -> Path:
    folder = Path(place) / name
    folder.mkdir(mode=0o700)
    return folder


def _head(tool: str, pairs: Sequence[Pair], rounds: int, seconds: int) -> str:
    """When and on what it was measured, and how much of the cores others took; no name of the machine or its places."""
    shares = [one.others for pair in pairs for figure in (pair.peer, pair.ours) for one in figure.rounds]
    others = (
        f"{statistics.median(shares):.0%} of a core in the median round, {max(shares):.0%} at most" if shares else "?"
    )
    return (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {tool}; {rounds} rounds of {seconds} s. Others took {others}."
    )


if __name__ == "__main__":
    sys.exit(main())
