"""What makes a document token a ticket, and what keeps it the same one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass.errors import InvalidInput
from jobpass.tokens.caveats import Actions, Caveat, Cidr, Events, ExpiresAt, Jobs, States
from jobpass.tokens.ticket import ACTION, MAX_LIFE, SKEW, conditions, core, is_ticket

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
JOB = "1071269f-b251-5a5f-bec1-6d7f77131f3f"
END = ExpiresAt(int((NOW + timedelta(days=1)).timestamp()))
NEEDED = (Actions((ACTION,)), Events(("finish",)), END)

some = st.sampled_from(
    [
        *NEEDED,
        Jobs((JOB,)),
        Cidr(("10.0.0.0/8",)),
        Actions(("jobs.read",)),
        Actions((ACTION, "jobs.read")),
        Actions(()),
        Events(()),
        States({"RUNNING": ("finish",)}),
        ExpiresAt(0),
    ]
)


def test_what_is_made_is_one_and_all_of_it_counts() -> None:
    made = conditions(JOB, ["finish", "fail"], END.at, ["10.0.0.0/8"])
    assert is_ticket(made, NOW)
    assert core(made) == made
    assert core(conditions(JOB, ["fail"], END.at)) != core(conditions(JOB, ["finish"], END.at))
    with pytest.raises(InvalidInput):
        conditions(JOB, [], END.at)


def test_each_of_three_conditions_is_needed_in_whatever_order() -> None:
    for order in permutations(NEEDED):
        assert is_ticket(order, NOW)
        for count in range(3):
            assert core(order[:count]) is None
            assert not is_ticket(order[:count], NOW)


def test_no_other_action_may_stand_beside_it() -> None:
    for actions in (Actions((ACTION, "jobs.read")), Actions(()), Actions(("jobs.event",)), Actions((ACTION, ACTION))):
        assert not is_ticket((actions, *NEEDED[1:]), NOW)


def test_it_must_end_soon() -> None:
    for late, expected in ((timedelta(), True), (timedelta(seconds=1), False)):
        end = ExpiresAt(int((NOW + MAX_LIFE + SKEW + late).timestamp()))
        assert is_ticket((*NEEDED[:2], end), NOW) is expected
        assert is_ticket((*NEEDED[:2], end, END), NOW), "the earliest end counts"


@given(st.lists(some, max_size=8), st.lists(some, max_size=4))
def test_what_is_added_never_makes_it_another(caveats: list[Caveat], more: list[Caveat]) -> None:
    found = core(tuple(caveats))
    if found is not None:
        assert core((*caveats, *more)) == found
        assert core(found) == found
    elif core((*caveats, *more)) is not None:
        assert not is_ticket(tuple(caveats), NOW)
