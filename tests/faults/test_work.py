"""The judge of who did what work, on histories that can be read at a glance."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from faults.calls import Call, Entry, canonical
from faults.checker import check
from faults.work import End, check_work, work_calls
from jobpass.lifecycle.standard import COMPUTE

JOB = "j"
WORKERS = {"w0": "mark 0", "w1": "mark 1", "w2": "mark 2"}
RESULTS = canonical({"number": 7, "by": "mark 1", "run": "aa"})
DIGEST = {"bytes": len(RESULTS), "sha256": hashlib.sha256(RESULTS.encode()).hexdigest()}


def lease(attempt: int, worker: str) -> tuple[str, str, object]:
    return "lease", "running", {"worker": worker, "attempt": attempt, "platform": "p"}


def lost(attempt: int, worker: str) -> tuple[str, str, object]:
    name, state = ("requeue", "waiting") if attempt < 3 else ("fail", "error")
    return name, state, {"reason": "worker_lost", "worker": worker, "attempt": attempt}


CREATE = ("create", "waiting", {})
COMPLETE = ("complete", "completed", {"results": DIGEST, "results_type": None, "shots": None})
DONE = [CREATE, lease(1, "w0"), lost(1, "w0"), lease(2, "w1"), COMPLETE]
GONE = [CREATE, *(step(number, f"w{number - 1}") for number in (1, 2, 3) for step in (lease, lost))]
COMPLETED = End(JOB, 7, "completed", None, RESULTS)
FAILED = End(JOB, 7, "error", "worker_lost", None)


def history(steps: list[tuple[str, str, object]]) -> list[Entry]:
    return [
        Entry(number, f"uuid-{number}", name, canonical(data), state)
        for number, (name, state, data) in enumerate(steps, 1)
    ]


def wrong(end: End, steps: list[tuple[str, str, object]]) -> set[str]:
    return {violation.wrong for violation in check_work([end], {JOB: history(steps)}, WORKERS)}


def test_work_that_was_done_and_work_that_was_lost_three_times_pass() -> None:
    assert wrong(COMPLETED, DONE) == set()
    assert wrong(FAILED, GONE) == set()
    given_back = [CREATE, lease(1, "w1"), COMPLETE]
    assert wrong(COMPLETED, given_back) == set()


@pytest.mark.parametrize(
    ("end", "steps", "expected"),
    [
        (COMPLETED, [*DONE, COMPLETE], "doubled"),
        (COMPLETED, [CREATE, lease(1, "w1"), COMPLETE, COMPLETE], "doubled"),
        (replace(COMPLETED, status="running"), DONE[:-1], "unfinished"),
        (replace(COMPLETED, status="waiting"), DONE[:-2], "unfinished"),
        (replace(FAILED, failure_code="runner"), GONE, "attempt"),
        (FAILED, GONE[:5], "attempt"),
        (FAILED, [*GONE[:-1], COMPLETE], "attempt"),
        (COMPLETED, [CREATE, lease(1, "w0"), lease(2, "w1"), COMPLETE], "attempt"),
        (COMPLETED, [CREATE, lease(2, "w1"), COMPLETE], "attempt"),
        (COMPLETED, [*DONE[:3], COMPLETE], "attempt"),
        (COMPLETED, [CREATE, lease(1, "w0"), lost(1, "w2"), lease(2, "w1"), COMPLETE], "attempt"),
        (COMPLETED, [CREATE, lease(1, "w9"), lost(1, "w9"), lease(2, "w1"), COMPLETE], "attempt"),
        (COMPLETED, [CREATE, lease(1, "w0"), COMPLETE], "result"),
        (replace(COMPLETED, number=8), DONE, "result"),
        (replace(COMPLETED, results=RESULTS.replace("aa", "bb")), DONE, "result"),
        (replace(COMPLETED, results=None), DONE, "result"),
    ],
)
def test_what_is_broken_is_found(end: End, steps: list[tuple[str, str, object]], expected: str) -> None:
    assert expected in wrong(end, steps)


def submission() -> Call:
    return Call(
        client="c",
        job=JOB,
        kind="send",
        invoked_at=0,
        returned_at=1,
        outcome="ok",
        name="create",
        data=canonical({}),
        key="k",
        sequence=1,
        state="waiting",
    )


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (lambda whole: whole, set()),
        (lambda whole: [], {"lost"}),
        (lambda whole: [*whole, replace(whole[1], sequence=len(whole) + 1)], {"doubled", "state"}),
        (lambda whole: whole[1:], {"lost", "gap"}),
        (lambda whole: [*whole[:3], *whole[4:]], {"gap", "state"}),
    ],
)
def test_what_workers_did_is_judged_with_the_calls(
    break_it: Callable[[list[Entry]], list[Entry]], expected: set[str]
) -> None:
    histories = {JOB: break_it(history(DONE))}
    calls = [submission(), *work_calls([submission()], histories)]
    assert expected <= (found := {violation.wrong for violation in check(calls, histories, COMPUTE)})
    assert bool(found) == bool(expected)
