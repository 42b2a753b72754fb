"""Chores: of several nodes one does each."""

from __future__ import annotations

import pytest

from jobpass.errors import StoreUnavailable
from jobpass.stores.postgres import PostgresStore


async def test_who_is_alone_does_every_chore(store):
    async with store.chore("sweep") as first, store.chore("flush") as second:
        assert (first, second) == (True, True)
    async with store.chore("sweep") as again:
        assert again is True


async def test_a_closed_store_does_no_chore(store):
    await store.close()
    with pytest.raises(StoreUnavailable):
        async with store.chore("sweep"):
            pass


async def test_of_two_nodes_one_does_a_chore(postgres, postgres_url):
    other = await PostgresStore.open(postgres_url)
    try:
        async with postgres.chore("sweep") as here:
            async with other.chore("sweep") as there, other.chore("flush") as another:
                assert (here, there, another) == (True, False, True)
            async with postgres.hold("sweep"):
                pass  # a job of that name is something else
        async with other.chore("sweep") as there:
            assert there is True
    finally:
        await other.close()


async def test_the_chore_of_a_node_that_died_is_another_s(postgres, postgres_url):
    other = await PostgresStore.open(postgres_url)
    context = other.chore("sweep")
    assert await context.__aenter__()
    other._watch._connection.terminate()  # as the system does with the connections of a process that is killed
    other._watch._drop()
    for _ in range(100):
        async with postgres.chore("sweep") as mine:
            if mine:
                break
    assert mine
    await context.__aexit__(None, None, None)
    await other.close()
