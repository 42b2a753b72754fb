"""What one connection of a node follows: epoch and clock, what other nodes changed, the names that this node holds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from jobpass.errors import StoreUnavailable
from jobpass.ports import Tell
from jobpass.stores.postgres.database import PAUSE_SECONDS, Connector, open_connection
from jobpass.stores.postgres.failures import FAILURES, unavailable
from jobpass.stores.postgres.offset import Offset
from jobpass.stores.postgres.queries import QUERIES
from jobpass.stores.postgres.schema import number_of
from jobpass.stores.postgres.sessions import SessionCache

READ_SECONDS: Final = 0.25
"""Between two readings of the epoch."""
ANSWER_SECONDS: Final = 0.5
"""How long an answer on this connection may take; then it counts as lost."""
TELL_SECONDS: Final = 0.02
"""Between two notes to the other nodes; what changes meanwhile goes into the next one."""
NOTE_BYTES: Final = 7900
"""The server takes less than 8,000 bytes in one note; what does not fit goes into several that are sent at once."""
MOST_TOLD: Final = 4096
"""Topics kept for the next notes; of more these only say that there were more."""

ANYTHING: Final = ""
"""The note that any topic may have changed."""

_SETTINGS: Final = {"synchronous_commit": "off", "lock_timeout": "400", "statement_timeout": "400"}

log = logging.getLogger("jobpass.store")


class Watch:
    """The connection, made anew whenever it is lost; while there is none nothing is fresh and nothing can be held."""

    def __init__(self, connector: Connector, sessions: SessionCache, offset: Offset) -> None:
        self._connector = connector
        self._sessions = sessions
        self._offset = offset
        self._channel = f"jobpass_{connector.place.schema}"
        self._connection: Any = None
        self._pid = 0
        self._turn = asyncio.Lock()
        self._held: dict[int, str] = {}
        self._tells: list[Tell] = []
        self._changed: set[str] | None = set()
        self._something = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Make the connection, and follow from now on."""
        await self._connect()
        await self._read_epoch()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._tell_others())]

    async def stop(self) -> None:
        """Let go of the connection, and with it of all that is held."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._drop()

    def subscribe(self, tell: Tell) -> Callable[[], None]:
        """Have ``tell`` called on the loop with the topics of what other nodes change; the answer ends that."""
        self._tells.append(tell)
        return lambda: self._tells.remove(tell)

    def changed(self, topics: Collection[str]) -> None:
        """This node has changed something."""
        if not topics:
            return
        if self._changed is not None:
            self._changed.update(topics)
            if len(self._changed) > MOST_TOLD:
                self._changed = None
        self._something.set()

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[bool]:
        """Hold the name until the context ends, the process dies or the database is lost; False if somebody has it.

        After the database came back it is held again, unless somebody was faster, which the log is told.
        """
        number = number_of("hold", self._connector.place.schema, name)
        if number in self._held:
            yield False
            return
        self._held[number] = name  # before it is asked for: a lock of the server counts for the whole connection
        try:
            got = bool(await self._ask(QUERIES["lock"].sql, number))
            if not got:
                del self._held[number]
            yield got
        finally:
            if self._held.pop(number, None) is not None:
                with suppress(StoreUnavailable):  # then it is lost, and with it the lock
                    await asyncio.shield(self._ask(QUERIES["unlock"].sql, number))

    async def _ask(self, sql: str, *bindings: Any) -> Any:
        async with self._turn:
            connection = self._connection
            if connection is None:
                raise unavailable(ConnectionResetError(), "be reached")
            try:
                return await connection.fetchval(sql, *bindings)
            except FAILURES as error:
                self._drop()
                raise unavailable(error, "be reached") from error

    async def _follow(self) -> None:
        """Read the epoch again and again; make the connection again if it is lost."""
        while True:
            await asyncio.sleep(READ_SECONDS)
            try:
                if self._connection is None:
                    await self._connect()
                await self._read_epoch()
            except (*FAILURES, StoreUnavailable):
                self._drop()
                await asyncio.sleep(PAUSE_SECONDS - READ_SECONDS)

    async def _read_epoch(self) -> None:
        asked_at = time.monotonic()
        async with self._turn:
            sent_at = self._offset.now()
            row = await self._connection.fetchrow(QUERIES["epoch"].sql)
        self._sessions.note_epoch(row[0], asked_at)
        self._offset.note(sent_at, row[1])

    async def _connect(self) -> None:
        connection = await open_connection(self._connector, ANSWER_SECONDS, **_SETTINGS)
        try:
            await connection.add_listener(self._channel, self._on_note)
            for number, name in self._held.items():
                if not await connection.fetchval(QUERIES["lock"].sql, number):
                    log.error("the lock of %s was lost with the database, and somebody else has it", name)
        except BaseException:
            connection.terminate()
            raise
        self._sessions.clear()  # it may be another server
        self._connection, self._pid = connection, connection.get_server_pid()
        for tell in self._tells:
            tell(None)  # what was noted meanwhile is lost

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._offset.seconds = None
        if connection is not None:
            connection.terminate()

    def _on_note(self, connection: Any, pid: int, _channel: str, note: str) -> None:
        if connection is not self._connection or pid == self._pid:
            return
        topics = None if note == ANYTHING else note.split("\n")
        for tell in self._tells:
            tell(topics)

    async def _tell_others(self) -> None:
        """Send what this node changed, at most once in ``TELL_SECONDS`` and never inside a group's transaction."""
        while True:
            await self._something.wait()
            self._something.clear()
            changed, self._changed = self._changed, set()
            notes = [ANYTHING] if changed is None else notes_of(changed)
            with suppress(StoreUnavailable):  # who listens will ask anew when the database is back
                await self._ask(QUERIES["notify"].sql, self._channel, notes)
            await asyncio.sleep(TELL_SECONDS)


def notes_of(topics: Collection[str]) -> list[str]:
    """The topics in as few notes as hold them, or ``[ANYTHING]`` if one of them fits into none."""
    notes: list[str] = []
    lines: list[str] = []
    size = 0
    for topic in topics:
        length = len(topic.encode("utf-8", "replace")) + 1
        if length > NOTE_BYTES or not topic or "\n" in topic or "\0" in topic:
            return [ANYTHING]
        if size + length > NOTE_BYTES:
            notes.append("\n".join(lines))
            lines, size = [], 0
        lines.append(topic)
        size += length
    return [*notes, "\n".join(lines)]
