"""Which paths a job's directory may have: text only, no file system is asked."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

MAX_BYTES: Final = 4096
MAX_NAME_BYTES: Final = 255
"""What Linux takes as one name in a directory."""


def normal(path: str) -> str:
    """The directory's path with single slashes and none at its end; ``ValueError`` says what is wrong with it."""
    plain = path.isascii() and path.isprintable()
    if not plain and any(unicodedata.category(letter) == "Cc" for letter in path):
        raise ValueError("must not contain control characters")
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        raise ValueError("must be Unicode text") from None
    if size > MAX_BYTES:
        raise ValueError(f"must have at most {MAX_BYTES} bytes")
    if not path.startswith("/"):
        raise ValueError("must be absolute: begin with /")
    folded = "/" + "/".join(name for name in path.split("/") if name)
    if folded == "/":
        raise ValueError("must not be the whole archive system")
    if any(len(name.encode()) > MAX_NAME_BYTES for name in names_of(folded)):
        raise ValueError(f"must not contain a name of more than {MAX_NAME_BYTES} bytes")
    return folded


def names_of(path: str) -> list[str]:
    """The names of an absolute path; ``ValueError`` for one that could lead elsewhere."""
    if not path.startswith("/"):
        raise ValueError("must be absolute: begin with /")
    names = path.split("/")[1:] if path != "/" else []
    if any(name in ("", ".", "..") or "\0" in name for name in names):
        raise ValueError("must not contain . or .. or nothing as a name")
    return names


def root_of(path: str, roots: Sequence[str]) -> str:
    """The innermost root that a job's directory lies below; ``ValueError`` if it may not be there.

    A directory in which another root lies is not one job's.
    """
    if normal(path) != path or any(root == path or _below(root, path) for root in roots):
        raise ValueError(_where(roots))
    return below_root(path, roots)


def below_root(path: str, roots: Sequence[str]) -> str:
    """The innermost root that a file lies below; its name may be a strange one. ``ValueError`` if there is none."""
    names_of(path)
    around = [root for root in roots if _below(path, root)]
    if not around:
        raise ValueError(_where(roots))
    return max(around, key=len)


def _below(path: str, root: str) -> bool:
    return path != root and path.startswith(root.rstrip("/") + "/")


def _where(roots: Sequence[str]) -> str:
    return f"must lie below {' or '.join(roots)}"
