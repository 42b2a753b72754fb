"""Holding a name: one at a time, whoever asks from wherever, until the end of the context or of the process."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobpass.errors import Conflict, StoreUnavailable
from jobpass.stores.sqlite import SqliteStore

DESCRIPTORS = Path("/proc/self/fd")


async def _is_held(store, name="job"):
    try:
        async with store.hold(name):
            return False
    except Conflict:
        return True


async def test_a_name_is_held_by_one_at_a_time(store):
    async with store.hold("job"):
        assert await _is_held(store)
        with pytest.raises(Conflict) as refused:  # again: a refusal frees nothing
            await store.hold("job").__aenter__()
        assert refused.value.detail == {"name": "job"}
    assert not await _is_held(store)


async def test_names_are_held_apart_and_exactly(store):
    async with store.hold("job"):
        for other in ("other", "Job", "job ", "job\0", "", "../job", "job/..", "\ud800", "x" * 10_000):
            assert not await _is_held(store, other)
            async with store.hold(other):
                assert await _is_held(store, other)
        assert await _is_held(store)


async def test_an_error_inside_frees_the_name_and_comes_through(store):
    with pytest.raises(ZeroDivisionError):
        async with store.hold("job"):
            raise ZeroDivisionError
    assert not await _is_held(store)


async def test_a_cancelled_holder_frees_the_name(store):
    began = asyncio.Event()

    async def holder():
        async with store.hold("job"):
            began.set()
            await asyncio.sleep(60)

    holding = asyncio.create_task(holder())
    await began.wait()
    assert await _is_held(store)
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert not await _is_held(store)


async def test_of_many_tasks_exactly_one_holds(store):
    inside, got = 0, 0

    async def one():
        nonlocal inside, got
        async with store.hold("job"):
            inside, got = inside + 1, got + 1
            assert inside == 1
            await asyncio.sleep(0.01)
            inside -= 1

    answers = await asyncio.gather(*(one() for _ in range(50)), return_exceptions=True)
    assert got == 1
    assert sorted(type(answer).__name__ for answer in answers) == ["Conflict"] * 49 + ["NoneType"]


async def test_a_closed_store_holds_nothing(store):
    await store.close()
    with pytest.raises(StoreUnavailable):
        async with store.hold("job"):
            pytest.fail("held by a closed store")


async def test_two_stores_on_one_file_hold_against_each_other(sqlite, tmp_path, monkeypatch):
    """Also by another name of the same file, which is opened from another folder."""
    (tmp_path / "link").symlink_to("store.sqlite")
    monkeypatch.chdir(tmp_path)
    linked, relative = await SqliteStore.open(tmp_path / "link"), await SqliteStore.open(Path("store.sqlite"))
    monkeypatch.chdir("/")
    for first, second in ((sqlite, linked), (linked, relative), (relative, sqlite)):
        async with first.hold("job"):
            assert await _is_held(second)
        assert not await _is_held(second)
    await linked.close()
    await relative.close()


async def test_stores_on_different_files_do_not(sqlite, tmp_path):
    other = await SqliteStore.open(tmp_path / "other.sqlite")
    async with sqlite.hold("job"):
        assert not await _is_held(other)
    await other.close()


def test_threads_hold_against_each_other(tmp_path):
    path, place = tmp_path / "store.sqlite", tmp_path / "place"

    def work(_):
        async def main():
            store, got = await SqliteStore.open(path), 0
            while got < 200:
                try:
                    async with store.hold("job"):
                        os.close(os.open(place, os.O_CREAT | os.O_EXCL))
                        place.unlink()
                        got += 1
                except Conflict:
                    await asyncio.sleep(0)
            await store.close()
            return got

        return asyncio.run(main())

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [200] * 3


async def test_another_process_holds_until_it_lets_go(sqlite, tmp_path, child):
    process = child("hold", tmp_path / "store.sqlite", "job")
    assert await asyncio.to_thread(process.stdout.readline) == "held\n"
    assert await _is_held(sqlite)
    assert not await _is_held(sqlite, "other")
    process.stdin.write("go\n")
    process.stdin.flush()
    assert await asyncio.to_thread(process.stdout.readline) == "free\n"
    assert not await _is_held(sqlite)


async def test_a_hold_dies_with_its_process(sqlite, tmp_path, child):
    process = child("hold", tmp_path / "store.sqlite", "job")
    assert await asyncio.to_thread(process.stdout.readline) == "held\n"
    assert await _is_held(sqlite)
    os.kill(process.pid, signal.SIGKILL)
    await asyncio.to_thread(process.wait)
    assert len(list((tmp_path / "store.sqlite.holds").iterdir())) == 1, "nothing was left behind"
    async with sqlite.hold("job"):
        assert await _is_held(sqlite)
    assert list((tmp_path / "store.sqlite.holds").iterdir()) == []


async def test_processes_that_take_and_let_go_all_the_time_never_meet(sqlite, tmp_path, child):
    """The file of a lock is removed by its holder while others open it; only one of them may get in."""
    place = tmp_path / "place"
    processes = [child("hold_often", tmp_path / "store.sqlite", "job", place, 1.0) for _ in range(3)]
    for process in processes:
        assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [(await asyncio.to_thread(process.communicate))[0].split() for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum(int(got) for got, _ in answers) > 100
    assert sum(int(lost) for _, lost in answers) > 0, "they never met, so nothing was shown"
    assert list((tmp_path / "store.sqlite.holds").iterdir()) == []


async def test_a_file_that_lost_its_name_after_it_was_opened_holds_nothing(sqlite, tmp_path, monkeypatch):
    """The race itself: between opening and locking, the holder ends and somebody else comes."""
    real, others = fcntl.flock, []

    def late(descriptor, operation):
        if not others:
            others.append(None)
            (name,) = (tmp_path / "store.sqlite.holds").iterdir()
            name.unlink()  # as a holder who ends
            others[0] = os.open(name, os.O_CREAT | os.O_RDWR, 0o600)  # and the next one
            real(others[0], operation)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    assert await _is_held(sqlite)
    os.close(others[0])
    assert not await _is_held(sqlite)


async def test_a_forked_process_keeps_nobody_out_after_the_end(sqlite):
    """It has the descriptor too, and with it the lock."""
    reading, writing = os.pipe()
    async with sqlite.hold("job"):
        forked = os.fork()
        if forked == 0:
            os.read(reading, 1)
            os._exit(0)
    try:
        assert not await _is_held(sqlite)
    finally:
        os.write(writing, b"x")
        await asyncio.to_thread(os.waitpid, forked, 0)
        os.close(reading)
        os.close(writing)


async def test_the_folder_and_its_files_are_private_and_tell_no_names(sqlite, tmp_path):
    before = os.umask(0)
    try:
        async with sqlite.hold("1070b94f"):
            folder = tmp_path / "store.sqlite.holds"
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert [stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()] == [0o600]
            assert not any("1070b94f" in file.name for file in folder.iterdir())
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
async def test_what_root_makes_belongs_to_the_databases_owner(sqlite, tmp_path):
    os.chown(tmp_path / "store.sqlite", 65534, 65534)
    async with sqlite.hold("job"):
        folder = tmp_path / "store.sqlite.holds"
        made = [folder, *folder.iterdir()]
        assert len(made) == 2
        assert {(file.stat().st_uid, file.stat().st_gid) for file in made} == {(65534, 65534)}


async def test_a_link_in_the_place_of_folder_or_file_is_not_followed(sqlite, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder = tmp_path / "store.sqlite.holds"
    folder.symlink_to(elsewhere)
    with pytest.raises(StoreUnavailable):
        await _is_held(sqlite)
    assert list(elsewhere.iterdir()) == []
    folder.unlink()
    async with sqlite.hold("job"):
        (file,) = folder.iterdir()
    file.symlink_to(elsewhere / "target")
    with pytest.raises(StoreUnavailable):
        await _is_held(sqlite)
    assert list(elsewhere.iterdir()) == []


async def test_a_folder_that_cannot_be_made_is_unavailable_and_says_no_path(sqlite, tmp_path):
    (tmp_path / "store.sqlite.holds").write_text("in the way")
    with pytest.raises(StoreUnavailable) as failed:
        await _is_held(sqlite)
    assert str(tmp_path) not in f"{failed.value} {failed.value.detail}"


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="the system does not list descriptors")
async def test_no_descriptor_is_left_open(sqlite):
    def count():
        return len(list(DESCRIPTORS.iterdir()))

    before = count()
    async with sqlite.hold("job"):
        for _ in range(20):
            assert await _is_held(sqlite)
    for _ in range(20):
        assert not await _is_held(sqlite)
    assert count() == before


async def test_a_lock_that_never_keeps_its_name_counts_as_held(sqlite, tmp_path, monkeypatch):
    real, tries = fcntl.flock, []

    def late(descriptor, operation):
        tries.append(descriptor)
        for name in (tmp_path / "store.sqlite.holds").iterdir():
            name.unlink()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    assert await _is_held(sqlite)
    assert 1 < len(tries) < 1000
