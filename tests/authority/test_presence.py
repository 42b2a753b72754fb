"""How much of a day a platform was there, by the heartbeats of its workers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from jobpass.authority.presence import HEARTBEAT_SECONDS, KEPT_DAYS, LONGEST_GAP, availability, noted
from jobpass.records import Platform

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def beat(platform: Platform, *moments: datetime) -> Platform:
    """After heartbeats."""
    for at in moments:
        platform = replace(platform, seen_at=at, presence=noted(platform, at))
    return platform


def beats(platform: Platform, start: datetime, seconds: int) -> Platform:
    """After heartbeats from a moment on, for so long."""
    times = range(0, seconds + 1, HEARTBEAT_SECONDS)
    return beat(platform, *(start + timedelta(seconds=after) for after in times))


@pytest.fixture
def platform() -> Platform:
    return Platform("id", "sim:a", "", "simulator", "available", NOON - 9 * DAY)


def test_nothing_is_known_before_the_first_heartbeat_and_at_it(platform: Platform) -> None:
    assert availability(platform, NOON) == {}
    first = beat(platform, NOON)
    assert availability(first, NOON) == availability(first, NOON - DAY) == {}
    assert availability(first, NOON + timedelta(seconds=10)) == {"2026-11-26": 0.0}


def test_a_day_is_the_share_of_it_between_heartbeats_that_are_close(platform: Platform) -> None:
    there = beats(platform, NOON, 600)
    assert availability(there, NOON + timedelta(seconds=600)) == {"2026-11-26": 1.0}
    assert availability(there, NOON + timedelta(seconds=1200)) == {"2026-11-26": 0.5}
    back = beats(there, NOON + timedelta(seconds=1800), 600)
    assert availability(back, NOON + timedelta(seconds=2400)) == {"2026-11-26": 0.5}
    assert availability(back, NOON + timedelta(hours=12) + 2 * DAY) == {
        "2026-11-26": round(1200 / 43_200, 4),
        "2026-11-27": 0.0,
        "2026-11-28": 0.0,
    }


@pytest.mark.parametrize(("gap", "share"), [(LONGEST_GAP, 1.0), (LONGEST_GAP + timedelta(seconds=1), 0.0)])
def test_who_is_silent_for_three_heartbeats_is_gone(platform: Platform, gap: timedelta, share: float) -> None:
    assert availability(beat(platform, NOON, NOON + gap), NOON + gap) == {"2026-11-26": share}


def test_midnight_parts_a_heartbeat_and_many_workers_are_one(platform: Platform) -> None:
    midnight = NOON + timedelta(hours=12)
    there = beat(platform, midnight - timedelta(seconds=5), midnight + timedelta(seconds=5))
    assert availability(there, midnight + timedelta(seconds=10)) == {"2026-11-26": 1.0, "2026-11-27": 0.5}
    at = midnight + timedelta(seconds=5)
    crowded = beat(there, at, at, at + timedelta(seconds=1), at)  # one of them by a clock that is behind
    assert availability(crowded, midnight + timedelta(seconds=6)) == {"2026-11-26": 1.0, "2026-11-27": 1.0}


def test_a_platform_that_takes_no_jobs_is_not_there(platform: Platform) -> None:
    for closed in (
        replace(platform, status="unavailable"),
        replace(platform, maintenance_start_at=NOON - DAY),
    ):
        assert availability(beats(closed, NOON, 60), NOON + timedelta(seconds=60)) == {"2026-11-26": 0.0}


def test_a_month_is_kept(platform: Platform) -> None:
    there = platform
    for day in range(KEPT_DAYS + 5):
        there = beats(there, NOON + day * DAY, 30)
    at = NOON + (KEPT_DAYS + 4) * DAY + timedelta(seconds=30)
    told = availability(there, at)
    assert len(told) == KEPT_DAYS
    assert next(iter(told)) == (at - (KEPT_DAYS - 1) * DAY).date().isoformat()
    assert set(told.values()) == {round(30 / 86_400, 4), round(30 / 43_230, 4)}
    assert len(there.presence) < 1000
