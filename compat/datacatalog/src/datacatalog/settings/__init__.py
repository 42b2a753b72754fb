"""The settings of python-datacatalog by their names, read from the environment each time one is asked for.

``settings.TACC_TENANT`` is what the variable holds now. Those of the tokens have no usable default: ``ADMIN_TOKEN_KEY``
and ``ADMIN_TOKEN_SECRET`` raise ``SettingError``, a ``ValueError``, where the environment has none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from datacatalog.settings import identifiers
from datacatalog.settings.crypt import admin_key, admin_lifetime, admin_secret, salt_length, token_length
from datacatalog.settings.environment import SettingError, first, text, whole

if TYPE_CHECKING:
    ABACO_HASHIDS_SALT: str
    ADJ_ANIMAL_DELIM: str
    ADJ_ANIMAL_LENGTH: int
    ADJ_ANIMAL_WORDS: int
    ADMIN_TOKEN_KEY: str
    ADMIN_TOKEN_LIFETIME: int
    ADMIN_TOKEN_SECRET: str
    MAX_INDEX_FILTERS: int
    MAX_INDEX_PATTERNS: int
    MOCKUUIDS_SALT: str
    MONGO_DELETE_FIELD: str
    RECORDS_SOURCE: str
    SALT_LENGTH: int
    STORAGE_SYSTEM: str
    TACC_API_SERVER: str
    TACC_MANAGER_ACCOUNT: str
    TACC_PRIMARY_STORAGE_SYSTEM: str
    TACC_PROJECT_NAME: str
    TACC_TENANT: str
    TOKEN_LENGTH: int
    TYPEDUUID_HASHIDS_SALT: str
    UUID_DNS_DOMAIN: str
    UUID_MOCK_NAMESPACE: UUID
    UUID_NAMESPACE: UUID

__all__ = ["SettingError", "actor_id", "all_settings", "execution_id", "username"]

_SECRET: Final = frozenset({"ADMIN_TOKEN_KEY", "ADMIN_TOKEN_SECRET"})
_READERS: Final[Mapping[str, Callable[[], Any]]] = {
    "ABACO_HASHIDS_SALT": lambda: identifiers.ABACO_HASHIDS_SALT,
    "ADJ_ANIMAL_DELIM": lambda: text("CATALOG_ADJ_ANIMAL_DELIM", "-"),
    "ADJ_ANIMAL_LENGTH": lambda: whole("CATALOG_ADJ_ANIMAL_LENGTH", 8),
    "ADJ_ANIMAL_WORDS": lambda: whole("CATALOG_ADJ_ANIMAL_WORDS", 2, 100),
    "ADMIN_TOKEN_KEY": admin_key,
    "ADMIN_TOKEN_LIFETIME": admin_lifetime,
    "ADMIN_TOKEN_SECRET": admin_secret,
    "MAX_INDEX_FILTERS": lambda: whole("CATALOG_MAX_INDEX_FILTERS", 100),
    "MAX_INDEX_PATTERNS": lambda: whole("CATALOG_MAX_INDEX_PATTERNS", 512),
    "MOCKUUIDS_SALT": identifiers.mock_hashids_salt,
    "MONGO_DELETE_FIELD": lambda: "_visible",
    "RECORDS_SOURCE": lambda: text("CATALOG_RECORDS_SOURCE", "testing"),
    "SALT_LENGTH": salt_length,
    "STORAGE_SYSTEM": lambda: text("CATALOG_STORAGE_SYSTEM", _primary_storage()),
    "TACC_API_SERVER": lambda: text("TACC_API_SERVER", f"https://api.{text('DNS_DOMAIN', 'sd2e.org')}/"),
    "TACC_MANAGER_ACCOUNT": lambda: text("TACC_MANAGER_ACCOUNT", "sd2eadm"),
    "TACC_PRIMARY_STORAGE_SYSTEM": lambda: _primary_storage(),
    "TACC_PROJECT_NAME": lambda: text("TACC_PROJECT_NAME", "SD2E-Community"),
    "TACC_TENANT": lambda: text("TACC_TENANT", "sd2e"),
    "TOKEN_LENGTH": token_length,
    "TYPEDUUID_HASHIDS_SALT": identifiers.hashids_salt,
    "UUID_DNS_DOMAIN": identifiers.dns_domain,
    "UUID_MOCK_NAMESPACE": lambda: UUID(identifiers.MOCK_NAMESPACE),
    "UUID_NAMESPACE": lambda: UUID(identifiers.uuid_namespace()),
}


def username() -> str:
    """The name of whoever runs this process; ``ValueError`` if no variable tells it."""
    name = first("TACC_USERNAME", "AGAVE_USERNAME", "JUPYTERHUB_USER", "_abaco_username", "USER")
    if name is None:
        raise ValueError("No TACC.cloud username could be found in the environment")
    return name


def actor_id() -> str | None:
    """The Abaco actor that this process is; None outside of one."""
    return first("_abaco_actor_id")


def execution_id() -> str | None:
    """The Abaco execution that this process is; None outside of one."""
    return first("_abaco_execution_id")


def all_settings() -> dict[str, Any]:
    """Every setting as it is now, but those which open something."""
    return {name: reader() for name, reader in _READERS.items() if name not in _SECRET}


def _primary_storage() -> str:
    return text("TACC_PRIMARY_STORAGE_SYSTEM", "data-sd2e-community")


def __getattr__(name: str) -> Any:
    reader = _READERS.get(name)
    if reader is None:
        raise AttributeError(f"module 'datacatalog.settings' has no attribute {name!r}")
    return reader()


def __dir__() -> list[str]:
    return sorted({*__all__, *_READERS} - _SECRET)
