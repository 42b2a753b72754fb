from __future__ import annotations

import asyncio
import os
import resource
import shutil
import socket
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from archives.conftest import JOB, Disk, again_and_again, number_in, swap
from jobpass.archives.cursor import Cursor, mount_of
from jobpass.errors import ArchiveFailed


async def test_the_directory_stays_and_what_is_in_it_goes(disk: Disk) -> None:
    (disk.job / "a").write_text("a")
    (disk.job / ".hidden").write_text("b")
    (disk.job / "sub" / "empty").mkdir(parents=True)
    (disk.job / "sub" / "c").write_text("c")
    beside = disk.job.with_name("job-2")
    beside.mkdir()
    (beside / "kept").write_text("kept")
    identity = disk.job.stat().st_ino
    assert await disk.clear() == 3
    assert list(disk.job.iterdir()) == []
    assert disk.job.stat().st_ino == identity
    assert (beside / "kept").read_text() == "kept"
    assert await disk.clear() == 0


async def test_a_directory_that_is_not_there_has_nothing_in_it(disk: Disk) -> None:
    assert await disk.clear("/products/none") == 0
    assert await disk.clear("/products/none/of/these") == 0
    assert not (disk.base / "products" / "none").exists()


@pytest.mark.parametrize("missing", ["archive", "archive/products"])
async def test_an_archive_that_is_not_there_does_not_look_cleared(disk: Disk, missing: str) -> None:
    (disk.base.parent / missing).rename(disk.base.parent / "away")
    with pytest.raises(ArchiveFailed, match=r"^The archive system's directory is not there\.$"):
        await disk.clear()


async def test_a_file_in_place_of_the_directory_is_refused_and_kept(disk: Disk) -> None:
    disk.job.rmdir()
    disk.job.write_text("a file")
    with pytest.raises(ArchiveFailed, match="no directory"):
        await disk.clear()
    assert disk.job.read_text() == "a file"


async def test_links_are_removed_and_not_followed(disk: Disk) -> None:
    (disk.job / "to-file").symlink_to(disk.outside / "kept")
    (disk.job / "to-folder").symlink_to(disk.outside)
    (disk.job / "up").symlink_to("../../../../../outside")
    (disk.job / "dangling").symlink_to("/nowhere")
    (disk.job / "itself").symlink_to("itself")
    os.link(disk.outside / "kept", disk.job / "hard")
    assert await disk.clear() == 6
    disk.expect_outside_whole()


@pytest.mark.parametrize("level", ["products", "products/v2", "products/v2/pipeline", JOB[1:]])
async def test_a_link_anywhere_in_the_path_is_refused(disk: Disk, level: str) -> None:
    (disk.job / "mine").write_text("mine")
    place = disk.base / level
    away = disk.outside / "moved"
    place.rename(away)
    place.symlink_to(away)
    with pytest.raises(ArchiveFailed, match="through a link"):
        await disk.clear()
    assert len([path for path in away.rglob("*") if path.is_file()]) == 1
    disk.expect_outside_whole()


async def test_the_base_is_the_operator_s_and_may_be_a_link(disk: Disk) -> None:
    (disk.job / "a").write_text("a")
    disk.base.rename(disk.base.with_name("volume"))
    disk.base.symlink_to("volume")
    assert await disk.clear() == 1


async def test_pipes_sockets_and_devices_are_removed_unopened(disk: Disk) -> None:
    os.mkfifo(disk.job / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(disk.job / "socket"))
    expected = 2
    if os.geteuid() == 0:
        with suppress(PermissionError):  # a container may forbid it
            os.mknod(disk.job / "device", stat.S_IFCHR | 0o600, os.makedev(1, 3))
            expected = 3
    assert await asyncio.wait_for(disk.clear(), 10) == expected
    assert list(disk.job.iterdir()) == []


async def test_strange_names(disk: Disk) -> None:
    names = [b"new\nline", b"\xff\xfe", b"-rf", b"*", b" ", b"..a", b"\x1b[31m", b"a" * 255]
    for name in names:
        (disk.job / os.fsdecode(name)).write_text("x")
    (disk.job / "dir\udcff\n").mkdir()
    (disk.job / "dir\udcff\n" / "x").write_text("x")
    assert await disk.clear() == len(names) + 1
    assert list(disk.job.iterdir()) == []


async def test_ten_thousand_files(disk: Disk) -> None:
    for number in range(10_000):
        folder = disk.job / str(number % 7)
        folder.mkdir(exist_ok=True)
        (folder / str(number)).touch()
    assert await disk.clear() == 10_000
    assert list(disk.job.iterdir()) == []


async def test_two_thousand_levels_with_few_descriptors(disk: Disk) -> None:
    _nest(disk.job, 2000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number_in("/proc/self/fd") + 40, hard))
    try:
        assert await disk.clear() == 2000
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert list(disk.job.iterdir()) == []


def _nest(place: Path, levels: int) -> None:
    here = os.open(place, os.O_RDONLY)
    for _ in range(levels):
        os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=here))
        os.mkdir("directory", dir_fd=here)
        below = os.open("directory", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


async def test_no_descriptor_is_left_open(disk: Disk) -> None:
    async def once() -> None:
        (disk.job / "sub").mkdir(exist_ok=True)
        (disk.job / "link").symlink_to("/")
        await disk.clear()
        assert await disk.walk() == []
        for path in ("/products/none", "/products/v2/pipeline/job/file"):
            (disk.base / "products/v2/pipeline/job/file").touch()
            with suppress(ArchiveFailed):
                await disk.clear(path)

    await once()
    before = number_in("/proc/self/fd")
    for _ in range(20):
        await once()
    assert number_in("/proc/self/fd") == before


@pytest.mark.usefixtures("unprivileged")
async def test_a_job_s_own_directories_without_rights_are_cleared(disk: Disk) -> None:
    for number, mode in enumerate((0o000, 0o500, 0o300, 0o600, 0o100)):
        folder = disk.job / f"sub{number}"
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "file").write_text("x")
        (folder / "inner").chmod(mode)
        folder.chmod(mode)
    disk.job.chmod(0o500)
    assert await disk.clear() == 5
    assert list(disk.job.iterdir()) == []


async def test_what_is_another_s_stays_and_is_counted(disk: Disk, request: pytest.FixtureRequest) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make what belongs to another")
    (disk.job / "mine").write_text("x")
    request.getfixturevalue("unprivileged")
    os.seteuid(0)
    for name in ("theirs", "theirs-too"):
        (disk.job / name).mkdir(mode=0o755)
        (disk.job / name / "kept").write_text("x")
    (disk.job / "hidden").mkdir(mode=0o700)
    os.seteuid(65534)
    with pytest.raises(ArchiveFailed) as caught:
        await disk.clear()
    assert caught.value.message == "Permission was denied (3 files or directories)."
    assert not (disk.job / "mine").exists()
    assert (disk.job / "theirs" / "kept").exists()


async def test_a_directory_above_that_may_not_be_entered_is_told_without_a_path(
    disk: Disk, request: pytest.FixtureRequest
) -> None:
    (disk.job / "kept").write_text("x")
    request.getfixturevalue("unprivileged")
    disk.job.parent.chmod(0)
    with pytest.raises(ArchiveFailed) as caught:
        await disk.clear()
    assert caught.value.message == "Permission was denied."
    disk.job.parent.chmod(0o700)
    assert (disk.job / "kept").exists()


async def test_another_file_system_is_not_entered(disk: Disk, mount: Callable[..., None]) -> None:
    inner = disk.job / "mounted"
    inner.mkdir()
    mount(inner, "-t", "tmpfs", "tmpfs")
    (inner / "kept").write_text("x")
    with pytest.raises(ArchiveFailed, match=r"^Another file system is mounted there \(1 file or directory\)\.$"):
        await disk.clear()
    assert (inner / "kept").read_text() == "x"


async def test_a_bind_mount_of_the_same_device_is_not_entered(disk: Disk, mount: Callable[..., None]) -> None:
    inner = disk.job / "bound"
    inner.mkdir()
    mount(inner, "--bind", str(disk.outside))
    with pytest.raises(ArchiveFailed, match="Another file system is mounted there"):
        await disk.clear()
    disk.expect_outside_whole()


@pytest.mark.parametrize("level", ["products/v2", JOB[1:]])
async def test_a_mount_on_the_way_below_the_root_is_refused(disk: Disk, mount: Callable[..., None], level: str) -> None:
    mount(disk.base / level, "-t", "tmpfs", "tmpfs")
    disk.job.mkdir(parents=True, exist_ok=True)
    (disk.job / "kept").write_text("x")
    with pytest.raises(ArchiveFailed, match=r"^Another file system is mounted there\.$"):
        await disk.clear()
    assert (disk.job / "kept").exists()


async def test_a_root_may_be_a_mount_of_its_own(disk: Disk, mount: Callable[..., None]) -> None:
    mount(disk.base / "products", "-t", "tmpfs", "tmpfs")
    disk.job.mkdir(parents=True)
    (disk.job / "a").write_text("x")
    assert await disk.clear() == 1


def test_the_way_up_is_only_to_where_one_came_from(disk: Disk) -> None:
    (disk.job / "sub").mkdir()
    descriptor = os.open(disk.job, os.O_RDONLY | os.O_DIRECTORY)
    cursor = Cursor(descriptor, mount_of(descriptor))
    try:
        cursor.enter("sub")
        (disk.job / "sub").rename(disk.outside / "sub")
        with pytest.raises(ArchiveFailed, match="moved"):
            cursor.leave()
    finally:
        cursor.close()


@pytest.mark.parametrize("writing", [True, False])
def test_what_was_a_directory_when_listed_is_not_entered_as_a_link(disk: Disk, writing: bool) -> None:
    (disk.job / "sub").symlink_to(disk.outside)
    descriptor = os.open(disk.job, os.O_RDONLY | os.O_DIRECTORY)
    cursor = Cursor(descriptor, mount_of(descriptor))
    try:
        with pytest.raises(NotADirectoryError):
            cursor.enter("sub", writing=writing)
        assert os.fstat(cursor.descriptor).st_ino == disk.job.stat().st_ino  # still there
    finally:
        cursor.close()


@pytest.mark.parametrize("level", ["products/v2", "products/v2/pipeline/job/a", JOB[1:]])
async def test_a_directory_swapped_for_a_link_leads_nowhere(disk: Disk, level: str) -> None:
    """A thread swaps a directory of the path, or in it, for a link to a like tree outside, again and again."""
    place, aside = disk.base / level, disk.base / "aside"
    twin = disk.outside / "twin"
    for number in range(30):
        folder = twin / JOB.removeprefix("/" + level).strip("/") / "a" / str(number % 5)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / str(number)).write_text("kept")
        if level.endswith("/a"):
            (twin / str(number)).write_text("kept")
    whole = sorted(twin.rglob("*"))

    def disturb() -> None:
        swap(place, aside, twin)
        with suppress(OSError):
            aside.rename(place)
        shutil.rmtree(aside, ignore_errors=True)  # if the directory was made again meanwhile

    outcomes = set()
    with again_and_again(disturb):
        for turn in range(5000):
            if turn >= 200 and len(outcomes) > 1:
                break
            with suppress(OSError):  # the swapping thread may have taken it away
                for number in range(5):
                    (disk.job / "a" / str(number)).mkdir(parents=True, exist_ok=True)
            try:
                await disk.clear()
                outcomes.add("cleared")
            except ArchiveFailed as error:
                outcomes.add(error.message)
    assert sorted(twin.rglob("*")) == whole
    disk.expect_outside_whole()
    assert len(outcomes) > 1, outcomes  # the thread did come in between


async def test_what_goes_on_writing_is_told(disk: Disk) -> None:
    ended = threading.Event()

    def write() -> None:
        for number in range(5000):
            if ended.is_set():
                break
            with suppress(OSError):
                (disk.job / str(number)).mkdir()
            with suppress(OSError):
                (disk.job / str(number) / "file").touch()

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    outcomes = []
    try:
        for _ in range(5):
            try:
                outcomes.append(str(await disk.clear() >= 0))
            except ArchiveFailed as error:
                outcomes.append(error.message)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert set(outcomes) <= {"True", "Something is still writing there: the directory does not become empty."}
    await disk.clear()
    assert list(disk.job.iterdir()) == []


async def test_who_gives_up_waiting_has_stopped_the_clearing(disk: Disk) -> None:
    for number in range(20_000):
        (disk.job / str(number)).touch()
    task = asyncio.create_task(disk.clear())
    while number_in(disk.job) == 20_000:  # noqa: ASYNC110 - a thread cannot set the event that would be waited for
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    left = number_in(disk.job)
    assert 0 < left < 20_000
    await asyncio.sleep(0.2)
    assert number_in(disk.job) == left


async def test_the_loop_is_free_meanwhile(disk: Disk) -> None:
    for number in range(5000):
        (disk.job / str(number)).touch()
    task = asyncio.create_task(disk.clear())
    turns = 0
    while not task.done():
        turns += 1
        await asyncio.sleep(0)
    assert await task == 5000
    assert turns > 10
