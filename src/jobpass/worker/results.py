"""What a job gives as its result is checked before anybody is told of it: it comes from code that nobody trusts.

The client of Perceval takes a result apart by the names of classes in it, some of which make it open connections, and
calls a function that ``job_context`` names. So of its results only what a simulator says is let through.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any, Final

import msgspec

PERCEVAL_CLASSES: Final = frozenset(
    {
        *("BSDistribution", "BSCount", "BSSamples"),
        *("BasicState", "StateVector", "SVDistribution", "PostSelect", "NoiseModel"),  # of an iteration
    }
)
"""Classes in a result, whose texts hold nothing but numbers and states."""
_PREFIX: Final = ":PCVL:"
_ZIP: Final = ":PCVL:zip:"
_ARCHIVE: Final = "pcvlar"
_HEAD_CHARACTERS: Final = 64
"""Of a text, also of a compressed one, so much is looked at: the name of the class stands there."""


MAX_CONTAINERS: Final = 2_000_000
"""Brackets in a result, wherever they stand. Each array of a longer text is an object of the worker's: those of 64 MiB
take gigabytes, and half a minute, in which no lease of another job is renewed."""


def check_json(body: bytes) -> str:
    """The text, if it is one JSON value. Raises ``ValueError`` with what is wrong."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
        return body.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None


def check_perceval(body: bytes) -> str:
    """The text, if it is an object that the client reads without doing more. Raises ``ValueError``."""
    if body.count(b"[") + body.count(b"{") > MAX_CONTAINERS:
        raise ValueError(f"it has more than {MAX_CONTAINERS} arrays and objects")
    text = check_json(body)
    try:
        read = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(read, dict):
        raise ValueError("it is not an object")
    if "job_context" in read:
        raise ValueError("it has a job_context")
    waiting: list[Any] = [read]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.keys()
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str):
            _check_text(value)
    return text


def _check_text(text: str) -> None:
    if text.startswith(_ARCHIVE):
        raise ValueError("it has an archive of objects in it")
    if text.startswith(_ZIP):
        text = _PREFIX + _head(text[len(_ZIP) :])[len(_PREFIX) :]  # it cuts so many, whatever they are
    if text.startswith(_PREFIX) and text[len(_PREFIX) :].partition(":")[0] not in PERCEVAL_CLASSES:
        raise ValueError(f"it has an object of another class in it: {text[:_HEAD_CHARACTERS]}")


def _head(packed: str) -> str:
    """The beginning of a compressed text, without the rest, which may be of any size."""
    try:
        raw = base64.b64decode(packed, validate=True)
        return zlib.decompressobj().decompress(raw, _HEAD_CHARACTERS).decode("utf-8", "replace")
    except (binascii.Error, ValueError, zlib.error):
        raise ValueError("it has a compressed text in it that cannot be read") from None
