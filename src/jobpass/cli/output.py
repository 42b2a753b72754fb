"""What the commands print: tables and colour on a terminal, plain lines elsewhere, JSON when asked."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobpass.errors import Error, IllegalTransition, InvalidInput

if TYPE_CHECKING:
    from msgspec import Struct
    from rich.console import Console

GAP: Final = "  "
MIN_LAST_CELLS: Final = 20
"""The last column of a table keeps so much, whatever the terminal's width."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def line(text: str = "") -> None:
    """One line on stdout, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """One line for the person on stderr, which stays out of pipes."""
    sys.stdout.flush()
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def json_line(value: Any) -> None:
    """The value as one line of JSON, in ASCII."""
    import msgspec

    # json, not msgspec: a history may hold half a surrogate pair, which UTF-8 cannot say and an escape can.
    line(json.dumps(msgspec.to_builtins(value), default=str))


def say(value: Any, text: str, *, as_json: bool) -> None:
    """What a command has to say: the value if JSON is wanted, else the text that says it to people."""
    json_line(value) if as_json else line(text)


def compact(value: Any, longest: int = 2000) -> str:
    """The value as JSON in one line that cannot steer a terminal, cut after ``longest`` characters."""
    text = printable(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def moment(at: datetime) -> str:
    """The moment in UTC, to the millisecond."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}Z"


def moment_or(at: datetime | None, otherwise: str = "-") -> str:
    """The moment as ``moment`` shows it, or what stands for none."""
    return otherwise if at is None else moment(at)


def printable(value: Any) -> str:
    """The value in one line that cannot steer a terminal: control characters are shown as escapes."""
    text = "-" if value is None else str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows under headings on a terminal; elsewhere one line a row, tabs between, no headings.

    On a terminal the last column is cut to fit; the others never are, since half a uuid is of no use.
    """
    shown = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in shown:
            line("\t".join(row))
        return
    from rich.cells import cell_len, set_cell_size

    widths = [max(map(cell_len, column)) for column in zip(columns, *shown, strict=True)]
    room = shutil.get_terminal_size().columns - sum(widths[:-1]) - len(GAP) * (len(widths) - 1)
    last = max(room, MIN_LAST_CELLS)
    for n, row in enumerate([list(columns), *shown]):
        cells = [set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)]
        end = row[-1] if cell_len(row[-1]) <= last else set_cell_size(row[-1], last - 1) + "…"
        text = GAP.join([*cells[:-1], end]).rstrip()
        line(f"\x1b[1m{text}\x1b[0m" if n == 0 else text)


def listing(value: Any, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, as_json: bool) -> None:
    """What a command has found: the value if JSON is wanted, else its rows as a table for people."""
    json_line(value) if as_json else table(columns, rows)


def fields(pairs: Iterable[tuple[str, Any]]) -> None:
    """One ``name: value`` a line."""
    for name, value in pairs:
        line(f"{name}: {printable(value)}")


def record(found: Struct, *, as_json: bool, **words: Any) -> None:
    """What is known of one thing, without what is None: ``words`` are members as people read them."""
    import msgspec

    if as_json:
        json_line(found)
        return
    members: dict[str, Any] = msgspec.to_builtins(found)
    for name in members:
        at = getattr(found, name)
        if isinstance(at, datetime):
            members[name] = moment(at)
    fields((name, value) for name, value in (members | words).items() if value is not None)


def console() -> Console:
    """A console on stdout."""
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=True)


def error(failure: Error, *, as_json: bool, command: str = "jobpass") -> None:
    """The error of a command on stderr: one line, or its object."""
    if as_json:
        body = {"error": failure.message, "detail": {"code": failure.code, **failure.detail}}
        note(json.dumps(body, default=str))
    else:
        note(f"{command}: {sentence(failure)}")


def sentence(failure: Error) -> str:
    """The error's message, with what its detail adds for a person."""
    parts = [failure.message]
    if isinstance(failure, InvalidInput):
        for field, problems in (failure.detail.get("fields") or {}).items():
            if not all(problem in failure.message for problem in problems):
                parts.append(f"{field}: {', '.join(problems)}")
    if isinstance(failure, IllegalTransition):
        parts.append(f"Legal now: {', '.join(failure.detail.get('legal') or ['nothing'])}.")
    parts.append("; ".join(map(str, failure.detail.get("reasons") or [])))
    return printable(" ".join(filter(None, parts)))
