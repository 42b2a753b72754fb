"""What a product is derived from, as it is told in words: the typed uuid of a file or of a reference."""

from __future__ import annotations

import posixpath
import re
from typing import Final

from jobpass import ids
from jobpass.errors import InvalidInput

KINDS: Final = frozenset({"file", "reference"})

_AGAVE: Final = re.compile(r"agave://[A-Za-z0-9_.-]+(/.*)", re.DOTALL)
_REFERENCES: Final = "/reference/"
_WEB: Final = ("http://", "https://")


def resolve(text: str, archive_path: str, namespace: str, field: str) -> tuple[str, str | None]:
    """The uuid, and for ``./x`` the path of that file in the archive directory, which is then to be there.

    A uuid stands for itself, a path or an ``agave://`` address for the file there, a web address for that reference.
    ``InvalidInput`` at ``field`` for anything else.
    """
    if ids.is_uuid(text):
        if ids.uuid_type(text, field) in KINDS:
            return text, None
        raise InvalidInput.at(field, f"{text} is neither a file's uuid nor a reference's")
    if text.startswith("./"):
        path = posixpath.normpath(posixpath.join(archive_path, text))
        if not path.startswith(archive_path.rstrip("/") + "/"):
            raise InvalidInput.at(field, f"{text[:100]!r} is not in the archive directory")
        return ids.typed_uuid("file", path, namespace), path
    agave = _AGAVE.fullmatch(text)
    path = agave[1] if agave else text
    if text.startswith(_WEB) or (agave and path.startswith(_REFERENCES)):
        return ids.typed_uuid("reference", posixpath.normpath(text), namespace), None
    if path.startswith("/"):
        return ids.typed_uuid("file", posixpath.normpath(re.sub("^/+", "/", path)), namespace), None
    raise InvalidInput.at(field, f"{text[:100]!r} is no uuid, path or address of a file or reference")
