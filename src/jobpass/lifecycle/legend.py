"""What the signs of an SVG picture mean, drawn below it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from jobpass.lifecycle.labels import Labels
from jobpass.lifecycle.marks import Marks
from jobpass.lifecycle.model import Lifecycle
from jobpass.lifecycle.paint import ADMIN, CURRENT, EDGE, PLAIN, SEEN, SMALL, VISITED, Paint, wide, words

_SIGN: Final = 26.0  # pixels
_GAP: Final = 22.0
_ROW: Final = 20.0

Entry = tuple[str, str]


def entries(lifecycle: Lifecycle, seen: Marks, shown: Labels) -> list[Entry]:
    """(sign, meaning) of those signs that are in the picture."""
    found: list[Entry] = []
    if seen.current is not None:
        found += [("now", "now"), ("visited", "visited")]
    if any(label.taken for names in shown.between.values() for label in names):
        found.append(("taken", "taken, ×times"))
    if any(label.admin for names in shown.between.values() for label in names):
        found.append(("admin", "admin only"))
    if lifecycle.final:
        found.append(("final", "final state"))
    if shown.inside:
        found.append(("keeps", "keeps the state"))
    return found


def legend(found: list[Entry], left: float, top: float, room: float) -> tuple[list[str], float]:
    """The signs with their meanings in rows of at most ``room`` pixels, and how tall they are."""
    out: list[str] = []
    x, y = left, top
    for sign, meaning in found:
        needed = _SIGN + 8 + wide(meaning, SMALL)
        if x > left and x + needed > left + room:
            x, y = left, y + _ROW
        out += _sign(sign, x, y)
        out.append(words(x + _SIGN + 8, y + 4, meaning, SMALL, EDGE, anchor="start"))
        x += needed + _GAP
    return out, y + _ROW - top


def _sign(sign: str, x: float, y: float) -> Iterator[str]:
    if sign in _BOXES:
        look, inner = _BOXES[sign]
        yield _box(x, y, 0, look)
        if inner:
            yield _box(x, y, 2.5, look)
    elif sign in _LINES:
        colour, line, dashes = _LINES[sign]
        yield f'<path d="M {x:.1f} {y:.1f} h {_SIGN}" stroke="{colour}" stroke-width="{line}"{dashes}/>'
    else:
        yield words(x + _SIGN / 2, y + 4, "↻", SMALL, EDGE)


def _box(x: float, y: float, inset: float, look: Paint) -> str:
    return (
        f'<rect x="{x + inset:.1f}" y="{y - 7 + inset:.1f}" width="{_SIGN - 2 * inset:.1f}" '
        f'height="{14 - 2 * inset:.1f}" rx="{4 - inset / 2}" fill="{look.fill if not inset else "none"}" '
        f'stroke="{look.stroke}" stroke-width="{look.line if not inset else 1}"/>'
    )


_BOXES: Final = {"now": (CURRENT, False), "visited": (VISITED, False), "final": (PLAIN, True)}
_LINES: Final = {"taken": (SEEN, 2.4, ""), "admin": (ADMIN, 1.3, ' stroke-dasharray="5 4"')}
