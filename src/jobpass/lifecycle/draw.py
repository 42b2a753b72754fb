"""A lifecycle to look at: as plain text, Mermaid, DOT or SVG, with one job's way through it marked if wished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from jobpass.errors import InvalidInput
from jobpass.lifecycle.dot import dot
from jobpass.lifecycle.draft import SAME
from jobpass.lifecycle.dump import moves_of
from jobpass.lifecycle.edges import ANY_STATE, edges
from jobpass.lifecycle.marks import AnyStep, Marks, marks
from jobpass.lifecycle.model import Lifecycle
from jobpass.lifecycle.svg import svg


def draw(
    lifecycle: Lifecycle,
    form: str = "text",
    current: str | None = None,
    path: Iterable[AnyStep] = (),
    job: str = "",
) -> str:
    """The picture, ending in a newline; ``form`` is one of ``FORMS``, ``path`` the job's steps in order.

    A step is (event, state after it), or also the time. ``job`` is a name for the heading. Raises ``InvalidInput`` for
    another form, and for a present state that the lifecycle does not have.
    """
    if form not in FORMS:
        raise InvalidInput.at("format", f"must be one of {', '.join(FORMS)}")
    return FORMS[form](lifecycle, marks(lifecycle, current, path, job))


def _text(lifecycle: Lifecycle, seen: Marks) -> str:
    lines = [lifecycle.name + (f": {lifecycle.description}" if lifecycle.description else ""), ""]
    rows = [["", "STATE", "", "DESCRIPTION"]]
    for state in lifecycle.states:
        mark = ">" if state.name == seen.current else "*" if state.name in seen.visited else ""
        end = "initial" if state.name == lifecycle.initial else "final" if state.final else ""
        rows.append([mark, state.name, end, state.description])
    lines += [*_columns(rows), ""]
    rows = [["", "EVENT", "FROM", "TO", "ALLOWED"]]
    for event in lifecycle.events:
        mark = "*" if any(name == event.name for _, name in seen.taken) else ""
        allowed = "admin only" if event.admin_only else ""
        for number, (sources, target) in enumerate(moves_of(lifecycle, event.name)):
            start = "any" if len(sources) == len(lifecycle.states) > 1 else " ".join(sources)
            name = event.name if number == 0 else ""
            rows.append([mark, name, start, "same" if target == SAME else target, allowed])
    lines += _columns(rows)
    if seen.current is not None:
        lines += ["", f"Legal in {seen.current}: {' '.join(lifecycle.legal(seen.current)) or 'nothing'}"]
    return "\n".join(lines) + "\n"


def _columns(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    # The first column holds marks only; it is kept narrow even when empty, so that the table always looks the same.
    widths[0] = 1
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True) if width).rstrip() for row in rows
    ]


def _mermaid(lifecycle: Lifecycle, seen: Marks) -> str:
    # States get ids of their own: some names (end, note, state) are Mermaid's keywords.
    ids = {state.name: f"s{number}" for number, state in enumerate(lifecycle.states)}
    lines = ["stateDiagram-v2"]
    lines += [f'    state "{name}" as {id_}' for name, id_ in ids.items()]
    lines.append(f"    [*] --> {ids[lifecycle.initial]}")
    joined = edges(lifecycle)
    if joined.from_any:
        ids[ANY_STATE] = "any"
        lines.append(f'    state "{ANY_STATE}" as any')
    kept = {(state, state): events for state, events in joined.inside.items()}
    for (source, target), events in (kept | joined.between).items():
        names = ", ".join(f"{name} (admin)" if name in lifecycle.admin_only else name for name in events)
        lines.append(f"    {ids[source]} --> {ids[target]} : {names}")
    lines += [f"    {ids[state.name]} --> [*]" for state in lifecycle.states if state.final]
    if seen.visited:
        lines.append("    classDef visited fill:#dbe9ff,stroke:#2563eb,color:#111827")
        lines.append("    classDef current fill:#2563eb,stroke:#1e3a8a,color:#ffffff")
        before = [ids[state.name] for state in lifecycle.states if state.name in seen.visited - {seen.current}]
        lines += [f"    class {','.join(before)} visited"] if before else []
        lines += [f"    class {ids[seen.current]} current"] if seen.current is not None else []
    return "\n".join(lines) + "\n"


FORMS: Final[Mapping[str, Callable[[Lifecycle, Marks], str]]] = MappingProxyType(
    {"text": _text, "mermaid": _mermaid, "dot": dot, "svg": svg}
)
"""The forms that ``draw`` knows."""
