"""Writes one group after the other: each transaction's beginning, its end, and what its callers are told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import apsw

from jobpass.errors import StoreUnavailable
from jobpass.stores.sqlite.calls import Apply, Group, Statement
from jobpass.stores.sqlite.commit import CommitThread
from jobpass.stores.sqlite.database import CULPRITS, unavailable
from jobpass.stores.sqlite.judging import Judging

BUSY_SECONDS: Final = 5.0
"""How long a group waits for another process that writes."""

RETRY_SECONDS: Final = 0.001
"""Between two tries for the lock; short, as one that writes without pause leaves it for a fraction of this only."""

INLINE_SECONDS: Final = 0.002
"""A lone call's commit runs on the loop's thread as long as the last commit took less than this."""

Done = Callable[[Group], None]


class Writer(Judging):
    """The only user of the writing connection. Between ``write`` and ``done`` it takes no other group."""

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self.failure: StoreUnavailable | None = None
        self._thread = CommitThread()
        self._commit_seconds = 0.0

    def write(self, group: Group, loop: asyncio.AbstractEventLoop, done: Done) -> None:
        """As ``batch.Write``."""
        self._attempt(group, loop, done, time.monotonic() + BUSY_SECONDS)

    def close(self) -> None:
        """End the thread and the connection; no group may be under way."""
        self._thread.close()
        self._connection.close()

    def _attempt(self, group: Group, loop: asyncio.AbstractEventLoop, done: Done, deadline: float) -> None:
        """Write the group, or try again in a moment while another process holds the lock."""
        try:
            self._roll_back()  # only if an earlier one failed half-way
            self._execute("BEGIN IMMEDIATE")
        except apsw.BusyError as error:
            if time.monotonic() < deadline:
                loop.call_later(RETRY_SECONDS, self._attempt, group, loop, done, deadline)
            else:
                self._fail(group, done, unavailable(error, "be written"))
            return
        except apsw.Error as error:
            self._fail(group, done, unavailable(error, "be written"))
            return
        try:
            wrote = self._run(group)
        except Exception as error:  # from here on every exception must end the transaction and answer the callers
            self._abandon(group, loop, done, error)
        else:
            self._commit(group, loop, done, wrote)

    def _commit(self, group: Group, loop: asyncio.AbstractEventLoop, done: Done, wrote: bool) -> None:
        """A lone call commits at once, which saves two changes of thread; a group, or a slow disk, in the thread.

        A job that comes with the text which it names is one call.
        """
        alone = len(group) == 1 or (len(group) == 2 and isinstance(group[0], Statement) and isinstance(group[1], Apply))
        if wrote and (not alone or self._commit_seconds > INLINE_SECONDS):
            self._thread.submit(self._commit_now, loop, partial(self._finish, group, done, wrote))
            return
        try:
            if wrote:
                self._commit_now()
            else:
                self._roll_back()
        except apsw.Error as error:
            self._finish(group, done, wrote, error)
        else:
            self._finish(group, done, wrote, None)

    def _commit_now(self) -> None:
        started = time.perf_counter()
        self._execute("COMMIT")
        self._commit_seconds = time.perf_counter() - started

    def _finish(self, group: Group, done: Done, wrote: bool, error: apsw.Error | None) -> None:
        """The commit is over, one way or the other."""
        if error is not None:
            self._forget()
            self._fail(group, done, unavailable(error, "be written"))
            return
        self._in_transaction = False
        if wrote:
            self.failure = None
            if any(isinstance(call, Statement) and call.changes_sessions for call in group):
                self.sessions.clear()
        self._trim()
        done(group)

    def _abandon(self, group: Group, loop: asyncio.AbstractEventLoop, done: Done, error: Exception) -> None:
        """Nothing of this transaction stands. A caller's own mistake is found by writing each call alone."""
        self._forget()
        if isinstance(error, apsw.Error) and not isinstance(error, CULPRITS):
            self._fail(group, done, unavailable(error, "be written"))
            return
        self._give_up()
        if len(group) > 1:
            self._write_singly(group, loop, done, 0)
            return
        group[0].error = error
        done(group)

    def _write_singly(self, group: Group, loop: asyncio.AbstractEventLoop, done: Done, index: int) -> None:
        if index == len(group):
            done(group)
            return

        def go_on(_: Group) -> None:
            loop.call_soon(self._write_singly, group, loop, done, index + 1)

        self.write([group[index]], loop, go_on)

    def _fail(self, group: Group, done: Done, error: StoreUnavailable) -> None:
        """Tell every caller of the group, each with an error of its own."""
        self._give_up()
        self.failure = error
        for call in group:
            call.error = StoreUnavailable(error.message, **error.detail)
        done(group)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._execute("ROLLBACK")
        self._in_transaction = False

    def _give_up(self) -> None:
        """Roll back as far as that is possible now; the next attempt begins with it again."""
        with suppress(apsw.Error):
            self._roll_back()
        self._in_transaction = False
