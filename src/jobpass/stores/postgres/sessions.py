"""Sessions answered from memory: at most ``FRESH_SECONDS`` after another node ended them, at once after this one did.

Every change that may end a session raises the counter ``epoch`` in its own transaction. A session is kept with the
epoch that it was read in. It is trusted while the epoch, read a moment ago, is no higher; without such a reading
nothing is trusted, and every session is read anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from jobpass.records import Session
from jobpass.stores.postgres.accounts import Accounts, uses_columns
from jobpass.stores.postgres.codecs import packed_all
from jobpass.stores.postgres.credentials import Credentials
from jobpass.stores.postgres.queries import QUERIES
from jobpass.stores.postgres.statements import run
from jobpass.stores.rows.credentials import session_from, with_line

SESSIONS_CACHED: Final = 16_384
FRESH_SECONDS: Final = 0.8
"""How old a reading of the epoch may be, counted from before it was asked for, by this machine's monotonic clock."""


class SessionCache:
    """What was read, and the last reading of the epoch."""

    def __init__(self) -> None:
        self._sessions: dict[str, tuple[int, Session]] = {}
        self._epoch = 0
        self._read_at = -FRESH_SECONDS

    def note_epoch(self, epoch: int, read_at: float) -> None:
        """The epoch was read; ``read_at`` is what ``time.monotonic`` said before that was asked for."""
        self._epoch = max(self._epoch, epoch)
        self._read_at = read_at

    def raise_epoch(self, epoch: int) -> None:
        """This node has ended sessions."""
        self._epoch = max(self._epoch, epoch)

    def get(self, credential_id: str) -> Session | None:
        """The session, if it can be trusted."""
        found = self._sessions.get(credential_id)
        if found is None or found[0] < self._epoch or time.monotonic() - self._read_at > FRESH_SECONDS:
            return None
        return found[1]

    def put(self, credential_id: str, epoch: int, session: Session) -> None:
        """Keep a session that was read in that epoch."""
        if len(self._sessions) >= SESSIONS_CACHED:
            self._sessions.clear()
        self._sessions[credential_id] = epoch, session

    def drop(self, credential_ids: Iterable[str]) -> None:
        """Their records say something else now, which ends nothing."""
        for name in credential_ids:
            self._sessions.pop(name, None)

    def clear(self) -> None:
        """Another server answers from now on: what was read from the one before counts for nothing."""
        self._sessions.clear()
        self._epoch = 0
        self._read_at = -FRESH_SECONDS


class Sessions(Accounts, Credentials):
    """The rest of ``ports.AccountStore``."""

    def __init__(self, pool: Any, writers: Any, sessions: SessionCache) -> None:
        super().__init__(pool, writers)
        self._sessions = sessions

    async def find_session(self, credential_id: str) -> Session | None:
        """As ``ports.AccountStore``; counts of uses that another node has noted may show later."""
        session = self._sessions.get(credential_id)
        if session is not None:
            return session
        row = await self._one("find_session", credential_id)
        if row is None:
            return None
        epoch, session = row[0], session_from(row[1:])
        if session.credential.parent is not None:
            lines = await self._rows(QUERIES["find_lines"], packed_all([credential_id]))
            line = lines[0][1:]
            session = Session(with_line(session.credential, line), session.principal)
            if not line[-1]:  # a parent that comes later ends nothing in the cache
                return session
        self._sessions.put(credential_id, epoch, session)
        return session

    async def note_uses(self, uses: Mapping[str, tuple[int, datetime]]) -> None:
        """As ``ports.AccountStore``; it ends no session, and so leaves the epoch alone."""
        if not uses:
            return
        columns = uses_columns(uses)
        await self._write(lambda connection: run(connection, "note_uses", *columns))
        self._sessions.drop(uses)
