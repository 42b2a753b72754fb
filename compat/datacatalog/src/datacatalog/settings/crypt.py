"""The settings of the tokens. None of them has a default that opens anything."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Final

from datacatalog.settings import environment
from datacatalog.settings.environment import SettingError

ADMIN_KEY_VARIABLE: Final = "CATALOG_ADMIN_TOKEN_KEY"
ADMIN_SECRET_VARIABLE: Final = "CATALOG_ADMIN_TOKEN_SECRET"  # noqa: S105 - its name
ADMIN_KEY_PREFIX: Final = "jp_adk_"
"""Begins an admin key that a Jobpass server gave; any other text is a key of this environment's own."""

MIN_TOKEN_CHARS: Final = 32  # 128 bits
MAX_TOKEN_CHARS: Final = 64  # all of an HMAC-SHA256
MIN_SALT_BYTES: Final = 16
MAX_SALT_BYTES: Final = 1024
MAX_LIFETIME_SECONDS: Final = 7 * 86_400  # the most that Jobpass lets an admin key have

_HOW: Final = {
    ADMIN_KEY_VARIABLE: "It holds the admin key: ask the operator of your Jobpass server for one (jobpass admin-key"
    " request), or, where the records are in a file of your own, choose 16 or more random characters.",
    ADMIN_SECRET_VARIABLE: "It must be the same wherever these tokens are made or checked, and known nowhere else. This"
    ' prints a new one: python3 -c "import secrets; print(secrets.token_urlsafe(32))"',
}
# SHA-256 of the default key and the default secret that python-datacatalog 0.2.6 publishes.
_PUBLISHED: Final = frozenset(
    (
        "83b7ae8562fa7671b64e443e2f0de22b5ecc51a903c19d7492b29e96a8d18268",
        "0e42d64cefd61724af168a8328187acae0f96af5b0922e1d7804e0bdcd7b97a3",
    )
)


def admin_key() -> str:
    """The admin key of the environment."""
    return _unpublished(ADMIN_KEY_VARIABLE, environment.given(ADMIN_KEY_VARIABLE))


def admin_secret() -> str:
    """The secret that all keys are derived from; whoever has it can make every token."""
    return usable_secret(environment.given(ADMIN_SECRET_VARIABLE))


def usable_secret(value: str | None) -> str:
    """``value``, which ``CATALOG_ADMIN_TOKEN_SECRET`` has, if it can be used; else ``SettingError``."""
    return _unpublished(ADMIN_SECRET_VARIABLE, value)


def admin_lifetime() -> int:
    """Seconds for which an admin token lives at least; it lives at most twice as long."""
    return environment.whole("CATALOG_ADMIN_TOKEN_LIFETIME", 3600, MAX_LIFETIME_SECONDS)


def token_length() -> int:
    """Hexadecimal characters of a document token: 32 to 64, whatever smaller or larger number is set."""
    return _token_length(environment.given("CATALOG_TOKEN_LENGTH"))


def salt_length() -> int:
    """Bytes of randomness that a salt has at least: 16 or more, whatever smaller number is set."""
    return max(environment.whole("CATALOG_SALT_LENGTH", MIN_SALT_BYTES, MAX_SALT_BYTES), MIN_SALT_BYTES)


def _unpublished(variable: str, value: str | None) -> str:
    if not value:
        raise SettingError(f"The environment variable {variable} is not set. {_HOW[variable]}")
    digest = hashlib.sha256(value.encode("utf-8", "surrogateescape")).hexdigest()
    if digest in _PUBLISHED:  # neither is a secret
        raise SettingError(
            f"{variable} is a default that python-datacatalog published: everybody knows it. {_HOW[variable]}"
        )
    return value


@lru_cache(maxsize=8)
def _token_length(value: str | None) -> int:
    wanted = MIN_TOKEN_CHARS if value is None else environment.number("CATALOG_TOKEN_LENGTH", value)
    return min(max(wanted, MIN_TOKEN_CHARS), MAX_TOKEN_CHARS)
