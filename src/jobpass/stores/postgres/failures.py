"""What the errors of the driver and the server mean: whose they are, and whether to try again."""

from __future__ import annotations

from typing import Final

from asyncpg.exceptions import (
    InterfaceError,
    InternalClientError,
    InvalidCachedStatementError,
    PostgresError,
    ProtocolError,
)

from jobpass.errors import StoreUnavailable

FAILURES: Final = (PostgresError, InterfaceError, InternalClientError, ProtocolError, OSError)
"""All that a call of the driver raises when the database does not do what it should; a time-out is an ``OSError``."""

_PASSING: Final = frozenset(
    {
        "25006",  # the server is a standby, still or by now
        "25P03",  # idle in a transaction for too long: this process was stopped
        "40001",  # serialization failure
        "40P01",  # deadlock
        "53300",  # too many connections
        "55P03",  # a lock could not be had in time
        "57014",  # the statement took too long
        "57P01",  # the server stops
        "57P02",  # a process of the server crashed
        "57P03",  # the server starts
        "57P05",  # idle for too long
    }
)
_CULPRITS: Final = ("22", "23", "54")
"""Classes of errors that lie in what one caller wants written: the data, a constraint, a limit of the server."""


def passes(error: Exception) -> bool:
    """Whether the same may work in a moment, on another connection."""
    state = sqlstate(error)
    if state is not None:
        return state in _PASSING or state.startswith("08") or isinstance(error, InvalidCachedStatementError)
    return isinstance(error, (OSError, InterfaceError, InternalClientError)) and not is_culprit(error)


def is_culprit(error: Exception) -> bool:
    """Whether the error lies in what one caller wants written."""
    state = sqlstate(error)
    if state is not None:
        return state.startswith(_CULPRITS)
    return isinstance(error, ValueError)  # the driver cannot encode it


def is_conflict(error: Exception) -> bool:
    """Whether the error is that something else stands already, which may not have been known."""
    return (sqlstate(error) or "").startswith("23")


def is_certain(error: Exception) -> bool:
    """Whether the server has told that nothing was written; else it may have been, and its answer was lost."""
    state = sqlstate(error)
    if state is not None:
        return not state.startswith(("08", "57P"))
    return isinstance(error, ValueError)  # the driver refused to send it


def sqlstate(error: Exception) -> str | None:
    """The server's code of the error, if it is one of the server's."""
    return getattr(error, "sqlstate", None) if isinstance(error, PostgresError) else None


def unavailable(error: Exception, doing: str) -> StoreUnavailable:
    """The error for the callers; ``detail["reason"]`` is the server's code, or the kind of the error.

    The server's own words are not in it: they may tell of addresses and values.
    """
    state = sqlstate(error)
    if state is not None:
        name = type(error).__name__.removesuffix("Error")
        return StoreUnavailable(f"The database cannot {doing}: {_words(name)}.", reason=state)
    if isinstance(error, TimeoutError):
        return StoreUnavailable(f"The database cannot {doing}: it did not answer in time.", reason="timeout")
    if isinstance(error, OSError):
        said = _words(type(error).__name__.removesuffix("Error"))
        return StoreUnavailable(f"The database cannot {doing}: {said}.", reason="connection")
    return StoreUnavailable(f"The database cannot {doing}: the connection was lost.", reason="connection")


def _words(name: str) -> str:
    """``TooManyConnections`` → ``too many connections``."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
