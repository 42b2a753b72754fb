"""Is what a worker sends as a result one: looked at as it comes, whatever its size.

A result is the text of a JSON object without a member ``job_context``, which would have a client import code. One of up
to a mebibyte is read whole. Of a longer one the texts and brackets are followed, so that its members are known; whether
the values between them are sound JSON is the reader's to find out.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, Final

import msgspec

from jobpass.errors import InvalidInput
from jobpass.ids import MAX_DEPTH

FIELD: Final = "json.results"
FORBIDDEN: Final = "job_context"
WHOLE_BYTES: Final = 1024 * 1024
"""Up to here a result is read whole."""
MAX_NAME_BYTES: Final = 4096
"""Of a member's name, as it is written."""

# A whole text, a bracket, a colon, or a quotation mark that begins a text which is not all there yet.
_PART: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[{}\[\]:]|"', re.DOTALL)
_END: Final = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class ResultCheck:
    """Takes the chunks of a result in their order; ``InvalidInput`` as soon as it cannot be one."""

    def __init__(self) -> None:
        self._first: list[bytes] | None = []
        self._size = 0
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._depth = 0
        self._begun = self._ended = False
        self._pending = b""  # the beginning of a text that is not whole
        self._in_value = False  # within a text too long to be a member's name
        self._name: bytes | None = None  # the last text at depth 1, which a colon would make a member's name

    def feed(self, chunk: bytes) -> None:
        """Look at the next chunk."""
        self._size += len(chunk)
        if self._first is not None:
            self._first.append(chunk)
            if self._size > WHOLE_BYTES:
                chunks, self._first = self._first, None
                for early in chunks:
                    self._follow(early)
            return
        self._follow(chunk)

    def finish(self) -> None:
        """That was all."""
        if self._first is not None:
            _check_whole(b"".join(self._first))
            return
        self._decode(b"", final=True)
        if self._depth or not self._ended or self._pending or self._in_value:
            raise _refusal("ends too early")

    def _follow(self, chunk: bytes) -> None:
        self._decode(chunk)
        data, place = self._pending + chunk, 0
        self._pending = b""
        if self._in_value:
            place = self._behind_text(data)
        while place < len(data):
            found = _PART.search(data, place)
            between = data[place : found.start() if found else len(data)]
            if between and not between.isspace():
                self._word()
            if found is None:
                return
            part = found.group()
            place = found.end()
            if part == b'"':
                place = self._begin_text(data, found.start())
            else:
                self._part(part)

    def _behind_text(self, data: bytes) -> int:
        """The place behind the text that was begun, or the end if it goes on."""
        end = _END.match(data)
        if end is not None:
            self._in_value = False
            return end.end()
        if _ends_in_escape(data):  # the escaped character comes with the next chunk
            self._pending = b"\\"
        return len(data)

    def _begin_text(self, data: bytes, start: int) -> int:
        """A text goes on in the next chunk: wait for a short one, pass over a long one."""
        if len(data) - start <= MAX_NAME_BYTES:
            self._pending = data[start:]
            return len(data)
        self._part(b'""')
        self._in_value = True
        if _ends_in_escape(data[start:]):
            self._pending = b"\\"
        return len(data)

    def _word(self) -> None:
        """Something between texts and brackets: a number, a comma, a word."""
        self._name = None
        if not self._depth:
            raise _refusal("must be the text of a JSON object")

    def _part(self, part: bytes) -> None:
        if part[:1] == b'"':
            self._word()
            self._name = part if self._depth == 1 else None
        elif part == b":":
            self._check_name()
        elif part in (b"{", b"["):
            if self._ended or (not self._depth and part == b"["):
                raise _refusal("must be the text of a JSON object")
            self._begun = True
            self._depth += 1
            self._name = None
            if self._depth > MAX_DEPTH:
                raise _refusal(f"must not be nested deeper than {MAX_DEPTH}")
        else:
            self._depth -= 1
            self._name = None
            if self._depth < 0:
                raise _refusal("must be the text of a JSON object")
            self._ended = not self._depth

    def _check_name(self) -> None:
        if self._depth == 1 and self._name is not None:
            try:
                name = json.loads(self._name)
            except ValueError:
                raise _refusal("has a member whose name is no text") from None
            _refuse_forbidden({name: None})
        self._name = None

    def _decode(self, chunk: bytes, *, final: bool = False) -> None:
        try:
            self._utf8.decode(chunk, final)
        except UnicodeDecodeError:
            raise _refusal("is not UTF-8") from None


def small_object(text: bytes, field: str, most: int) -> bytes:
    """``text`` if it is that of a JSON object of at most ``most`` bytes without ``job_context``."""
    if len(text) > most:
        raise InvalidInput.at(field, f"must have at most {most} bytes")
    try:
        _check_whole(text)
    except InvalidInput as error:
        raise InvalidInput.at(field, error.message.partition(": ")[2]) from None
    return text


def _check_whole(text: bytes) -> None:
    try:
        text.decode()
        members = _decode_object(text)
    except (ValueError, RecursionError):  # msgspec's own errors and UnicodeDecodeError are ValueErrors
        raise _refusal("must be the text of a JSON object") from None
    _refuse_forbidden(members)


def _refuse_forbidden(members: dict[str, Any]) -> None:
    if FORBIDDEN in members:
        raise _refusal(f"must not have a member {FORBIDDEN}: a client would import what that names")


def _ends_in_escape(data: bytes) -> bool:
    """Whether the last character is a backslash that escapes the next one."""
    return (len(data) - len(data.rstrip(b"\\"))) % 2 == 1


def _refusal(problem: str) -> InvalidInput:
    return InvalidInput.at(FIELD, problem)
