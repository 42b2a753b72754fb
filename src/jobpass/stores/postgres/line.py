"""A line: the calls for one job in a group, judged one after the other, and what is to be written of it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from jobpass.records import HELD, WAITING, Change, Details, Event, Job, Replayed
from jobpass.stores.postgres.calls import Apply, ApplyNext
from jobpass.stores.rows.jobs import same_but_progress
from jobpass.stores.rules import check_answer

JOB: Final = "job:"
"""Before a job's uuid in its topic."""


class Row:
    """A job's row as it was last seen: its number, its version, and the job."""

    __slots__ = ("job", "number", "version")

    def __init__(self, number: int, version: int, job: Job) -> None:
        self.number = number
        self.version = version
        self.job = job


class Line:
    """What becomes of one job. ``row`` is the job before, as the cache or the database has it; None: there is none.

    ``keys`` are the events that stand under the keys of the calls, None if that was not looked at: then a call with a
    key is judged as if nothing stood there, and only written if that is so.
    Once judged, ``writes`` tells whether anything changes, ``is_plain`` whether that is events and progress only.
    """

    __slots__ = (
        "answers", "apart", "calls", "created", "current", "deleted", "details", "events", "is_plain", "keys", "place",
        "refusals", "row", "uncertain", "uuid", "writes",
    )  # fmt: skip

    def __init__(self, uuid: str, place: int) -> None:
        self.uuid = uuid
        self.place = place
        self.calls: list[Apply] = []
        self.row: Row | None = None
        self.keys: dict[str, Event] | None = None
        self.refusals: dict[int, Exception] = {}

    def judge(self) -> None:
        """Ask the judges from the beginning; of the calls in ``refusals`` (by ``id``) no change is taken."""
        self.answers: list[tuple[Change | Replayed | None, Exception | None]] = []
        self.events: list[Event] = []
        self.apart: list[Apply] = []
        self.created = self.deleted = self.uncertain = False
        self.details = Details()
        self.current = self.row.job if self.row is not None else None
        pending: dict[str, Event] = {}
        for call in self.calls:
            answer, error = self._ask(call, pending)
            self.answers.append((answer, error))
            if call.key is not None and self.keys is None and type(answer) is not Change:
                self.uncertain = True
            if type(answer) is Change and error is None:
                self._take(answer, pending)
        self._weigh()
        if not self.writes:
            self.uncertain = True  # nothing will show whether the row was still the same

    def _ask(self, call: Apply, pending: dict[str, Event]) -> tuple[Change | Replayed | None, Exception | None]:
        job, key, standing = self.current, call.key, None
        if job is not None and key is not None:
            standing = pending.get(key)
            if standing is None and self.keys is not None and not self.created:
                standing = self.keys.get(key)
        try:
            answer = call.judge(job, standing)
            check_answer(answer, call.uuid, job, standing, key)
        except Exception as error:  # whatever a judge raises is its own caller's, never the group's
            return None, error
        if id(call) in self.refusals and type(answer) is Change:
            return None, self.refusals[id(call)]
        if job is None and call.apart is not None:
            self.apart.append(call)
        return answer, None

    def _take(self, change: Change, pending: dict[str, Event]) -> None:
        after, event = change.after, change.event
        if after is None:
            self.deleted = self.row is not None
            self.created = False
            self.current = None
            self.events.clear()
            pending.clear()
            return
        if self.current is None:
            self.created = True
            self.details = change.details or Details()
        self.current = after
        if event is not None:
            self.events.append(event)
            if event.key is not None:
                pending[event.key] = event

    def _weigh(self) -> None:
        """Tell whether anything changes, and whether events and the progress of the row are all that does."""
        row, current = self.row, self.current
        if row is None or current is None or self.created or self.deleted:
            self.writes, self.is_plain = self.created or self.deleted, False
        else:
            self.writes = bool(self.events) or current is not row.job
            self.is_plain = same_but_progress(row.job, current) and not _names_blobs(row.job, current)

    @property
    def moves_work(self) -> bool:
        """Whether the work of a job that stands changes."""
        return self.row is not None and self.current is not None and self.current.work is not self.row.job.work

    def changes(self) -> list[tuple[Apply, Change]]:
        """The changes that the calls make, in order."""
        return [
            (call, answer)
            for call, (answer, error) in zip(self.calls, self.answers, strict=True)
            if error is None and isinstance(answer, Change)
        ]

    def row_after(self, number: int | None = None) -> Row | None:
        """The row once this is written; ``number`` is that of a job that was made."""
        if self.current is None:
            return None
        if number is not None:
            return Row(number, 1, self.current)
        assert self.row is not None
        return Row(self.row.number, self.row.version + self.writes, self.current)

    def topics(self) -> list[str]:
        """What others may wait for: the job; its queue if it waits from now on, or leaves a worker."""
        topics = [JOB + self.uuid]
        old, new = None if self.row is None else self.row.job, self.current
        one = new or old
        if one is not None and one.work is not None:
            before, after = (None if job is None else job.state for job in (old, new))
            if before != after and (after == WAITING or (before in HELD and after not in HELD)):
                topics.append(f"queue:{one.work.platform}")
        return topics

    def answer(self) -> None:
        """Give the calls their answers."""
        for call, (answer, error) in zip(self.calls, self.answers, strict=True):
            call.result, call.error = answer, error


def _names_blobs(old: Job, new: Job) -> bool:
    """Whether the work names other blobs than before, which are to be looked for."""
    before, after = old.work, new.work
    if before is None or after is None or before is after:
        return False
    return (before.results, before.payload) != (after.results, after.payload)


def lines_of(calls: Collection[Any]) -> list[Line]:
    """The lines of a group, in the order of their first calls."""
    lines: dict[str, Line] = {}
    for call in calls:
        if isinstance(call, Apply) and not isinstance(call, ApplyNext):
            line = lines.get(call.uuid)
            if line is None:
                line = lines[call.uuid] = Line(call.uuid, len(lines))
            line.calls.append(call)
    return list(lines.values())
