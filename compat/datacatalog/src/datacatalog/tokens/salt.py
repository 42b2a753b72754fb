"""Salts, which make the tokens of two records with the same fields differ."""

from __future__ import annotations

import base64
import secrets

from datacatalog.settings import crypt
from datacatalog.tokens.classes import Salt

__all__ = ["Salt", "generate_salt"]


def generate_salt(length: int | None = None) -> Salt:
    """A new salt with at least as much randomness as ``length`` bytes hold, in lower-case base64.

    ``CATALOG_SALT_LENGTH`` unless told; under 16 counts as 16. As lower-casing leaves 5 bits of a character that had
    6, a fifth more is drawn: 28 characters for 16 bytes. ``ValueError`` for a length that is no number from 1 to 1024.
    """
    wanted = crypt.salt_length() if length is None else length
    if not 1 <= wanted <= crypt.MAX_SALT_BYTES:
        raise ValueError(f"A salt has 1 to {crypt.MAX_SALT_BYTES} bytes")
    drawn = -(-max(wanted, crypt.MIN_SALT_BYTES) * 6 // 5)
    return Salt(base64.b64encode(secrets.token_bytes(drawn)).decode("ascii"))
