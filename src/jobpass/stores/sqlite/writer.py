"""Writes a group of calls in one transaction: load, judge in order of arrival, write, commit, answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial

import apsw

from jobpass.clock import to_microseconds
from jobpass.errors import Error, StoreUnavailable
from jobpass.records import Change, Details, Event, Job, Relation, Session, Work
from jobpass.stores.rows.columns import Row
from jobpass.stores.rows.jobs import details_row, event_from, event_row, job_from, job_row, same_but_progress, work_text
from jobpass.stores.rows.work import moved_row, named_blobs, place_row
from jobpass.stores.rules import archive_taken, check_answer, links, queue_full, swept
from jobpass.stores.sqlite.calls import Among, Apply, ApplyNext, Statement
from jobpass.stores.sqlite.commit import CommitThread
from jobpass.stores.sqlite.database import CULPRITS, unavailable
from jobpass.stores.sqlite.queries import QUERIES
from jobpass.stores.sqlite.queue import next_waiting

BUSY_SECONDS = 5.0
"""How long a group waits for another process that writes."""

RETRY_SECONDS = 0.001
"""Between two tries for the lock; short, as one that writes without pause leaves it for a fraction of this only."""

INLINE_SECONDS = 0.002
"""A lone call's commit runs on the loop's thread as long as the last commit took less than this."""

JOBS_CACHED = 4096
SESSIONS_CACHED = 16_384

_DATA_VERSION = QUERIES["data_version"]
_FIND_JOB = QUERIES["find_job"]
_FIND_KEY = QUERIES["find_key"]
_INSERT_EVENT = QUERIES["insert_event"]

Group = list[Apply | Statement]
Done = Callable[[Group], None]


class _Row:
    """A job's row in the cache: its number, the job as the database has it, and as this transaction leaves it."""

    __slots__ = ("current", "number", "stored")

    def __init__(self, number: int, stored: Job | None) -> None:
        self.number = number
        self.stored = stored
        self.current = stored


class Writer:
    """The only user of the writing connection. Between ``write`` and ``done`` it takes no other group."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.sessions: dict[str, Session] = {}
        self.failure: StoreUnavailable | None = None
        self._connection = connection
        self._cursor = connection.cursor()
        self._execute = self._cursor.execute
        self._thread = CommitThread()
        self._in_transaction = False
        self._version = -1
        self._commit_seconds = 0.0
        self._jobs: dict[str, _Row] = {}
        self._touched: list[_Row] = []
        self._events: list[Row] = []
        self._keyed: dict[tuple[int, str], Event] = {}

    def write(self, group: Group, loop: asyncio.AbstractEventLoop, done: Done) -> None:
        """As ``batch.Write``."""
        self._attempt(group, loop, done, time.monotonic() + BUSY_SECONDS)

    def refresh(self) -> None:
        """Drop the caches if another connection has committed. Within our own transaction nobody else can."""
        if not self._in_transaction:
            version = self._execute(_DATA_VERSION).get
            if version != self._version:
                self._forget()
                self._version = version

    def version(self) -> int:
        """Another number once another connection has committed."""
        self.refresh()
        return self._version

    def committed(self, uuid: str) -> Job | None:
        """The job as last committed, if it is in the cache; None does not say that there is none."""
        self.refresh()
        row = None if self._in_transaction else self._jobs.get(uuid)
        return row.stored if row is not None else None

    def remember(self, found: Row) -> Job:
        """The job of a row of ``find_job`` which another connection read since ``committed``; kept if that is safe."""
        job = job_from(found[1:])
        if not self._in_transaction:  # or the row may be older than what the cache is about to hold
            self._jobs[job.uuid] = _Row(found[0], job)
            self._trim()
        return job

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

    def _run(self, group: Group) -> bool:
        """Everything between BEGIN and COMMIT; answers whether anything was written."""
        self.refresh()
        self._in_transaction = True
        changes = self._connection.total_changes()
        for call in group:
            call.error = None
            if isinstance(call, Statement):
                self._state(call)
            elif not isinstance(call, ApplyNext) or self._find_next(call):
                self._judge(call)
        self._write_pending()
        return self._connection.total_changes() != changes or any(isinstance(call, Statement) for call in group)

    def _find_next(self, call: ApplyNext) -> bool:
        """Whether a job waits, whose uuid the call then has."""
        self._write_pending()
        uuid = next_waiting(self._cursor, call.platforms)
        call.uuid, call.result = uuid or "", None
        return uuid is not None

    def _judge(self, call: Apply) -> None:
        uuid, key = call.uuid, call.key
        row = self._jobs.pop(uuid, None) or self._load(uuid)
        job = standing = None
        if row is not None:
            self._jobs[uuid] = row  # again at the end: the cache drops from its beginning
            job = row.current
            if key is not None:
                standing = self._find_key(row.number, key)
        try:
            answer = call.judge(job, standing)
            check_answer(answer, uuid, job, standing, key)
        except Exception as error:  # whatever a judge raises is its own caller's, never the group's
            call.error = error
            return
        if call.among is not None and row is None and self._is_taken(call.among):
            call.error = archive_taken()
            return
        if type(answer) is Change:
            refusal = self._refuse_work(answer)
            if refusal is not None:
                call.error = refusal
                return
            self._take(answer, row)
        call.result = answer

    def _refuse_work(self, change: Change) -> Error | None:
        """Why the queue cannot take the change: its owner has too many jobs in it, or a blob is gone."""
        after, before = change.after, change.before
        if after is None or after.work is None:
            return None
        if change.most is not None:
            self._write_pending()
            bindings = {"owner": after.owner, "most": change.most}
            if self._execute(QUERIES["queued_of"], bindings).get >= change.most:
                return queue_full(change.most)
        blobs = named_blobs(None if before is None else before.work, after.work)
        return swept() if any(self._execute(QUERIES["find_blob"], (blob,)).get is None for blob in blobs) else None

    def _is_taken(self, among: Among) -> bool:
        return among.taken or self._execute(QUERIES["archive_newer"], among.bindings).get is not None

    def _load(self, uuid: str) -> _Row | None:
        found = self._execute(_FIND_JOB, (uuid,)).get
        return None if found is None else _Row(found[0], job_from(found[1:]))

    def _find_key(self, number: int, key: str) -> Event | None:
        pending = self._keyed.get((number, key))
        if pending is not None:
            return pending
        found = self._execute(_FIND_KEY, (number, key)).get
        return None if found is None else event_from(found)

    def _take(self, change: Change, row: _Row | None) -> None:
        """Note the change; rows that stand are written at the end, once for all events of the group."""
        after, event = change.after, change.event
        if after is None:
            assert row is not None
            assert change.before is not None
            self._delete(change.before.uuid, row)
            return
        if row is None:
            row = self._jobs[after.uuid] = self._insert(after, change.details or Details())
        else:
            if row.current is row.stored:
                self._touched.append(row)
            row.current = after
        if event is not None:
            self._events.append(event_row(row.number, event))
            if event.key is not None:
                self._keyed[row.number, event.key] = event

    def _insert(self, job: Job, details: Details) -> _Row:
        number = self._execute(QUERIES["insert_job"], job_row(job)).get
        self._execute(QUERIES["insert_details"], details_row(number, details))
        self._link(number, links(job, details))
        if job.work is not None:
            self._execute(QUERIES["insert_work"], place_row(number, job, job.work))
            self._use_blobs(named_blobs(None, job.work))
        return _Row(number, job)

    def _link(self, number: int, targets: Mapping[Relation, Collection[str]]) -> None:
        rows = [(number, relation, target) for relation, found in targets.items() for target in found]
        self._cursor.executemany(QUERIES["insert_link"], rows)

    def _delete(self, uuid: str, row: _Row) -> None:
        self._write_pending()
        self._execute(QUERIES["delete_history"], (row.number,))
        self._execute(QUERIES["delete_job"], (row.number,))
        del self._jobs[uuid]

    def _state(self, call: Statement) -> None:
        self._write_pending()
        try:
            call.result = call.work(self._cursor)
        except Error as error:
            call.error = error

    def _write_pending(self) -> None:
        """Bring the database up to what the judges have said so far."""
        if self._events:
            self._cursor.executemany(_INSERT_EVENT, self._events)
            self._events = []
            self._keyed.clear()
        if not self._touched:
            return
        advanced, moved, rewritten, worked = [], [], [], []
        for row in self._touched:
            old, new = row.stored, row.current
            assert old is not None
            assert new is not None
            if not same_but_progress(old, new):
                rewritten.append((*job_row(new)[1:], row.number))
                if new.child_of != old.child_of:
                    self._execute(QUERIES["delete_links"], (row.number, "child_of"))
                    self._link(row.number, {"child_of": frozenset(new.child_of)})
            elif new.work is not None:
                worked.append((*_progress(new), new.state, work_text(new.work), row.number))
            elif new.state == old.state:
                advanced.append((*_progress(new), row.number))
            else:
                moved.append((*_progress(new), new.state, row.number))
            if new.work is not None:
                self._move_work(row.number, old, new, new.work)
            row.stored = new
        self._touched = []
        kinds = (("advance_job", advanced), ("move_job", moved), ("rewrite_job", rewritten), ("work_job", worked))
        for name, rows in kinds:
            if rows:
                self._cursor.executemany(QUERIES[name], rows)

    def _use_blobs(self, numbers: list[int]) -> None:
        for number in numbers:
            self._execute(QUERIES["use_blob"], (number,)).fetchall()

    def _move_work(self, number: int, old: Job, new: Job, work: Work) -> None:
        """Bring the place in the queue up to a job that changed."""
        assert old.work is not None
        was, moved = moved_row(old, old.work), moved_row(new, work)
        if was[:-1] != moved[:-1]:
            self._execute(QUERIES["move_work"], (*moved, number))
            self._use_blobs(named_blobs(old.work, work))
        elif was != moved:
            self._execute(QUERIES["renew_work"], (moved[-1], number))

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

    def _trim(self) -> None:
        jobs = self._jobs
        while len(jobs) > JOBS_CACHED:
            del jobs[next(iter(jobs))]

    def _forget(self) -> None:
        """Drop everything that may not be what the database holds."""
        self._jobs.clear()
        self.sessions.clear()
        self._events.clear()
        self._touched.clear()
        self._keyed.clear()


def _progress(job: Job) -> tuple[str, int, bytes, int]:
    return job.last_event, job.sequence, job.head, to_microseconds(job.updated_at)
