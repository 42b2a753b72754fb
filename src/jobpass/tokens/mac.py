"""HMAC-SHA256 for keys of 32 bytes, the only cryptography of the tokens (RFC 2104, FIPS 198-1), and HKDF from it.

Every key of ours is one digest long, so the two padded keys are two table look-ups; this takes about two thirds of
the time of ``hmac.digest``, which the tests hold it against.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256

KEY_BYTES = 32  # one SHA-256 digest
_REST = bytes(64 - KEY_BYTES)  # a key is filled up with zeros to the 64 byte block of SHA-256 (RFC 2104 §2)
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_EMPTY = sha256()  # copying it takes less time than making another


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """The 32 byte HMAC of ``message``; ``key`` must be exactly 32 bytes."""
    return chain(key, (message,))


def chain(signature: bytes, messages: Iterable[bytes]) -> bytes:
    """The HMAC of each message in turn, with the one before it as key: how a macaroon signs its caveats.

    ``signature``, the first key, must be exactly 32 bytes. Without messages it is the answer.
    """
    for message in messages:
        padded = signature + _REST
        inner, outer = _EMPTY.copy(), _EMPTY.copy()
        inner.update(padded.translate(_INNER) + message)
        outer.update(padded.translate(_OUTER) + inner.digest())
        signature = outer.digest()
    return signature


def hkdf_sha256(secret: bytes, info: bytes, size: int, salt: bytes = b"") -> bytes:
    """``size`` bytes for the purpose ``info`` from a secret of any length (RFC 5869): independent for each purpose.

    It makes no secret stronger: one that can be guessed still can. ValueError for a size not in 1 to 8160.
    """
    if not 0 < size <= 255 * KEY_BYTES:
        raise ValueError(f"HKDF gives 1 to {255 * KEY_BYTES} bytes")
    extracted = hmac.digest(salt or bytes(KEY_BYTES), secret, "sha256")
    block = made = b""
    for number in range(1, -(-size // KEY_BYTES) + 1):
        block = hmac_sha256(extracted, block + info + bytes((number,)))
        made += block
    return made[:size]


class MacKey:
    """A fixed key of 32 bytes with both padded halves hashed beforehand; it never shows the key."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        padded = key + _REST
        self._inner = sha256(padded.translate(_INNER))
        self._outer = sha256(padded.translate(_OUTER))

    def mac(self, message: bytes) -> bytes:
        """The 32 byte HMAC of ``message``."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()
