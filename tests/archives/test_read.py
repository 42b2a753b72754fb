from __future__ import annotations

import asyncio
import hashlib
import os
import time
import tracemalloc
from collections.abc import Callable
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archives.conftest import JOB, Disk, again_and_again, number_in, swap
from jobpass.archives.systems import BATCH
from jobpass.errors import ArchiveFailed
from jobpass.records import FileFound


async def _found(disk: Disk) -> list[FileFound]:
    return [file async for batch in disk.archives.walk("disk", JOB) for file in batch]


async def test_files_are_told_with_path_size_and_time_in_order(disk: Disk) -> None:
    for name in ("b", "a/z", "a/b/c", "a.txt", "a-1/x", "é", "Z"):
        (disk.job / name).parent.mkdir(parents=True, exist_ok=True)
        (disk.job / name).write_text(name)
        os.utime(disk.job / name, ns=(0, 1_700_000_000_123_456_789))
    (disk.job / "empty").mkdir()
    assert await disk.walk() == ["Z", "a.txt", "b", "é", "a/z", "a/b/c", "a-1/x"]
    found = await _found(disk)
    assert found[3] == FileFound(f"{JOB}/é", 2, datetime(2023, 11, 14, 22, 13, 20, 123456, UTC))
    assert found == await _found(disk)


async def test_links_and_what_is_no_file_are_left_out(disk: Disk) -> None:
    (disk.job / "to-file").symlink_to(disk.outside / "kept")
    (disk.job / "to-folder").symlink_to(disk.outside)
    (disk.job / "around").symlink_to(".")
    os.mkfifo(disk.job / "pipe")
    (disk.job / "file").write_text("x")
    assert await disk.walk() == ["file"]


async def test_a_directory_that_is_not_there_has_no_files_but_an_archive_must_be_there(disk: Disk) -> None:
    assert await disk.walk("/products/none") == []
    disk.base.rename(disk.base.with_name("away"))
    with pytest.raises(ArchiveFailed, match="is not there"):
        await disk.walk()


async def test_batches_are_bounded(disk: Disk) -> None:
    for number in range(BATCH + 1):
        (disk.job / str(number)).touch()
    sizes = [len(batch) async for batch in disk.archives.walk("disk", JOB)]
    assert sizes == [BATCH, 1]


async def test_memory_stays_flat(disk: Disk) -> None:
    for folder in range(100):
        (disk.job / str(folder)).mkdir()
        for number in range(100):
            (disk.job / str(folder) / str(number)).touch()
    await disk.walk()
    tracemalloc.start()
    count = 0
    try:
        async for batch in disk.archives.walk("disk", JOB):
            count += len(batch)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 10_000
    assert peak < 2_000_000, peak  # all of them at once take more than 3 MB


@pytest.mark.parametrize("name", [b"file\xff", b"folder\xff/file"])
async def test_a_name_that_is_not_utf_8_is_told_not_left_out(disk: Disk, name: bytes) -> None:
    (disk.job / os.fsdecode(name)).parent.mkdir(exist_ok=True)
    (disk.job / os.fsdecode(name)).touch()
    with pytest.raises(ArchiveFailed) as caught:
        await disk.walk()
    assert "is not UTF-8" in caught.value.message
    assert str(disk.base) not in caught.value.message
    caught.value.message.encode()


async def test_names_with_control_characters_are_names(disk: Disk) -> None:
    (disk.job / "new\nline").write_text("x")
    assert await disk.walk() == ["new\nline"]
    [file] = await _found(disk)
    assert await disk.archives.digest("disk", file) == hashlib.sha256(b"x").hexdigest()


@pytest.mark.usefixtures("unprivileged")
async def test_what_may_not_be_read_is_told_with_its_place_in_the_archive(disk: Disk) -> None:
    (disk.job / "closed\n").mkdir(mode=0)
    with pytest.raises(ArchiveFailed) as caught:
        await disk.walk()
    assert caught.value.message == f"Permission was denied. At {JOB + '/closed'!r}.".replace("closed", "closed\\n")
    assert (disk.job / "closed\n").stat().st_mode & 0o777 == 0  # reading changes no rights


async def test_another_file_system_is_not_read(disk: Disk, mount: Callable[..., None]) -> None:
    (disk.job / "bound").mkdir()
    mount(disk.job / "bound", "--bind", str(disk.outside))
    with pytest.raises(ArchiveFailed, match="Another file system is mounted there"):
        await disk.walk()


async def test_who_stops_reading_leaves_nothing_open(disk: Disk) -> None:
    for number in range(2 * BATCH):
        (disk.job / str(number)).touch()
    await disk.walk("/products/none")  # the thread and all that is opened once are there
    before = number_in("/proc/self/fd")
    async with aclosing(disk.archives.walk("disk", JOB)) as batches:
        assert len(await anext(batches)) == BATCH
        assert number_in("/proc/self/fd") > before
    assert number_in("/proc/self/fd") == before


async def test_a_walk_that_is_cancelled_ends(disk: Disk) -> None:
    for number in range(BATCH):
        (disk.job / str(number)).touch()
    task = asyncio.create_task(disk.walk())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(await disk.walk()) == BATCH


async def test_a_directory_swapped_for_a_link_is_not_read(disk: Disk) -> None:
    place, aside = disk.job / "a", disk.base / "aside"
    for number in range(20):
        (place / str(number)).mkdir(parents=True)
        (place / str(number) / "own").touch()
    twin = disk.outside / "twin"
    for number in range(20):
        (twin / str(number)).mkdir(parents=True)
        (twin / str(number) / "foreign").touch()

    def disturb() -> None:
        swap(place, aside, twin)
        aside.rename(place)
        time.sleep(0.0005)

    seen: set[str] = set()
    sizes: set[int] = set()
    with again_and_again(disturb):
        for turn in range(20_000):
            if turn >= 300 and len(sizes) > 1:
                break
            with suppress(ArchiveFailed):
                names = await disk.walk()
                seen |= {path.rpartition("/")[2] for path in names}
                sizes.add(len(names))
    assert seen == {"own"}
    assert len(sizes) > 1  # the thread did come in between


async def test_the_digest_is_that_of_the_file(disk: Disk) -> None:
    content = os.urandom(3_000_000)
    (disk.job / "big").write_bytes(content)
    (disk.job / "empty").touch()
    big, empty = await _found(disk)
    assert await disk.archives.digest("disk", big) == hashlib.sha256(content).hexdigest()
    assert await disk.archives.digest("disk", empty) == hashlib.sha256(b"").hexdigest()


def _grown(path: Path) -> None:
    with path.open("a") as file:
        file.write("more")


def _touched(path: Path) -> None:
    os.utime(path, ns=(0, 1_700_000_000_000_000_000))


def _linked(path: Path) -> None:
    path.rename(path.with_name("other"))
    path.symlink_to("other")


def _piped(path: Path) -> None:
    """Of the same size, if the file was empty, and time."""
    status = path.stat()
    path.unlink()
    os.mkfifo(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("change", [_grown, _touched, Path.unlink, _linked, _piped])
async def test_a_file_that_is_another_by_now_has_no_digest(disk: Disk, change: Callable[[Path], None]) -> None:
    (disk.job / "file").touch()
    [file] = await _found(disk)
    change(disk.job / "file")
    with pytest.raises(ArchiveFailed, match="another one than before"):
        await asyncio.wait_for(disk.archives.digest("disk", file), 10)


async def test_a_file_with_a_time_that_no_date_has_can_be_read(disk: Disk, mount: Callable[..., None]) -> None:
    mount(disk.base / "products", "-t", "tmpfs", "tmpfs")  # keeps such times, which others cut
    disk.job.mkdir(parents=True)
    (disk.job / "file").write_text("x")
    os.utime(disk.job / "file", (0, 400_000_000_000))  # the year 14645
    [file] = await _found(disk)
    assert file.modified_at is None
    assert await disk.archives.digest("disk", file) == hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize("level", ["products/v2", JOB[1:]])
async def test_a_digest_is_taken_through_no_link(disk: Disk, level: str) -> None:
    (disk.job / "file").write_text("x")
    [file] = await _found(disk)
    (disk.base / level).rename(disk.outside / "moved")
    (disk.base / level).symlink_to(disk.outside / "moved")
    with pytest.raises(ArchiveFailed):
        await disk.archives.digest("disk", file)
