"""Colours and fonts of the pictures, and words in SVG."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jobpass.lifecycle.labels import Label
from jobpass.lifecycle.marks import Marks

FONT: Final = "DejaVu Sans Mono, Menlo, Consolas, monospace"
NAME, SMALL = 13, 11
"""Sizes of fonts, pixels."""
INK, EDGE, SEEN, ADMIN, WHITE = "#1f2937", "#6b7280", "#2563eb", "#b45309", "#ffffff"

_CHARACTER: Final = 0.62  # of the font's size; a little more than a monospaced one takes


@dataclass(frozen=True, slots=True)
class Paint:
    """How a state's box looks."""

    fill: str
    stroke: str
    ink: str
    line: float


PLAIN: Final = Paint("#f3f4f6", "#4b5563", INK, 1.3)
VISITED: Final = Paint("#dbe9ff", SEEN, INK, 2.0)
CURRENT: Final = Paint(SEEN, "#1e3a8a", WHITE, 2.0)


def paint(state: str, seen: Marks) -> Paint:
    """How the box of this state looks."""
    return CURRENT if state == seen.current else VISITED if state in seen.visited else PLAIN


def line_colour(labels: Sequence[Label]) -> str:
    """The colour of a line with these labels."""
    if any(label.taken for label in labels):
        return SEEN
    return ADMIN if is_dashed(labels) else EDGE


def is_dashed(labels: Sequence[Label]) -> bool:
    """Whether a line with these labels is for administrators only."""
    return all(label.admin for label in labels)


def label_colour(label: Label) -> str:
    """The colour of a label between states."""
    return SEEN if label.taken else ADMIN if label.admin else INK


def wide(text: str, size: float) -> float:
    """How wide the text is, in pixels."""
    return len(text) * size * _CHARACTER


def words(
    x: float, y: float, text: str, size: int, ink: str, *, anchor: str = "middle", bold: bool = False, note: str = ""
) -> str:
    """A text; ``note`` shows when somebody points at it."""
    weight = ' font-weight="bold"' if bold else ""
    title = f"<title>{html.escape(note)}</title>" if note else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{ink}" text-anchor="{anchor}"{weight}>'
        f"{title}{html.escape(text)}</text>"
    )
