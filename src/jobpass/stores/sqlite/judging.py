"""What happens to a group between BEGIN and COMMIT: load, judge in order of arrival, write."""

from __future__ import annotations

from typing import Final

import apsw

from jobpass.clock import to_microseconds
from jobpass.errors import Error, LimitExceeded
from jobpass.records import Change, Details, Event, Job
from jobpass.stores.rows.columns import Row
from jobpass.stores.rows.jobs import event_from, event_row, job_from, job_row, same_but_progress, work_text
from jobpass.stores.rows.work import named_blobs
from jobpass.stores.rules import archive_taken, check_answer, swept
from jobpass.stores.sqlite.cache import Cache, JobRow
from jobpass.stores.sqlite.calls import Among, Apply, ApplyNext, Group, Statement
from jobpass.stores.sqlite.making import delete_job, insert_job, relink
from jobpass.stores.sqlite.placing import move_work
from jobpass.stores.sqlite.queries import QUERIES
from jobpass.stores.sqlite.queue import next_waiting

_FIND_JOB: Final = QUERIES["find_job"]
_FIND_KEY: Final = QUERIES["find_key"]
_INSERT_EVENT: Final = QUERIES["insert_event"]


class Judging(Cache):
    """The writing connection within a transaction; how that begins and ends is the writer's.

    The events of a group and the rows of its jobs wait until something must see them, and are then written at once.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self._touched: list[JobRow] = []
        self._events: list[Row] = []
        self._keyed: dict[tuple[int, str], Event] = {}

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
                return LimitExceeded.of_queue(change.most)
        blobs = named_blobs(None if before is None else before.work, after.work)
        return swept() if any(self._execute(QUERIES["find_blob"], (blob,)).get is None for blob in blobs) else None

    def _is_taken(self, among: Among) -> bool:
        return among.taken or self._execute(QUERIES["archive_newer"], among.bindings).get is not None

    def _load(self, uuid: str) -> JobRow | None:
        found = self._execute(_FIND_JOB, (uuid,)).get
        return None if found is None else JobRow(found[0], job_from(found[1:]))

    def _find_key(self, number: int, key: str) -> Event | None:
        pending = self._keyed.get((number, key))
        if pending is not None:
            return pending
        found = self._execute(_FIND_KEY, (number, key)).get
        return None if found is None else event_from(found)

    def _take(self, change: Change, row: JobRow | None) -> None:
        """Note the change; rows that stand are written at the end, once for all events of the group."""
        after, event = change.after, change.event
        if after is None:
            assert row is not None
            assert change.before is not None
            self._write_pending()
            delete_job(self._cursor, row.number)
            del self._jobs[change.before.uuid]
            return
        if row is None:
            number = insert_job(self._cursor, after, change.details or Details())
            row = self._jobs[after.uuid] = JobRow(number, after)
        else:
            if row.current is row.stored:
                self._touched.append(row)
            row.current = after
        if event is not None:
            self._events.append(event_row(row.number, event))
            if event.key is not None:
                self._keyed[row.number, event.key] = event

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
                    relink(self._cursor, row.number, new.child_of)
            elif new.work is not None:
                worked.append((*_progress(new), new.state, work_text(new.work), row.number))
            elif new.state == old.state:
                advanced.append((*_progress(new), row.number))
            else:
                moved.append((*_progress(new), new.state, row.number))
            if new.work is not None:
                move_work(self._cursor, row.number, old, new, new.work)
            row.stored = new
        self._touched = []
        kinds = (("advance_job", advanced), ("move_job", moved), ("rewrite_job", rewritten), ("work_job", worked))
        for name, rows in kinds:
            if rows:
                self._cursor.executemany(QUERIES[name], rows)

    def _forget(self) -> None:
        """As ``Cache``, with what was not yet written."""
        super()._forget()
        self._events.clear()
        self._touched.clear()
        self._keyed.clear()


def _progress(job: Job) -> tuple[str, int, bytes, int]:
    return job.last_event, job.sequence, job.head, to_microseconds(job.updated_at)
