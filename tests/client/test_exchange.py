"""The flow alone, without any network: it is a generator, so its every step can be given."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass.client.exchange import Lost, Operation, Request, Response, Retries, Sleep, exchange
from jobpass.errors import Error, ServerUnavailable, StoreUnavailable

REQUEST = Request("POST", "/x", body=b"{}", timeout_seconds=10)
STORE_DOWN = b'{"error": "Down.", "detail": {"code": "store_unavailable"}, "request_id": "r"}'


def play(operation: Operation[bytes], replies: list[Any]) -> tuple[bytes | Error, list[Any]]:
    """What comes of ``operation`` when it gets these replies, and what it asked for."""
    asked: list[Any] = []
    reply = None
    remaining = iter(replies)
    try:
        while True:
            step = operation.send(reply)
            asked.append(step)
            reply = None if isinstance(step, Sleep) else next(remaining)
    except StopIteration as end:
        return end.value, asked
    except Error as error:
        return error, asked


def test_time_spent_counts_against_the_deadline() -> None:
    retries = Retries(deadline_seconds=20, random=lambda: 1.0)
    slow = Lost("no answer in time", True, 9.0)
    outcome, asked = play(exchange(REQUEST, retries), [slow, slow, slow])
    assert isinstance(outcome, ServerUnavailable)
    assert [step.timeout_seconds for step in asked if isinstance(step, Request)] == [10, 10, pytest.approx(1.7)]


def test_no_time_is_wasted_on_a_pause_that_ends_too_late() -> None:
    retries = Retries(deadline_seconds=9.05, random=lambda: 1.0)
    outcome, asked = play(exchange(REQUEST, retries), [Lost("no answer in time", True, 9.0)])
    assert isinstance(outcome, ServerUnavailable)
    assert len(asked) == 1


def test_hopeless_is_not_tried_again() -> None:
    outcome, asked = play(exchange(REQUEST, Retries()), [Lost("its certificate is not trusted", False, 0, True)])
    assert isinstance(outcome, ServerUnavailable)
    assert len(asked) == 1


@given(
    replies=st.lists(
        st.one_of(
            st.builds(Lost, st.just("x"), st.booleans(), st.floats(0, 30)),
            st.builds(
                Response,
                st.sampled_from([429, 502, 503, 504, 500, 404, 302, 101]),
                st.fixed_dictionaries({}, optional={"retry-after": st.text(), "date": st.text()}),
                st.sampled_from([b"", STORE_DOWN, b"[]", b"\xff"]),
                st.floats(0, 30),
                st.booleans(),
            ),
        ),
        min_size=8,
        max_size=8,
    ),
    again=st.sampled_from(["always", "unsent", "never"]),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_retries_always_end_in_time_and_in_an_error_of_ours(replies: list[Any], again: Any, jitter: float) -> None:
    retries = Retries(attempts=5, deadline_seconds=60, random=lambda: jitter)
    request = Request("POST", "/x", again=again, timeout_seconds=10)
    outcome, asked = play(exchange(request, retries), replies)
    assert isinstance(outcome, Error)
    requests = [step for step in asked if isinstance(step, Request)]
    assert 1 <= len(requests) <= (1 if again == "never" else 5)
    assert all(0 < step.timeout_seconds <= 10 for step in requests)
    pauses = sum(step.seconds for step in asked if isinstance(step, Sleep))
    assert pauses + sum(reply.elapsed_seconds for reply in replies[: len(requests) - 1]) < 60
    if again == "unsent":
        assert all(isinstance(reply, Lost) and not reply.sent for reply in replies[: len(requests) - 1])


@given(attempt=st.integers(1, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_pauses_grow_up_to_their_bound(attempt: int, jitter: float) -> None:
    pause = Retries(random=lambda: jitter).pause_seconds(attempt)
    longest = Retries(random=lambda: 1.0).pause_seconds(attempt)
    assert longest / 2 <= pause <= longest <= 5
    assert longest == min(5, 0.1 * 2.0 ** min(attempt - 1, 30))


def test_the_answer_after_trouble_is_the_result() -> None:
    down = Response(503, {"retry-after": "3"}, STORE_DOWN, 0.5)
    outcome, asked = play(exchange(REQUEST, Retries(random=lambda: 1.0)), [down, Response(200, {}, b"[1]")])
    assert outcome == b"[1]"
    assert [type(step) for step in asked] == [Request, Sleep, Request]
    assert asked[1].seconds == 3


def test_the_error_is_that_of_the_last_answer() -> None:
    outcome, _ = play(exchange(REQUEST, Retries(attempts=2)), [Lost("x", True), Response(503, {}, STORE_DOWN)])
    assert isinstance(outcome, StoreUnavailable)
