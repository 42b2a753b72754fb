"""What the commands print: tables and colour on a terminal, plain lines elsewhere, JSON when asked."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobpass.errors import Error, IllegalTransition, InvalidInput

if TYPE_CHECKING:
    from rich.console import Console

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


def compact(value: Any, longest: int = 2000) -> str:
    """The value as JSON in one line that cannot steer a terminal, cut after ``longest`` characters."""
    text = printable(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def moment(at: datetime) -> str:
    """The moment in UTC, to the millisecond."""
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}Z"


def printable(value: Any) -> str:
    """The value in one line that cannot steer a terminal: control characters are shown as escapes."""
    text = "-" if value is None else str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Rows under headings on a terminal; elsewhere one line a row, tabs between, no headings."""
    if not sys.stdout.isatty():
        for row in rows:
            line("\t".join(printable(cell) for cell in row))
        return
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        drawn.add_row(*(Text(printable(cell)) for cell in row))
    console().print(drawn)


def fields(pairs: Iterable[tuple[str, Any]]) -> None:
    """One ``name: value`` a line."""
    for name, value in pairs:
        line(f"{name}: {printable(value)}")


def console() -> Console:
    """A console on stdout."""
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=True)


def error(failure: Error, *, as_json: bool) -> None:
    """The error on stderr: one line, or its object."""
    if as_json:
        body = {"error": failure.message, "detail": {"code": failure.code, **failure.detail}}
        note(json.dumps(body, default=str))
    else:
        note(f"jobpass: {sentence(failure)}")


def sentence(failure: Error) -> str:
    """The error's message, with what its detail adds for a person."""
    parts = [failure.message]
    if isinstance(failure, InvalidInput):
        fields_ = failure.detail.get("fields") or {}
        named = [f"{field}: {', '.join(problems)}" for field, problems in fields_.items()]
        parts += [text for text in named if text not in failure.message]
    if isinstance(failure, IllegalTransition):
        parts.append(f"Legal now: {', '.join(failure.detail.get('legal') or ['nothing'])}.")
    parts += [str(reason) for reason in failure.detail.get("reasons") or []]
    return printable(" ".join(parts))
