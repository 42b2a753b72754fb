"""Exit codes: one table for the code, the docs and the tests."""

from __future__ import annotations

from typing import Final

from jobpass import errors

OK: Final = 0
NO: Final = 1
USAGE: Final = 2
REFUSED: Final = 3
NOT_FOUND: Final = 4
CONFLICT: Final = 5
UNREACHABLE: Final = 6
SETUP: Final = 7
UNEXPECTED: Final = 8
BUSY: Final = 9
PARTLY: Final = 10
RUN_FAILED: Final = 125
NOT_STARTED: Final = 126
NO_COMMAND: Final = 127
INTERRUPTED: Final = 130

BAD_ENDS: Final = frozenset({"FAILED", "REJECTED", "error", "canceled"})
"""Resting states after which ``job watch`` answers with ``NO``."""

MEANINGS: Final = {
    OK: "done",
    NO: "a negative answer: a record or a lifecycle is not sound, a token not active, a watched job or the demo failed",
    USAGE: "the command line or an input is not sound",
    REFUSED: "the token or the password was refused (401, 403)",
    NOT_FOUND: "unknown, or hidden from this caller",
    CONFLICT: "the present state forbids it (409)",
    UNREACHABLE: "no answer from the server, or it cannot write its record now",
    SETUP: "the installation cannot be used as it is",
    UNEXPECTED: "an answer or an error that should not be",
    BUSY: "asked too often; try again later",
    PARTLY: "`import`: some documents were refused, all others are done",
    RUN_FAILED: "`run`: Jobpass itself failed; the command was not started, or its end is not on record",
    NOT_STARTED: "`run`: the command cannot be executed",
    NO_COMMAND: "`run`: the command was not found",
    INTERRUPTED: "interrupted (Ctrl-C)",
}

_BY_ERROR: Final[tuple[tuple[type[errors.Error], int], ...]] = (
    (errors.InvalidToken, REFUSED),
    (errors.LoginFailed, REFUSED),
    (errors.Denied, REFUSED),
    (errors.NotFound, NOT_FOUND),
    (errors.Conflict, CONFLICT),
    (errors.InvalidInput, USAGE),
    (errors.TooLarge, USAGE),
    (errors.WrongContentType, UNEXPECTED),
    (errors.WrongMethod, UNEXPECTED),
    (errors.TooMany, BUSY),
    (errors.StoreUnavailable, UNREACHABLE),
    (errors.ServerUnavailable, UNREACHABLE),
    (errors.BrokenRecord, NO),
    (errors.SetupError, SETUP),
)


def code_of(error: errors.Error) -> int:
    """The exit code of an error."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), UNEXPECTED)
