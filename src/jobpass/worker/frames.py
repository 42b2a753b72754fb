"""What the worker and a job's process say to each other over their socket: headers with a body of bytes.

A frame is two lengths (four bytes each, big-endian), a header in JSON and the body. What a job's process says is not
trusted: every length is bounded before anything is read.
"""

from __future__ import annotations

import struct
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

HEADER_BYTES: Final = 64 * 1024
LENGTHS: Final = struct.Struct(">II")


class Begin(Struct, frozen=True, tag="begin", kw_only=True):
    """Worker → job: the work; the body is its payload."""

    job_id: str
    command: str
    max_duration_seconds: float
    max_shots: int | None
    max_samples: int | None


class Stop(Struct, frozen=True, tag="stop"):
    """Worker → job: end soon."""


class Told(Struct, frozen=True, tag="told"):
    """Job → worker: progress; with ``partial`` the body is what there is so far."""

    fraction: Annotated[float, Meta(ge=0, le=1)]
    message: str
    partial: bool = False


class Done(Struct, frozen=True, tag="done"):
    """Job → worker: the body is the result."""

    shots: Annotated[int, Meta(ge=0)] | None = None


class Broke(Struct, frozen=True, tag="broke"):
    """Job → worker: it failed."""

    failure_code: str
    message: str


class Stopped(Struct, frozen=True, tag="stopped"):
    """Job → worker: it ended because it was told to; with ``partial`` the body is what it has."""

    partial: bool = False


ToJob = Begin | Stop
FromJob = Told | Done | Broke | Stopped

to_job: Final = msgspec.json.Decoder(ToJob)
from_job: Final = msgspec.json.Decoder(FromJob)
_encode: Final = msgspec.json.Encoder().encode


class BadFrame(Exception):  # noqa: N818 - a frame, not an error of ours
    """What came is not a frame, or is larger than it may be."""


def pack(header: ToJob | FromJob, body: bytes = b"") -> bytes:
    """The bytes of a frame."""
    head = _encode(header)
    return LENGTHS.pack(len(head), len(body)) + head + body


class Buffer:
    """Takes bytes as they come, and gives the frames that are whole."""

    def __init__(self, body_bytes: int) -> None:
        self._bytes = bytearray()
        self._body_bytes = body_bytes

    def add(self, data: bytes) -> None:
        """Take more."""
        self._bytes += data

    def next(self) -> tuple[bytes, bytes] | None:
        """The next header and body; None if it is not all there. Raises ``BadFrame`` if it is too large."""
        if len(self._bytes) < LENGTHS.size:
            return None
        head, body = LENGTHS.unpack_from(self._bytes)
        if head > HEADER_BYTES or body > self._body_bytes:
            raise BadFrame(f"a frame with {head} and {body} bytes is too large")
        end = LENGTHS.size + head + body
        if len(self._bytes) < end:
            return None
        start = LENGTHS.size + head
        found = bytes(self._bytes[LENGTHS.size : start]), bytes(self._bytes[start:end])
        del self._bytes[:end]
        return found
