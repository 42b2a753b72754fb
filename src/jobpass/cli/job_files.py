"""``jobpass job index`` and ``jobpass job files``: the files of a job's archive path."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jobpass.cli import connect, exits, inputs, options, output
from jobpass.errors import InvalidInput

if TYPE_CHECKING:
    from jobpass.wire.files import IndexAnswer


def index(
    uuid: options.Uuid,
    *,
    pattern: Annotated[
        list[str] | None, typer.Option("--pattern", help="Files whose names have this; may be given again.")
    ] = None,
    filters: Annotated[
        str | None, typer.Option("--filters", help="Filters as a JSON array, or @FILE (@- is stdin).")
    ] = None,
    level: Annotated[str, typer.Option("--level", help="The level of files whose filter names none.")] = "1",
    no_fixity: Annotated[bool, typer.Option("--no-fixity", help="Do not read the files for their digests.")] = False,
    no_indexed: Annotated[bool, typer.Option("--no-indexed", help="Do not send indexed at the end.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Begin it, and leave.")] = False,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> int:
    """Record the files of a job's archive path; exit code 1 if that did not end well."""
    wanted = [*(pattern or []), *_filters(filters)]
    with connect.connect(url, token_file) as client:
        client.index_job(uuid, wanted or None, level=level, fixity=not no_fixity, transition=not no_indexed)
        if no_wait:
            last = client.indexing(uuid)
        else:
            with _bar() as show:
                for last in client.follow_index(uuid):
                    show(last)
    if as_json:
        output.json_line(last)
    else:
        names = ("uuid", "state", "files", "bytes", "error")
        output.fields((name, getattr(last, name)) for name in names if name != "error" or last.error)
    return exits.NO if last.error else exits.OK


def files(
    uuid: options.Uuid,
    *,
    kind: Annotated[Literal["archive", "product"] | None, typer.Option("--kind", help="Only these.")] = None,
    level: Annotated[str | None, typer.Option("--level", help="Only files of this level.")] = None,
    limit: options.Limit = None,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """List the files that indexing recorded; with --json one object a line."""
    with connect.connect(url, token_file) as client:
        found = islice(client.iter_files(uuid, kind=kind, level=level, limit=min(limit or 1000, 1000)), limit)
        if as_json:
            for file in found:
                output.json_line(file)
        elif sys.stdout.isatty():
            columns = ("level", "kind", "bytes", "sha256", "path")
            output.table(columns, [(f.level, f.kind, f.size, (f.sha256 or "-")[:12], f.path) for f in found])
        else:
            for file in found:  # a line at a time: there may be very many
                cells = (file.level, file.kind, file.size, file.sha256, file.path)
                output.line("\t".join(map(output.printable, cells)))


def _filters(text: str | None) -> list[object]:
    found = [] if text is None else inputs.read_json(text, "--filters")
    if not isinstance(found, list):
        raise InvalidInput.at("--filters", "must be a JSON array")
    return found


@contextmanager
def _bar() -> Iterator[Callable[[IndexAnswer], None]]:
    """What shows how far an indexing is: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.filesize import decimal
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("files, {task.fields[size]}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=None, size=decimal(0))
        yield lambda now: progress.update(task, total=now.total_files, completed=now.files, size=decimal(now.bytes))
