"""Rounds of a peer's operation and of Jobpass's beside it, and what was stored of them."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.bench_http import _taken
from benchmarks.peers.errors import TROUBLE, CannotMeasureError, explained
from benchmarks.peers.figures import Figure, Round
from benchmarks.peers.load import forged, send
from benchmarks.peers.peer import LOAD_CORE, SERVER_CORE, Operation, Peer
from benchmarks.peers.process import Answer, ask

WARM_SECONDS = 2
_SETTLE_SECONDS, _SETTLED_SECONDS = 20.0, 0.5


def attempt(peer: Peer, operation: Operation) -> None:
    """Try the operation once with its token and once with a forged one.

    ``CannotMeasureError`` unless the first succeeds and the second is refused: a check that is not made has no speed.
    """
    operation.ready()
    first = operation.requests[0]
    good = ask(peer.url + first.path, first.method, first.authorization, first.body)
    if not 200 <= good.status < 300:
        raise CannotMeasureError(f"`{first.method} {_pattern(first.path)}` answered {good.status}", _said(good, peer))
    bad = ask(peer.url + first.path, first.method, forged(first.authorization), first.body)
    if bad.status not in (401, 403):
        raise CannotMeasureError(f"a forged token was answered with {bad.status}", _said(bad, peer))


def _pattern(path: str) -> str:
    """The path without the ids in it."""
    return "/".join("…" if len(part) >= 32 else part for part in path.split("/"))


def _said(answer: Answer, peer: Peer) -> str:
    return f"{answer.body[:500].decode(errors='replace')}\n{peer.log()}"


def once(peer: Peer, operation: Operation, seconds: int, folder: Path) -> Round:
    """One round. ``CannotMeasureError`` if it ran out of requests that count once only."""
    operation.ready()
    before = operation.stored() if operation.stored else 0
    computed, taken, started = peer.computed(), _both(), time.monotonic()
    load = send(peer.url, operation.requests, operation.offer.connections, seconds, LOAD_CORE, folder)
    wall = time.monotonic() - started
    own = (peer.computed() - computed, 0.0)
    others = max((now - then - mine) / wall for now, then, mine in zip(_both(), taken, own, strict=True))
    if operation.once and load.requests >= len(operation.requests):
        raise CannotMeasureError("a round had fewer requests prepared than it could send")
    stored = _settled(operation) - before if operation.stored else None
    return Round(load, stored, max(others, 0.0))


def _both() -> tuple[float, float]:
    """Seconds that have been taken of the server's core, and of the load's by others than the load."""
    return _taken(SERVER_CORE), _taken(LOAD_CORE) - resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


def _settled(operation: Operation) -> int:
    """What is stored once nothing comes after: what was under way when the load ended may still arrive."""
    assert operation.stored is not None
    until = time.monotonic() + _SETTLE_SECONDS
    last, now = -1, operation.stored()
    while now != last and time.monotonic() < until:
        time.sleep(_SETTLED_SECONDS)
        last, now = now, operation.stored()
    return now


@dataclass(frozen=True)
class Case:
    """What a round measures: whose operation, and where its figure goes."""

    peer: Peer
    operation: Operation
    figure: Figure


def cases(peer: Peer, operations: Sequence[Operation]) -> list[Case]:
    """A case for each operation; one that fails when it is tried has its reason and will not be measured."""
    made = []
    for operation in operations:
        figure = Figure(peer.title, operation.offer)
        made.append(Case(peer, operation, figure))
        try:
            attempt(peer, operation)
        except TROUBLE as error:
            fail(figure, explained(error))
    return made


def fail(figure: Figure, error: CannotMeasureError) -> None:
    """Give up a figure; what happened goes to the terminal, a reason without places of this machine to the table."""
    figure.reason = error.reason
    figure.rounds.clear()
    print(f"{figure.name}: {error.reason}\n{error.detail}", file=sys.stderr, flush=True)


def measure(made: Sequence[Case], rounds: int, seconds: int, folder: Path) -> None:
    """All cases in turn, ``rounds`` times over, after a short round that warms each."""
    for number in range(-1, rounds):
        for case in made:
            if case.figure.reason:
                continue
            try:
                found = once(case.peer, case.operation, seconds if number >= 0 else WARM_SECONDS, folder)
            except TROUBLE as error:
                fail(case.figure, explained(error))
                continue
            if number >= 0:
                case.figure.rounds.append(found)
