"""The bytes of a macaroon: libmacaroons binary format, version 2, first-party caveats only.

Source: https://github.com/rescrv/libmacaroons/blob/master/doc/format.txt. The location is left out; on input an empty
one is accepted too, as other libraries write it. Everything else has one spelling.
"""

from __future__ import annotations

from collections.abc import Sequence

_VERSION = 2
_LOCATION, _IDENTIFIER, _SIGNATURE, _END = 1, 2, 6, 0  # field types; 4, a verification id, marks third-party caveats
_EMPTY_LOCATION = bytes((_LOCATION, 0))
SIGNATURE_BYTES = 32
_SIGNATURE_HEAD = bytes((_END, _SIGNATURE, SIGNATURE_BYTES))
_TAIL_BYTES = len(_SIGNATURE_HEAD) + SIGNATURE_BYTES
MAX_FIELD_BYTES = (1 << 14) - 1  # the longest length of two varint bytes; a whole text is shorter (token.py)


def pack(identifier: bytes, caveats: Sequence[bytes], signature: bytes) -> bytes:
    """The bytes of a macaroon without location; each field at most ``MAX_FIELD_BYTES``."""
    parts = [bytes((_VERSION,)), _field(identifier)]
    parts.extend(_field(caveat) for caveat in caveats)
    parts.append(_SIGNATURE_HEAD)
    parts.append(signature)
    return b"".join(parts)


def _field(data: bytes) -> bytes:
    """An identifier field with its end mark."""
    size = len(data)
    if size < 0x80:
        return bytes((_IDENTIFIER, size)) + data + b"\0"
    if size > MAX_FIELD_BYTES:
        raise ValueError(f"a field of a macaroon has at most {MAX_FIELD_BYTES} bytes")
    return bytes((_IDENTIFIER, size & 0x7F | 0x80, size >> 7)) + data + b"\0"


def unpack(data: bytes) -> tuple[bytes, tuple[bytes, ...], bytes]:
    """Identifier, caveats and signature of a macaroon as read: nothing of it is verified.

    Raises ValueError or IndexError for what is not exactly one macaroon: a location that is not empty, a third-party
    caveat, a length that is not the shortest varint, missing or trailing bytes.
    """
    if data[0] != _VERSION:
        raise ValueError("not a macaroon of version 2")
    at = 3 if data[1:3] == _EMPTY_LOCATION else 1
    sections = []  # the header's and the caveats' are alike: an identifier and an end mark
    while data[at] == _IDENTIFIER:
        size = data[at + 1]
        start = at + 2
        if size > 0x7F:
            size += _high_bits(data[start])
            start += 1
        end = start + size
        if data[end]:
            raise ValueError("a section has fields that are not allowed")
        sections.append(data[start:end])
        at = end + 1
    if data[at : at + 3] != _SIGNATURE_HEAD or len(data) != at + _TAIL_BYTES:
        raise ValueError("the signature is not where it should be")
    return sections[0], tuple(sections[1:]), data[at + 3 :]


def _high_bits(byte: int) -> int:
    """What the second varint byte adds to the first, whose continuation bit is set."""
    if not 0 < byte < 0x80:
        raise ValueError("a length is too great, or is not the shortest varint")
    return (byte << 7) - 0x80
