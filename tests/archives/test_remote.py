from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from jobpass.archives import FileArchives, System
from jobpass.errors import ArchiveFailed
from jobpass.records import FileFound

JOB = "/products/v2/job"


@pytest.fixture
def files() -> Iterator[MemoryFileSystem]:
    made = MemoryFileSystem()
    made.pipe({f"/bucket{JOB}/a": b"a", f"/bucket{JOB}/b/c": b"cc", "/bucket/products/v2/job2/kept": b"x"})
    yield made
    made.rm("/", recursive=True)


@pytest.fixture
def archives() -> FileArchives:
    return FileArchives([System("store", "memory://bucket", ("/products",))])


def _names(files: MemoryFileSystem) -> list[str]:
    return sorted(files.find("/"))


async def test_what_is_below_goes_and_the_directory_stays(files: MemoryFileSystem, archives: FileArchives) -> None:
    files.makedirs(f"/bucket{JOB}/empty/one")
    assert await archives.clear("store", JOB) == 2
    assert _names(files) == ["/bucket/products/v2/job2/kept"]
    assert files.ls(f"/bucket{JOB}") == []
    assert await archives.clear("store", JOB) == 0


async def test_a_file_of_the_directory_s_own_name_stays(files: MemoryFileSystem, archives: FileArchives) -> None:
    files.pipe("/bucket/products/v3", b"kept")
    assert await archives.clear("store", "/products/v3") == 0
    assert files.cat("/bucket/products/v3") == b"kept"


@pytest.mark.parametrize("path", ["/products/*", "/products/v2/jo?", "/products/v2/[j]ob", "/products/**/job"])
async def test_a_pattern_is_a_name(files: MemoryFileSystem, archives: FileArchives, path: str) -> None:
    before = _names(files)
    assert archives.check("store", path) == path
    assert await archives.clear("store", path) == 0
    assert _names(files) == before
    files.pipe(f"/bucket{path}/x*", b"x")
    assert await archives.clear("store", path) == 1
    assert _names(files) == before


async def test_a_store_that_is_not_there_does_not_look_cleared(archives: FileArchives) -> None:
    with pytest.raises(ArchiveFailed, match="is not there"):
        await archives.clear("store", JOB)


async def test_files_are_told_and_read(files: MemoryFileSystem, archives: FileArchives) -> None:
    found = [file async for batch in archives.walk("store", JOB) for file in batch]
    assert [(file.path, file.size) for file in found] == [(f"{JOB}/a", 1), (f"{JOB}/b/c", 2)]
    assert found[0].modified_at == files.created(f"/bucket{JOB}/a")
    assert await archives.digest("store", found[1]) == hashlib.sha256(b"cc").hexdigest()
    assert [batch async for batch in archives.walk("store", "/products/none")] == []


async def test_a_file_that_changed_has_no_digest(files: MemoryFileSystem, archives: FileArchives) -> None:
    found = [file async for batch in archives.walk("store", JOB) for file in batch]
    files.pipe(f"/bucket{JOB}/a", b"longer")
    files.rm_file(f"/bucket{JOB}/b/c")
    for file in found:
        with pytest.raises(ArchiveFailed, match="another one than before"):
            await archives.digest("store", file)
    with pytest.raises(ArchiveFailed, match="another one than before"):
        await archives.digest("store", FileFound(f"{JOB}/never", 1, None))


class Broken(MemoryFileSystem):
    """A store of which each removal fails as it was told to."""

    protocol = "broken"
    error: Exception = PermissionError("/secret/canary")

    @classmethod
    def _strip_protocol(cls, path: Any) -> str:
        return str(MemoryFileSystem._strip_protocol(str(path).removeprefix("broken://")))

    def rm_file(self, path: str) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError("canary"), "Permission was denied (2 files or directories)."),
        (OSError(30, "canary"), "Read-only file system (2 files or directories)."),
        (OSError("canary"), "The file system failed (2 files or directories)."),
        (RuntimeError("canary"), "The archive system failed."),
    ],
)
@pytest.mark.usefixtures("files")
async def test_an_error_is_told_without_what_it_says(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, message: str
) -> None:
    fsspec.register_implementation("broken", Broken, clobber=True)
    monkeypatch.setattr(Broken, "error", error)
    broken = FileArchives([System("store", "broken://bucket", ("/products",))])
    with pytest.raises(ArchiveFailed) as caught:
        await broken.clear("store", JOB)
    assert caught.value.message == message
    assert "canary" not in caplog.text


async def test_local_files_are_never_worked_on_by_their_names(tmp_path: Path) -> None:
    kept = tmp_path / "products" / "job" / "kept"
    kept.parent.mkdir(parents=True)
    kept.touch()
    archives = FileArchives([System("store", f"local://{tmp_path}", ("/products",))])
    with pytest.raises(ArchiveFailed, match="is not given as file://"):
        await archives.clear("store", "/products/job")
    assert kept.exists()


async def test_a_missing_package_is_told() -> None:
    archives = FileArchives([System("store", "oci://bucket", ("/products",))])
    with pytest.raises(ArchiveFailed, match="lacks the package"):
        await archives.clear("store", JOB)
