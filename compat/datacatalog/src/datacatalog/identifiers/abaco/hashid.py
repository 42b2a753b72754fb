"""The short identifiers that Abaco gives: they can be told from other texts, and prove nothing."""

from __future__ import annotations

import secrets
from functools import lru_cache

from hashids import Hashids

from datacatalog import settings

__all__ = ["generate", "mock", "validate"]


def generate() -> str:
    """A new identifier."""
    return _new(settings.ABACO_HASHIDS_SALT)


def mock() -> str:
    """An identifier that does not validate, for tests."""
    while validate(made := _new(settings.MOCKUUIDS_SALT), permissive=True):
        continue
    return made


def validate(text_string: object, permissive: bool = False) -> bool:
    """Whether the text is such an identifier; ``ValueError`` instead of False if not ``permissive``."""
    if isinstance(text_string, str) and _hashids(settings.ABACO_HASHIDS_SALT).decode(text_string):
        return True
    if permissive:
        return False
    raise ValueError(f"{text_string} is not a valid abaco hashid")


def _new(salt: str) -> str:
    return str(_hashids(salt).encode(secrets.randbits(64)))


@lru_cache(maxsize=8)
def _hashids(salt: str) -> Hashids:
    return Hashids(salt=salt)
