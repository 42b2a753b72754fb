"""Python's handlers of signals wait while work is done, then run as if the signal came then."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from jobpass.client.undisturbed import Undisturbed, may_work_here

FIRST, SECOND = signal.SIGUSR1, signal.SIGUSR2


class Stop(BaseException):
    """What a handler raises."""


@pytest.fixture
def ran() -> Iterator[list[int]]:
    """What the handlers were called with; that of the first signal raises."""
    numbers: list[int] = []

    def first(number: int, _: object) -> None:
        numbers.append(number)
        raise Stop

    before = [signal.signal(FIRST, first), signal.signal(SECOND, lambda number, _: numbers.append(number))]
    yield numbers
    for number, handler in zip((FIRST, SECOND), before, strict=True):
        signal.signal(number, handler)


def test_handlers_wait_and_then_all_run(ran: list[int]) -> None:
    done = []

    def work() -> None:
        with Undisturbed():
            signal.raise_signal(FIRST)
            signal.raise_signal(SECOND)
            assert ran == []
            done.append("the work")

    with pytest.raises(Stop):
        work()
    assert done == ["the work"]
    assert ran == [FIRST, SECOND], "the second runs although the first raised"


def test_a_signal_from_outside_waits_too(ran: list[int]) -> None:
    with Undisturbed():
        os.kill(os.getpid(), SECOND)
        for _ in range(1000):
            assert ran == []
    assert ran == [SECOND]


def test_the_handlers_are_what_they_were(ran: list[int]) -> None:
    before = [signal.getsignal(number) for number in signal.valid_signals()]
    with Undisturbed():
        assert signal.getsignal(FIRST) is not before[list(signal.valid_signals()).index(FIRST)]
    assert [signal.getsignal(number) for number in signal.valid_signals()] == before
    signal.signal(SECOND, signal.SIG_IGN)
    with Undisturbed():
        assert signal.getsignal(SECOND) is signal.SIG_IGN
    assert ran == []


def test_an_error_of_the_work_is_not_lost(ran: list[int]) -> None:
    def work() -> None:
        with Undisturbed():
            signal.raise_signal(SECOND)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        work()
    assert ran == [SECOND]


def test_contexts_in_contexts(ran: list[int]) -> None:
    with Undisturbed():
        with Undisturbed():
            signal.raise_signal(SECOND)
        assert ran == []
    assert ran == [SECOND]


def test_another_thread_changes_nothing(ran: list[int]) -> None:
    handlers = []

    def work() -> None:
        with Undisturbed():
            handlers.append(signal.getsignal(FIRST))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(FIRST)]


def test_where_work_can_be_done() -> None:
    def deep(left: int) -> bool:
        return deep(left - 1) if left else may_work_here()

    async def within() -> bool:
        return may_work_here()

    assert may_work_here()
    assert not deep(sys.getrecursionlimit() - 200)
    assert not asyncio.run(within())
    assert may_work_here()
