from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from jobpass.archives import FileArchives, System

NOBODY = 65534
PR_SET_DUMPABLE = 4
JOB = "/products/v2/pipeline/job"


def number_in(folder: str | Path) -> int:
    """How many entries a directory has."""
    return sum(1 for _ in Path(folder).iterdir())


@contextmanager
def again_and_again(work: Callable[[], None]) -> Iterator[None]:
    """A thread does this all the time meanwhile, and comes in between wherever it can."""
    ended = threading.Event()

    def go_on() -> None:
        while not ended.is_set():
            work()

    thread = threading.Thread(target=go_on)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        ended.set()
        thread.join()


def swap(place: Path, aside: Path, target: Path) -> None:
    """Put a link in a directory's place, for a moment; the directory is ``aside`` then."""
    with suppress(OSError):
        place.rename(aside)
    with suppress(OSError):
        place.symlink_to(target)
    with suppress(OSError):
        place.unlink()


class Disk:
    """An archive system on this machine, with the directory of one job and something beside it that is not its."""

    def __init__(self, folder: Path) -> None:
        self.base = folder / "archive"
        self.job = self.base / JOB[1:]
        self.outside = folder / "outside"
        self.job.mkdir(parents=True)
        self.outside.mkdir()
        (self.outside / "kept").write_text("kept")
        (self.outside / "deep").mkdir()
        (self.outside / "deep" / "kept").write_text("kept")
        self.archives = FileArchives([System("disk", f"file://{self.base}", ("/products",))])

    async def clear(self, path: str = JOB) -> int:
        """Clear on this system."""
        return await self.archives.clear("disk", path)

    async def walk(self, path: str = JOB) -> list[str]:
        """The files' paths, in the order told, without the job's directory."""
        batches = [batch async for batch in self.archives.walk("disk", path)]
        return [file.path.removeprefix(path + "/") for batch in batches for file in batch]

    def expect_outside_whole(self) -> None:
        """What is not the job's is as it was."""
        assert (self.outside / "kept").read_text() == "kept"
        assert (self.outside / "deep" / "kept").read_text() == "kept"


@pytest.fixture
def disk() -> Iterator[Disk]:
    # Not below tmp_path, which another user cannot reach.
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o711)
    try:
        yield Disk(folder)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def unprivileged(disk: Disk) -> Iterator[None]:
    """Until the end of the test this process may do what an ordinary user may, to whom the archive belongs."""
    if os.geteuid() != 0:
        yield
        return
    for path in (disk.base, *disk.base.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    os.seteuid(NOBODY)
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1)  # or /proc/self would be root's
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def mount() -> Iterator[Callable[..., None]]:
    """Mount something on a directory, as ``mount`` is told to; skips where that is not allowed."""
    mounted: list[Path] = []

    def mount(place: Path, *how: str) -> None:
        done = subprocess.run(["mount", *how, str(place)], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"mounting is not allowed here: {done.stderr.strip()}")
        mounted.append(place)

    try:
        yield mount
    finally:
        for place in reversed(mounted):
            subprocess.run(["umount", str(place)], check=True)
