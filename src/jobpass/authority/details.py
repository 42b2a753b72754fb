"""What a job says of itself when it is made: which of that is sound, and how jobs are found by it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import Raw

from jobpass import ids
from jobpass.errors import InvalidInput
from jobpass.records import RELATIONS, Details, Job, Linked, Relation

MAX_PATTERNS: Final = 100
MAX_PATTERN_LENGTH: Final = 1000
"""Characters of a pattern that is a text."""
MAX_BYTES: Final = 64 * 1024
"""Of the attributes, and of each list of patterns."""

_patterns = msgspec.json.Decoder(list[str | dict[str, Raw]])
_attributes = msgspec.json.Decoder(dict[str, Raw])


def check(child_of: tuple[str, ...], details: Details) -> None:
    """Return if links and details are sound; ``InvalidInput`` at the member that is not.

    A pattern is a text, or an object whose members say what to do with the files that it matches.
    """
    for relation in RELATIONS:
        for target in _links(child_of, details, relation):
            ids.uuid_type(target, f"json.{relation}")
    for name in ("archive_patterns", "product_patterns"):
        patterns = _read(_patterns, getattr(details, name), f"json.{name}", "an array of texts and objects")
        if len(patterns) > MAX_PATTERNS:
            raise InvalidInput.at(f"json.{name}", f"must have at most {MAX_PATTERNS} patterns")
        if any(len(pattern) > MAX_PATTERN_LENGTH for pattern in patterns if isinstance(pattern, str)):
            raise InvalidInput.at(f"json.{name}", f"must have patterns of at most {MAX_PATTERN_LENGTH} characters")
    _read(_attributes, details.attributes, "json.attributes", "an object")


def own_uuid(uuid: str) -> str:
    """``uuid`` if a job can be given it; ``InvalidInput`` at ``json.uuid``."""
    if ids.uuid_type(uuid, "json.uuid") != "pipelinejob":
        raise InvalidInput.at("json.uuid", "is not the uuid of a job: those begin with 107")
    return uuid


def same_data(data: bytes, parsed: dict[str, Any]) -> bool:
    """Whether the JSON text ``data`` has the same value as ``parsed``; 1 is another number than 1.0."""
    try:
        return ids.canonical_json(json.loads(data), "json.data") == ids.canonical_json(parsed, "json.data")
    except (ValueError, InvalidInput):  # what stands is of another time or way of making jobs
        return False


def condition(relation: Relation, text: str, namespace: str) -> Linked:
    """Being linked to a uuid, or to an identifier: any other text, which stands for its typed uuids of every type."""
    if ids.is_uuid(text):
        return Linked(relation, (text,))
    if not text:
        raise InvalidInput.at(f"query.{relation}", "must be a uuid or an identifier")
    return Linked(relation, tuple(ids.typed_uuid(kind, text, namespace) for kind in ids.PREFIXES))


def meets(job: Job, details: Details, conditions: Iterable[Linked]) -> bool:
    """Whether the job is linked as each of the conditions says."""
    return all(not set(one.targets).isdisjoint(_links(job.child_of, details, one.relation)) for one in conditions)


def _links(child_of: tuple[str, ...], details: Details, relation: Relation) -> tuple[str, ...]:
    found: tuple[str, ...] = child_of if relation == "child_of" else getattr(details, relation)
    return found


def _read(decoder: msgspec.json.Decoder[Any], text: bytes, field: str, what: str) -> Any:
    if len(text) > MAX_BYTES:
        raise InvalidInput.at(field, f"must have at most {MAX_BYTES} bytes")
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InvalidInput.at(field, f"must be {what}") from None
