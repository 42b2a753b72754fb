"""Reads the documents of a dump, plain or gzip, one a line or in one array: never more in memory than one of them."""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import IO, Final, cast

from jobpass.authority.replay import Document
from jobpass.errors import InvalidInput
from jobpass.ids import MAX_DEPTH
from jobpass.wire import strict

STDIN: Final = "-"
"""The name that stands for stdin."""
MAX_DOCUMENT_BYTES: Final = 32 * 1024 * 1024
"""MongoDB's own bound is 16 MiB of BSON, of which extended JSON makes about twice as much."""
MAX_TOKENS: Final = 1_000_000
"""Texts, commas and opening brackets of one document: a few bytes in the file can be a hundred in memory."""
READ_BYTES: Final = 1024 * 1024
_DEPTH: Final = MAX_DEPTH + 3
"""A document, its history, an entry, and in that data as deep as any."""
_GZIP: Final = b"\x1f\x8b"
_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = b" \t\r\n"
_COUNTED: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[,\[{]', re.DOTALL)
_NO_SPACE: Final = re.compile(rb"[^ \t\r\n]")
# A text, a bracket, or a quotation mark that begins a text which is not all there yet.
_TOKEN: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]]|"', re.DOTALL)


@contextmanager
def opened(file: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The dump's bytes, unpacked if need be, and the file that they come from (to see how far that is read).

    ``-`` is stdin. ``InvalidInput`` if the file cannot be read.
    """
    try:
        raw = cast(BufferedReader, sys.stdin.buffer) if str(file) == STDIN else file.open("rb")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from None
    try:
        packed = raw.peek(2)[:2] == _GZIP
        yield (cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if packed else raw), raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InvalidInput(f"{file} is a broken gzip file: {error}.") from None
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror or error}.") from None
    finally:
        if raw is not sys.stdin.buffer:
            raw.close()


def documents(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Each document's line and text, None for a line that is too long.

    ``InvalidInput`` where an array does not go on as one.
    """
    first = stream.read(READ_BYTES).removeprefix(_BOM)
    return _in_array(stream, first) if first.lstrip(_SPACE)[:1] == b"[" else _in_lines(stream, first)


def read(line: int, text: bytes | None) -> Document:
    """The document of a text, with its flaw if it is not sound JSON, or too large."""
    if text is None:
        return Document(line, b"", f"is longer than {MAX_DOCUMENT_BYTES} bytes")
    if len(text) > MAX_TOKENS and any(islice(_COUNTED.finditer(text), MAX_TOKENS, None)):
        return Document(line, b"", f"holds more than {MAX_TOKENS} texts, commas and opening brackets")
    try:
        strict.check(text, _DEPTH, MAX_TOKENS)
    except InvalidInput as error:
        return Document(line, b"", error.message.removeprefix(f"{strict.BODY}: ").removeprefix("json."))
    return Document(line, text)


def _in_lines(stream: IO[bytes], pending: bytes) -> Iterator[tuple[int, bytes | None]]:
    number = 0
    while True:
        *lines, pending = pending.split(b"\n")
        for line in lines:
            number += 1
            if line and not line.isspace():
                yield number, line.strip(_SPACE) if len(line) <= MAX_DOCUMENT_BYTES else None
        if len(pending) > MAX_DOCUMENT_BYTES:
            number += 1
            yield number, None
            pending = _behind_line(stream)
            continue
        more = stream.read(max(READ_BYTES, len(pending)))
        if not more:
            if pending and not pending.isspace():
                yield number + 1, pending.strip(_SPACE)
            return
        pending += more


def _behind_line(stream: IO[bytes]) -> bytes:
    """Pass over the rest of a line; what was read of those behind it."""
    while more := stream.read(READ_BYTES):
        _, end, rest = more.partition(b"\n")
        if end:
            return rest
    return b""


class _Array:
    """A position in an array of documents: ``bytes`` from ``at`` on are not split yet."""

    def __init__(self, stream: IO[bytes], pending: bytes) -> None:
        self._stream = stream
        self.bytes = pending
        self.at = 0
        self.line = 1

    def step(self, end: int) -> bytes:
        """Go on behind what ends at ``end``, and answer that."""
        passed = self.bytes[self.at : end]
        self.line += passed.count(b"\n")
        self.at = end
        return passed

    def next(self) -> bytes:
        """The next byte that is no space, empty at the end of the file."""
        while True:
            found = _NO_SPACE.search(self.bytes, self.at)
            self.step(found.start() if found else len(self.bytes))
            if found or not self.more():
                return self.bytes[self.at : self.at + 1]

    def more(self) -> bool:
        """Read on; False at the end of the file."""
        rest = self.bytes[self.at :]
        if len(rest) > MAX_DOCUMENT_BYTES:
            raise InvalidInput(f"The document on line {self.line} is longer than {MAX_DOCUMENT_BYTES} bytes.")
        read_on = self._stream.read(max(READ_BYTES, len(rest)))
        self.bytes, self.at = rest + read_on, 0
        return bool(read_on)

    def document(self) -> bytes:
        """The document that begins here, read on until it is all there."""
        depth, seen = 0, 0
        while True:
            for found in _TOKEN.finditer(self.bytes, self.at + seen):
                token = found[0]
                if token == b'"':
                    seen = found.start() - self.at
                    break
                if token in b"{[":
                    depth += 1
                elif token in b"]}":
                    depth -= 1
                    if depth == 0:
                        return self.step(found.end())
                seen = found.end() - self.at
            if not self.more():
                raise self.broken("the file ends within a document")

    def broken(self, why: str) -> InvalidInput:
        """The error of an array that cannot be split any further."""
        return InvalidInput(f"The array breaks off on line {self.line}: {why}.")


def _in_array(stream: IO[bytes], pending: bytes) -> Iterator[tuple[int, bytes]]:
    """Documents between the brackets of one array; what is in them is not looked at, only where they end."""
    array = _Array(stream, pending)
    array.next()
    array.at += 1
    after = array.next()
    while after != b"]":
        if array.next() != b"{":
            raise array.broken("there is no document where one should begin")
        line = array.line
        yield line, array.document()
        after = array.next()
        if after not in (b",", b"]"):
            raise array.broken("there is neither a comma nor an end behind a document")
        array.at += after == b","
    array.at += 1
    if array.next():
        raise array.broken("something stands behind its end")
