"""Where the boxes of a small directed graph go: in layers from left to right, few crossings, no box on another.

The method is the usual one for layered drawings: turn the edges that lead back, let the layer of a node be the length
of its longest way from the start, fill long edges up with bends, order each layer by the mean of the neighbours.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import Final

Edge = tuple[str, str]

BEND_HEIGHT: Final = 18.0
SEPARATION: Final = 22.0
LANE: Final = 14.0
_SWEEPS: Final = 12


@dataclass(frozen=True, slots=True)
class Cell:
    """A node, or the bend of ``edge`` where it passes a layer (then ``node`` is empty)."""

    layer: int
    node: str = ""
    edge: Edge | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """``middle`` is how far down the middle of a cell is, ``tall`` how tall a node; ``chains`` lead to the right."""

    layers: tuple[tuple[Cell, ...], ...]
    middle: Mapping[Cell, float]
    chains: Mapping[Edge, tuple[Cell, ...]]
    turned: frozenset[Edge]
    tall: Mapping[str, float]
    height: float


def layout(starts: Sequence[str], heights: Mapping[str, float], edges: Sequence[Edge]) -> Layout:
    """The layout of nodes of at least these heights, beginning with ``starts``; edges join different nodes.

    An edge in ``turned`` leads from right to left. Every node must be reachable from one of the starts. A node grows
    until ``LANE`` is between the lines that touch it.
    """
    onward: dict[str, list[str]] = {node: [] for node in heights}
    for source, target in edges:
        onward[source].append(target)
    turned = _turned(starts, onward)
    forward = {edge: edge[::-1] if edge in turned else edge for edge in edges}
    before: dict[str, list[str]] = {node: [] for node in heights}
    for source, target in forward.values():
        before[target].append(source)
    layer: dict[str, int] = {}
    for node in TopologicalSorter(before).static_order():
        layer[node] = max((layer[source] + 1 for source in before[node]), default=0)
    layers: list[list[Cell]] = [[] for _ in range(max(layer.values()) + 1)]
    cells = {node: Cell(layer[node], node) for node in heights}
    for cell in cells.values():
        layers[cell.layer].append(cell)
    chains: dict[Edge, tuple[Cell, ...]] = {}
    for edge, (source, target) in forward.items():
        bends = [Cell(number, edge=edge) for number in range(layer[source] + 1, layer[target])]
        for bend in bends:
            layers[bend.layer].append(bend)
        chains[edge] = (cells[source], *bends, cells[target])
    neighbours = _neighbours(chains)
    _order(layers, neighbours)
    tall = {
        node: max(height, LANE * (1 + max(len(side) for side in neighbours.get(cells[node], ([], [])))))
        for node, height in heights.items()
    }
    middle, height = _place(layers, neighbours, tall)
    return Layout(tuple(tuple(cells) for cells in layers), middle, chains, turned, tall, height)


def _turned(starts: Sequence[str], onward: Mapping[str, Sequence[str]]) -> frozenset[Edge]:
    """The edges to turn so that none leads in a circle, nor to the first start (a depth first search)."""
    open_: set[str] = set()
    seen: set[str] = set()
    turned: set[Edge] = set()

    def visit(node: str) -> None:  # as deep as there are nodes: sound.MAX_STATES at most
        seen.add(node)
        open_.add(node)
        for target in onward[node]:
            if target in open_ or target == starts[0]:
                turned.add((node, target))
            elif target not in seen:
                visit(target)
        open_.discard(node)

    for start in starts:
        if start not in seen:
            visit(start)
    return frozenset(turned)


def _neighbours(chains: Mapping[Edge, Sequence[Cell]]) -> dict[Cell, tuple[list[Cell], list[Cell]]]:
    """Cell -> the cells that it is joined to in the layer before and in the layer after."""
    found: dict[Cell, tuple[list[Cell], list[Cell]]] = {}
    for chain in chains.values():
        for left, right in pairwise(chain):
            found.setdefault(left, ([], []))[1].append(right)
            found.setdefault(right, ([], []))[0].append(left)
    return found


def _order(layers: list[list[Cell]], neighbours: Mapping[Cell, tuple[list[Cell], list[Cell]]]) -> None:
    """Order each layer by the mean place of its neighbours; of all sweeps the one with the fewest crossings stays."""
    best = [list(layer) for layer in layers]
    fewest = _crossings(layers, neighbours)
    for sweep in range(_SWEEPS):
        side = sweep % 2
        for at in range(len(layers) - 1, -1, -1) if side else range(len(layers)):
            beside = at + (1 if side else -1)
            place = {cell: row for row, cell in enumerate(layers[beside])} if 0 <= beside < len(layers) else {}
            mean = {}
            for row, cell in enumerate(layers[at]):
                near = neighbours.get(cell, ([], []))[side]
                mean[cell] = sum(place[other] for other in near) / len(near) if near else float(row)
            layers[at].sort(key=mean.__getitem__)
        crossings = _crossings(layers, neighbours)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    layers[:] = best


def _crossings(layers: list[list[Cell]], neighbours: Mapping[Cell, tuple[list[Cell], list[Cell]]]) -> int:
    place = {cell: at for row in layers for at, cell in enumerate(row)}
    count = 0
    for layer in layers:
        # From the bottom up: a line crosses those from below that end above it.
        below: list[int] = []
        for cell in reversed(layer):
            ends = [place[other] for other in neighbours.get(cell, ([], []))[1]]
            count += sum(bisect_left(below, end) for end in ends)
            for end in ends:
                insort(below, end)
    return count


def _place(
    layers: Sequence[Sequence[Cell]],
    neighbours: Mapping[Cell, tuple[list[Cell], list[Cell]]],
    heights: Mapping[str, float],
) -> tuple[dict[Cell, float], float]:
    """Draw each cell towards its neighbours, as far as the cells above and below leave room."""
    tall = {cell: heights[cell.node] if cell.node else BEND_HEIGHT for layer in layers for cell in layer}
    middle: dict[Cell, float] = {}
    for layer in layers:
        top = -sum(tall[cell] + SEPARATION for cell in layer) / 2
        for cell in layer:
            middle[cell] = top + tall[cell] / 2
            top += tall[cell] + SEPARATION
    for sweep in range(_SWEEPS):
        for layer in layers[::-1] if sweep % 2 else layers:
            wished = []
            for cell in layer:
                near = [other for side in neighbours.get(cell, ([], [])) for other in side]
                wished.append(sum(middle[other] for other in near) / len(near) if near else middle[cell])
            middle.update(zip(layer, _spread(wished, [tall[cell] for cell in layer]), strict=True))
    top = min(middle[cell] - tall[cell] / 2 for cell in middle)
    bottom = max(middle[cell] + tall[cell] / 2 for cell in middle)
    return {cell: at - top for cell, at in middle.items()}, bottom - top


def _spread(wished: Sequence[float], tall: Sequence[float]) -> list[float]:
    """The wished heights pushed apart, half downwards and half upwards, until nothing overlaps."""
    gaps = [(above + below) / 2 + SEPARATION for above, below in pairwise(tall)]
    down = list(wished)
    for at, gap in enumerate(gaps, start=1):
        down[at] = max(down[at], down[at - 1] + gap)
    up = list(wished)
    for at in range(len(gaps) - 1, -1, -1):
        up[at] = min(up[at], up[at + 1] - gaps[at])
    return [(one + other) / 2 for one, other in zip(down, up, strict=True)]
