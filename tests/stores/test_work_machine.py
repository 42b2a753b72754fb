"""The queue in a database is the queue in memory, whatever is done to it in whatever order."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from jobpass.errors import Error
from jobpass.records import Blob, Profile
from jobpass.stores.memory import MemoryStore
from jobpass.stores.postgres import PostgresStore
from jobpass.stores.sqlite import SqliteStore
from support.postgres import EMPTY, sql

UUIDS = [f"j{n}" for n in range(6)]
OWNERS = st.integers(1, 3)
PLATFORMS = st.sampled_from(["sim:a", "sim:b"])
SECONDS = st.integers(0, 5)
OPERATIONS = st.one_of(
    st.tuples(
        st.just("submit"), st.sampled_from(UUIDS), OWNERS, PLATFORMS, st.integers(0, 2), st.none() | st.integers(1, 3)
    ),
    st.tuples(st.just("next"), st.lists(PLATFORMS, max_size=2, unique=True), SECONDS),
    st.tuples(st.just("move"), st.sampled_from(UUIDS), st.sampled_from(["waiting", "running", "completed", "error"])),
    st.tuples(st.just("renew"), st.sampled_from(UUIDS), SECONDS),
    st.tuples(st.just("results"), st.sampled_from(UUIDS)),
    st.tuples(st.just("delete"), st.sampled_from(UUIDS)),
    st.tuples(st.just("loose"), SECONDS),
    st.tuples(st.just("drop"), st.integers(1, 6)),
    st.tuples(st.just("sweep"), SECONDS, st.integers(1, 3)),
    st.tuples(st.just("disable"), OWNERS, st.booleans()),
)


class Pair:
    """One of the two stores, and what is done to it; blobs have the same numbers in both."""

    def __init__(self, store: Any, kit: Any) -> None:
        self.store = store
        self.kit = kit
        self.blobs = 0

    async def do(self, name: str, *arguments: Any) -> Any:
        """The outcome: an answer, or the class of the error."""
        try:
            return await getattr(self, f"_{name}")(*arguments)
        except Error as error:
            return type(error)

    async def _blob(self, second: int = 0) -> int:
        self.blobs += 1
        await self.store.add_blob(self.blobs, b"x", self.kit.AT + timedelta(seconds=second))
        return self.blobs

    async def _submit(self, uuid: str, owner: int, platform: str, priority: int, most: int | None) -> Any:
        judge = self.kit.submit(
            uuid, await self._blob(), owner=owner, platform=platform, priority=priority, most=most, token=owner,
            group=platform[-1:], process_id=uuid,
        )  # fmt: skip
        return await self.store.apply(uuid, judge)

    async def _next(self, platforms: list[str], seconds: int) -> Any:
        return await self.store.apply_next(platforms, self.kit.lease(until=self.kit.AT + timedelta(seconds=seconds)))

    async def _move(self, uuid: str, state: str) -> Any:
        ended = self.kit.AT + timedelta(seconds=3) if state in ("completed", "error") else None
        held = {} if state == "running" else {"leased_until": None}
        return await self.store.apply(
            uuid, self.kit.move("move", state, started_at=self.kit.AT, ended_at=ended, **held)
        )

    async def _renew(self, uuid: str, seconds: int) -> Any:
        until = self.kit.AT + timedelta(seconds=seconds)

        def judge(found: Any, prior: Any) -> Any:
            return self.kit.move("update", found.state if found else "", leased_until=until)(found, prior)

        return await self.store.apply(uuid, judge)

    async def _results(self, uuid: str) -> Any:
        blob = Blob(await self._blob(), 1, "00")
        return await self.store.apply(uuid, self.kit.move("complete", "completed", results=blob, leased_until=None))

    async def _delete(self, uuid: str) -> Any:
        return await self.store.apply(uuid, self.kit.delete)

    async def _loose(self, second: int) -> Any:
        return await self._blob(second)

    async def _drop(self, number: int) -> Any:
        return await self.store.drop_blob(number)

    async def _sweep(self, second: int, limit: int) -> Any:
        return await self.store.sweep_blobs(self.kit.AT + timedelta(seconds=second), limit)

    async def _disable(self, owner: int, active: bool) -> Any:
        return await self.store.change_principal(owner, lambda one: replace(one, active=active))

    async def look(self) -> Any:
        """All that can be asked."""
        store, at = self.store, self.kit.AT
        lists = [{}, {"owner": 1}, {"owner": 2, "state": "waiting"}, {"platform": "sim:a"}, {"group": "b", "owner": 1}]
        return (
            [(await store.list_work(after=None, limit=9, **conditions)).items for conditions in lists],
            [await store.load_of(owner) for owner in (1, 2, 3)],
            [await store.waiting_on([one]) for one in ("sim:a", "sim:b")],
            await store.lapsed(at + timedelta(seconds=2), 9),
            [await store.process_owner(uuid) for uuid in UUIDS],
            await store.usage([1, 2], None, None),
            await store.disabled_with_waiting(9),
            [await store.read_blob(number, 0) for number in range(1, self.blobs + 1)],
        )


async def _play(kit: Any, other: Any, operations: list[Any]) -> None:
    """Do the same to a store in memory and to the other one, and look at both."""
    pairs = [Pair(MemoryStore(), kit), Pair(other, kit)]
    for pair in pairs:
        for name in "abc":
            await pair.store.add_principal(f"{name}@b", "author", "h", kit.AT, Profile(max_concurrent_jobs=2))
    for operation in operations:
        outcomes = [await pair.do(*operation) for pair in pairs]
        assert outcomes[0] == outcomes[1], operation
    found = [await pair.look() for pair in pairs]
    assert found[0] == found[1]
    for pair in pairs:
        await pair.store.close()


@settings(max_examples=60, deadline=None)
@given(operations=st.lists(OPERATIONS, max_size=40))
@pytest.mark.timeout(300)
def test_both_stores_answer_alike(kit: Any, operations: list[Any]) -> None:
    async def play() -> None:
        with tempfile.TemporaryDirectory() as folder:
            await _play(kit, await SqliteStore.open(Path(folder) / "store.sqlite"), operations)

    asyncio.run(play())


@settings(max_examples=20, deadline=None)
@given(operations=st.lists(OPERATIONS, min_size=5, max_size=40))
@pytest.mark.timeout(300)
def test_postgres_answers_alike(kit: Any, postgres_url: str, operations: list[Any]) -> None:
    async def play() -> None:
        await sql(postgres_url, EMPTY)
        await _play(kit, await PostgresStore.open(postgres_url), operations)

    asyncio.run(play())
