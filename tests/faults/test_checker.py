"""The checker on logs that can be read at a glance, and beside a search through every possible order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from faults.calls import Call, Entry, Log, canonical, read_histories, read_log, write_histories
from faults.checker import ILLEGAL, check
from jobpass.lifecycle.standard import PIPELINE

STATES = ("CREATED", "RUNNING", "RUNNING")
HISTORY = [
    Entry(number, f"uuid-{number}", name, canonical(number), state, f"link-{number}")
    for number, (name, state) in enumerate(zip(("create", "run", "update"), STATES, strict=True), 1)
]


def sent(number: int, invoked_at: float, returned_at: float | None, **fields: object) -> Call:
    """The call for event ``number`` of HISTORY; without a ``returned_at`` it was not answered."""
    entry = HISTORY[number - 1]
    given = {
        "client": f"c{number}",
        "job": "j",
        "kind": "send",
        "name": entry.name,
        "data": entry.data,
        "key": f"key-{number}",
        "invoked_at": invoked_at,
        "returned_at": returned_at,
        "outcome": "unknown" if returned_at is None else "ok",
    }
    if returned_at is not None:
        given |= {"sequence": number, "state": entry.state, "event_uuid": entry.uuid}
    return Call(**(given | fields))


def read(place: int, invoked_at: float, returned_at: float) -> Call:
    state = HISTORY[place - 1].state if place else ""
    times = {"invoked_at": invoked_at, "returned_at": returned_at}
    return Call(client="r", job="j", kind="read", outcome="ok", sequence=place, state=state, **times)


def refused(name: str, state: str, invoked_at: float, returned_at: float, **fields: object) -> Call:
    given = {
        "client": "f",
        "job": "j",
        "kind": "send",
        "name": name,
        "data": canonical([name, invoked_at]),
        "key": f"f-{invoked_at}",
        "invoked_at": invoked_at,
        "returned_at": returned_at,
        "outcome": "refused",
        "code": ILLEGAL,
        "state": state,
    }
    return Call(**(given | fields))


ONE_BY_ONE = [sent(1, 0, 1), sent(2, 2, 3), sent(3, 4, 5)]


def wrong(calls: Sequence[Call], history: Sequence[Entry] = HISTORY, **more: object) -> list[str]:
    return [violation.wrong for violation in check(calls, {"j": history}, PIPELINE, **more)]


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        (ONE_BY_ONE, []),
        ([*ONE_BY_ONE, read(3, 6, 7)], []),
        ([*ONE_BY_ONE, read(2, 2.5, 7)], []),
        ([*ONE_BY_ONE, read(2, 6, 7)], ["stale"]),
        ([*ONE_BY_ONE, read(3, 2.5, 3.5)], ["ahead"]),
        ([sent(1, 0, 1), sent(2, 2, None), sent(3, 4, 5)], []),
        ([sent(1, 0, 1), sent(2, 4, None), sent(3, 2, 3)], ["order"]),
        ([sent(1, 0, 1), sent(2, 4, 5), sent(3, 2, 6)], []),
        ([*ONE_BY_ONE, refused("finish", "CREATED", 1.5, 3.5)], []),
        ([*ONE_BY_ONE, refused("finish", "CREATED", 3.5, 6)], ["refusal"]),
        ([*ONE_BY_ONE, refused("finish", "RUNNING", 3.5, 6)], ["refusal"]),
        ([*ONE_BY_ONE, refused("create", "RUNNING", 1.2, 1.9)], ["refusal"]),
        ([*ONE_BY_ONE, refused("create", "RUNNING", 1.2, 2.1)], []),
        ([*ONE_BY_ONE, refused("create", "RUNNING", 1.2, 2.1), read(1, 2.2, 2.3)], ["stale"]),
        ([*ONE_BY_ONE, refused("create", "RUNNING", 4, 6, code="invalid_token")], ["refusal"]),
        ([*ONE_BY_ONE, replace(sent(3, 6, 7), client="c9")], []),
        ([*ONE_BY_ONE, refused("index", "RUNNING", 6, 7, resent=True)], []),
        (ONE_BY_ONE[:2], ["fabricated"]),
        ([*ONE_BY_ONE, read(2, 5, 7)], []),  # what happens at the same moment may be in either order
        ([*ONE_BY_ONE, read(3, 2.5, 4)], []),
        ([*ONE_BY_ONE, replace(read(3, 6, 7), state="CREATED")], ["rewritten"]),
        ([*ONE_BY_ONE, replace(read(3, 6, 7), kind="page", seen=tuple(HISTORY))], []),
        ([*ONE_BY_ONE, replace(read(3, 6, 7), kind="page", seen=(replace(HISTORY[0], link="x"),))], ["rewritten"]),
        ([*ONE_BY_ONE, replace(read(2, 6, 7), kind="page", whole=False)], []),
    ],
)
def test_examples(calls: list[Call], expected: list[str]) -> None:
    assert wrong(calls) == expected


def test_what_was_refused_stands_only_if_it_may_have_been_sent_before() -> None:
    late = Entry(4, "uuid-4", "update", canonical("late"), "RUNNING")
    fields = {"data": late.data, "key": "late"}
    early = refused("update", "FAILED", 4, 5, **fields)
    assert wrong([*ONE_BY_ONE, early], [*HISTORY, late]) == ["refused", "refusal"]
    ended = Entry(4, "uuid-4", "fail", canonical("late"), "FAILED")
    twice = refused("fail", "CREATED", 0, 6, resent=True, data=ended.data, key="late")
    assert wrong([*ONE_BY_ONE, twice], [*HISTORY, ended]) == ["refusal"]
    created = refused("finish", "CREATED", 0.5, 3.5, resent=True, data=ended.data, key="late")
    finished = Entry(4, "uuid-4", "finish", canonical("late"), "FINISHED")
    assert wrong([*ONE_BY_ONE, created], [*HISTORY, finished]) == []
    assert wrong([*ONE_BY_ONE, replace(created, resent=False)], [*HISTORY, finished]) == ["refused"]


def test_a_refusal_is_placed_before_its_own_event() -> None:
    """Once it stood, the same key would have had its answer."""
    names = ("finish", "validate", "validated", "finalize")
    states = ("FINISHED", "VALIDATING", "VALIDATED", "FINALIZED")
    rest = [
        Entry(number, f"uuid-{number}", name, canonical(number), state)
        for number, (name, state) in enumerate(zip(names, states, strict=True), 4)
    ]
    began = [
        sent(3, 10, None, name=one.name, data=one.data, key=f"key-{one.sequence}", client=one.name) for one in rest
    ]
    calls = [*ONE_BY_ONE, *began]
    again = refused("finalize", "FINALIZED", 20, 21, data=rest[-1].data, key="key-7")
    assert wrong(calls, [*HISTORY, *rest]) == []
    assert wrong([*calls, again], [*HISTORY, *rest]) == ["refusal"]
    assert wrong([*calls, replace(again, key="other", data="another")], [*HISTORY, *rest]) == []


def test_who_had_an_answer_is_not_refused_afterwards() -> None:
    again = refused("run", "CREATED", 6, 7, data=HISTORY[1].data, key="key-2")
    assert wrong([*ONE_BY_ONE, again])[0] == "replay"


def test_a_log_that_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ValueError, match="does not tell events apart"):
        wrong([sent(1, 0, 1), sent(1, 2, 3, key="another")])
    with pytest.raises(ValueError, match="does not tell events apart"):
        wrong([sent(1, 0, 1), sent(2, 2, 3, key="key-1")])


def test_two_events_with_one_uuid_are_one_too_many() -> None:
    same = [*HISTORY[:2], replace(HISTORY[2], uuid="uuid-2")]
    assert wrong([*ONE_BY_ONE[:2], sent(3, 4, None)], same) == ["doubled"]


def test_what_verify_found_is_told() -> None:
    found = check(ONE_BY_ONE, {"j": HISTORY}, PIPELINE, [("j", 2), ("audit:main", 7)])
    assert [(violation.wrong, violation.job) for violation in found] == [("chain", "j"), ("chain", "audit:main")]


def test_jobs_are_apart() -> None:
    other = [replace(call, job="k") for call in ONE_BY_ONE]
    assert check([*ONE_BY_ONE, *other], {"j": HISTORY, "k": HISTORY}, PIPELINE) == []
    assert {violation.job for violation in check(other, {"j": HISTORY, "k": HISTORY}, PIPELINE)} == {"j"}
    assert {violation.job for violation in check([*ONE_BY_ONE, *other], {"j": HISTORY}, PIPELINE)} == {"k"}


def test_logs_and_histories_are_kept_and_read_again(tmp_path: Path) -> None:
    log = Log(tmp_path / "log")
    calls = [sent(1, 0, 1), sent(2, 2, None), replace(read(3, 6, 7), seen=tuple(HISTORY))]
    for call in calls:
        log.add(call)
    log.close()
    assert read_log(log.path) == calls == log.calls
    write_histories(tmp_path / "histories", [("j", HISTORY)])
    assert list(read_histories(tmp_path / "histories")) == [("j", entry) for entry in HISTORY]


# Beside a search: every order of the calls is tried, on a job that really goes through it.

times = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(lambda pair: (min(pair), max(pair) + 0.5))
reads = st.builds(lambda place, at: read(place, *at), st.integers(0, len(HISTORY)), times)
illegal = [(state, name) for state in set(STATES) for name in PIPELINE.event if (state, name) not in PIPELINE.table]
refusals = st.builds(lambda which, at: refused(which[1], which[0], *at), st.sampled_from(illegal), times)


@st.composite
def arbitrary(draw: st.DrawFn) -> list[Call]:
    """The events of HISTORY at any times, some unanswered, with a few reads and refusals: most of it cannot be."""
    calls = []
    for number in range(1, len(HISTORY) + 1):
        invoked, returned = draw(times)
        calls.append(sent(number, invoked, returned if draw(st.integers(0, 3)) else None))
    others = draw(st.lists(st.one_of(reads, refusals), min_size=0, max_size=3))
    return calls + [replace(call, key=f"o{n}", data=canonical(f"o{n}")) for n, call in enumerate(others)]


def can_be_ordered(calls: list[Call]) -> bool:
    """Whether one of all orders agrees with time and with what a job does."""
    return any(_agrees(order) for order in itertools.permutations(calls))


def _agrees(order: Sequence[Call]) -> bool:
    stands = 0
    for number, call in enumerate(order):
        if any(later.ended < call.invoked_at for later in order[number + 1 :]):
            return False
        if call.kind == "send" and call.outcome != "refused":
            stands += 1
            if call.data != HISTORY[stands - 1].data:
                return False
        elif call.kind == "read":
            if call.sequence != stands:
                return False
        elif stands == 0 or HISTORY[stands - 1].state != call.state:
            return False
    return True


@settings(max_examples=200)
@given(arbitrary())
def test_order_is_decided_as_a_search_through_all_orders_does(calls: list[Call]) -> None:
    assert (wrong(calls) == []) == can_be_ordered(calls)
