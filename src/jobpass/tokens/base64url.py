"""Unpadded base64url with exactly one spelling for each byte string (RFC 4648 §5, §3.5)."""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64

# The strict reader of the standard library knows "+" and "/" only; what is not base64url becomes NUL, which it refuses.
_TO_STANDARD = bytes(43 if c == ord("-") else 47 if c == ord("_") else 0 if c in b"+/=" else c for c in range(256))
_TO_URL = bytes(45 if c == ord("+") else 95 if c == ord("/") else c for c in range(256))
_PADDING = (b"", None, b"==", b"=")
# The last character of 2 (of 3) carries 4 (2) bits that no byte uses: they must be zero.
_LAST = (None, None, frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))


def encode(data: bytes) -> str:
    """The one text of ``data``."""
    return b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def decode(text: bytes) -> bytes:
    """The bytes of ``text``; ValueError if ``encode`` would not give exactly this text."""
    rest = len(text) & 3
    padding = _PADDING[rest]
    if padding is None:
        raise ValueError("no base64url text has this length")
    last = _LAST[rest]
    if last is not None and text[-1] not in last:
        raise ValueError("the last character has unused bits that are not zero")
    return a2b_base64(text.translate(_TO_STANDARD) + padding, strict_mode=True)
