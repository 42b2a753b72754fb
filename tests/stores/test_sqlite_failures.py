"""What goes wrong with disks and locks: told to the callers, nothing half-written, and service resumes."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

from jobpass.errors import StoreUnavailable
from jobpass.records import Change
from jobpass.stores.sqlite import SqliteStore

BIG = b'"' + b"x" * 50_000 + b'"'


async def test_a_full_database_refuses_the_group_and_takes_writes_again(sqlite, kit):
    await sqlite.apply("job", kit.create())
    await sqlite.apply("other", kit.create("other"))
    before = await _all(sqlite)
    writer = sqlite._writer._connection
    most = writer.pragma("max_page_count")
    writer.pragma("max_page_count", writer.pragma("page_count"))
    calls = [sqlite.apply("job", kit.send()), sqlite.apply("other", kit.send(data=BIG)), sqlite.apply("x", kit.send())]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 3
    assert {answer.detail["reason"] for answer in answers} == {"SQLITE_FULL"}
    assert "full" in answers[0].message
    assert len(set(map(id, answers))) == 3
    assert await _all(sqlite) == before
    writer.pragma("max_page_count", most)
    done = await asyncio.gather(sqlite.apply("job", kit.send()), sqlite.apply("other", kit.send(data=BIG)))
    assert [change.event.sequence for change in done] == [2, 2]


async def test_a_lone_call_on_a_full_database_fails_the_same_way(sqlite, kit):
    await sqlite.apply("job", kit.create())
    writer = sqlite._writer._connection
    most = writer.pragma("max_page_count")
    writer.pragma("max_page_count", writer.pragma("page_count"))
    with pytest.raises(StoreUnavailable):
        await sqlite.apply("job", kit.send(data=BIG))
    with pytest.raises(StoreUnavailable):
        await sqlite.add_principal("a@b" * 50_000, "author", "h", kit.AT)
    writer.pragma("max_page_count", most)
    assert (await sqlite.apply("job", kit.send(data=BIG))).event.sequence == 2
    await sqlite.check()


async def _all(store):
    return [(await store.find_job(name), await store.history(name, 0, 9)) for name in ("job", "other", "x")]


@pytest.fixture
def small_disk():
    """A file system of 2 MiB of its own; needs root."""
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    folder = Path(tempfile.mkdtemp())
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
    folder.rmdir()


async def test_a_full_disk_is_told_and_service_resumes_when_there_is_room(small_disk, kit):
    store = await SqliteStore.open(small_disk / "store.sqlite")
    await store.apply("job", kit.create())
    await store.check()
    ballast = small_disk / "ballast"
    free = shutil.disk_usage(small_disk).free
    ballast.write_bytes(bytes(free - 300_000))
    with pytest.raises(StoreUnavailable, match="almost full"):
        await store.check()
    stood, failed = 0, None
    while failed is None:
        calls = [store.apply("job", kit.send(data=BIG)) for _ in range(2)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        failed = next((answer for answer in answers if not isinstance(answer, Change)), None)
        stood += 0 if failed else 2
    assert failed.code == "store_unavailable"
    assert failed.detail["reason"].startswith(("SQLITE_FULL", "SQLITE_IOERR"))
    assert len(await store.history("job", 0, 1000)) == 1 + stood
    for attempt in (store.apply("job", kit.send(data=BIG)), store.check()):
        with pytest.raises(StoreUnavailable):
            await attempt
    ballast.unlink()
    await store.check()
    assert (await store.apply("job", kit.send(data=BIG))).event.sequence == stood + 2
    await store.close()
    again = await SqliteStore.open(small_disk / "store.sqlite")
    assert [entry.sequence for entry in await again.history("job", 0, 1000)] == list(range(1, stood + 3))
    await again.close()


async def test_after_a_failed_write_check_writes_for_real(sqlite, kit, monkeypatch):
    await sqlite.apply("job", kit.create())
    writer = sqlite._writer._connection
    writer.pragma("query_only", True)
    with pytest.raises(StoreUnavailable) as failed:
        await sqlite.apply("job", kit.send())
    assert failed.value.detail["reason"] == "SQLITE_READONLY"
    with pytest.raises(StoreUnavailable):
        await sqlite.check()
    with pytest.raises(StoreUnavailable):
        await sqlite.check()
    writer.pragma("query_only", False)
    version = writer.pragma("user_version")
    await sqlite.check()
    assert sqlite._writer.failure is None
    assert writer.pragma("user_version") == version
    assert (await sqlite.apply("job", kit.send())).event.sequence == 2


def test_a_limit_on_file_size_is_a_failure_like_any_other(tmp_path, child):
    process = child("limited", tmp_path / "store.sqlite", 1_000_000)
    lines = process.communicate(timeout=30)[0].splitlines()
    assert process.returncode == 0
    what, code, reason, written = lines[0].split()
    assert (what, code) == ("failed", "store_unavailable")
    assert reason.startswith(("SQLITE_FULL", "SQLITE_IOERR"))
    assert int(written) > 3
    assert lines[1] == "check store_unavailable"
    assert lines[2:] == [f"history {int(written) + 1}", f"history {int(written) + 2}"]


@pytest.mark.parametrize("exists", [True, False], ids=["file", "folder"])
def test_a_read_only_file_or_folder_is_refused_at_opening(exists, child):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "store.sqlite"
        if exists:
            asyncio.run(_open_and_close(path))
            path.chmod(0o444)
        folder.chmod(0o555)
        process = child("unprivileged", path)
        answer = process.communicate(timeout=30)[0].split()
        folder.chmod(0o755)
    assert answer == ["store_unavailable", "SQLITE_CANTOPEN"]


async def _open_and_close(path):
    await (await SqliteStore.open(path)).close()


async def test_check_misses_a_file_that_was_removed_or_replaced(sqlite, tmp_path, kit):
    path = tmp_path / "store.sqlite"
    aside = tmp_path / "aside"
    path.rename(aside)
    with pytest.raises(StoreUnavailable, match="out of reach"):
        await sqlite.check()
    path.write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="replaced"):
        await sqlite.check()
    aside.rename(path)
    await sqlite.check()


async def test_a_lock_held_elsewhere_is_waited_for_without_stopping_the_loop(sqlite, tmp_path, kit):
    await sqlite.apply("job", kit.create())
    other = apsw.Connection(str(tmp_path / "store.sqlite"))
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.gather(*(sqlite.apply("job", kit.send()) for _ in range(3)), sqlite.put_pipeline(kit.pipeline()))
    longest, last = 0.0, time.monotonic()
    for _ in range(30):
        await asyncio.sleep(0.005)
        assert (await sqlite.find_job("job")).sequence == 1
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert not waiting.done()
    assert longest < 0.1
    other.execute("ROLLBACK")
    assert [change.event.sequence for change in (await waiting)[:3]] == [2, 3, 4]


async def test_a_lock_held_too_long_is_an_error_and_the_next_call_works(sqlite, tmp_path, kit, monkeypatch):
    monkeypatch.setattr("jobpass.stores.sqlite.writer.BUSY_SECONDS", 0.1)
    await sqlite.apply("job", kit.create())
    other = apsw.Connection(str(tmp_path / "store.sqlite"))
    other.execute("BEGIN IMMEDIATE")
    answers = await asyncio.gather(*(sqlite.apply("job", kit.send()) for _ in range(3)), return_exceptions=True)
    assert [answer.detail["reason"] for answer in answers] == ["SQLITE_BUSY"] * 3
    with pytest.raises(StoreUnavailable):
        await sqlite.check()
    other.execute("ROLLBACK")
    assert (await sqlite.apply("job", kit.send())).event.sequence == 2
    await sqlite.check()


@pytest.mark.parametrize(
    "fields",
    [{"session": "\ud800"}, {"owner": 2**64}, {"updated_at": "no time"}, {"archive_path": object()}],
    ids="".join,
)
async def test_what_cannot_be_written_hurts_its_own_caller_only(sqlite, kit, fields):
    for name in "abc":
        await sqlite.apply(name, kit.create(name))

    def poison(found, _):
        return Change(found, replace(found, **fields), None)

    calls = [sqlite.apply("a", kit.send()), sqlite.apply("b", poison), sqlite.apply("c", kit.send())]
    answers = await asyncio.gather(*calls, sqlite.apply("a", kit.send()), return_exceptions=True)
    assert [type(answer) for answer in answers[::2]] == [Change, Change]
    assert answers[3].event.sequence == 3
    assert isinstance(answers[1], Exception)
    assert await sqlite.find_job("b") == kit.job("b")
    assert (await sqlite.find_job("a")).sequence == 3
    assert (await sqlite.apply("b", kit.send())).event.sequence == 2


async def test_a_whole_group_with_one_poison_is_written_call_by_call(sqlite, kit):
    """As many as a group holds: the calls follow each other on the loop, not on the stack."""
    await sqlite.apply("job", kit.create())

    def poison(found, _):
        return Change(found, replace(found, session="\ud800"), None)

    calls = [sqlite.apply("job", kit.send()) for _ in range(255)]
    answers = await asyncio.gather(sqlite.apply("job", poison), *calls, return_exceptions=True)
    assert isinstance(answers[0], UnicodeEncodeError)
    assert [change.event.sequence for change in answers[1:]] == list(range(2, 257))


async def test_a_failed_group_leaves_no_trace_in_the_cache(sqlite, kit):
    """The job's row was cached as the failed group left it; the next judge must see what the disk holds."""
    await sqlite.apply("job", kit.create())
    writer = sqlite._writer._connection
    writer.pragma("query_only", True)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await sqlite.apply("job", kit.send(state="RUNNING", key="k"), "k")
    writer.pragma("query_only", False)
    done = await sqlite.apply("job", kit.send(state="RUNNING", key="k"), "k")
    assert isinstance(done, Change)
    assert (done.before.state, done.event.sequence) == ("CREATED", 2)


async def test_a_broken_file_is_unavailable(tmp_path, kit):
    path = tmp_path / "store.sqlite"
    store = await SqliteStore.open(path)
    for n in range(200):
        await store.apply(f"job-{n}", kit.create(f"job-{n}"))
    roots = store._reader.execute("SELECT rootpage FROM sqlite_schema WHERE rootpage > 0").fetchall()
    await store.close()
    with path.open("r+b") as file:  # the schema itself stays readable, so that the file can be opened
        for (root,) in roots:
            file.seek(4096 * (root - 1))
            file.write(b"\xff" * 4096)
    broken = await SqliteStore.open(path)
    for call in (broken.find_job("job-1"), broken.apply("job-1", kit.send()), broken.history("job-1", 0, 9)):
        with pytest.raises(StoreUnavailable) as failed:
            await call
        assert failed.value.detail["reason"].startswith("SQLITE_CORRUPT")
    await broken.close()
