"""The identifier of an Abaco nonce: the tenant's name, and what Abaco gives."""

from __future__ import annotations

from datacatalog import settings
from datacatalog.identifiers.abaco import hashid

__all__ = ["generate", "mock", "validate"]


def generate() -> str:
    """A new identifier of this tenant."""
    return f"{_tenant()}_{hashid.generate()}"


def mock() -> str:
    """An identifier of this tenant that does not validate, for tests."""
    return f"{_tenant()}_{hashid.mock()}"


def validate(text_string: object, permissive: bool = False) -> bool:
    """Whether the text is such an identifier; ``ValueError`` instead of False if not ``permissive``."""
    tenant, _, rest = str(text_string).partition("_")
    if tenant == _tenant() and hashid.validate(rest, permissive=True):
        return True
    if permissive:
        return False
    raise ValueError(f"{text_string} is not a valid Abaco nonce of {_tenant()}")


def _tenant() -> str:
    return settings.TACC_TENANT.split(".")[0].upper()
