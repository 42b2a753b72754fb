"""Names of things in a laboratory and of files, as the typed uuids that jobs are linked to.

The original looked each up in its catalog. Here a uuid follows from the text alone, as it did when the catalog made it:
a measurement's from its id, a file's from its path. So what is named is linked, whether anybody has recorded it or not.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from datacatalog.identifiers.typeduuid import catalog_uuid
from jobpass import errors, ids

IDENTIFIERS: Final = {
    "experiment_design_id": "experiment_design",
    "experiment_id": "experiment",
    "sample_id": "sample",
    "measurement_id": "measurement",
}
"""Arguments that name a job's parents, with the type of what they name; the first that is given counts."""
DEFAULT_SYSTEM: Final = "data-sd2e-community"

_SPACES: Final = re.compile(r"(measurement|sample|experiment|experiment_design|challenge_problem)\.")
_AGAVE: Final = re.compile(r"agave://[A-Za-z0-9_.-]+(/.*)")
_FILES: Final = ("/uploads/", "/products/")
_REFERENCES: Final = ("/reference/",)


def parents(named: Any, kind: str) -> list[str]:
    """The uuids of one or more identifiers of a ``kind``, or uuids, sorted and each once.

    ``sample.…`` is a sample wherever it is named. Raises ``ValueError`` for what names nothing, and for mixed types.
    """
    identifiers = named if isinstance(named, list | tuple | set | frozenset) else [named]
    found = {_parent(identifier, kind) for identifier in identifiers}
    if not found:
        raise ValueError("Unable to resolve any identifers to UUIDs")
    if len({ids.uuid_type(uuid) for uuid in found}) > 1:
        raise ValueError("Cannot resolve a list of identifiers with mixed types")
    return sorted(found)


def acted_on(inputs: Any, data: Mapping[str, Any]) -> list[str]:
    """The uuids of ``inputs``, files or references, and of the files that ``data`` names."""
    if inputs is not None and not isinstance(inputs, list | tuple | set | frozenset):
        raise ValueError("inputs must be a list of texts")
    found = set()
    for text in inputs or ():
        if not isinstance(text, str) or not text:
            raise ValueError(f"inputs must be texts, not {type(text).__name__}")
        found.add(typed(text) or _reference(text) or _file(text, anywhere=True))
    found.update(_file(text) for text in _texts(data))
    return sorted(uuid for uuid in found if uuid)


def acted_using(data: Mapping[str, Any]) -> list[str]:
    """The uuids of the references that ``data`` names."""
    return sorted({uuid for text in _texts(data) if (uuid := _reference(text))})


def typed(text: str) -> str | None:
    """``text`` as a typed uuid if it is one."""
    try:
        ids.uuid_type(text.lower())
    except errors.InvalidInput:
        return None
    return text.lower()


def _parent(identifier: Any, kind: str) -> str:
    if not isinstance(identifier, str) or not identifier:
        raise ValueError("Unable to resolve any identifers to UUIDs")
    space = _SPACES.match(identifier)
    return typed(identifier) or catalog_uuid(identifier, space[1] if space else kind)


def _texts(data: Mapping[str, Any]) -> Iterable[str]:
    """The texts right in the ``inputs`` and ``parameters`` of a job's data."""
    for name in ("inputs", "parameters"):
        members = data.get(name)
        values = members.values() if isinstance(members, Mapping) else members if isinstance(members, list) else ()
        yield from (value for value in values if isinstance(value, str))


def _file(text: str, *, anywhere: bool = False) -> str | None:
    """The uuid of the file at a path or an ``agave://`` address; its system does not count."""
    found = _AGAVE.fullmatch(text)
    path = found[1] if found else text
    if anywhere or path.startswith(_FILES):
        return catalog_uuid(_normal(path), "file")
    return None


def _reference(text: str) -> str | None:
    """The uuid of a web address, or of a path among the references as the address that it has."""
    if text.startswith(("http://", "https://")):
        return catalog_uuid(_normal(text), "reference")
    found = _AGAVE.fullmatch(text)
    if (found[1] if found else text).startswith(_REFERENCES):
        return catalog_uuid(_normal(text if found else f"agave://{DEFAULT_SYSTEM}{text}"), "reference")
    return None


def _normal(path: str) -> str:
    """``path`` as the catalog wrote paths: without ``.``, ``..`` and double slashes."""
    return posixpath.normpath(re.sub("^/+", "/", path))
