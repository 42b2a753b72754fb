"""Copies: whole, private, checked, made while serving; and what is made of them again."""

from __future__ import annotations

import asyncio
import os
import resource
import stat
import time

import apsw
import pytest

from jobpass.errors import AlreadyExists, SchemaTooNew, SetupError, StoreUnavailable
from jobpass.records import Credential
from jobpass.stores.sqlite import SqliteStore, restore_database
from jobpass.stores.sqlite import backup as backup_module
from jobpass.stores.sqlite.queries import MIGRATIONS

BIG = b'"' + b"x" * 20_000 + b'"'


async def _fill(store, kit, events=100):
    await store.apply("job", kit.create())
    await asyncio.gather(*(store.apply("job", kit.send(data=BIG)) for _ in range(events)))
    await store.add_principal("a@b", "author", "h", kit.AT)
    await store.add_credential(Credential("c1", "login", 1, "", kit.AT, None))


def _wait(until):
    """Look again and again, at most for 20 s."""
    deadline = time.monotonic() + 20
    while not until():
        assert time.monotonic() < deadline
        time.sleep(0.001)


async def test_a_copy_is_one_private_sound_file_with_everything(sqlite, tmp_path, kit):
    await _fill(sqlite, kit)
    folder = tmp_path / "copies"
    folder.mkdir()
    copy = folder / "copy"
    before = os.umask(0)
    try:
        await sqlite.backup(copy)
    finally:
        os.umask(before)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert list(folder.iterdir()) == [copy]
    with apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY) as connection:
        assert connection.pragma("integrity_check") == "ok"
        assert connection.pragma("journal_mode") == "delete"
    opened = await SqliteStore.open(copy)
    assert await opened.history("job", 0, 1000) == await sqlite.history("job", 0, 1000)
    assert await opened.find_session("c1") == await sqlite.find_session("c1")
    await opened.close()


async def test_a_copy_holds_one_moment_while_many_write(sqlite, tmp_path, kit, monkeypatch):
    monkeypatch.setattr(backup_module, "STEP_PAGES", 1)
    await _fill(sqlite, kit, 999)
    copying = asyncio.ensure_future(sqlite.backup(tmp_path / "copy"))
    written = []

    async def sender(name):
        await sqlite.apply(name, kit.create(name))
        while not copying.done():
            done = await sqlite.apply(name, kit.send())
            written.append((name, done.event.sequence))

    other = apsw.Connection(str(tmp_path / "store.sqlite"))  # as another process would
    other.set_busy_timeout(1000)

    async def stranger():
        while not copying.done():
            await asyncio.to_thread(other.execute, "UPDATE principal SET password_hash = password_hash || 'x'")

    await asyncio.gather(copying, stranger(), *(sender(name) for name in ("left", "right")))
    other.close()
    assert len(written) > 2, "nothing was written meanwhile"
    copy = await SqliteStore.open(tmp_path / "copy")
    assert len(await copy.history("job", 0, 9999)) == 1000
    for name in ("left", "right"):
        job = await copy.find_job(name)
        if job is not None:
            sequences = [entry.sequence for entry in await copy.history(name, 0, 100_000)]
            assert sequences == list(range(1, job.sequence + 1))
            assert job.sequence <= (await sqlite.find_job(name)).sequence
    await copy.close()


async def test_what_stands_is_never_replaced(sqlite, tmp_path, kit):
    await sqlite.apply("job", kit.create())
    there = tmp_path / "there"
    there.write_text("precious")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    for path in (there, link, tmp_path, tmp_path / "store.sqlite"):
        with pytest.raises(AlreadyExists):
            await sqlite.backup(path)
    assert there.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()
    assert (await sqlite.find_job("job")).sequence == 1


async def test_a_copy_that_cannot_be_made_leaves_nothing(sqlite, tmp_path, kit):
    await _fill(sqlite, kit)
    with pytest.raises(StoreUnavailable):
        await sqlite.backup(tmp_path / "missing" / "copy")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))  # a disk with no more room than this
    try:
        with pytest.raises(StoreUnavailable):
            await sqlite.backup(tmp_path / "copy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [file.name for file in tmp_path.iterdir() if "copy" in file.name] == []
    assert (await sqlite.apply("job", kit.send())).event.sequence == 102


async def test_a_damaged_database_gives_no_copy(tmp_path, kit):
    path = tmp_path / "store.sqlite"
    store = await SqliteStore.open(path)
    await _fill(store, kit)
    root = store._reader.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'event_sequence'").get
    await store.close()
    with path.open("r+b") as file:
        file.seek(4096 * (root - 1))
        file.write(b"\xff" * 4096)
    broken = await SqliteStore.open(path)
    with pytest.raises(StoreUnavailable) as failed:
        await broken.backup(tmp_path / "copy")
    assert failed.value.detail["reason"].startswith("SQLITE_CORRUPT")
    assert not (tmp_path / "copy").exists()
    await broken.close()


async def test_a_database_whose_parts_disagree_gives_no_copy(tmp_path, kit):
    path = tmp_path / "store.sqlite"
    store = await SqliteStore.open(path)
    await _fill(store, kit)
    await store.close()
    connection = apsw.Connection(str(path))
    connection.pragma("writable_schema", True)
    index = connection.execute("SELECT * FROM sqlite_schema WHERE name = 'event_sequence'").get
    connection.execute("DELETE FROM sqlite_schema WHERE name = 'event_sequence'")
    connection.close()
    connection = apsw.Connection(str(path))
    connection.execute("DELETE FROM event WHERE sequence = 5")  # and the index, hidden, keeps its entry
    connection.pragma("writable_schema", True)
    connection.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", index)
    connection.close()
    broken = await SqliteStore.open(path)
    with pytest.raises(StoreUnavailable, match="event_sequence") as failed:
        await broken.backup(tmp_path / "copy")
    assert failed.value.detail == {"reason": "SQLITE_CORRUPT"}
    assert not (tmp_path / "copy").exists()
    await broken.close()


async def test_a_caller_who_goes_away_ends_the_copying(sqlite, tmp_path, kit, monkeypatch):
    monkeypatch.setattr(backup_module, "STEP_PAGES", 1)
    await _fill(sqlite, kit, 1000)
    copying = asyncio.ensure_future(sqlite.backup(tmp_path / "copy"))
    await asyncio.to_thread(_wait, lambda: any(file.name.startswith(".copy") for file in tmp_path.iterdir()))
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    await asyncio.to_thread(_wait, lambda: not any("copy" in file.name for file in tmp_path.iterdir()))
    assert (await sqlite.apply("job", kit.send())).event.sequence == 1002


async def test_a_closed_store_makes_no_copy(tmp_path):
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.backup(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


async def test_a_database_is_restored_from_a_copy(sqlite, tmp_path, kit):
    await _fill(sqlite, kit)
    await sqlite.backup(tmp_path / "copy")
    await sqlite.apply("job", kit.send())
    folder = tmp_path / "fresh"
    folder.mkdir()
    restore_database(tmp_path / "copy", folder / "store.sqlite")
    assert [(file.name, stat.S_IMODE(file.stat().st_mode)) for file in folder.iterdir()] == [("store.sqlite", 0o600)]
    restored = await SqliteStore.open(folder / "store.sqlite")
    assert (await restored.find_job("job")).sequence == 101
    assert (await restored.apply("job", kit.send())).event.sequence == 102
    await restored.close()


async def test_an_older_copy_is_migrated_when_it_is_opened(tmp_path, older):
    older(tmp_path / "copy", 1)
    restore_database(tmp_path / "copy", tmp_path / "restored")
    restored = await SqliteStore.open(tmp_path / "restored")
    assert (await restored.find_job("job")).sequence == 2
    assert (await restored.find_details("job")).generated_by == ("pipe",)
    assert await restored.audit_nodes() == []
    await restored.close()


async def test_only_a_copy_of_ours_is_restored_and_nothing_is_replaced(sqlite, tmp_path, kit):
    await sqlite.apply("job", kit.create())
    await sqlite.backup(tmp_path / "copy")
    (tmp_path / "text").write_text("no database " * 1000)
    (tmp_path / "empty").touch()
    theirs = apsw.Connection(str(tmp_path / "theirs"))
    theirs.execute("CREATE TABLE theirs (a)")
    theirs.close()
    restore_database(tmp_path / "copy", tmp_path / "newer")
    with apsw.Connection(str(tmp_path / "newer")) as newer:
        newer.pragma("user_version", len(MIGRATIONS) + 1)
    newer.close()
    target = tmp_path / "restored"
    refusals = {"text": SetupError, "empty": SetupError, "theirs": SetupError, "newer": SchemaTooNew}
    for name, refusal in (refusals | {"missing": StoreUnavailable}).items():
        with pytest.raises(refusal):
            restore_database(tmp_path / name, target)
        assert not target.exists()
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []
    with pytest.raises(AlreadyExists):
        restore_database(tmp_path / "copy", tmp_path / "text")
    (tmp_path / "restored-wal").touch()
    with pytest.raises(AlreadyExists):
        restore_database(tmp_path / "copy", target)
    assert not target.exists()
