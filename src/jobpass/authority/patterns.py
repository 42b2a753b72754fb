"""Regular expressions that somebody else wrote, matched in time linear in the text (RE2).

The library is imported when the first one is used. It has no back-references and no look-around, and a bound on its
memory; ``docs/http.md`` tells what else differs from Python's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from jobpass.errors import InvalidInput

MEMORY_BYTES: Final = 4 * 1024 * 1024
"""What all patterns of one call may use together."""
LEAST_BYTES: Final = 64 * 1024
"""What those of one filter have at least."""
SHOWN_LENGTH: Final = 100


class Patterns:
    """Some patterns, any of which is to be found anywhere in a text; none are found everywhere."""

    def __init__(self, patterns: Sequence[str], field: str, memory_bytes: int) -> None:
        """``InvalidInput`` at ``field`` for one that cannot be used."""
        each = [_compile(pattern, field, memory_bytes) for pattern in patterns]
        self._found = each[0].search if len(each) == 1 else None
        if len(each) > 1:
            # Each was sound by itself: none can close the group that it is put in.
            joined = "|".join(f"(?:{pattern})" for pattern in patterns)
            self._found = _compile(joined, field, memory_bytes).search

    def match(self, text: str) -> bool:
        """Whether one of them is found."""
        return self._found is None or self._found(text) is not None


def share(filters: int) -> int:
    """The memory for each of so many ``Patterns``."""
    return max(LEAST_BYTES, MEMORY_BYTES // max(1, filters))


def _compile(pattern: str, field: str, memory_bytes: int) -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = memory_bytes
    shown = pattern if len(pattern) <= SHOWN_LENGTH else pattern[: SHOWN_LENGTH - 1] + "…"
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise InvalidInput.at(field, f"{shown!r} cannot be used: {_reason(error)}") from None
    except UnicodeEncodeError:
        raise InvalidInput.at(field, "a pattern holds a lone surrogate, which is not a character") from None
    finally:
        re2.purge()  # it would keep the last 128 with all their memory


def _reason(error: Exception) -> str:
    told = error.args[0] if error.args else ""
    words = told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
    if "invalid perl operator" in words or "invalid escape" in words:
        return f"{words} (RE2 has no look-around and no back-references, and writes \\z for \\Z)"
    return words
