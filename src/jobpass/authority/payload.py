"""What Jobpass reads of a payload: little, and never what it stands for."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from jobpass.errors import InvalidInput

MAX_SHOTS: Final = 2**53
"""Whole numbers up to here are the same in every JSON reader."""
MAX_COMMAS: Final = 200_000
"""In an iterator: what is longer is refused before it is taken apart."""
MAX_COMMAND_LENGTH: Final = 64

_Count = Annotated[int, Meta(ge=0, le=MAX_SHOTS)]


class Summary(Struct, frozen=True):
    """The part of a payload that is read; ``iterations`` is how many its iterator has."""

    command: str = ""
    max_shots: int | None = None
    max_samples: int | None = None
    iterations: int | None = None


class _Head(Struct):
    """The members of a payload that are looked at; all others are passed over."""

    command: Annotated[str, Meta(min_length=1, max_length=MAX_COMMAND_LENGTH)] | None = None
    max_shots: Annotated[int, Meta(ge=1, le=MAX_SHOTS)] | None = None
    max_samples: _Count | None = None
    iterator: Raw | UnsetType = UNSET
    job_context: Raw | UnsetType = UNSET


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_array = msgspec.json.Decoder(list[Raw]).decode


def summarise(payload: bytes) -> Summary:
    """What is read of a payload, which is sound JSON; ``InvalidInput`` at ``json.payload`` if it is not as it must be.

    ``command`` is a text, ``max_shots`` at least 1, ``iterator`` an array with something in it, ``job_context`` an
    object; each may be absent or null.
    """
    try:
        head = _decode_head(payload)
    except msgspec.ValidationError as error:
        raise _refusal(str(error).replace("`", "").replace("$.", "")) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _refusal("cannot be read") from None
    context = head.job_context
    if context is not UNSET and bytes(context).lstrip()[:1] not in (b"{", b"n"):
        raise _refusal("has a job_context that is not an object")
    return Summary(head.command or "", head.max_shots, head.max_samples, _iterations(head.iterator))


def _iterations(iterator: Raw | UnsetType) -> int | None:
    text = b"" if iterator is UNSET else bytes(iterator).strip()
    if text in (b"", b"null"):
        return None
    if text[:1] != b"[":
        raise _refusal("has an iterator that is not an array")
    if text.count(b",") > MAX_COMMAS:
        raise _refusal("has an iterator that is too long")
    count = len(_decode_array(text))
    if count == 0:
        raise _refusal("has an iterator with nothing in it")
    return count


def _refusal(problem: str) -> InvalidInput:
    return InvalidInput.at("json.payload", problem)
