"""A lane: the connection that writes groups, and the row by which it knows what became of them.

Each group's transaction moves the row ``lane`` on from the number that it had to the group's own, or writes nothing. If
an answer is lost, the next connection moves the number on before anything else: that waits for a transaction that is
still under way, keeps one that was only sent from ever standing, and tells whether the group stood. It is itself
committed as every group is, so that nothing counts as written before it is on a synchronous standby.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from jobpass.stores.postgres.database import BUSY_SECONDS, Connector, open_connection
from jobpass.stores.postgres.failures import FAILURES
from jobpass.stores.postgres.queries import QUERIES

# A group's jobs are updated in the order of their numbers, so that two nodes never wait for each other: the planner
# must take them as they come, one look into the index for each.
_SETTINGS: Final = {
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "lock_timeout": f"{round(BUSY_SECONDS * 1000)}",
}


class Lane:
    """One writing connection, made when it is needed."""

    def __init__(self, connector: Connector, name: str) -> None:
        self.name = name
        self.number = -1
        self.written = 0
        self.missed: list[int] = []
        self._connector = connector
        self._connection: Any = None

    async def enter(self) -> Any:
        """The connection; when it is a new one, ``written`` and ``missed`` tell of the last group that stands."""
        connection = self._connection
        if connection is not None and not connection.is_closed():
            return connection
        connection = self._connection = await open_connection(self._connector, BUSY_SECONDS, **_SETTINGS)
        row = await connection.fetchrow(QUERIES["enter_lane"].sql, self.name)
        self.number, self.written, self.missed = row
        return connection

    async def roll_back(self) -> None:
        """End a transaction that failed, if the connection still lives."""
        connection = self._connection
        if connection is None or connection.is_closed():
            return
        try:
            if connection.is_in_transaction():
                await connection.execute("ROLLBACK", timeout=1.0)
        except FAILURES:
            self.drop()

    def drop(self) -> None:
        """Let go of a connection that is of no use any more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def close(self) -> None:
        """Take the row away and close the connection."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            with suppress(*FAILURES):
                await connection.execute(QUERIES["leave_lane"].sql, self.name, timeout=1.0)
                await connection.close(timeout=1.0)
        finally:
            connection.terminate()
