"""``jobpass import`` and ``jobpass export``: from a seed system, and out again."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from jobpass.cli import exits, inputs, options, output
from jobpass.cli.data import Data, Store, folder_of
from jobpass.errors import InvalidInput

if TYPE_CHECKING:
    from jobpass.authority.imports import Counts
    from jobpass.authority.replay import Refused

MOST_LEGACY_DAYS: Final = 366
PLAIN_EVERY: Final = 50_000
"""Documents between two lines of progress where there is no terminal."""
COLUMNS: Final = ("", "read", "imported", "unchanged", "moved on", "refused")

app = options.group("Bring in the jobs and pipelines of a seed system.")


@app.command()
def datacatalog(
    files: Annotated[list[Path], typer.Argument(help="Dumps of jobs and pipelines, plain or gzip; - is stdin.")],
    *,
    data: Data = None,
    store: Store = None,
    legacy_tokens_until: Annotated[
        str | None,
        typer.Option("--legacy-tokens-until", help="Accept the jobs' old tokens until then: 30d, or RFC 3339."),
    ] = None,
    owner_domain: Annotated[
        str, typer.Option("--owner-domain", help="Owners become accounts NAME@DOMAIN without a password.")
    ] = "imported.invalid",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and write nothing.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin at the first document again after an import that did not end.")
    ] = False,
    refused: Annotated[
        Path | None, typer.Option("--refused", help="Write what was refused into this file too, as JSON lines.")
    ] = None,
    as_json: output.Json = False,
) -> int:
    """Import a dump of the datacatalog: MongoDB's extended JSON, one document a line or one array.

    Jobs keep their uuid, history, dates, links and owner. A second run changes nothing. What is refused is told with
    its line and reason, the rest goes on, and the exit code is 10.
    """
    from jobpass import compose
    from jobpass.authority.imports import Options
    from jobpass.clock import SystemClock

    until = None if legacy_tokens_until is None else _until(legacy_tokens_until, SystemClock().now())
    options = Options(owner_domain=owner_domain, legacy_until=until, dry_run=dry_run)
    folder = folder_of(data, store)
    with ExitStack() as stack:
        if gc.isenabled():
            gc.disable()  # nothing here is a circle, and looking for some took a third of the time
            stack.callback(gc.enable)
        told = None if refused is None else stack.enter_context(_new_private(refused))
        watcher = _Watcher(stack, files, told, as_json=as_json)
        asyncio.run(compose.import_files(folder, files, options, watcher, restart=restart))
    watcher.tell(dry_run=dry_run)
    return exits.PARTLY if watcher.refused else exits.OK


@app.command("legacy-tokens")
def legacy_tokens(
    *,
    data: Data = None,
    store: Store = None,
    end: Annotated[bool, typer.Option("--end", help="End all of them now, for good.")] = False,
    as_json: output.Json = False,
) -> None:
    """Tell how many jobs still have a living token of the seed system, or end them all."""
    count = asyncio.run(_legacy_tokens(folder_of(data, store), end=end))
    if as_json:
        output.json_line({"ended" if end else "living": count})
    else:
        output.line(f"{count} old tokens {'were ended' if end else 'live'}.")


async def _legacy_tokens(folder: Path, *, end: bool) -> int:
    from jobpass import compose

    async with compose.open_authority(folder) as authority:
        return await (authority.legacy_tokens.end() if end else authority.legacy_tokens.count())


def export(
    *,
    data: Data = None,
    store: Store = None,
    out: Annotated[Path | None, typer.Option("--output", help="Write into this new file instead of stdout.")] = None,
    packed: Annotated[bool, typer.Option("--gzip", help="Pack it.")] = False,
    as_json: output.Json = False,
) -> None:
    """Write all pipelines and jobs with their histories as a dump that import reads: no secrets are in it."""
    from jobpass import compose

    folder = folder_of(data, store)
    with ExitStack() as stack:
        file: IO[bytes] = sys.stdout.buffer if out is None else stack.enter_context(_new_private(out))
        if packed:  # without a time and a name in it, so that the same record gives the same bytes
            file = cast(IO[bytes], stack.enter_context(gzip.GzipFile("", "wb", fileobj=file, mtime=0)))
        count = asyncio.run(compose.export(folder, file.write))
    told = json.dumps({"documents": count}) if as_json else f"{count} documents were written."
    output.note(told) if out is None else output.line(told)


def _until(text: str, now: datetime) -> datetime:
    at = inputs.read_moment(text, "--legacy-tokens-until", now, past=False)
    if not now < at <= now + timedelta(days=MOST_LEGACY_DAYS):
        raise InvalidInput(f"--legacy-tokens-until must lie in the next {MOST_LEGACY_DAYS} days: {text}")
    return at.replace(microsecond=0)


def _new_private(path: Path) -> AbstractContextManager[IO[bytes]]:
    """A new file for this user alone; ``InvalidInput`` if there is something."""
    try:
        return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be made: {error.strerror}.") from None


class _Watcher:
    """Shows how an import goes, and what became of it."""

    def __init__(self, stack: ExitStack, files: list[Path], told: IO[bytes] | None, *, as_json: bool) -> None:
        self._stack = stack
        self._told = told
        self._as_json = as_json
        self._ended: list[tuple[str, Counts]] = []
        self._source = ""
        self._shown = 0
        self._sizes = {file.name: file.stat().st_size for file in files if file.is_file()}
        self._bar: Callable[[int, int], None] | None = None

    @property
    def refused(self) -> int:
        """How many documents were refused."""
        return sum(counts.refused for _, counts in self._ended)

    def begin(self, source: str, skipped: int) -> None:
        """As ``compose.migration.Watcher``."""
        self._source, self._shown = source, 0
        if skipped:
            output.note(f"{source}: goes on behind document {skipped}.")
        if sys.stderr.isatty():
            self._bar = _bar(self._stack, source, self._sizes.get(source))

    def batch(self, counts: Counts, refused: list[Refused], position: int) -> None:
        """As ``compose.migration.Watcher``."""
        for one in refused:
            place = f"{self._source}:{one.line}"
            output.note(output.printable(f"{place}: {one.uuid or 'no uuid'}: {one.reason}"))
            if self._told is not None:
                entry = {"file": self._source, "line": one.line, "kind": one.kind, "uuid": one.uuid}
                self._told.write(json.dumps(entry | {"reason": one.reason}).encode() + b"\n")
        if self._told is not None:
            self._told.flush()
        if self._bar is not None:
            self._bar(position, counts.read)
        elif counts.read - self._shown >= PLAIN_EVERY:
            self._shown = counts.read
            output.note(f"{self._source}: {counts.read} documents")

    def end(self, source: str, counts: Counts) -> None:
        """As ``compose.migration.Watcher``."""
        self._ended.append((source, counts))

    def tell(self, *, dry_run: bool) -> None:
        """Show what became of all files."""
        import msgspec

        if self._as_json:
            files = [{"file": source, **msgspec.to_builtins(counts)} for source, counts in self._ended]
            output.json_line({"dry_run": dry_run, "files": files})
            return
        rows: list[tuple[Any, ...]] = []
        for source, counts in self._ended:
            for kind in ("pipelines", "jobs", "others"):
                found = msgspec.structs.astuple(getattr(counts, kind))
                if found[0]:
                    rows.append((f"{source}: {kind}", *found))
        output.table(COLUMNS, rows)
        legacy = sum(counts.legacy for _, counts in self._ended)
        if legacy:
            output.note(f"The old tokens of {legacy} jobs {'would be' if dry_run else 'are'} accepted.")
        if dry_run:
            output.note("Nothing was written.")


def _bar(stack: ExitStack, source: str, size: int | None) -> Callable[[int, int], None]:
    """A bar on stderr; it is told the bytes and the documents that were read."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[documents]:,}"))
    progress = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    stack.enter_context(progress)
    task = progress.add_task(output.printable(source), total=size, documents=0)
    return lambda position, documents: progress.update(task, completed=position, documents=documents)
