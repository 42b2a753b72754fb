from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress

import fsspec
import pytest

from archives.conftest import JOB, Disk, again_and_again, number_in, swap
from jobpass.archives import FileArchives, System
from jobpass.archives.local import DEPTH
from jobpass.errors import ArchiveFailed


async def make(disk: Disk, path: str = JOB) -> None:
    await disk.archives.make("disk", path)


async def test_the_directory_and_those_above_are_made_once(disk: Disk) -> None:
    shutil.rmtree(disk.base / "products/v2")
    before = os.umask(0o027)
    try:
        await make(disk)
    finally:
        os.umask(before)
    for folder in (disk.job, disk.job.parent, disk.base / "products/v2"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    (disk.job / "kept").write_text("kept")
    await make(disk)
    assert (disk.job / "kept").read_text() == "kept"
    assert stat.S_IMODE(disk.job.stat().st_mode) == 0o750


@pytest.mark.parametrize("missing", ["products", ""])
async def test_neither_root_nor_base_is_made(disk: Disk, missing: str) -> None:
    shutil.rmtree(disk.base / missing)
    with pytest.raises(ArchiveFailed, match="is not there"):
        await make(disk)
    assert not (disk.base / "products").exists()


@pytest.mark.parametrize("level", ["products", "products/v2", "products/v2/pipeline", JOB[1:]])
@pytest.mark.parametrize("target", ["outside", "nowhere", "loop"])
async def test_a_link_anywhere_in_the_path_is_refused(disk: Disk, level: str, target: str) -> None:
    place = disk.base / level
    shutil.rmtree(place)
    place.symlink_to({"outside": disk.outside, "nowhere": disk.outside / "new", "loop": place}[target])
    whole = sorted(disk.outside.rglob("*"))
    with pytest.raises(ArchiveFailed, match="through a link"):
        await make(disk)
    assert sorted(disk.outside.rglob("*")) == whole
    assert place.is_symlink()


@pytest.mark.parametrize("level", ["products/v2", JOB[1:]])
async def test_a_file_in_the_way_is_refused_and_kept(disk: Disk, level: str) -> None:
    place = disk.base / level
    shutil.rmtree(place)
    place.write_text("kept")
    with pytest.raises(ArchiveFailed, match="no directory"):
        await make(disk)
    assert place.read_text() == "kept"


async def test_nothing_is_made_behind_a_mount(disk: Disk, mount: Callable[..., None]) -> None:
    mount(disk.base / "products/v2", "-t", "tmpfs", "tmpfs")
    with pytest.raises(ArchiveFailed, match=r"^Another file system is mounted there\.$"):
        await make(disk)
    assert number_in(disk.base / "products/v2") == 0


@pytest.mark.parametrize("path", ["/products", "/", "/other/a", "/products/../other", "/products/a/", "products/a"])
async def test_what_check_would_not_have_answered_is_not_made(disk: Disk, path: str) -> None:
    whole = sorted(disk.base.rglob("*"))
    with pytest.raises(ArchiveFailed, match="archive path"):
        await make(disk, path)
    assert sorted(disk.base.rglob("*")) == whole


async def test_there_is_a_limit_to_how_many_are_made(disk: Disk) -> None:
    await make(disk, "/products" + "/d" * DEPTH)
    assert (disk.base / "products" / "/".join("d" * DEPTH)).is_dir()
    with pytest.raises(ArchiveFailed, match="not made"):
        await make(disk, "/products" + "/e" * (DEPTH + 1))
    assert not (disk.base / "products/e").exists()


@pytest.mark.parametrize("system", [None, "other"])
async def test_where_nothing_is_configured_nothing_is_made(disk: Disk, system: str | None) -> None:
    shutil.rmtree(disk.job)
    await disk.archives.make(system, JOB)
    assert not disk.job.exists()


@pytest.mark.usefixtures("unprivileged")
async def test_what_may_not_be_written_is_told_without_a_path(disk: Disk) -> None:
    disk.job.chmod(0o500)
    with pytest.raises(ArchiveFailed) as caught:
        await make(disk, f"{JOB}/sub")
    assert caught.value.message == "Permission was denied."
    disk.job.chmod(0o700)


async def test_no_descriptor_is_left_open(disk: Disk) -> None:
    async def once() -> None:
        await make(disk, f"{JOB}/new")
        shutil.rmtree(disk.job / "new")
        (disk.job / "new").symlink_to("/")
        with suppress(ArchiveFailed):
            await make(disk, f"{JOB}/new/x")
        (disk.job / "new").unlink()

    await once()
    before = number_in("/proc/self/fd")
    for _ in range(20):
        await once()
    assert number_in("/proc/self/fd") == before


@pytest.mark.parametrize("level", ["products/v2", JOB[1:]])
async def test_a_directory_swapped_for_a_link_leads_nowhere(disk: Disk, level: str) -> None:
    """A thread swaps a directory of the path for a link to a like tree outside, again and again."""
    place, aside, twin = disk.base / level, disk.base / "aside", disk.outside / "twin"
    (twin / JOB.removeprefix("/" + level).strip("/")).mkdir(parents=True)
    whole = sorted(twin.rglob("*"))

    def disturb() -> None:
        swap(place, aside, twin)
        shutil.rmtree(aside, ignore_errors=True)

    outcomes = set()
    with again_and_again(disturb):
        for turn in range(5000):
            if turn >= 200 and len(outcomes) > 1:
                break
            try:
                await make(disk, f"{JOB}/a/b/c")
                outcomes.add("made")
            except ArchiveFailed as error:
                outcomes.add(error.message)
    assert sorted(twin.rglob("*")) == whole
    disk.expect_outside_whole()
    assert len(outcomes) > 1, outcomes  # the thread did come in between


async def test_a_store_has_a_directory_where_it_knows_any() -> None:
    files = fsspec.filesystem("memory")
    files.pipe({"/bucket/products/file": b"kept"})
    archives = FileArchives([System("store", "memory://bucket", ("/products",))])
    try:
        for _ in range(2):
            await archives.make("store", JOB)
            assert files.isdir(f"/bucket{JOB}")
        for path in ("/products/file", "/products/file/below"):
            with pytest.raises(ArchiveFailed):
                await archives.make("store", path)
        assert files.cat("/bucket/products/file") == b"kept"
    finally:
        files.rm("/", recursive=True)
