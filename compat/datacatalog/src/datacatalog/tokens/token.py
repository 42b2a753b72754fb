"""Document tokens of a record's salt and fields, and the check of either kind of token."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

import jobpass
from datacatalog.settings import SettingError, crypt
from datacatalog.settings.environment import given
from datacatalog.tokens.admin import ADMIN_TOKEN_PREFIX, validate_admin_token
from datacatalog.tokens.classes import Token
from datacatalog.tokens.exceptions import InvalidToken
from jobpass import errors

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["InvalidToken", "Token", "get_token", "validate_token"]

_PURPOSE: Final = "datacatalog document token"
_BLOCK_BYTES: Final = 64  # of SHA-256, which HMAC fills the key up to (RFC 2104 §2)
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


def get_token(salt: object, *args: object) -> Token:
    """The token of a record with this salt and these fields: the same ones give the same token.

    It is keyed with ``CATALOG_ADMIN_TOKEN_SECRET``: who has only the salt and the fields cannot make it.
    ``ValueError`` without a salt.
    """
    if _missing(salt):
        raise ValueError("A salt is needed: generate_salt() makes one")
    return Token(_text(salt, args))


def validate_token(token: object, salt: object = None, *args: object, permissive: bool = True) -> bool:
    """Whether ``token`` is the one of this salt and these fields, or an administrative token of this environment.

    Without a salt only an administrative one can be. ``InvalidToken`` instead of False if not ``permissive``.
    """
    if isinstance(token, str) and token.isascii():
        # The prefix is no secret, and tells the kind: no document token begins with it.
        if token.startswith(ADMIN_TOKEN_PREFIX):
            valid = validate_admin_token(token)
        else:
            valid = not _missing(salt) and compare_digest(token, _text(salt, args))
        if valid:
            return True
    if permissive:
        return False
    raise InvalidToken("Token was not valid")


def _missing(salt: object) -> bool:
    return salt is None or salt == ""


def _text(salt: object, fields: tuple[object, ...]) -> str:
    """HMAC-SHA256 over salt and fields, each preceded by its length, so that none runs into the next."""
    inner, outer = _key(given(crypt.ADMIN_SECRET_VARIABLE))
    message = b""
    for field in (salt, *fields):
        part = str(field).encode()
        message += len(part).to_bytes(4, "big") + part
    inner = inner.copy()
    inner.update(message)
    outer = outer.copy()
    outer.update(inner.digest())
    return outer.hexdigest()[: crypt.token_length()]


@lru_cache(maxsize=8)
def _key(secret: str | None) -> tuple[_Hash, _Hash]:
    """Both hashes of an HMAC under the key of ``secret``, with the padded key in: copied, they save half the time."""
    try:
        padded = jobpass.derive_key(crypt.usable_secret(secret), _PURPOSE).ljust(_BLOCK_BYTES, b"\0")
    except errors.KeyringError as error:
        reason = f"{crypt.ADMIN_SECRET_VARIABLE} cannot be used. {error}"
    else:
        return sha256(padded.translate(_INNER)), sha256(padded.translate(_OUTER))
    raise SettingError(reason)
