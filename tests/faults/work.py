"""Decides whether the work of compute jobs was done as their histories say. Pure: no I/O.

The calls, the states and their order are the other checker's (``checker.py``); here it is looked at who had a job:

- a job has ended: it is completed, or an error because three workers were lost;
- it was given away as attempt 1, 2, 3, each time after the attempt before had been lost, to a worker that there was;
- it was completed once, and its results are those that the event names, by the worker that had the last attempt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from faults.calls import Call, Entry
from faults.checker import Violation, Wrong

ATTEMPTS = 3
LOST = "worker_lost"


class End(Struct, frozen=True):
    """How a job stood in the end, as the server told it; ``number`` is what was asked for."""

    job: str
    number: int
    status: str
    failure_code: str | None
    results: str | None


def check_work(
    ends: Iterable[End], histories: Mapping[str, Sequence[Entry]], workers: Mapping[str, str]
) -> list[Violation]:
    """Everything that is wrong; ``workers`` are the marks of all that there ever were, by the names they had."""
    return [Violation(wrong, end.job, what) for end in ends for wrong, what in _judge(end, histories[end.job], workers)]


def work_calls(submissions: Sequence[Call], histories: Mapping[str, Sequence[Entry]]) -> list[Call]:
    """What workers and the server did, as calls of which nobody has the answer, so that the histories can be judged.

    No log has them. They may have been made at any moment after the submission; an event that is there twice, in a
    state that it does not lead to, or before the submission, is found all the same.
    """
    return [
        Call(
            client="workers",
            job=call.job,
            kind="send",
            invoked_at=call.invoked_at,
            returned_at=None,
            outcome="unknown",
            name=name,
            data=data,
            key=f"{name} {data}",
        )
        for call in submissions
        for name, data in dict.fromkeys((one.name, one.data) for one in histories[call.job] if one.name != "create")
    ]


Found = Iterator[tuple[Wrong, str]]


def _judge(end: End, history: Sequence[Entry], workers: Mapping[str, str]) -> Found:
    yield from _attempts(history, workers)
    completed = [entry for entry in history if entry.name == "complete"]
    leases = [json.loads(entry.data) for entry in history if entry.name == "lease"]
    if len(completed) > 1:
        yield "doubled", f"completed at {[entry.sequence for entry in completed]}"
    if end.status == "completed" and completed and leases:
        yield from _result(end, json.loads(completed[-1].data), workers.get(leases[-1]["worker"]))
    elif end.status == "error":
        if end.failure_code != LOST or len(leases) != ATTEMPTS or completed:
            yield "attempt", f"failed with {end.failure_code} after {len(leases)} attempts"
    else:
        yield "unfinished", f"{end.status} after {len(leases)} attempts"


def _attempts(history: Sequence[Entry], workers: Mapping[str, str]) -> Found:
    """Each is the next one, and is lost before another begins."""
    having: dict[str, Any] | None = None
    number = 0
    for entry in history:
        data = json.loads(entry.data)
        if entry.name == "lease":
            number += 1
            if having is not None or data["attempt"] != number:
                yield "attempt", f"{entry.data} at {entry.sequence} is not attempt {number}"
            if data["worker"] not in workers:
                yield "attempt", f"nobody is {data['worker']} at {entry.sequence}"
            having = data
        elif entry.name == "requeue" or (entry.name == "fail" and data.get("reason") == LOST):
            if having is None or any(data.get(name) != having[name] for name in ("worker", "attempt")):
                yield "attempt", f"{entry.data} at {entry.sequence} is not the attempt that was under way"
            having = None
        elif entry.name in ("complete", "fail") and having is None:
            yield "attempt", f"{entry.name} at {entry.sequence} when no worker had it"


def _result(end: End, told: dict[str, Any], mark: str | None) -> Found:
    text = end.results or ""
    if told["results"] != {"bytes": len(text.encode()), "sha256": hashlib.sha256(text.encode()).hexdigest()}:
        yield "result", f"{text} is not what was completed: {told['results']}"
        return
    found = json.loads(text)
    if (found["number"], found["by"]) != (end.number, mark):
        yield "result", f"{text} is not that of {end.number} by {mark}"
