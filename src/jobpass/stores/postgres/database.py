"""Connections: made with limits, private time-outs and the codec of texts; a pool of those that read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import asyncpg

from jobpass.errors import SetupError
from jobpass.stores.postgres.codecs import packed, unpacked
from jobpass.stores.postgres.failures import FAILURES, passes
from jobpass.stores.postgres.place import Place

T = TypeVar("T")

CONNECT_SECONDS: Final = 3.0
BUSY_SECONDS: Final = 5.0
"""How long a call is tried again while the database is away, or busy with others."""
RETRY_SECONDS: Final = 0.02
"""Before the second try; each pause is twice the one before."""
PAUSE_SECONDS: Final = 0.5
"""The longest pause."""
IDLE_SECONDS: Final = 300.0
"""After so long without use a connection of the pool is closed."""


class Connector:
    """Makes connections to one place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._settings = {
            "search_path": place.schema,
            "application_name": "jobpass",
            "timezone": "UTC",
            "synchronous_commit": "on",
            "statement_timeout": f"{round(place.statement_seconds * 1000)}",
            "idle_in_transaction_session_timeout": "10000",
            "client_min_messages": "error",
        }

    async def connect(self, seconds: float | None = None, **settings: str) -> Any:
        """A connection of its own, with settings of the server beside the usual ones.

        An answer takes at most ``seconds``, as long as a statement may take unless told.
        """
        try:
            return await asyncpg.connect(
                self.place.url,
                timeout=CONNECT_SECONDS,
                command_timeout=seconds or self.place.statement_seconds + 1,
                server_settings=self._settings | settings,
            )
        except ValueError as error:  # also the driver's own about its configuration; its words may hold a password
            if isinstance(error, OSError):  # a certificate that does not hold
                raise
            message = f"The store {self.place.shown} cannot be used: its host, port or parameters are not right."
            raise SetupError(message) from None

    async def make_pool(self) -> Any:
        """The pool of those that read."""
        return await asyncpg.create_pool(
            self.place.url,
            min_size=0,
            max_size=self.place.pool_size,
            max_inactive_connection_lifetime=IDLE_SECONDS,
            timeout=CONNECT_SECONDS,
            command_timeout=self.place.statement_seconds + 1,
            server_settings=self._settings,
            init=prepare,
            reset=_leave,
        )


async def open_connection(connector: Connector, seconds: float, **settings: str) -> Any:
    """A connection that knows how texts lie in the database; an answer takes at most ``seconds``."""
    connection = await connector.connect(seconds, **settings)
    try:
        await prepare(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def prepare(connection: Any) -> None:
    """Have the connection pack and unpack texts."""
    await connection.set_type_codec("text", schema="pg_catalog", encoder=packed, decoder=unpacked, format="text")


async def _leave(connection: Any) -> None:
    """Nothing that reads leaves anything behind: the pool need not ask the server to clean up."""


async def persist(work: Callable[[], Awaitable[T]], give_up: Callable[[Exception], Exception]) -> T:
    """What ``work`` answers, tried again while the database is away, at most for ``BUSY_SECONDS``.

    ``work`` changes nothing. Raises what ``give_up`` makes of the last failure.
    """
    deadline, pause = time.monotonic() + BUSY_SECONDS, RETRY_SECONDS
    while True:
        try:
            return await work()
        except FAILURES as error:
            if not passes(error) or time.monotonic() + pause > deadline:
                raise give_up(error) from error
        await asyncio.sleep(pause)
        pause = min(2 * pause, PAUSE_SECONDS)
