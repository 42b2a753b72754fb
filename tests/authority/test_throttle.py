"""Guessing gets slow, and the owner at a known place is not locked out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jobpass.authority.buckets import MAX_KEYS
from jobpass.authority.throttle import ACCOUNT, ADDRESS, PAIR, Throttle
from jobpass.errors import TooMany

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANN = "ann@example.org"


def attempts(throttle: Throttle, account: str, address: str, count: int, at: datetime = NOW) -> int:
    """How many of ``count`` failing attempts were let through."""
    let_through = 0
    for _ in range(count):
        try:
            throttle.check(account, address, at)
        except TooMany:
            continue
        throttle.failed(account, address, at)
        let_through += 1
    return let_through


def test_one_place_guessing_one_account_gets_a_burst_and_then_waits() -> None:
    throttle = Throttle()
    assert attempts(throttle, ANN, "198.51.100.1", 100) == PAIR.burst
    with pytest.raises(TooMany) as refused:
        throttle.check(ANN, "198.51.100.1", NOW)
    wait = refused.value.detail["retry_after_seconds"]
    assert 1 <= wait <= PAIR.seconds + 1
    throttle.check(ANN, "198.51.100.1", NOW + timedelta(seconds=wait))


def test_an_hour_of_guessing_is_few_guesses() -> None:
    throttle = Throttle()
    guesses = sum(attempts(throttle, ANN, "198.51.100.1", 50, NOW + timedelta(seconds=s)) for s in range(3600))
    assert guesses <= PAIR.burst + 3600 / PAIR.seconds + 1


def test_one_place_guessing_many_accounts_is_slowed() -> None:
    throttle = Throttle()
    through = sum(attempts(throttle, f"user{n}@example.org", "198.51.100.1", 1) for n in range(500))
    assert through == ADDRESS.burst


def test_a_flood_from_many_places_slows_itself_and_not_the_owner() -> None:
    throttle = Throttle()
    throttle.succeeded(ANN, "192.0.2.7")
    through = sum(attempts(throttle, ANN, f"198.51.100.{n}", 5) for n in range(200))
    assert through == ACCOUNT.burst
    throttle.check(ANN, "192.0.2.7", NOW)
    throttle.check("bob@example.org", "192.0.2.8", NOW)


def test_a_success_forgives_the_owners_own_slips() -> None:
    throttle = Throttle()
    attempts(throttle, ANN, "192.0.2.7", PAIR.burst)
    throttle.succeeded(ANN, "192.0.2.7")
    throttle.check(ANN, "192.0.2.7", NOW)


def test_what_is_remembered_is_bounded() -> None:
    throttle = Throttle()
    for n in range(MAX_KEYS):
        throttle.failed(f"{n}@example.org", f"2001:db8::{n:x}", NOW)
        throttle.succeeded(f"{n}@example.org", "192.0.2.7")
    assert len(throttle._failures) <= MAX_KEYS
    assert len(throttle._known) <= MAX_KEYS
