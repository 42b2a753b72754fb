from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass.archives import FileArchives, System
from jobpass.errors import ArchiveFailed, InvalidInput
from jobpass.records import FileFound

ARCHIVES = FileArchives(
    [
        System("disk", "file:///nowhere", ("/products", "/runs/jobs")),
        System("nested", "file:///elsewhere", ("/products", "/products/v2")),
        System("whole", "file:///whole", ("/",)),
    ],
    default="disk",
)


@pytest.mark.parametrize(
    ("given_path", "kept"),
    [
        ("/products/a", "/products/a"),
        ("/products//v2///job/", "/products/v2/job"),
        ("//products/a", "/products/a"),
        ("/runs/jobs/1", "/runs/jobs/1"),
        ("/products/..a/b..", "/products/..a/b.."),
        ("/products/...", "/products/..."),
        ("/products/a b/é*?[x]", "/products/a b/é*?[x]"),
        ("/products/%2e%2e/%2fetc", "/products/%2e%2e/%2fetc"),  # nothing decodes a path: these are names
        ("/products/..\\..\\etc", "/products/..\\..\\etc"),
        ("/products/\u2025/\uff0fetc", "/products/\u2025/\uff0fetc"),
    ],
)
def test_a_sound_path_is_kept_in_its_normal_form(given_path: str, kept: str) -> None:
    assert ARCHIVES.check("disk", given_path) == kept
    assert ARCHIVES.check(None, given_path) == kept


UNSOUND = [
    "",
    "/",
    "//",
    "products/a",
    "./products/a",
    "/products/../etc",
    "/products/a/..",
    "/products/./a",
    "/products/.",
    "/products/a/../../etc/b",
    "/..",
    "/products/a\0b",
    "/products/a\nb",
    "/products/a\x7fb",
    "/products/a\x9bb",
    "/products/\ud800",
    "/products/" + "a" * 256,
    "/products/" + "é" * 128,
    "/products" + "/a" * 2048,
]


@pytest.mark.parametrize("path", UNSOUND)
@pytest.mark.parametrize("system", ["disk", "whole", "unknown"])
def test_an_unsound_path_is_refused_on_every_system(system: str, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        ARCHIVES.check(system, path)
    assert list(caught.value.detail["fields"]) == ["json.archive_path"]


OUTSIDE = ["/products", "/products/", "/productsx/a", "/products-x", "/Products/a", "/runs", "/runs/jobs"]


@pytest.mark.parametrize("path", OUTSIDE)
async def test_a_path_that_is_not_strictly_below_a_root_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput, match="must lie below /products or /runs/jobs"):
        ARCHIVES.check("disk", path)
    with pytest.raises(ArchiveFailed, match="must lie below"):
        await ARCHIVES.clear("disk", path)


@pytest.mark.parametrize("path", [*UNSOUND, "/products//a", "/products/a/"])
async def test_what_check_would_not_have_answered_is_never_worked_on(path: str) -> None:
    with pytest.raises(ArchiveFailed):
        await ARCHIVES.clear("whole", path)
    with pytest.raises(ArchiveFailed):
        await anext(aiter(ARCHIVES.walk("whole", path)))


@pytest.mark.parametrize("path", ["/products/a/../b", "/products", "/etc/passwd", "products/a", "/products//a", "/p\0"])
async def test_a_file_outside_the_roots_is_not_read(path: str) -> None:
    with pytest.raises(ArchiveFailed, match="The archive path must"):
        await ARCHIVES.digest("disk", FileFound(path, 1, None))


def test_a_directory_around_a_root_is_no_job_s() -> None:
    assert ARCHIVES.check("nested", "/products/v2/job") == "/products/v2/job"
    assert ARCHIVES.check("nested", "/products/v3") == "/products/v3"
    with pytest.raises(InvalidInput):
        ARCHIVES.check("nested", "/products/v2")
    with pytest.raises(InvalidInput):
        ARCHIVES.check("whole", "/")


async def test_on_a_system_that_is_not_configured_a_path_is_anywhere_and_nothing_is_done() -> None:
    assert ARCHIVES.check("unknown", "/anywhere/") == "/anywhere"
    assert FileArchives().check(None, "/anywhere/") == "/anywhere"
    with pytest.raises(ArchiveFailed, match="not configured"):
        await ARCHIVES.clear("unknown", "/products/a")
    with pytest.raises(ArchiveFailed, match="names no archive system"):
        await ARCHIVES.clear(None, "/products/a")


def test_the_default_is_for_new_jobs_that_name_none() -> None:
    assert ARCHIVES.resolve(None) == "disk"
    assert ARCHIVES.resolve("whole") == "whole"
    assert ARCHIVES.resolve("unknown") == "unknown"
    assert FileArchives().resolve(None) is None


@given(st.text(alphabet=st.sampled_from("/.a\0é%\\~"), max_size=20))
def test_whatever_is_accepted_is_below_a_root_by_any_reading(path: str) -> None:
    try:
        kept = ARCHIVES.check("disk", "/products/" + path)
    except InvalidInput:
        return
    names = kept.split("/")
    assert names[:2] == ["", "products"]
    assert len(names) > 2
    assert not {"", ".", ".."} & set(names[1:])
    assert ARCHIVES.check("disk", kept) == kept


def test_options_are_not_shown() -> None:
    assert "canary" not in repr(System("s", "s3://bucket", ("/products",), {"secret": "canary"}))
