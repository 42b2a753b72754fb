"""A job is not made whose directory has to do with another owner's: also of two at once, or behind many own ones."""

from __future__ import annotations

import asyncio

import pytest

from jobpass.errors import JobExists
from jobpass.records import Change
from jobpass.stores.sqlite import SqliteStore
from jobpass.stores.sqlite.store import PASSED


def make(kit, store, uuid, path, *, owner=1, system="s"):
    """What makes a job of this directory, apart from those of others."""
    fields = {"archive_system": system, "archive_path": path, "owner": owner}
    return store.apply(uuid, kit.create(uuid, **fields), apart=kit.job(uuid, **fields))


@pytest.mark.parametrize("path", ["/a/b", "/a", "/a/b/c", "/a/b/c/d"])
async def test_a_directory_that_has_to_do_with_anothers_is_refused(store, kit, path):
    await make(kit, store, "theirs", "/a/b", owner=2)
    with pytest.raises(JobExists) as refused:
        await make(kit, store, "mine", path)
    assert await store.find_job("mine") is None
    assert await store.history("mine", 0, 9) == []
    assert refused.value.detail == {"field": "archive_path"}
    assert "theirs" not in str(refused.value)
    assert "/a" not in str(refused.value)


@pytest.mark.parametrize("path", ["/a/bc", "/a/b-", "/a/B", "/A", "/a/c", "/ä"])
async def test_a_directory_beside_anothers_is_given(store, kit, path):
    await make(kit, store, "theirs", "/a/b", owner=2)
    await make(kit, store, "mine", path)
    assert (await store.find_job("mine")).archive_path == path


async def test_what_is_ones_own_may_lie_together(store, kit):
    for uuid, path in (("x", "/a/b"), ("y", "/a/b"), ("z", "/a"), ("w", "/a/b/c")):
        await make(kit, store, uuid, path)
        assert (await store.find_job(uuid)).archive_path == path


@pytest.mark.parametrize("system", ["t", "S", None])
async def test_another_system_is_another_place(store, kit, system):
    await make(kit, store, "theirs", "/a/b", owner=2)
    await make(kit, store, "mine", "/a/b", system=system)
    await make(kit, store, "third", None, system="s", owner=3)
    assert await store.find_job("mine") is not None
    assert await store.find_job("third") is not None


async def test_a_job_that_stands_is_found_again_whoever_is_its_neighbour(store, kit):
    await store.apply("theirs", kit.create("theirs", archive_system="s", archive_path="/a", owner=2))
    await store.apply("mine", kit.create("mine", archive_system="s", archive_path="/a/b"))
    job = await store.find_job("mine")
    found = await store.apply("mine", lambda standing, _: Change(standing, standing, None), apart=job)
    assert found.after == job


async def test_the_directory_of_a_deleted_job_is_free(store, kit):
    await make(kit, store, "theirs", "/a/b", owner=2)
    await store.apply("theirs", kit.delete)
    await make(kit, store, "mine", "/a/b")
    assert await store.find_job("mine") is not None


async def test_of_two_at_once_one_is_made(store, kit):
    for turn in range(10):
        paths = (f"/{turn}/a", f"/{turn}"), (f"/{turn}", f"/{turn}/a/b")
        calls = [make(kit, store, f"{turn}-{n}", path, owner=n) for n, path in enumerate(paths[turn % 2] + paths[0], 1)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(answer) for answer in answers].count(JobExists) == 3
        assert [type(answer) for answer in answers].count(Change) == 1


async def test_of_two_at_once_through_two_openings_one_is_made(tmp_path, kit):
    stores = [await SqliteStore.open(tmp_path / "store.sqlite") for _ in range(3)]
    try:
        for turn in range(30):
            places = ((f"/{turn}/a", 1), (f"/{turn}", 2), (f"/{turn}/a/b", 3))
            calls = [
                make(kit, store, f"{turn}-{owner}", path, owner=owner)
                for store, (path, owner) in zip(stores, places[turn % 3 :] + places[: turn % 3], strict=True)
            ]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert sorted(type(answer).__name__ for answer in answers) == ["Change", "JobExists", "JobExists"]
    finally:
        for store in stores:
            await store.close()


@pytest.mark.parametrize("path", ["/a", "/a/b/c"])
async def test_behind_many_of_ones_own_another_is_found(sqlite, kit, path):
    for n in range(PASSED + 1):
        await sqlite.apply(f"mine-{n}", kit.create(f"mine-{n}", archive_system="s", archive_path="/a/b"))
    await sqlite.apply("theirs", kit.create("theirs", archive_system="s", archive_path="/a/b", owner=2))
    with pytest.raises(JobExists):
        await make(kit, sqlite, "mine", path)
    await sqlite.apply("theirs", kit.delete)
    await make(kit, sqlite, "mine", path)
    assert await sqlite.archive_neighbour("mine", "s", path, not_of=2) is not None
