"""What the tests of the faults share."""

from __future__ import annotations

import pytest

from faults.postgres import MEMORY


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clusters of PostgreSQL lie in memory, if there is such a place: a shared disk takes its time."""
    if MEMORY.is_dir():
        monkeypatch.setattr("faults.postgres.PLACE", MEMORY)
