"""What every store does with platforms."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobpass.errors import AlreadyExists, Conflict
from jobpass.records import Platform, Profile
from jobpass.stores.sqlite import SqliteStore


@pytest.fixture
def platform(kit):
    """Describes one."""

    def make(name="sim:a", **fields):
        plain = {"id": f"id of {name}", "description": "ü", "type": "simulator", "status": "available"}
        return Platform(name=name, created_at=kit.AT, **(plain | fields))

    return make


async def test_a_platform_is_kept_whole_and_found_by_its_exact_name(store, kit, platform):
    whole = platform(
        max_shots=2**53,
        max_duration_seconds=600,
        constraints=b'{"a": 1}',
        specs=b'{"b":[1e400]}',
        perfs=b"{}",
        maintenance_start_at=kit.AT,
        maintenance_end_at=kit.AT + timedelta(hours=1),
        seen_at=kit.AT,
        retired_at=kit.AT,
        presence=b'{"days":{"2026-11-26":1.5}}',
    )
    await store.add_platform(whole)
    await store.add_platform(platform("sim:b"))
    assert await store.find_platform("sim:a") == whole
    assert await store.find_platform("sim:b") == platform("sim:b")
    for name in ("SIM:A", "sim:", "sim:%", "id of sim:a", ""):
        assert await store.find_platform(name) is None


async def test_platforms_are_listed_in_order_of_creation(store, platform):
    assert await store.list_platforms() == []
    made = [platform(f"sim:{name}") for name in "zayb"]
    for one in made:
        await store.add_platform(one)
    await store.change_platform("sim:a", lambda one: replace(one, description="changed"))
    assert [one.name for one in await store.list_platforms()] == [one.name for one in made]


async def test_a_name_and_an_id_are_taken_once(store, kit, platform):
    await store.add_platform(platform())
    for other in (platform(id="another"), platform("sim:b", id="id of sim:a")):
        with pytest.raises(AlreadyExists):
            await store.add_platform(other)
    await store.change_platform("sim:a", lambda one: replace(one, retired_at=kit.AT))
    with pytest.raises(AlreadyExists):
        await store.add_platform(platform(id="another"))
    adding = [store.add_platform(platform("sim:c", id=str(number))) for number in range(4)]
    answers = await asyncio.gather(*adding, return_exceptions=True)
    assert [type(one) for one in answers] == [type(None), *[AlreadyExists] * 3]
    assert [one.id for one in await store.list_platforms()] == ["id of sim:a", "0"]


async def test_a_change_that_raises_changes_nothing_and_disturbs_nobody(store, platform):
    await store.add_platform(platform())

    def refuse(_):
        raise Conflict("no")

    answers = await asyncio.gather(
        store.change_platform("sim:a", refuse),
        store.change_platform("sim:a", lambda _: None),
        store.change_platform("sim:a", lambda one: replace(one, id="another")),
        store.change_platform("sim:unknown", lambda one: one),
        store.change_platform("sim:a", lambda one: replace(one, status="unavailable")),
        return_exceptions=True,
    )
    assert [type(one) for one in answers] == [Conflict, TypeError, ValueError, ValueError, Platform]
    assert await store.find_platform("sim:a") == answers[-1] == platform(status="unavailable")


async def test_changes_of_one_tick_see_each_other(store, platform):
    await store.add_platform(platform(max_shots=1))
    add = [store.change_platform("sim:a", lambda one: replace(one, max_shots=one.max_shots + 1)) for _ in range(5)]
    await asyncio.gather(*add)
    assert (await store.find_platform("sim:a")).max_shots == 6


async def test_a_profile_is_kept_whole(store, kit):
    whole = Profile("Ann", "Bell", 5, 7, ("p", "ü"), 3, 1)
    made = await store.add_principal("a@b", "author", "h", kit.AT, whole, active=False)
    usual = await store.add_principal("c@d", "author", "h", kit.AT)
    assert (made.profile, made.active, usual.profile, usual.active) == (whole, False, Profile(), True)
    assert await store.find_principal(made.id) == made
    nothing = replace(whole, platform_ids=(), company_id=None, first_name="")
    await store.change_principal(made.id, lambda one: replace(one, profile=nothing))
    assert (await store.find_login("a@b")).principal.profile == nothing


async def test_what_another_process_changes_shows(sqlite, tmp_path, kit, platform):
    there = await SqliteStore.open(tmp_path / "store.sqlite")
    await there.add_platform(platform())
    assert await sqlite.list_platforms() == [platform()]
    with pytest.raises(AlreadyExists):
        await sqlite.add_platform(platform(id="another"))
    await sqlite.change_platform("sim:a", lambda one: replace(one, seen_at=kit.AT))
    assert await there.find_platform("sim:a") == platform(seen_at=kit.AT)
    await there.close()
