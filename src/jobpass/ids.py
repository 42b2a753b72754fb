"""Identifiers: typed uuids, credential ids, serials and kids, all made from what is given.

Nothing here draws randomness; the caller passes it in. A typed uuid is shaped like a version 5 uuid (RFC 9562 §5.5)
whose first three hex digits name the type of what it identifies. A uuid is a ``str``: 36 characters, lower case.
Whatever the value, a function that cannot use it raises ``InvalidInput`` and nothing else.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from hashlib import md5, sha1
from typing import Any, Final

from jobpass.errors import InvalidInput

PREFIXES: Final[Mapping[str, str]] = {
    "generic": "100",
    "challenge_problem": "101",
    "experiment": "102",
    "sample": "103",
    "measurement": "104",
    "file": "105",
    "pipeline": "106",
    "pipelinejob": "107",
    "pipelinejob_event": "108",
    "reference": "109",
    "product": "110",
    "upload": "111",
    "experiment_design": "114",
    "input_classifier": "115",
    "fixity": "116",
    "process": "117",
    "annotation": "118",
    "inline_annotation": "119",
    "query": "120",
    "dashboard": "121",
    "tag_annotation": "122",
    "text_annotation": "123",
    "association": "124",
    "structured_request": "125",
}
"""Type -> the first three hex digits of its uuids."""

MAX_DEPTH: Final = 64
"""Containers in containers, the outermost included, that JSON data may have."""

_KINDS: Final = {prefix: kind for kind, prefix in PREFIXES.items()}
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_DNS_NAMESPACE: Final = bytes.fromhex("6ba7b8109dad11d180b400c04fd430c8")  # RFC 9562 §6.6
_VARIANT: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))  # sets the two top bits to 10

# A component is of the first type all of whose required members it has; only the members of that type count.
_COMPONENT_TYPES: Final[tuple[tuple[frozenset[str], frozenset[str]], ...]] = tuple(
    (frozenset(required.split()), frozenset((required + " " + optional).split()))
    for required, optional in (
        ("id inputs parameters", "modules outputs uuid"),  # agave_app
        ("id image", "options uuid"),  # abaco_actor
        ("appId id", "uuid"),  # agave_job
        ("image hostname", "hash options uuid"),  # deployed_container
        ("uri", "identifier options uuid"),  # web_service
    )
)


def namespace(dns_domain: str) -> str:
    """The uuid namespace of an installation: version 3 of its domain (RFC 9562 §5.3)."""
    digest = md5(_DNS_NAMESPACE + _utf8(dns_domain, "dns_domain"), usedforsecurity=False).hexdigest()
    return _shape(digest, digest[:3], "3")


def typed_uuid(kind: str, text: str, namespace: str | None = None) -> str:
    """The uuid of ``text`` as a ``kind``, in ``NAMESPACE`` unless told: the same text gives the same uuid."""
    space = bytes.fromhex(parse_uuid(namespace or NAMESPACE, "namespace").replace("-", ""))
    digest = sha1(space + _utf8(text, "text"), usedforsecurity=False).hexdigest()
    return _shape(digest, _prefix(kind), "5")


def random_typed_uuid(kind: str, randomness: bytes) -> str:
    """A uuid of ``kind`` from 16 random bytes, of which 110 bits stay."""
    if len(randomness) != 16:
        raise InvalidInput.at("randomness", "must be 16 bytes")
    digits = randomness.hex()
    try:
        prefix = PREFIXES[kind]
    except (KeyError, TypeError):
        raise _unknown_kind(kind) from None
    return f"{prefix}{digits[3:8]}-{digits[8:12]}-5{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:]}"


def is_uuid(text: str) -> bool:
    """Whether ``text`` is a uuid in the one accepted spelling."""
    return _UUID.fullmatch(text) is not None


def parse_uuid(text: object, field: str = "path.uuid") -> str:
    """``text`` if it is a uuid in the one accepted spelling; the error names ``field``."""
    if isinstance(text, str) and _UUID.fullmatch(text):
        return text
    raise InvalidInput.at(field, "must be a uuid: 36 characters, lower case, with hyphens")


def uuid_type(text: object, field: str = "path.uuid") -> str:
    """The type of what a typed uuid identifies, from its first three digits."""
    try:
        return _KINDS[parse_uuid(text, field)[:3]]
    except KeyError:
        raise InvalidInput.at(field, "is not a uuid of a known type") from None


def job_uuid(pipeline_uuid: str, child_of: Sequence[str], data: Mapping[str, Any], namespace: str | None = None) -> str:
    """The uuid of a job: the same pipeline, parents in the same order and data give the same uuid.

    ``child_of`` holds uuids only: their ``repr`` enters the text, and that of free text changes with Python's version.
    """
    pipeline_uuid = parse_uuid(pipeline_uuid, "json.pipeline_uuid")
    if not isinstance(child_of, list | tuple):
        raise InvalidInput.at("json.child_of", "must be an array of uuids")
    parents = [parse_uuid(parent, "json.child_of") for parent in child_of]
    if not isinstance(data, dict):
        raise InvalidInput.at("json.data", "must be an object")
    texts = sorted((pipeline_uuid, repr(parents), canonical_json(data, "json.data")))
    return typed_uuid("pipelinejob", ":".join(texts), namespace)


def pipeline_uuid(id: str, components: Sequence[Any], namespace: str | None = None) -> str:  # noqa: A002 - the wire's word
    """The uuid of a pipeline, from its id and its components; the order of the components counts.

    Of each component only the members of its type count, and one of no known type does not count at all.
    """
    if not isinstance(id, str):
        raise InvalidInput.at("json.id", "must be a text")
    _utf8(id, "json.id")
    if not isinstance(components, list | tuple):
        raise InvalidInput.at("json.components", "must be an array of objects")
    counted = [kept for component in components if (kept := _classified(component)) is not None]
    return typed_uuid("pipeline", f"{id}:{canonical_json(counted, 'json.components')}", namespace)


def canonical_json(value: Any, field: str) -> str:
    """JSON with sorted members, no spaces, ASCII only: the form that enters a uuid.

    ``value`` is made of ``dict`` with text keys, ``list``, ``str``, ``int``, ``float``, ``bool`` and ``None``.
    Raises ``InvalidInput`` at ``field`` for anything else, NaN, infinities, lone surrogates, and over ``MAX_DEPTH``.
    """
    level: list[Any] = [value]
    depth = 0
    while level:
        below: list[Any] = []
        for item in level:
            _check_json(item, field, below)
        depth += 1
        # What lies in the deepest container may be a scalar, not one container more.
        if depth >= MAX_DEPTH and any(isinstance(item, dict | list) for item in below):
            raise InvalidInput.at(field, f"must not be nested deeper than {MAX_DEPTH}")
        level = below
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except ValueError:  # an integer of more digits than Python writes
        raise InvalidInput.at(field, "holds a number that is too long") from None


def random_uuid(randomness: bytes) -> str:
    """A random uuid (version 4, RFC 9562 §5.4) of 16 random bytes."""
    digits = bytearray(_sized(randomness, 16))
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    text = digits.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def credential_id(randomness: bytes) -> str:
    """A credential's public id from 16 random bytes: 32 lower-case hex digits."""
    return _sized(randomness, 16).hex()


def serial(randomness: bytes) -> int:
    """A job's serial from 8 random bytes: 0 to 2**64 - 1."""
    return int.from_bytes(_sized(randomness, 8), "big")


def kid(randomness: bytes) -> str:
    """A root key's id from 4 random bytes: 8 lower-case hex digits."""
    return _sized(randomness, 4).hex()


def _shape(digits: str, prefix: str, version: str) -> str:
    return (
        f"{prefix}{digits[3:8]}-{digits[8:12]}-{version}{digits[13:16]}"
        f"-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}"
    )


def _prefix(kind: str) -> str:
    try:
        return PREFIXES[kind]
    except (KeyError, TypeError):
        raise _unknown_kind(kind) from None


def _unknown_kind(kind: object) -> InvalidInput:
    return InvalidInput.at("kind", f"{str(kind)[:64]!r} is not a type of uuid")


def _sized(randomness: bytes, size: int) -> bytes:
    if len(randomness) != size:
        raise InvalidInput.at("randomness", f"must be {size} bytes")
    return randomness


def _utf8(text: str, field: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidInput.at(field, "holds a lone surrogate, which is not a character") from None
    except AttributeError:
        raise InvalidInput.at(field, "must be a text") from None


def _check_json(item: Any, field: str, below: list[Any]) -> None:
    """Refuse ``item`` if JSON cannot hold it as it is; what it contains is added to ``below``."""
    if isinstance(item, dict):
        for key in item:
            if not isinstance(key, str):
                raise InvalidInput.at(field, "must have texts as the names of members")
            _utf8(key, field)
        below.extend(item.values())
    elif isinstance(item, list):
        below.extend(item)
    elif isinstance(item, str):
        _utf8(item, field)
    elif isinstance(item, float):
        if not math.isfinite(item):
            raise InvalidInput.at(field, "must not hold NaN or an infinity")
    elif not (item is None or isinstance(item, int)):
        raise InvalidInput.at(field, "must be JSON")


def _classified(component: Any) -> dict[str, Any] | None:
    if not isinstance(component, dict):
        raise InvalidInput.at("json.components", "must be an array of objects")
    for required, known in _COMPONENT_TYPES:
        if required <= component.keys():
            return {name: value for name, value in component.items() if name in known}
    return None


NAMESPACE: Final = namespace("sd2e.org")
"""The namespace of the seed system, and of every installation that does not choose its own."""
