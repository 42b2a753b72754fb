"""HMAC-SHA256 for keys of 32 bytes, the only cryptography of the tokens (RFC 2104, FIPS 198-1).

Every key of ours is one digest long, so the two padded keys are two table look-ups; this takes about two thirds of
the time of ``hmac.digest``, which the tests hold it against.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

KEY_BYTES = 32  # one SHA-256 digest
_REST = 64 - KEY_BYTES  # the block of SHA-256 is 64 bytes, filled up with zeros (RFC 2104 §2)
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_INNER_REST = bytes([0x36]) * _REST
_OUTER_REST = bytes([0x5C]) * _REST


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """The 32 byte HMAC of ``message``; ``key`` must be exactly 32 bytes."""
    return chain(key, (message,))


def chain(signature: bytes, messages: Iterable[bytes]) -> bytes:
    """The HMAC of each message in turn, with the one before it as key: how a macaroon signs its caveats.

    ``signature``, the first key, must be exactly 32 bytes. Without messages it is the answer.
    """
    for message in messages:
        inner = sha256(signature.translate(_INNER) + _INNER_REST + message).digest()
        signature = sha256(signature.translate(_OUTER) + _OUTER_REST + inner).digest()
    return signature


class MacKey:
    """A fixed key of 32 bytes with both padded halves hashed beforehand; it never shows the key."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        self._inner = sha256(key.translate(_INNER) + _INNER_REST)
        self._outer = sha256(key.translate(_OUTER) + _OUTER_REST)

    def mac(self, message: bytes) -> bytes:
        """The 32 byte HMAC of ``message``."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()
