"""Typed uuids: version 5, with a type in the first three digits. The same text and type give the same uuid."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from hashids import Hashids

from datacatalog import settings
from datacatalog.identifiers.identifier import random_string
from datacatalog.settings import identifiers
from jobpass import ids
from jobpass.errors import InvalidInput

__all__ = [
    "catalog_uuid",
    "catalog_uuid_from_v1_uuid",
    "generate",
    "get_uuidtype",
    "listify_uuid",
    "mock",
    "random_uuid5",
    "uuid_to_hashid",
    "uuidtypes",
    "validate",
    "validate_type",
    "validate_uuid5",
]


class TypedUUID(NamedTuple):
    """A type: its name, and the digits that its uuids begin with."""

    key: str
    prefix: str


uuidtypes: Final[Mapping[str, TypedUUID]] = {kind: TypedUUID(kind, prefix) for kind, prefix in ids.PREFIXES.items()}
_KINDS: Final = {prefix: kind for kind, prefix in ids.PREFIXES.items()}


def catalog_uuid(text_value: str, uuid_type: str = "generic", namespace: uuid.UUID | str | None = None) -> str:
    """The uuid of ``text_value`` as a ``uuid_type``, in the namespace of ``CATALOG_DNS_DOMAIN`` unless told.

    ``KeyError`` for an unknown type, ``ValueError`` for what is no text.
    """
    if uuid_type not in uuidtypes:
        raise KeyError(uuid_type)
    space = identifiers.uuid_namespace() if namespace is None else str(namespace)
    try:
        return ids.typed_uuid(uuid_type, text_value, space)
    except InvalidInput as error:
        raise ValueError(str(error)) from None


def catalog_uuid_from_v1_uuid(v1_uuid: str, uuid_type: str = "generic") -> str:
    """A uuid of the catalog's first version, with its type put in."""
    validate_type(uuid_type)
    return str(uuid.UUID(uuidtypes[uuid_type].prefix + uuid.UUID(v1_uuid).hex[3:]))


def generate(text_value: str | None = None, uuid_type: str | None = None) -> str:
    """The uuid of ``text_value``, of a random text if there is none; ``generic`` unless told."""
    return catalog_uuid(random_string(128) if text_value is None else text_value, uuid_type or "generic")


def random_uuid5() -> str:
    """A random uuid of type ``generic``."""
    return generate()


def mock(text_value: str | None = None, uuid_type: str | None = None) -> str:
    """As ``generate``, in a namespace for tests: no record has this uuid."""
    text = random_string(128) if text_value is None else text_value
    return catalog_uuid(text, uuid_type or "generic", settings.UUID_MOCK_NAMESPACE)


def get_uuidtype(query_uuid: str | uuid.UUID) -> str:
    """The type of what a uuid identifies, by its first three digits; ``ValueError`` if they are of none."""
    if not isinstance(query_uuid, str | uuid.UUID):
        raise TypeError("Query must be a string type")
    kind = _KINDS.get(str(query_uuid)[:3].lower())
    if kind is None:
        raise ValueError(f"{query_uuid} not a known form of TypedUUID")
    return kind


def validate(uuid_string: object, permissive: bool = False) -> bool:
    """Whether it is a uuid of version 5 and of a known type; ``ValueError`` instead of False if not ``permissive``."""
    try:
        valid = validate_uuid5(uuid_string) and str(uuid_string)[:3].lower() in _KINDS
        reason = f"{uuid_string} not a known form of TypedUUID"
    except ValueError as error:
        valid, reason = False, str(error)
    return _answer(valid, permissive, f"Invalid TypedUUID ({reason})")


def validate_type(type_string: str, permissive: bool = False) -> bool:
    """Whether there is this type; ``ValueError`` instead of False if not ``permissive``."""
    known = type_string.lower() in uuidtypes
    return _answer(known, permissive, f"{type_string} not a known type for TypedUUID")


def validate_uuid5(uuid_string: object, permissive: bool = False) -> bool:
    """Whether it is a uuid of version 5; ``ValueError`` instead of False if not ``permissive``."""
    try:
        found = uuid.UUID(str(uuid_string))
    except ValueError:
        valid = False
    else:
        valid = found.version == 5
    return _answer(valid, permissive, f"{uuid_string} is not a UUID5")


def listify_uuid(uuid: str | Iterable[str] | None, validate_members: bool = True) -> list[str]:
    """One uuid, several or none as a sorted list, without those that are no typed uuids unless told."""
    members = [] if uuid is None else [uuid] if isinstance(uuid, str) else list(uuid)
    return sorted(member for member in members if not validate_members or validate(member, permissive=True))


def uuid_to_hashid(uuid_string: str, salt: str | None = None) -> str:
    """The uuid in fewer characters, for paths; ``CATALOG_TYPEDUUID_HASHIDS_SALT`` unless told. It is no secret."""
    return str(_hashids(identifiers.hashids_salt() if salt is None else salt).encode(uuid.UUID(uuid_string).int))


def _answer(valid: bool, permissive: bool, reason: str) -> bool:
    if not valid and not permissive:
        raise ValueError(reason)
    return valid


@lru_cache(maxsize=8)
def _hashids(salt: str) -> Hashids:
    return Hashids(salt=salt)
