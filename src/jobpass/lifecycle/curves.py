"""Where the lines of a picture run, and where their labels stand: on their own line, and as little as may be on others.

Lines run between the boxes of a ``Layout``; each is curved between two columns and level across one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from jobpass.lifecycle.layout import Cell, Edge, Layout

Point = tuple[float, float]

PARTS: Final = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82)
"""Of a curve, from the best place for its label to the worst."""
_SAMPLES: Final = 24  # points of a curve that labels keep off
_GRID: Final = 40  # pixels
_CROSSED: Final = 4.0  # places that a label moves on rather than cover another line


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its middle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        """Its left side."""
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        """Its upper side."""
        return self.y - self.height / 2

    def meets(self, other: Box) -> bool:
        """Whether the two overlap."""
        return (
            abs(self.x - other.x) * 2 < self.width + other.width
            and abs(self.y - other.y) * 2 < self.height + other.height
        )

    def holds(self, point: Point) -> bool:
        """Whether the point lies in it, or nearly so."""
        return abs(point[0] - self.x) <= self.width / 2 + 1 and abs(point[1] - self.y) <= self.height / 2 + 1

    def columns(self) -> range:
        """The columns of the grid that it touches."""
        return range(int(self.left // _GRID), int(self.right // _GRID) + 1)


@dataclass(frozen=True, slots=True)
class Curve:
    """A line from left to right: pairs of points; from one to the other of a pair it is curved, between pairs level."""

    points: tuple[Point, ...]

    def path(self) -> str:
        """As the ``d`` of an SVG path."""
        parts = [f"M {self.points[0][0]:.1f} {self.points[0][1]:.1f}"]
        for at, ((x1, y1), (x2, y2)) in enumerate(pairwise(self.points)):
            if at % 2:
                parts.append(f"L {x2:.1f} {y2:.1f}")
            else:
                half = (x1 + x2) / 2
                parts.append(f"C {half:.1f} {y1:.1f} {half:.1f} {y2:.1f} {x2:.1f} {y2:.1f}")
        return " ".join(parts)

    def places(self) -> list[Point]:
        """Where a label may stand, in order."""
        return [_along(*pair, part) for pair in [*pairwise(self.points)][::2] for part in PARTS]

    def samples(self) -> Iterable[Point]:
        """Points close to each other between the columns, where labels stand."""
        for start, end in [*pairwise(self.points)][::2]:
            for n in range(_SAMPLES):
                yield _along(start, end, n / _SAMPLES)


def _along(start: Point, end: Point, part: float) -> Point:
    """The point of the curve between two points that leaves and arrives level."""
    (x1, y1), (x2, y2) = start, end
    rest = 1 - part
    half = (x1 + x2) / 2
    outer, inner = rest**3, 3 * rest * rest * part
    return (
        outer * x1 + (inner + 3 * rest * part * part) * half + part**3 * x2,
        (outer + inner) * y1 + (3 * rest * part * part + part**3) * y2,
    )


def curves(plan: Layout, boxes: Mapping[Cell, Box]) -> dict[Edge, Curve]:
    """The line of each edge."""
    ports = _ports(plan, boxes)
    found = {}
    for edge, chain in plan.chains.items():
        points: list[Point] = []
        for at, cell in enumerate(chain):
            if at > 0:
                points.append((boxes[cell].left, ports[cell, edge, 0]))
            if at < len(chain) - 1:
                points.append((boxes[cell].right, ports[cell, edge, 1]))
        found[edge] = Curve(tuple(points))
    return found


def _ports(plan: Layout, boxes: Mapping[Cell, Box]) -> dict[tuple[Cell, Edge, int], float]:
    """Where each edge touches the left (0) and right (1) side of its cells: spread over the side, in order."""
    ends: dict[tuple[Cell, int], list[tuple[float, Edge]]] = {}
    for edge, chain in plan.chains.items():
        for left, right in pairwise(chain):
            ends.setdefault((left, 1), []).append((boxes[right].y, edge))
            ends.setdefault((right, 0), []).append((boxes[left].y, edge))
    ports = {}
    for (cell, side), met in ends.items():
        box = boxes[cell]
        for at, (_, edge) in enumerate(sorted(met), start=1):
            ports[cell, edge, side] = box.top + box.height * at / (len(met) + 1)
    return ports


@dataclass(slots=True)
class Ground:
    """What stands where already: boxes by the columns of the grid, points of lines by its fields."""

    used: dict[int, list[Box]] = field(default_factory=dict)
    lines: dict[tuple[int, int], list[tuple[Point, Edge]]] = field(default_factory=dict)

    def use(self, box: Box) -> None:
        """Keep labels off this place."""
        for column in box.columns():
            self.used.setdefault(column, []).append(box)

    def run(self, edge: Edge, curve: Curve) -> None:
        """Let labels of other edges avoid this line."""
        for point in curve.samples():
            self.lines.setdefault((int(point[0] // _GRID), int(point[1] // _GRID)), []).append((point, edge))

    def place(self, edge: Edge, places: Sequence[Point], width: float, height: float) -> Box:
        """Where a label of this size goes: never on a box if there is room elsewhere, rarely on another line."""
        best, lowest = Box(*places[0], width, height), float("inf")
        for rank, (x, y) in enumerate(places):
            if rank >= lowest:
                break
            box = Box(x, y, width, height)
            if self._is_free(box) and (cost := rank + _CROSSED * self._crossed(edge, box)) < lowest:
                best, lowest = box, cost
        self.use(best)
        return best

    def _is_free(self, box: Box) -> bool:
        return not any(box.meets(other) for column in box.columns() for other in self.used.get(column, ()))

    def _crossed(self, edge: Edge, box: Box) -> int:
        rows = range(int((box.top - 1) // _GRID), int((box.top + box.height + 1) // _GRID) + 1)
        near = (self.lines.get((column, row), ()) for column in box.columns() for row in rows)
        return len({other for points in near for point, other in points if other != edge and box.holds(point)})
