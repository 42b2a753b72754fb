"""Administrative tokens: each is made from an admin key, offline, and ends by itself.

The key is either one that a Jobpass server gave (``jp_adk_…``: nothing else is needed), or the text in
``CATALOG_ADMIN_TOKEN_KEY``, which only together with ``CATALOG_ADMIN_TOKEN_SECRET`` makes tokens.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from hmac import compare_digest
from typing import Final, NoReturn

import jobpass
from datacatalog.settings import SettingError, crypt, environment
from datacatalog.tokens.classes import Token
from datacatalog.tokens.exceptions import InvalidAdminToken
from jobpass import errors

__all__ = [
    "InvalidAdminToken",
    "get_admin_key",
    "get_admin_lifetime",
    "get_admin_token",
    "internal_get_admin_token",
    "validate_admin_token",
]

ADMIN_TOKEN_PREFIX: Final = "jp_adm_"  # noqa: S105 - of all of them
"""Begins every administrative token, and no other."""


def get_admin_token(key: str, previous: bool = False) -> Token:
    """The administrative token of the present window for ``key``, or the one of the window before.

    It lives for more than one lifetime and at most two. Any key gives a token; only that of an approved key opens
    something. ``ValueError`` without a key, or for a text that cannot be one.
    """
    if key is None:
        raise ValueError('Value for "key" was expected')
    present, before = _tokens(key)
    return before if previous else present


def validate_admin_token(token: object, key: str | None = None, permissive: bool = True) -> bool:
    """Whether ``token`` is an administrative token of ``key`` now; of the environment's key unless told.

    ``InvalidAdminToken`` instead of False if not ``permissive``; ``ValueError`` where there is no key to compare with.
    """
    key = get_admin_key() if key is None else key
    if isinstance(token, str) and token.isascii():
        # Both are compared, always, so that the time does not tell which one it is.
        present, before = [compare_digest(token, valid) for valid in _tokens(key)]
        if present | before:
            return True
    if permissive:
        return False
    raise InvalidAdminToken("Administrative token was not valid")


def internal_get_admin_token(key: str | None = None) -> NoReturn:  # noqa: ARG001 - as it was called
    """Refuses: nothing mints power for itself. ``get_admin_token(key)`` makes a token for who has the key."""
    raise InvalidAdminToken(
        "No administrative token is made without being asked for: use get_admin_token(key) with a key that was given"
        " to you for this."
    )


def get_admin_key() -> str:
    """The admin key of the environment; ``ValueError``, which says how to get one, if there is none."""
    return crypt.admin_key()


class _AdminLifetime:
    """``get_admin_lifetime()`` in seconds; also a number by itself, as in ``sleep(get_admin_lifetime * 2)``."""

    __name__ = "get_admin_lifetime"

    def __call__(self) -> int:
        """Seconds: ``CATALOG_ADMIN_TOKEN_LIFETIME``, or what the environment's ``jp_adk_…`` key was approved for."""
        key = environment.first(crypt.ADMIN_KEY_VARIABLE) or ""
        return _lifetime(key) if key.startswith(crypt.ADMIN_KEY_PREFIX) else crypt.admin_lifetime()

    def __index__(self) -> int:
        return self()

    def __mul__(self, factor: float) -> float:
        return self() * factor

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"<get_admin_lifetime: {self()} seconds>"


get_admin_lifetime: Final = _AdminLifetime()


def _tokens(key: str) -> tuple[Token, Token]:
    """The tokens of ``key`` in this window and in the one before, by one reading of the clock."""
    whole = _whole_key(key)
    lifetime, now = _lifetime(whole), environment.now()
    present, before = (jobpass.admin_token(whole, at) for at in (now, now - timedelta(seconds=lifetime)))
    return Token(present), Token(before)


def _whole_key(key: str) -> str:
    """``key`` as an admin key of Jobpass."""
    if not isinstance(key, str):
        raise ValueError("An admin key is a text")
    if key.startswith(crypt.ADMIN_KEY_PREFIX):
        return key
    return _derived(crypt.admin_secret(), key, crypt.admin_lifetime())


@lru_cache(maxsize=8)
def _derived(secret: str, key: str, lifetime_seconds: int) -> str:
    try:
        return jobpass.derive_admin_key(secret, key, lifetime_seconds)
    except errors.KeyringError as error:
        reason = f"{crypt.ADMIN_SECRET_VARIABLE} cannot be used. {error}"
    except errors.InvalidInput as error:
        reason = str(error)
    raise SettingError(reason)  # out here, where no error is chained that could show a key


@lru_cache(maxsize=8)
def _lifetime(key: str) -> int:
    try:
        return jobpass.admin_lifetime(key)
    except errors.InvalidToken:
        reason = f"The admin key begins with {crypt.ADMIN_KEY_PREFIX} and is none: is it whole?"
    raise SettingError(reason)
