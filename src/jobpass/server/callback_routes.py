"""The part of the table of routes that takes tickets, for servers where callbacks are on."""

from __future__ import annotations

from typing import Final

from jobpass import errors
from jobpass.server import callbacks
from jobpass.server.route import Route
from jobpass.wire import paths
from jobpass.wire.callbacks import Callback
from jobpass.wire.messages import EventAnswer

_QUERY: Final = ("status", "event")
_REFUSES: Final = (
    errors.InvalidToken,
    errors.Denied,
    errors.UnknownEvent,
    errors.IllegalTransition,
    errors.IdempotencyConflict,
    errors.TooMany,
)

CALLBACKS: Final = (
    Route(
        "POST",
        paths.CALLBACK,
        callbacks.by_post,
        "records the event that a sender with a ticket tells of",
        EventAnswer,
        body=Callback,
        bearer=False,
        query=_QUERY,
        refuses=_REFUSES,
        ticket=True,
    ),
    Route(
        "GET",
        paths.CALLBACK,
        callbacks.by_get,
        "the same, for senders that can only get",
        EventAnswer,
        bearer=False,
        query=_QUERY,
        refuses=_REFUSES,
        ticket=True,
    ),
)
