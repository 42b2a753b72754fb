"""A lifecycle in graphviz's language, with the same signs as in ``svg``: for its layout, and for pictures in pixels.

Every name stands in quotes or in a label, with what means something there escaped.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Final

from jobpass.lifecycle.edges import ANY_STATE
from jobpass.lifecycle.labels import Label, Labels, about_state, heading, labels, printable
from jobpass.lifecycle.marks import Marks
from jobpass.lifecycle.model import Lifecycle
from jobpass.lifecycle.paint import EDGE, INK, PLAIN, SEEN, WHITE, is_dashed, label_colour, line_colour, paint

_FONT: Final = "DejaVu Sans Mono"
_NAME, _SMALL = 11, 9  # points
_GRAPH: Final = "lifecycle"
_START: Final = "start"
_WRAP: Final = 3  # events in a line of a box
_LEFT: Final = '<br align="left"/>'
_SPACE: Final = '<font point-size="2"> </font>'  # without it lines touch each other
_BREAK: Final = f"<br/>{_SPACE}<br/>"


def dot(lifecycle: Lifecycle, seen: Marks) -> str:
    """The whole graph."""
    shown = labels(lifecycle, seen)
    ids = _ids(lifecycle, shown)
    title = _bold(html.escape(heading(lifecycle, seen)), INK) + _LEFT
    signs = "   ".join(_signs(lifecycle, seen, shown))
    if signs:  # graphviz refuses an empty <font>
        title += f'{_SPACE}{_LEFT}<font point-size="{_SMALL}" color="{EDGE}">{signs}</font>{_LEFT}'
    lines = [
        f"digraph {_GRAPH} {{",
        f'  graph [rankdir=LR, nodesep=0.3, ranksep=0.55, pad=0.3, bgcolor="{WHITE}", fontname="{_FONT}",'
        f" fontsize={_NAME}, labelloc=t, labeljust=l, label=<{title} <br/>>];",
        f'  node [shape=box, style="rounded,filled", fontname="{_FONT}", fontsize={_NAME}, margin="0.18,0.11"];',
        f'  edge [fontname="{_FONT}", fontsize={_SMALL}, arrowsize=0.7];',
        f'  {_START} [shape=circle, width=0.11, fixedsize=true, style=filled, color="{INK}", label=""];',
        *(f"  {ids[name]} {_node(lifecycle, seen, shown, name)};" for name in lifecycle.state),
    ]
    if ANY_STATE in ids:
        lines.append(
            f'  {ids[ANY_STATE]} [style="rounded,dashed", color="{PLAIN.stroke}", fontcolor="{INK}",'
            f" label={_quoted(ANY_STATE)}];"
        )
    lines.append(f'  {_START} -> {ids[lifecycle.initial]} [color="{INK}", weight=9];')
    lines += [f"  {ids[a]} -> {ids[b]} {_edge(names)};" for (a, b), names in shown.between.items()]
    return "\n".join([*lines, "}"]) + "\n"


def notes(lifecycle: Lifecycle, seen: Marks) -> dict[str, str]:
    """What there is to say about the graph, its nodes and edges, by the names that graphviz gives them."""
    shown = labels(lifecycle, seen)
    ids = _ids(lifecycle, shown)
    said = {_GRAPH: heading(lifecycle, seen)} | {id_: about_state(lifecycle, name) for name, id_ in ids.items()}
    return said | {f"{ids[a]}->{ids[b]}": shown.note((a, b)) for a, b in shown.between}


def _ids(lifecycle: Lifecycle, shown: Labels) -> dict[str, str]:
    # Ids of their own: some names (node, edge, graph) are graphviz's keywords.
    ids = {name: f"s{number}" for number, name in enumerate(lifecycle.state)}
    return ids | ({ANY_STATE: "any"} if shown.edges.from_any else {})


def _signs(lifecycle: Lifecycle, seen: Marks, shown: Labels) -> list[str]:
    found = ["blue: so far, ×times"] if seen.current is not None else []
    found += ["dashed: admin only"] if any(is_dashed(names) for names in shown.between.values()) else []
    found += ["double frame: final"] if lifecycle.final else []
    return found + (["↻ keeps the state"] if shown.inside else [])


def _node(lifecycle: Lifecycle, seen: Marks, shown: Labels, name: str) -> str:
    look = paint(name, seen)
    lines = [_bold(html.escape(printable(name)), look.ink)]
    inside = shown.inside.get(name, [])
    for at in range(0, len(inside), _WRAP):
        words = ", ".join(_word(label, look.ink) for label in inside[at : at + _WRAP])
        more = "," if at + _WRAP < len(inside) else ""
        lines.append(f'<font point-size="{_SMALL}" color="{look.ink}">{"↻ " if at == 0 else ""}{words}{more}</font>')
    frames = ", peripheries=2" if lifecycle.state[name].final else ""
    return (
        f'[fillcolor="{look.fill}", color="{look.stroke}", penwidth={look.line}{frames}, label=<{_BREAK.join(lines)}>]'
    )


def _word(label: Label, ink: str) -> str:
    text = html.escape(label.text)
    return _bold(text, SEEN if ink == INK else ink) if label.taken else text


def _edge(names: Sequence[Label]) -> str:
    colour = line_colour(names)
    words = "<br/>".join(f'<font color="{label_colour(label)}"> {html.escape(label.text)} </font>' for label in names)
    style = ", style=dashed" if is_dashed(names) else ""
    line = 2.0 if colour == SEEN else 1.0
    return f'[color="{colour}", penwidth={line}{style}, label=<{words}>]'


def _bold(text: str, colour: str) -> str:
    """``text`` is escaped already."""
    return f'<b><font color="{colour}">{text}</font></b>'


def _quoted(text: str) -> str:
    r"""The text in quotes; graphviz reads ``\`` and ``&`` in them."""
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
    return f'"{escaped}"'
