"""Which paths a job's directory may have: text only, no file system is asked."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

MAX_BYTES: Final = 4096
MAX_NAME_BYTES: Final = 255
"""What Linux takes as one name in a directory."""


def normal(path: str) -> str:
    """An absolute path with single slashes and none at its end; ``ValueError`` says what is wrong with it."""
    if not path.startswith("/"):
        raise ValueError("must be absolute: begin with /")
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise ValueError("must be Unicode text") from None
    if size > MAX_BYTES:
        raise ValueError(f"must have at most {MAX_BYTES} bytes")
    if any(unicodedata.category(letter) == "Cc" for letter in path):
        raise ValueError("must not contain control characters")
    names = [name for name in path.split("/") if name]
    if any(name in (".", "..") for name in names):
        raise ValueError("must not contain . or .. as a name")
    if any(len(name.encode()) > MAX_NAME_BYTES for name in names):
        raise ValueError(f"must not contain a name of more than {MAX_NAME_BYTES} bytes")
    return "/" + "/".join(names)


def below(path: str, root: str) -> bool:
    """Whether a normal path lies strictly below another."""
    return path != root and path.startswith(root.rstrip("/") + "/")


def root_of(path: str, roots: Sequence[str]) -> str:
    """The innermost root that a normal path lies below; ``ValueError`` if there is none, or if a root lies in it."""
    around = [root for root in roots if below(path, root)]
    if not around or any(root == path or below(root, path) for root in roots):
        raise ValueError(f"must lie below {' or '.join(roots)}")
    return max(around, key=len)


def names_of(path: str) -> list[str]:
    """The names of a normal path, or of a file's below one; ``ValueError`` for one that would lead elsewhere."""
    names = path.split("/")[1:] if path != "/" else []
    if not path.startswith("/") or any(name in ("", ".", "..") or "\0" in name for name in names):
        raise ValueError("is not a path within an archive system")
    return names
