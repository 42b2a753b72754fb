"""Fingerprints: what lets a server recognise a token that it is not shown.

A fingerprint is a token without its signature, and instead the SHA-256 of the whole text. Whoever has the keys can make
the signature again and compare; nobody else can make a token of it.
"""

from __future__ import annotations

from hashlib import sha256

from msgspec import Struct

from jobpass.tokens import token


class Fingerprint(Struct, frozen=True):
    """``prefix`` such as ``jp_job_``, identifier and caveats as they stand in the token, and 32 bytes of SHA-256."""

    prefix: str
    identifier: bytes
    caveats: tuple[bytes, ...]
    digest: bytes


def fingerprint(text: str) -> Fingerprint:
    """The fingerprint of a token or an admin key; MalformedToken for a text that is neither."""
    read = token.parse(text)
    return Fingerprint(read.prefix, read.identifier, read.caveats, digest(text))


def digest(text: str) -> bytes:
    """The 32 byte SHA-256 of a token's text."""
    return sha256(token.to_bytes(text)).digest()


def completed(found: Fingerprint, signature: bytes) -> str:
    """The text that the fingerprint is of, if ``signature`` is its; MalformedToken if no token has such parts."""
    try:
        text = token.write(found.prefix, found.identifier, found.caveats, signature)
    except ValueError:
        text = ""
    token.parse(text)  # the parts may be of different kinds
    return text
