"""A seed system's catalogue into a data folder, and out of it; also beside a server of that folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from msgspec.structs import replace

from jobpass.authority.imports import Counts, Place
from jobpass.compose.installation import open_authority
from jobpass.compose.reading import Request, reading

if TYPE_CHECKING:
    from jobpass.authority.imports import Imports, Options, Prepared
    from jobpass.authority.replay import Refused
    from jobpass.compose.reading import Batch, Reading
    from jobpass.records import Progress

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
            progress = None if restart else await imports.progress(file.name)
            request = Request(folder, file, options.owner_domain, options.legacy_until is not None)
            if progress is not None:
                request = replace(request, documents=progress.documents, digest=progress.digest)
            with reading(request) as found:
                await _import(imports, found, file.name, progress, watcher)


async def _import(imports: Imports, found: Reading, source: str, progress: Progress | None, watcher: Watcher) -> None:
    batch = await found.next()  # first, so that nothing is said of a file that cannot be read
    await imports.begin(source, progress)
    watcher.begin(source, 0 if progress is None else progress.documents)
    writing: asyncio.Task[None] | None = None

    async def write(prepared: Prepared, batch: Batch) -> None:
        refused = await imports.write(prepared, Place(source, batch.documents, batch.digest))
        watcher.batch(imports.counts, refused, batch.position)

    try:
        while batch is not None:
            prepared = await imports.prepare(batch.read)
            if writing is not None:
                await writing
            writing = asyncio.create_task(write(prepared, batch))
            await asyncio.sleep(PAUSE_SECONDS)  # while the disk is waited for, the next batch is read
            batch = await found.next()
    finally:
        if writing is not None:
            await writing
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
