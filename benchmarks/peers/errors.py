"""Why something could not be measured."""

from __future__ import annotations

import sqlite3
import subprocess


class CannotMeasureError(Exception):
    """``reason`` stands in the table and names no place of this machine; ``detail`` is for the terminal alone."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


TROUBLE = (CannotMeasureError, OSError, sqlite3.Error, subprocess.SubprocessError, LookupError, TypeError, ValueError)
"""What a step comes to when a peer does not do as it should: no answer, a locked database, another answer."""


def explained(error: Exception) -> CannotMeasureError:
    """The error with a reason that may stand in the table."""
    if isinstance(error, CannotMeasureError):
        return error
    kinds: dict[type[sqlite3.Error | OSError], str] = {
        sqlite3.Error: "its database did not answer",
        OSError: "its server did not answer",
    }
    reason = next((words for kind, words in kinds.items() if isinstance(error, kind)), "its answer was not understood")
    return CannotMeasureError(reason, repr(error))
