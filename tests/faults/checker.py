"""Decides whether a record is one that the clients' calls allow. Pure: calls and histories in, violations out.

For each job, what the history shows is compared with what was asked and answered:

- an acknowledged event stands exactly once, at its answered sequence, with its state and uuid; one without an answer
  stands once or not at all; one that was refused does not stand; nothing stands that nobody asked for;
- a key that was sent again got the first answer, and was not refused once it stood;
- each state follows from the one before by the lifecycle's table, and no sequence is missing;
- the calls can be put into one order that agrees with the history and with time: who was answered before another asked
  comes first, a read sees a moment between its question and its answer, and a refusal was right at such a moment.

The last is linearizability (Herlihy and Wing 1990). It is decided exactly and in n log n, since the history names the
order of the events: what is left to place are reads, at the sequence that they saw, and refusals, at the first moment
that suits them. Every constraint has the form "not before", so that the earliest place for each is the best for all.
"""

from __future__ import annotations

import bisect
import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from faults.calls import Call, Entry
from jobpass.lifecycle.model import Lifecycle

Wrong = Literal[
    "lost",  # acknowledged, and not there
    "doubled",  # there more than once
    "moved",  # there, and not as it was answered
    "fabricated",  # there, and nobody asked for it
    "refused",  # there, although it was refused
    "replay",  # the same key was answered in two ways
    "gap",  # a sequence is missing, or one is there twice
    "state",  # not the state to which the lifecycle leads
    "order",  # before something that was answered earlier
    "stale",  # a read of what was past
    "ahead",  # a read of what had not been asked for yet
    "refusal",  # refused although it was legal all the time, or for another reason than the lifecycle's
    "rewritten",  # read otherwise before
    "chain",  # what `jobpass verify` found
    "unfinished",  # a compute job that has not ended; this and the next two are found in ``work.py``
    "attempt",  # a worker had it, or lost it, out of turn
    "result",  # not what the worker brought that the history names
    "service",  # something else that a trial expects; never found here
]


class Violation(NamedTuple):
    """What is wrong with which job, and a sentence that says where."""

    wrong: Wrong
    job: str
    what: str


Tell = Callable[[Wrong, Call, str], None]

ILLEGAL = "illegal_transition"
"""The code of the one refusal that a sound client may meet."""


def check(
    calls: Iterable[Call],
    histories: Mapping[str, Sequence[Entry]],
    lifecycle: Lifecycle,
    broken: Iterable[tuple[str, int]] = (),
) -> list[Violation]:
    """Everything that is wrong; empty if the record holds.

    ``histories`` are those of all jobs, from their first event to their last, read after the last call; ``broken`` is
    what ``jobpass verify`` found: chains with the sequence where they break. Raises ``ValueError`` for a log that
    cannot be judged: two keys of a job with the same event and data.
    """
    by_job: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_job[call.job].append(call)
    found = [Violation("chain", job, f"the chain breaks at {sequence}") for job, sequence in broken]
    for job in sorted(by_job.keys() | histories.keys()):
        found += _Judged(job, by_job[job], histories.get(job, ()), lifecycle).violations()
    return found


class _Intent(NamedTuple):
    """One event that somebody wanted: all calls with its key, and where it stands in the history."""

    calls: list[Call]
    places: list[int]

    @property
    def acknowledged(self) -> list[Call]:
        return [call for call in self.calls if call.outcome == "ok"]

    @property
    def open(self) -> bool:
        """Whether a request may have been, or may still be, on its way without an answer."""
        return any(call.outcome == "unknown" or (call.outcome == "refused" and call.resent) for call in self.calls)

    @property
    def shown(self) -> str:
        first = self.calls[0]
        return f"{first.name} {first.data} of {first.client}"

    @property
    def invoked_at(self) -> float:
        return min(call.invoked_at for call in self.calls)

    @property
    def ended(self) -> float:
        """From when on it stands for certain."""
        return min((call.ended for call in self.acknowledged), default=math.inf)


class _Judged:
    """One job."""

    def __init__(self, job: str, calls: list[Call], history: Sequence[Entry], lifecycle: Lifecycle) -> None:
        self._job = job
        self._calls = calls
        self._history = history
        self._lifecycle = lifecycle
        self._found: list[Violation] = []
        self._intents = list(self._read_intents())

    def violations(self) -> list[Violation]:
        self._shape()
        for intent in self._intents:
            self._stands(intent)
            self._answers(intent)
        self._asked_for()
        self._pages()
        self._order()
        return self._found

    def _note(self, wrong: Wrong, what: str) -> None:
        self._found.append(Violation(wrong, self._job, what))

    def _read_intents(self) -> Iterator[_Intent]:
        places: dict[tuple[str, str], list[int]] = defaultdict(list)
        for place, entry in enumerate(self._history, 1):
            places[entry.name, entry.data].append(place)
        groups: dict[object, list[Call]] = defaultdict(list)
        for call in self._calls:
            if call.kind == "send":
                groups[call.key if call.key is not None else id(call)].append(call)
        known: set[tuple[str, str]] = set()
        for calls in groups.values():
            marks = {(call.name, call.data) for call in calls}
            if len(marks) != 1 or marks & known:
                raise ValueError(f"job {self._job}: the log does not tell events apart: {sorted(marks)}")
            known |= marks
            yield _Intent(calls, places.get(marks.pop(), []))

    def _shape(self) -> None:
        """The history by itself: without a gap, no event twice, each state from the one before."""
        state = self._lifecycle.initial
        uuids: set[str] = set()
        for place, entry in enumerate(self._history, 1):
            if entry.sequence != place:
                self._note("gap", f"event {place} has sequence {entry.sequence}")
            if entry.uuid in uuids:
                self._note("doubled", f"the uuid of {entry.sequence} is there twice")
            uuids.add(entry.uuid)
            if self._lifecycle.table.get((state, entry.name)) != entry.state:
                self._note("state", f"{entry.name} at {entry.sequence} leads from {state} to {entry.state}")
            state = entry.state

    def _stands(self, intent: _Intent) -> None:
        if len(intent.places) > 1:
            self._note("doubled", f"{intent.shown} stands at {intent.places}")
        if intent.acknowledged and not intent.places:
            self._note("lost", f"{intent.shown} was acknowledged at {intent.acknowledged[0].sequence}")
        if intent.places and not intent.acknowledged and not intent.open:
            self._note("refused", f"{intent.shown} stands at {intent.places[0]}")
        for call in intent.acknowledged:
            if intent.places and not any(self._fits(call, place) for place in intent.places):
                answered = f"{call.sequence} ({call.state})"
                self._note("moved", f"{intent.shown} was acknowledged at {answered}, stands at {intent.places}")

    def _fits(self, call: Call, place: int) -> bool:
        entry = self._history[place - 1]
        same_uuid = not call.event_uuid or call.event_uuid == entry.uuid
        return (call.sequence, call.state) == (entry.sequence, entry.state) and same_uuid

    def _answers(self, intent: _Intent) -> None:
        answers = {(call.sequence, call.state, call.event_uuid) for call in intent.acknowledged}
        if len(answers) > 1:
            self._note("replay", f"{intent.shown} was answered in {len(answers)} ways: {sorted(answers)}")
        for call in intent.calls:
            if call.outcome == "refused" and intent.ended < call.invoked_at:
                self._note("replay", f"{intent.shown} stood already when it was refused")

    def _asked_for(self) -> None:
        wanted = {(intent.calls[0].name, intent.calls[0].data) for intent in self._intents}
        for entry in self._history:
            if (entry.name, entry.data) not in wanted:
                self._note("fabricated", f"nobody asked for {entry.name} {entry.data} at {entry.sequence}")

    def _pages(self) -> None:
        for call in self._calls:
            for seen in call.seen:
                stands = self._history[seen.sequence - 1] if 0 < seen.sequence <= len(self._history) else None
                if stands != seen:
                    self._note("rewritten", f"{call.client} read {seen.name} {seen.data} at {seen.sequence}")

    def _order(self) -> None:
        _Order(self._history, self._lifecycle, self._note_call).place(self._intents, self._calls)

    def _note_call(self, wrong: Wrong, call: Call, what: str) -> None:
        self._note(wrong, f"{call.kind} {call.name} {call.data} of {call.client}: {what}")


class _Waiting(NamedTuple):
    """Something to be put into the order; ``intent`` is that of the call, None for a read or a page."""

    what: Literal["event", "read", "refusal"]
    invoked_at: float
    ended: float
    call: Call
    intent: _Intent | None


class _Order:
    """Puts the calls of one job into one order. A *place* is the number of events that stand at a moment."""

    def __init__(self, history: Sequence[Entry], lifecycle: Lifecycle, tell: Tell) -> None:
        self._history = history
        self._lifecycle = lifecycle
        self._tell = tell
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, entry in enumerate(history, 1):
            self._places[entry.state].append(place)
        self._floor = 0
        """What stood for certain before the call that is being placed was made."""
        self._ended: list[tuple[float, int]] = []

    def place(self, intents: list[_Intent], calls: list[Call]) -> None:
        """In the order in which they were asked for: whatever must come before another was asked for before it."""
        standing = [intent for intent in intents if len(intent.places) == 1]
        self._read_ceilings(standing)
        own = {id(call): intent for intent in intents for call in intent.calls}
        waiting = [_Waiting("event", one.invoked_at, one.ended, one.calls[0], one) for one in standing]
        for call in calls:
            if call.outcome == "refused":
                waiting.append(_Waiting("refusal", call.invoked_at, call.ended, call, own.get(id(call))))
            elif call.outcome == "ok" and call.kind != "send":
                waiting.append(_Waiting("read", call.invoked_at, call.ended, call, None))
        find = {"event": self._find_event, "read": self._find_read, "refusal": self._find_refusal}
        for one in sorted(waiting, key=lambda one: one.invoked_at):
            while self._ended and self._ended[0][0] < one.invoked_at:
                self._floor = max(self._floor, heapq.heappop(self._ended)[1])
            place = find[one.what](one)
            if place is not None:
                heapq.heappush(self._ended, (one.ended, place))

    def _read_ceilings(self, standing: list[_Intent]) -> None:
        """For each moment, the first event that was asked for only after it: what stands then lies below it."""
        asked = sorted((intent.invoked_at, intent.places[0]) for intent in standing)
        self._moments = [moment for moment, _ in asked]
        self._first = [place for _, place in asked]
        for number in range(len(asked) - 2, -1, -1):
            self._first[number] = min(self._first[number], self._first[number + 1])

    def _ceiling(self, moment: float) -> int:
        number = bisect.bisect_right(self._moments, moment)
        return self._first[number] - 1 if number < len(self._first) else len(self._history)

    def _find_event(self, one: _Waiting) -> int | None:
        assert one.intent is not None
        place = one.intent.places[0]
        if place <= self._floor:
            self._tell("order", one.call, f"stands at {place}, but {self._floor} was there before it was asked for")
        return place

    def _find_read(self, one: _Waiting) -> int | None:
        call, place = one.call, one.call.sequence
        if place < self._floor and call.whole:
            self._tell("stale", call, f"saw {place} when {self._floor} was there")
        if place > self._ceiling(call.ended):
            self._tell("ahead", call, f"saw {place} when {self._ceiling(call.ended)} was all that could be there")
            return None
        if call.state and place and self._history[place - 1].state != call.state:
            self._tell("rewritten", call, f"saw {call.state} at {place}")
        return place

    def _find_refusal(self, one: _Waiting) -> int | None:
        call = one.call
        if call.code != ILLEGAL or (call.state, call.name) in self._lifecycle.table:
            self._tell("refusal", call, f"{call.code} in {call.state or 'no state'}")
            return None
        suitable = self._places[call.state]
        number = bisect.bisect_left(suitable, self._floor)
        last = self._ceiling(call.ended)
        if one.intent is not None and len(one.intent.places) == 1:
            last = min(last, one.intent.places[0] - 1)
        if number == len(suitable) or suitable[number] > last:
            self._tell("refusal", call, f"the job was not in {call.state} between {self._floor} and {last}")
            return None
        return suitable[number]
