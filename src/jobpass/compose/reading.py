"""A dump, read by a process of its own: on a second core, and where no key and no database is open.

That process (``reader.py``) writes messages to its stdout: four bytes of length, then MessagePack.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import msgspec
from msgspec import Struct

from jobpass.authority.replay import Read
from jobpass.compose import dump
from jobpass.errors import Error, InvalidInput

LENGTH_BYTES: Final = 4


class Request(Struct, frozen=True):
    """What to read: a file for the import into a data folder, behind its first ``documents`` of this digest."""

    folder: Path
    file: Path
    owner_domain: str
    old_tokens: bool
    documents: int = 0
    digest: bytes = b""

    def arguments(self) -> list[str]:
        """The request as texts."""
        flag = "with old tokens" if self.old_tokens else ""
        return [str(self.folder), str(self.file), self.owner_domain, flag, str(self.documents), self.digest.hex()]

    @classmethod
    def of(cls, arguments: list[str]) -> Request:
        """Inverse of ``arguments``."""
        folder, file, owner_domain, flag, documents, digest = arguments
        return cls(Path(folder), Path(file), owner_domain, bool(flag), int(documents), bytes.fromhex(digest))


class Batch(Struct, frozen=True, tag=True):
    """What was read, and where it ends: after how many documents, of which digest, and bytes of the file."""

    read: Read
    documents: int
    digest: bytes
    position: int


class End(Struct, frozen=True, tag=True):
    """The file has ended; ``flaw`` says why, if it could not be read to its end."""

    flaw: str | None = None


_decode = msgspec.msgpack.Decoder(Batch | End).decode


class Reading:
    """The batches of a file, from the child that reads it."""

    def __init__(self, process: subprocess.Popen[bytes], pipe: IO[bytes]) -> None:
        self._process = process
        self._pipe = pipe

    async def next(self) -> Batch | None:
        """The next batch, None at the end; ``InvalidInput`` if the file cannot be read any further."""
        found = _decode(await asyncio.to_thread(self._message))
        if isinstance(found, Batch):
            return found
        if found.flaw is not None:
            raise InvalidInput(found.flaw)
        return None

    def _message(self) -> bytes:
        size = self._pipe.read(LENGTH_BYTES)
        message = self._pipe.read(int.from_bytes(size, "big"))
        if len(size) < LENGTH_BYTES or len(message) < int.from_bytes(size, "big"):
            raise Error(f"The process that reads the dump has ended with status {self._process.wait()}.")
        return message


@contextmanager
def reading(request: Request) -> Iterator[Reading]:
    """The child at work; it is ended at the end."""
    stdin = None if str(request.file) == dump.STDIN else subprocess.DEVNULL
    # Ctrl-C reaches all processes of a terminal, and is ours alone to answer: a child inherits what is blocked.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process = subprocess.Popen(  # noqa: S603 - this very package
            [sys.executable, "-P", "-m", "jobpass.compose.reader", *request.arguments()],
            stdin=stdin,
            stdout=subprocess.PIPE,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with process:
        assert process.stdout is not None
        try:
            yield Reading(process, process.stdout)
        finally:
            process.kill()
