"""A job's way through its lifecycle as a picture, for ``jobpass job show``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from jobpass.cli import output
from jobpass.errors import InvalidInput, SetupError

if TYPE_CHECKING:
    from jobpass.client.picture import Format
    from jobpass.client.results import Job
    from jobpass.client.sync import Client

STDOUT: Final = Path("-")

Svg = Annotated[
    Path | None, typer.Option("--svg", help="Draw its way through its lifecycle into this file; - is stdout alone.")
]
Png = Annotated[Path | None, typer.Option("--png", help="The same in pixels, for which graphviz is needed.")]


def draw(client: Client, job: Job, svg: Path | None, png: Path | None) -> bool:
    """Draw what was asked for, and note who laid it out; whether stdout was taken for it."""
    asked: list[tuple[Format, Path]] = []
    if svg is not None:
        asked.append(("svg", svg))
    if png is not None:
        asked.append(("png", png))
    if [path for _, path in asked].count(STDOUT) > 1:
        raise InvalidInput("--svg and --png cannot both go to stdout.")
    if png == STDOUT and sys.stdout.isatty():
        raise InvalidInput("A PNG is nothing for a terminal: name a file.")
    for form, path in asked:
        _draw(client, job, form, path)
    return any(path == STDOUT for _, path in asked)


def _draw(client: Client, job: Job, form: Format, path: Path) -> None:
    from jobpass.client.picture import lifecycle_of, picture

    told = next((one for one in client.lifecycles() if one.name == job.lifecycle), None)
    if told is None:
        raise SetupError(f"The server has no lifecycle {output.printable(job.lifecycle)} any more: nothing to draw.")
    drawn = picture(lifecycle_of(told), client.iter_history(job.uuid), form=form, job=job.uuid)
    if path == STDOUT:
        sys.stdout.buffer.write(drawn.content)
        sys.stdout.buffer.flush()
    else:
        path.write_bytes(drawn.content)
    where = "stdout" if path == STDOUT else path
    output.note(f"{where}: laid out by {'graphviz' if drawn.layout == 'graphviz' else 'Jobpass'}")
