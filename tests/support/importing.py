"""Imports a dump as the command does, but in this process."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from jobpass.archives import FileArchives
from jobpass.authority.imports import Imports, Options, Place
from jobpass.authority.replay import Refused, Replay
from jobpass.compose import dump

if TYPE_CHECKING:
    from jobpass.authority.authority import Authority
    from jobpass.clock import Clock


async def bring(
    authority: Authority, clock: Clock, text: bytes, options: Options, size: int = 100
) -> tuple[Imports, list[Refused]]:
    """Import the documents of a dump in batches; the import, with its counts, and what was refused."""
    replay = Replay(
        authority.lifecycles,
        FileArchives(),
        clock,
        owner_domain=options.owner_domain,
        old_tokens=options.legacy_until is not None,
    )
    imports = authority.imports(options)
    await imports.begin("dump")
    documents = [dump.read(line, found) for line, found in dump.documents(io.BytesIO(text))]
    refused = []
    for start in range(0, len(documents), size):
        batch = documents[start : start + size]
        prepared = await imports.prepare(replay.read(batch))
        refused += await imports.write(prepared, Place("dump", start + len(batch), b"digest"))
    await imports.end("dump")
    return imports, refused
