"""A seed system's catalogue into a data folder, and out of it; also beside a server of that folder."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol

from jobpass.authority.imports import Counts, Document, Place, Refused
from jobpass.compose import dump
from jobpass.compose.installation import open_authority
from jobpass.errors import InvalidInput

if TYPE_CHECKING:
    from jobpass.authority.imports import Imports, Options
    from jobpass.records import Progress

BATCH_DOCUMENTS: Final = 500
BATCH_BYTES: Final = 4 * 1024 * 1024
"""What one transaction writes at the most, or one document."""
PAUSE_SECONDS: Final = 0.002
"""After a batch is handed over: time for it to reach the disk's queue, and for a server that waits for its turn."""


class Watcher(Protocol):
    """Who is told how an import goes."""

    def begin(self, source: str, skipped: int) -> None:
        """A file begins; ``skipped`` documents were done before."""

    def batch(self, counts: Counts, refused: list[Refused], position: int) -> None:
        """A batch is on the disk; ``position`` is how many bytes of the file were read."""

    def end(self, source: str, counts: Counts) -> None:
        """A file has ended."""


async def import_files(
    folder: Path, files: Iterable[Path], options: Options, watcher: Watcher, *, restart: bool = False
) -> None:
    """Import the files one after the other, each where an earlier import of it ended, unless ``restart``.

    Raises ``InvalidInput`` for a file that cannot be read to its end; what was imported by then stays, and the next
    import goes on there.
    """
    async with open_authority(folder) as authority:
        imports = authority.imports(options)
        for file in files:
            with dump.opened(file) as (stream, raw):
                await _import(imports, _Dump(file.name, stream, raw), watcher, restart=restart)


async def _import(imports: Imports, dumped: _Dump, watcher: Watcher, *, restart: bool) -> None:
    source = dumped.source
    progress = None if restart else await imports.progress(source)
    if progress is not None:
        dumped.skip(progress)
    await imports.begin(source, progress)
    watcher.begin(source, 0 if progress is None else progress.documents)

    def told(refused: list[Refused]) -> None:
        watcher.batch(imports.counts, refused, dumped.position)

    writing: asyncio.Task[list[Refused]] | None = None
    try:
        while batch := dumped.batch():
            prepared = await imports.prepare(batch)
            if writing is not None:
                told(await writing)
            writing = asyncio.create_task(imports.write(prepared, dumped.place()))
            await asyncio.sleep(PAUSE_SECONDS)  # while the disk is waited for, the next batch is read
    finally:
        if writing is not None:
            told(await writing)
    await imports.end(source)
    watcher.end(source, imports.counts)


async def export(folder: Path, write: Callable[[bytes], object]) -> int:
    """Write every pipeline and job as a line of extended JSON; how many lines."""
    count = 0
    async with open_authority(folder) as authority:
        async for document in authority.export():
            write(document + b"\n")
            count += 1
        await authority.audit.record("exported", documents=count)
    return count


class _Dump:
    """A file's documents, with the digest of those that were taken."""

    def __init__(self, source: str, stream: IO[bytes], raw: IO[bytes]) -> None:
        self.source = source
        self._raw = raw
        self._documents = dump.documents(stream)
        self._count = 0
        self._digest = hashlib.sha256()

    @property
    def position(self) -> int:
        """How many bytes of the file were read; 0 if it does not tell."""
        return self._raw.tell() if self._raw.seekable() else 0

    def place(self) -> Place:
        """Where the documents taken so far end."""
        return Place(self.source, self._count, self._digest.digest())

    def skip(self, progress: Progress) -> None:
        """Pass over the documents that are done; ``InvalidInput`` if the file does not begin with them."""
        for _, text in islice(self._documents, progress.documents):
            self._take(text)
        if self.place() != Place(progress.source, progress.documents, progress.digest):
            raise InvalidInput(
                f"{self.source} does not begin as the file of this name whose import did not end: "
                "--restart begins anew."
            )

    def batch(self) -> list[Document]:
        """The next documents, read strictly; none at the end."""
        found: list[Document] = []
        size = 0
        for line, text in self._documents:
            self._take(text)
            found.append(dump.read(line, text))
            size += len(text)
            if len(found) == BATCH_DOCUMENTS or size > BATCH_BYTES:
                break
        return found

    def _take(self, text: bytes) -> None:
        self._count += 1
        self._digest.update(len(text).to_bytes(8, "big"))
        self._digest.update(text)
