"""An authority on the memory store, with a clock that stands still."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobpass.clock import FixedClock
from support.house import House, make_house


@pytest.fixture
def house() -> House:
    return make_house(FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC)))
