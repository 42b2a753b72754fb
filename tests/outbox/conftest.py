"""What the tests of the outbox share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobpass.clock import SystemClock
from jobpass.stores.memory import MemoryStore
from jobpass.stores.sqlite.store import SqliteStore
from support.outgoing import House
from support.site import make_site


@pytest.fixture(params=["memory", "sqlite"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """A site with an author, a pipeline and a job, on each store."""
    store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "jobpass.sqlite")
    site = make_site(store, SystemClock())
    ann = await site.login("ann")
    yield House(site, ann, await site.job(ann))
    await site.authority.close()
