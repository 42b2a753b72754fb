"""The process that reads a dump: it splits, decodes and checks the documents, and writes to stdout what they tell."""

from __future__ import annotations

import gc
import hashlib
import signal
import sys
from collections.abc import Iterator
from itertools import islice
from typing import IO, Final

import msgspec

from jobpass.authority.replay import Document, Replay
from jobpass.clock import SystemClock
from jobpass.compose import dump
from jobpass.compose.folder import read_lifecycles
from jobpass.compose.installation import open_archives
from jobpass.compose.reading import LENGTH_BYTES, Batch, End, Request
from jobpass.errors import Error, InvalidInput
from jobpass.settings import environment, load

BATCH_DOCUMENTS: Final = 500
BATCH_BYTES: Final = 4 * 1024 * 1024
"""What a batch has at the most, or one document."""
_encode = msgspec.msgpack.Encoder().encode


def main(arguments: list[str]) -> None:
    """Read the file of a request; ends by itself when nobody reads the answer any more."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    gc.disable()  # nothing here is a circle, and looking for some takes a third of the time
    try:
        for batch in _batches(Request.of(arguments)):
            _write(batch)
        _write(End())
    except Error as error:
        _write(End(error.message))


def _write(message: Batch | End) -> None:
    text = _encode(message)
    sys.stdout.buffer.write(len(text).to_bytes(LENGTH_BYTES, "big") + text)
    sys.stdout.buffer.flush()


def _batches(request: Request) -> Iterator[Batch]:
    settings = load(environment(), data=request.folder).settings
    replay = Replay(
        read_lifecycles(request.folder),
        open_archives(settings),
        SystemClock(),
        owner_domain=request.owner_domain,
        old_tokens=request.old_tokens,
    )
    with dump.opened(request.file) as (stream, raw):
        documents = _Documents(stream)
        if request.documents:
            documents.skip(request)
        while batch := documents.batch():
            position = raw.tell() if raw.seekable() else 0
            yield Batch(replay.read(batch), documents.count, documents.digest, position)


class _Documents:
    """A file's documents, with the digest of those that were taken."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._documents = dump.documents(stream)
        self._digest = hashlib.sha256()
        self.count = 0

    @property
    def digest(self) -> bytes:
        """SHA-256 of the documents taken so far."""
        return self._digest.digest()

    def skip(self, request: Request) -> None:
        """Pass over the documents that are done; ``InvalidInput`` if the file does not begin with them."""
        for _, text in islice(self._documents, request.documents):
            self._take(text)
        if (self.count, self.digest) != (request.documents, request.digest):
            raise InvalidInput(
                f"{request.file.name} does not begin as the file of this name whose import did not end: "
                "--restart begins anew."
            )

    def batch(self) -> list[Document]:
        """The next documents, read strictly; none at the end."""
        found: list[Document] = []
        size = 0
        for line, text in self._documents:
            self._take(text)
            found.append(dump.read(line, text))
            size += len(text or b"")
            if len(found) == BATCH_DOCUMENTS or size > BATCH_BYTES:
                break
        return found

    def _take(self, taken: bytes | None) -> None:
        text = taken or b""
        self.count += 1
        self._digest.update(len(text).to_bytes(8, "big"))
        self._digest.update(text)


if __name__ == "__main__":
    main(sys.argv[1:])
