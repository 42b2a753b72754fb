"""A lifecycle as an SVG picture: no scripts, styles, ids or links, so that it may stand in any page.

An event that leads from every state to the same one starts at a box named "any state"; an event that keeps the state is
named inside the state's box. Admin-only events are dashed.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from jobpass.lifecycle.edges import ANY_STATE, Edges, edges
from jobpass.lifecycle.layout import Cell, Edge, Layout, layout
from jobpass.lifecycle.marks import Marks
from jobpass.lifecycle.model import Lifecycle

_FONT: Final = "DejaVu Sans Mono, Menlo, Consolas, monospace"
_CHARACTER: Final = 0.62  # of the font's size; a little more than a monospaced one takes
_NAME, _SMALL = 13, 11  # sizes of fonts, pixels
_LINE: Final = 15.0
_LABEL: Final = 13.0
_MARGIN: Final = 28.0
_PARTS: Final = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82)  # of a line, where its label may stand
_GRID: Final = 40
_WRAP: Final = 24  # characters
_INK, _EDGE, _SEEN, _ADMIN = "#1f2937", "#6b7280", "#2563eb", "#b45309"


@dataclass(frozen=True, slots=True)
class _Box:
    """A rectangle by its middle."""

    x: float
    y: float
    width: float
    height: float

    def columns(self) -> range:
        return range(int((self.x - self.width / 2) // _GRID), int((self.x + self.width / 2) // _GRID) + 1)

    def meets(self, other: _Box) -> bool:
        return (
            abs(self.x - other.x) * 2 < self.width + other.width
            and abs(self.y - other.y) * 2 < self.height + other.height
        )


@dataclass(slots=True)
class _Picture:
    lifecycle: Lifecycle
    seen: Marks
    edges: Edges
    lines: list[str] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)
    used: dict[int, list[_Box]] = field(default_factory=dict)  # by the columns of _GRID pixels that they touch

    def is_free(self, box: _Box) -> bool:
        """Whether neither a state nor a label stands there."""
        return not any(box.meets(other) for column in box.columns() for other in self.used.get(column, ()))

    def use(self, box: _Box) -> None:
        """Keep labels off this place."""
        for column in box.columns():
            self.used.setdefault(column, []).append(box)


def svg(lifecycle: Lifecycle, seen: Marks) -> str:
    """The picture as a whole SVG document."""
    picture = _Picture(lifecycle, seen, edges(lifecycle))
    sizes = {name: _size(name, picture.edges.inside.get(name, [])) for name in picture.lifecycle.state}
    if picture.edges.from_any:
        sizes[ANY_STATE] = _size(ANY_STATE, [])
    starts = [lifecycle.initial, *([ANY_STATE] if picture.edges.from_any else [])]
    plan = layout(starts, {name: height for name, (_, height) in sizes.items()}, list(picture.edges.between))
    columns, width = _columns(plan, sizes, picture.edges.between)
    boxes = {
        cell: _Box(
            columns[cell.layer][0],
            plan.middle[cell] + _MARGIN + 30,
            sizes[cell.node][0] if cell.node else columns[cell.layer][1],
            plan.tall[cell.node] if cell.node else 0,
        )
        for layer in plan.layers
        for cell in layer
    }
    for cell, box in boxes.items():
        if cell.node:
            picture.use(box)
    _edges(picture, plan, boxes)
    for cell, box in boxes.items():
        if cell.node:
            _node(picture, cell.node, box)
    height = plan.height + 2 * _MARGIN + 58
    return _document(picture, max(width, 520.0), height)


def _wrapped(words: Iterable[str]) -> list[str]:
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) + 2 <= _WRAP:
            lines[-1] += f", {word}"
        else:
            if lines:
                lines[-1] += ","
            lines.append(word)
    return lines


def _size(name: str, inside: list[str]) -> tuple[float, float]:
    lines = _wrapped(inside)
    width = max([len(name) * _NAME, *((len(line) + 2) * _SMALL for line in lines)]) * _CHARACTER + 24
    return max(width, 84.0), 34 + len(lines) * _LINE


def _columns(
    plan: Layout, sizes: dict[str, tuple[float, float]], labels: dict[Edge, list[str]]
) -> tuple[list[tuple[float, float]], float]:
    """(middle, width) of each layer's column, with room for the labels between them; and the whole width."""
    widths = [max((sizes[cell.node][0] for cell in layer if cell.node), default=40.0) for layer in plan.layers]
    room = [48.0] * len(widths)
    for edge, chain in plan.chains.items():
        words = max(len(word) for word in labels[edge]) * _SMALL * _CHARACTER
        room[chain[0].layer] = max(room[chain[0].layer], words + 56)
    columns = []
    left = _MARGIN + 20
    for width, gap in zip(widths, room, strict=True):
        columns.append((left + width / 2, width))
        left += width + gap
    return columns, left - room[-1] + _MARGIN


def _edges(picture: _Picture, plan: Layout, boxes: dict[Cell, _Box]) -> None:
    ports = _ports(plan, boxes)
    for edge, chain in plan.chains.items():
        points: list[tuple[float, float]] = []
        for at, cell in enumerate(chain):
            box = boxes[cell]
            if at > 0:
                points.append((box.x - box.width / 2, ports[cell, edge, 0]))
            if at < len(chain) - 1:
                points.append((box.x + box.width / 2, ports[cell, edge, 1]))
        _edge(picture, edge, points, edge in plan.turned)


def _ports(plan: Layout, boxes: dict[Cell, _Box]) -> dict[tuple[Cell, Edge, int], float]:
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
            ports[cell, edge, side] = box.y - box.height / 2 + box.height * at / (len(met) + 1)
    return ports


def _edge(picture: _Picture, edge: Edge, points: list[tuple[float, float]], turned: bool) -> None:
    source = edge[0]
    names = picture.edges.between[edge]
    if source == ANY_STATE:
        taken = any(name in names for _, name in picture.seen.taken)
    else:
        taken = any((source, name) in picture.seen.taken for name in names)
    admin = all(name in picture.lifecycle.admin_only for name in names)
    colour = _SEEN if taken else _ADMIN if admin else _EDGE
    path = [f"M {points[0][0]:.1f} {points[0][1]:.1f}"]
    places: list[tuple[float, float]] = []
    for at, ((x1, y1), (x2, y2)) in enumerate(pairwise(points)):
        if at % 2:  # across a column, straight
            path.append(f"L {x2:.1f} {y2:.1f}")
        else:
            half = (x1 + x2) / 2
            path.append(f"C {half:.1f} {y1:.1f} {half:.1f} {y2:.1f} {x2:.1f} {y2:.1f}")
            places += [_along(x1, y1, x2, y2, part) for part in _PARTS]
    dashes = ' stroke-dasharray="5 4"' if admin else ""
    picture.lines.append(
        f'<path d="{" ".join(path)}" fill="none" stroke="{colour}" stroke-width="{2.4 if taken else 1.3}"{dashes}/>'
    )
    (x, y), way = (points[0], -9) if turned else (points[-1], 9)
    picture.lines.append(
        f'<polygon points="{x:.1f},{y:.1f} {x - way:.1f},{y - 4.5:.1f} {x - way:.1f},{y + 4.5:.1f}" fill="{colour}"/>'
    )
    _label(picture, names, places, colour)


def _along(x1: float, y1: float, x2: float, y2: float, part: float) -> tuple[float, float]:
    """The point of the curve between two points that leaves and arrives level."""
    rest = 1 - part
    half = (x1 + x2) / 2
    outer, inner = rest**3, 3 * rest * rest * part
    return (
        outer * x1 + (inner + 3 * rest * part * part) * half + part**3 * x2,
        (outer + inner) * y1 + (3 * rest * part * part + part**3) * y2,
    )


def _label(picture: _Picture, names: list[str], places: list[tuple[float, float]], colour: str) -> None:
    width = max(len(name) for name in names) * _SMALL * _CHARACTER + 6
    tries = [_Box(x, y, width, _LABEL * len(names)) for x, y in places]
    box = next((box for box in tries if picture.is_free(box)), tries[0])
    picture.use(box)
    picture.labelled.append(
        f'<rect x="{box.x - box.width / 2:.1f}" y="{box.y - box.height / 2:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" fill="#ffffff"/>'
    )
    ink = _INK if colour == _EDGE else colour
    for at, name in enumerate(names):
        y = box.y - box.height / 2 + at * _LABEL + 10
        picture.labelled.append(_words(box.x, y, name, _SMALL, ink))


def _node(picture: _Picture, name: str, box: _Box) -> None:
    seen = picture.seen
    state = picture.lifecycle.state.get(name)
    fill, stroke, ink, line = "#f3f4f6", "#4b5563", _INK, 1.3
    if name == seen.current:
        fill, stroke, ink, line = _SEEN, "#1e3a8a", "#ffffff", 2.0
    elif name in seen.visited:
        fill, stroke, line = "#dbe9ff", _SEEN, 2.0
    left, top = box.x - box.width / 2, box.y - box.height / 2
    out = picture.labelled
    out.append("<g>")
    if state is not None:
        out.append(f"<title>{html.escape(state.description or name)}</title>")
    dashes = ' stroke-dasharray="5 4"' if state is None else ""
    frame = 'x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="{}" fill="{}" stroke="{}" stroke-width="{}"{}'
    box_fill = "#ffffff" if state is None else fill
    out.append(f"<rect {frame.format(left, top, box.width, box.height, 8, box_fill, stroke, line, dashes)}/>")
    if state is not None and state.final:
        out.append(f"<rect {frame.format(left + 3, top + 3, box.width - 6, box.height - 6, 6, 'none', ink, 1, '')}/>")
    lines = _wrapped(picture.edges.inside.get(name, []))
    first = box.y + 4.5 - len(lines) * _LINE / 2
    out.append(_words(box.x, first, name, _NAME, ink, bold=state is not None))
    for at, text in enumerate(lines, start=1):
        out.append(_words(box.x, first + at * _LINE, ("↻ " if at == 1 else "  ") + text, _SMALL, ink))
    if name == picture.lifecycle.initial:
        out.append(f'<circle cx="{left - 22:.1f}" cy="{box.y:.1f}" r="5" fill="{_INK}"/>')
        out.append(f'<path d="M {left - 17:.1f} {box.y:.1f} H {left:.1f}" stroke="{_INK}" stroke-width="1.3"/>')
    out.append("</g>")


def _words(x: float, y: float, text: str, size: int, ink: str, anchor: str = "middle", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{ink}" text-anchor="{anchor}"{weight}>'
        f"{html.escape(text)}</text>"
    )


def _document(picture: _Picture, width: float, height: float) -> str:
    lifecycle, seen = picture.lifecycle, picture.seen
    title = f"Lifecycle {lifecycle.name}" + (f", now {seen.current}" if seen.current is not None else "")
    key = ["double frame: final", "↻ keeps the state", "dashed: admin only"]
    if seen.visited:
        key.append("blue: this job so far")
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="{_FONT}">',
        f"<title>{html.escape(title)}</title>",
        f"<desc>{html.escape(lifecycle.description or lifecycle.name)}</desc>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        _words(_MARGIN, 26, title, _NAME, _INK, "start", bold=True),
        *picture.lines,
        *picture.labelled,
        _words(_MARGIN, height - 14, "   ".join(key), _SMALL, _EDGE, "start"),
        "</svg>",
    ]
    return "\n".join(body) + "\n"
