"""How many jobs have which lifecycle."""

from __future__ import annotations

import pytest

from jobpass.errors import StoreUnavailable


async def test_lifecycles_are_counted_by_name(store, kit):
    assert await store.count_lifecycles() == {}
    for uuid, lifecycle in (("a", "pipeline"), ("b", "review"), ("c", "pipeline")):
        await store.apply(uuid, kit.create(uuid, lifecycle=lifecycle))
    await store.apply("a", kit.send())
    assert await store.count_lifecycles() == {"pipeline": 2, "review": 1}


async def test_a_closed_store_counts_nothing(store):
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.count_lifecycles()
