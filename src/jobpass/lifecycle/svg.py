"""A lifecycle as an SVG picture: no scripts, styles, ids or links, so that it may stand in any page.

An event that leads from every state to the same one starts at a box named "any state"; an event that keeps the state is
named inside the state's box. Admin-only events are dashed. What a job has done is blue, with how often it did it.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from jobpass.lifecycle.curves import Box, Curve, Ground, curves
from jobpass.lifecycle.edges import ANY_STATE
from jobpass.lifecycle.labels import Label, Labels, about_state, heading, labels, printable
from jobpass.lifecycle.layout import Edge, Layout, layout
from jobpass.lifecycle.legend import entries, legend
from jobpass.lifecycle.marks import Marks
from jobpass.lifecycle.model import Lifecycle
from jobpass.lifecycle.paint import (
    FONT,
    INK,
    NAME,
    PLAIN,
    SEEN,
    SMALL,
    WHITE,
    Paint,
    is_dashed,
    label_colour,
    line_colour,
    paint,
    wide,
    words,
)

_LINE: Final = 15.0
_LABEL: Final = 13.0
_MARGIN: Final = 28.0
_TOP: Final = 56.0
_LEAST: Final = 520.0  # pixels; a narrower picture would wrap its legend too often
_WRAP: Final = 24  # characters
_MANY: Final = 300  # lines; among more there is no place where a label covers none
_KEEPS: Final = "↻ "


@dataclass(slots=True)
class _Picture:
    lifecycle: Lifecycle
    seen: Marks
    shown: Labels
    ground: Ground = field(default_factory=Ground)
    lines: list[str] = field(default_factory=list)
    labelled: list[str] = field(default_factory=list)


def svg(lifecycle: Lifecycle, seen: Marks) -> str:
    """The picture as a whole SVG document."""
    picture = _Picture(lifecycle, seen, labels(lifecycle, seen))
    joined = picture.shown.edges
    sizes = {name: _size(name, picture.shown.inside.get(name, [])) for name in lifecycle.state}
    if joined.from_any:
        sizes[ANY_STATE] = _size(ANY_STATE, [])
    starts = [lifecycle.initial, *([ANY_STATE] if joined.from_any else [])]
    plan = layout(starts, {name: height for name, (_, height) in sizes.items()}, list(joined.between))
    columns, width = _columns(plan, sizes, picture.shown.between)
    boxes = {
        cell: Box(
            columns[cell.layer][0],
            plan.middle[cell] + _TOP,
            sizes[cell.node][0] if cell.node else columns[cell.layer][1],
            plan.tall[cell.node] if cell.node else 0,
        )
        for layer in plan.layers
        for cell in layer
    }
    for cell, box in boxes.items():
        if cell.node:
            picture.ground.use(box)
    _edges(picture, plan, curves(plan, boxes))
    for cell, box in boxes.items():
        if cell.node:
            _node(picture, cell.node, box)
    return _document(picture, max(width, _LEAST), plan.height + _TOP)


def _wrapped(names: Iterable[Label]) -> list[list[Label]]:
    """The labels of one box in lines."""
    lines: list[list[Label]] = []
    length = 0
    for label in names:
        length += len(label.text) + 2
        if not lines or length > _WRAP:
            lines.append([])
            length = len(label.text)
        lines[-1].append(label)
    return lines


def _size(name: str, inside: list[Label]) -> tuple[float, float]:
    lines = _wrapped(inside)
    texts = [", ".join(label.text for label in line) for line in lines]
    width = max([wide(printable(name), NAME), *(wide(_KEEPS + text, SMALL) for text in texts)]) + 26
    return max(width, 84.0), 34 + len(lines) * _LINE


def _columns(
    plan: Layout, sizes: dict[str, tuple[float, float]], between: dict[Edge, list[Label]]
) -> tuple[list[tuple[float, float]], float]:
    """(middle, width) of each layer's column, with room for the labels between them; and the whole width."""
    widths = [max((sizes[cell.node][0] for cell in layer if cell.node), default=40.0) for layer in plan.layers]
    room = [48.0] * len(widths)
    for edge, chain in plan.chains.items():
        needed = max(wide(label.text, SMALL) for label in between[edge]) + 56
        room[chain[0].layer] = max(room[chain[0].layer], needed)
    columns = []
    left = _MARGIN + 20
    for width, gap in zip(widths, room, strict=True):
        columns.append((left + width / 2, width))
        left += width + gap
    return columns, left - room[-1] + _MARGIN


def _edges(picture: _Picture, plan: Layout, found: dict[Edge, Curve]) -> None:
    if len(found) <= _MANY:
        for edge, curve in found.items():
            picture.ground.run(edge, curve)
    # What the job has done is drawn last, and so lies above the rest.
    for edge in sorted(found, key=lambda edge: line_colour(picture.shown.between[edge]) == SEEN):
        _edge(picture, edge, found[edge], turned=edge in plan.turned)


def _edge(picture: _Picture, edge: Edge, curve: Curve, *, turned: bool) -> None:
    names = picture.shown.between[edge]
    colour = line_colour(names)
    line = 2.4 if colour == SEEN else 1.3
    dashes = ' stroke-dasharray="5 4"' if is_dashed(names) else ""
    picture.lines.append(
        f'<path d="{curve.path()}" fill="none" stroke="{colour}" stroke-width="{line}"{dashes}>'
        f"<title>{html.escape(picture.shown.note(edge))}</title></path>"
    )
    (x, y), way = (curve.points[0], -9) if turned else (curve.points[-1], 9)
    picture.lines.append(
        f'<polygon points="{x:.1f},{y:.1f} {x - way:.1f},{y - 4.5:.1f} {x - way:.1f},{y + 4.5:.1f}" fill="{colour}"/>'
    )
    width = max(wide(label.text, SMALL) for label in names) + 6
    box = picture.ground.place(edge, curve.places(), width, _LABEL * len(names))
    picture.labelled.append(
        f'<rect x="{box.left:.1f}" y="{box.top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" fill="{WHITE}"/>'
    )
    for at, label in enumerate(names):
        y = box.top + at * _LABEL + 10
        picture.labelled.append(words(box.x, y, label.text, SMALL, label_colour(label), note=label.note))


def _node(picture: _Picture, name: str, box: Box) -> None:
    state = picture.lifecycle.state.get(name)
    look = paint(name, picture.seen) if state is not None else Paint(WHITE, PLAIN.stroke, INK, PLAIN.line)
    out = picture.labelled
    out.append(f"<g><title>{html.escape(about_state(picture.lifecycle, name))}</title>")
    out.append(_frame(box, 0, look, dashed=state is None))
    if state is not None and state.final:
        out.append(_frame(box, 3, Paint("none", look.ink, look.ink, 1)))
    lines = _wrapped(picture.shown.inside.get(name, []))
    first = box.y + 4.5 - len(lines) * _LINE / 2
    out.append(words(box.x, first, printable(name), NAME, look.ink, bold=state is not None))
    for at, line in enumerate(lines):
        y = first + (at + 1) * _LINE
        out.append(_inside(box.x, y, line, look, mark=_KEEPS if at == 0 else "", more=at + 1 < len(lines)))
    if name == picture.lifecycle.initial:
        out.append(f'<circle cx="{box.left - 22:.1f}" cy="{box.y:.1f}" r="5" fill="{INK}"/>')
        out.append(f'<path d="M {box.left - 17:.1f} {box.y:.1f} H {box.left:.1f}" stroke="{INK}" stroke-width="1.3"/>')
    out.append("</g>")


def _frame(box: Box, inset: float, look: Paint, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return (
        f'<rect x="{box.left + inset:.1f}" y="{box.top + inset:.1f}" width="{box.width - 2 * inset:.1f}" '
        f'height="{box.height - 2 * inset:.1f}" rx="{8 - inset * 2 / 3:.0f}" fill="{look.fill}" '
        f'stroke="{look.stroke}" stroke-width="{look.line}"{dashes}/>'
    )


def _inside(x: float, y: float, line: Sequence[Label], look: Paint, *, mark: str, more: bool) -> str:
    """A line of events that keep the state; those that happened stand out."""
    seen = SEEN if look.ink == INK else look.ink
    spans = [
        f'<tspan fill="{seen}" font-weight="bold">{html.escape(label.text)}</tspan>'
        if label.taken
        else html.escape(label.text)
        for label in line
    ]
    note = "\n".join(label.note for label in line)
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{SMALL}" fill="{look.ink}" text-anchor="middle">'
        f"<title>{html.escape(note)}</title>{mark}{', '.join(spans)}{',' if more else ''}</text>"
    )


def _document(picture: _Picture, width: float, height: float) -> str:
    lifecycle, seen = picture.lifecycle, picture.seen
    title = heading(lifecycle, seen)
    width = max(width, wide(title, NAME) + 2 * _MARGIN)
    key, tall = legend(entries(lifecycle, seen, picture.shown), _MARGIN, height + 36, width - 2 * _MARGIN)
    height += 36 + tall
    about = printable(lifecycle.description or lifecycle.name, 600)
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" font-family="{FONT}">',
        f"<title>{html.escape(title)}</title>",
        f"<desc>{html.escape(about)}</desc>",
        f'<rect width="100%" height="100%" fill="{WHITE}"/>',
        words(_MARGIN, 26, title, NAME, INK, anchor="start", bold=True),
        *picture.lines,
        *picture.labelled,
        *key,
        "</svg>",
    ]
    return "\n".join(body) + "\n"
