"""What follows from a secret alone, without a store: keys for a purpose, and the admin key of the environment."""

from __future__ import annotations

from typing import Final

from jobpass.authority.admin_keys import DEFAULT_LIFETIME_SECONDS
from jobpass.errors import InvalidInput
from jobpass.tokens.keyring import Keyring, derive_key
from jobpass.tokens.mac import hmac_sha256
from jobpass.tokens.mint import mint_admin_key
from jobpass.tokens.token import MAX_LIFETIME_SECONDS

__all__ = ["MIN_KEY_CHARS", "admin_key_id", "derive_admin_key", "derive_key"]

MIN_KEY_CHARS: Final = 16
_ADMIN_KEY: Final = "jobpass admin key"
_ID_BYTES: Final = 16


def derive_admin_key(secret: str, key: str, lifetime_seconds: int = DEFAULT_LIFETIME_SECONDS) -> str:
    """The admin key ``jp_adk_…`` that belongs to the text ``key`` where ``secret`` is the root: always the same text.

    Its tokens open what ``jobpass.open(…, secret=secret, admin_key=key)`` has opened, and nothing before. Raises
    ``KeyringError`` for a weak secret, ``InvalidInput`` for a key under 16 characters or an impossible lifetime.
    """
    if not 1 <= lifetime_seconds <= MAX_LIFETIME_SECONDS:
        raise InvalidInput.at("lifetime_seconds", f"must be 1 to {MAX_LIFETIME_SECONDS}")
    return mint_admin_key(Keyring.from_secret(secret), admin_key_id(secret, key), lifetime_seconds)


def admin_key_id(secret: str, key: str) -> str:
    """The public id of that admin key, 32 hex characters, which tell neither text."""
    try:
        text = key.encode()
    except UnicodeEncodeError:
        text = b""
    if len(key) < MIN_KEY_CHARS or len(set(key)) == 1 or not text:
        raise InvalidInput.at("admin_key", f"must have at least {MIN_KEY_CHARS} characters, not all the same")
    return hmac_sha256(derive_key(secret, _ADMIN_KEY), text)[:_ID_BYTES].hex()
