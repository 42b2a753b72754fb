"""Each migration on a database with rows: everything that was there is there, and what is new works."""

from __future__ import annotations

import asyncio

import apsw
import pytest

from jobpass.errors import StoreUnavailable
from jobpass.records import AdminKey, AuditEntry, Credential, Session
from jobpass.stores.sqlite import SqliteStore
from jobpass.stores.sqlite.queries import MIGRATIONS


async def _older(path, schema, kit, monkeypatch):
    """A store that knows no migrations after ``schema``, with something in each table of the first one."""
    monkeypatch.setattr("jobpass.stores.sqlite.database.MIGRATIONS", MIGRATIONS[:schema])
    store = await SqliteStore.open(path)
    monkeypatch.undo()
    await store.add_principal("a@b", "author", "h", kit.AT)
    await store.add_credential(Credential("c1", "login", 1, "", kit.AT, None, kid="k1"))
    await store.put_pipeline(kit.pipeline())
    await store.apply("job", kit.create(previous_serial=1, previous_kid="k0"))
    await store.apply("job", kit.send(key="k"), "k")
    return store


def _schema(path):
    with apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY) as connection:
        return connection.pragma("user_version")


async def test_from_the_first_schema_to_the_second(tmp_path, kit, monkeypatch):
    path = tmp_path / "store.sqlite"
    first = await _older(path, 1, kit, monkeypatch)
    with pytest.raises(StoreUnavailable):
        await first.audit_nodes()
    job, history = await first.find_job("job"), await first.history("job", 0, 9)
    session, login, pipeline = (
        await first.find_session("c1"),
        await first.find_login("a@b"),
        await first.find_pipeline("pipe"),
    )
    await first.close()
    assert _schema(path) == 1
    store = await SqliteStore.open(path)
    assert _schema(path) == 2
    assert (await store.find_job("job"), await store.history("job", 0, 9)) == (job, history)
    assert await store.find_session("c1") == session == Session(session.credential, login.principal)
    assert (await store.find_login("a@b"), await store.find_pipeline("pipe")) == (login, pipeline)
    key = AdminKey("key", "requested", 1, "u", "s", 1, b"{}", "h", kit.AT)
    await store.add_admin_key(key)
    entry = AuditEntry("n", 1, kit.AT, "login", 1, "c1", None, None, b"{}", "k1", bytes(32))
    await store.append_audit("n", lambda *_: [entry])
    await store.close()
    again = await SqliteStore.open(path)
    assert await again.find_admin_key("key") == key
    assert (await again.list_audit()).items == [entry]
    await again.close()


async def test_several_that_open_an_older_database_at_once_migrate_it_once(tmp_path, kit, monkeypatch):
    path = tmp_path / "store.sqlite"
    await (await _older(path, 1, kit, monkeypatch)).close()
    stores = await asyncio.gather(*(SqliteStore.open(path) for _ in range(5)))
    for store in stores:
        assert (await store.find_job("job")).sequence == 2
        assert await store.audit_nodes() == []
        await store.close()


async def test_an_interrupted_second_migration_leaves_the_first_schema(tmp_path, kit, monkeypatch):
    path = tmp_path / "store.sqlite"
    await (await _older(path, 1, kit, monkeypatch)).close()
    broken = (MIGRATIONS[0], MIGRATIONS[1] + "; CREATE TABLE audit (again);")
    monkeypatch.setattr("jobpass.stores.sqlite.database.MIGRATIONS", broken)
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(path)
    monkeypatch.undo()
    assert _schema(path) == 1
    store = await SqliteStore.open(path)
    assert (await store.find_job("job")).sequence == 2
    assert await store.audit_nodes() == []
    await store.close()
