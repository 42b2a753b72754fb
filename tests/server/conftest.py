"""A site on each store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobpass.stores.memory import MemoryStore
from jobpass.stores.sqlite.store import SqliteStore
from support.site import Site, make_site


@pytest.fixture(params=["memory", "sqlite"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "jobpass.sqlite")
    made = make_site(store)
    yield made
    await made.authority.close()


@pytest.fixture
async def quick_site() -> AsyncIterator[Site]:
    made = make_site(MemoryStore())
    yield made
    await made.authority.close()
