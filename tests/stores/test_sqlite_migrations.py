"""Migrations on a database with rows: everything that was there is there, and what is new works."""

from __future__ import annotations

import asyncio

import apsw
import pytest
from msgspec.structs import replace

from jobpass.errors import StoreUnavailable
from jobpass.records import AdminKey, AuditEntry, Credential, Details, Linked, Login, Principal, Session
from jobpass.stores.sqlite import SqliteStore
from jobpass.stores.sqlite.queries import MIGRATIONS

OLD_JOB = {
    "last_event": "update",
    "sequence": 2,
    "head": bytes(32),
    "previous_serial": 1,
    "previous_kid": "k0",
    "archive_path": "/old/path",
    "session": "old session",
}


def _schema(path):
    with apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY) as connection:
        return connection.pragma("user_version")


@pytest.mark.parametrize("schema", range(1, len(MIGRATIONS)))
async def test_what_an_older_schema_held_is_there(tmp_path, kit, older, schema):
    path = tmp_path / "store.sqlite"
    older(path, schema)
    assert _schema(path) == schema
    store = await SqliteStore.open(path)
    assert _schema(path) == len(MIGRATIONS)
    first, second = replace(kit.event(1, "create"), link=bytes(32)), replace(kit.event(2, key="k"), link=bytes(32))
    job = kit.job(**OLD_JOB, updated_at=second.at)
    assert await store.find_job("job") == job
    assert await store.history("job", 0, 9) == [first, second]
    principal = Principal(1, "a@b", "author", True, kit.AT)
    credential = Credential("c1", "login", 1, "", kit.AT, None, number=1, kid="k1")
    assert await store.find_session("c1") == Session(credential, principal)
    assert await store.find_login("a@b") == Login(principal, "h")
    assert await store.find_pipeline("pipe") == kit.pipeline()
    assert (await store.apply("job", kit.send("run", state="RUNNING"))).event.sequence == 3
    await store.close()


@pytest.mark.parametrize("schema", range(1, len(MIGRATIONS)))
async def test_what_is_new_works_in_an_older_database(tmp_path, kit, older, schema):
    path = tmp_path / "store.sqlite"
    older(path, schema)
    store = await SqliteStore.open(path)
    key = AdminKey("key", "requested", 1, "u", "s", 1, b"{}", "h", kit.AT)
    await store.add_admin_key(key)
    entry = AuditEntry("n", 1, kit.AT, "login", 1, "c1", None, None, b"{}", "k1", bytes(32))
    await store.append_audit("n", lambda *_: [entry])
    details = Details(generated_by=("x",), attributes=b'{"a":1}')
    await store.apply("new", kit.create("new", details=details, archive_system="s", archive_path="/a"))
    await store.close()
    again = await SqliteStore.open(path)
    assert await again.find_admin_key("key") == key
    assert (await again.list_audit()).items == [entry]
    assert await again.find_details("new") == details
    assert await again.archive_neighbour("job", "s", "/a/b") == "new"
    await again.close()


@pytest.mark.parametrize("schema", [1, 2])
async def test_jobs_without_details_get_those_that_follow_from_their_row(tmp_path, kit, older, schema):
    path = tmp_path / "store.sqlite"
    older(path, schema)
    store = await SqliteStore.open(path)
    assert await store.find_details("job") == Details(generated_by=("pipe",))
    assert await store.find_details("child") == Details(generated_by=("other",))
    for relation, target, expected in (
        ("generated_by", "pipe", ["job"]),
        ("child_of", "job", ["child"]),
        ("child_of", "p", ["child"]),
        ("acted_on", "pipe", []),
    ):
        linked = [Linked(relation, (target,))]
        page = await store.list_jobs(owner=None, state=None, pipeline_uuid=None, linked=linked, after=None, limit=9)
        assert [job.uuid for job in page.items] == expected
    for name in ("job", "child"):
        await store.apply(name, kit.delete)
    await store.close()


async def test_several_that_open_an_older_database_at_once_migrate_it_once(tmp_path, older):
    path = tmp_path / "store.sqlite"
    older(path, 1)
    stores = await asyncio.gather(*(SqliteStore.open(path) for _ in range(5)))
    for store in stores:
        assert (await store.find_job("job")).sequence == 2
        assert await store.audit_nodes() == []
        await store.close()


@pytest.mark.parametrize("broken", range(1, len(MIGRATIONS)))
async def test_an_interrupted_migration_leaves_the_schema_before(tmp_path, older, monkeypatch, broken):
    path = tmp_path / "store.sqlite"
    older(path, 1)
    failing = (*MIGRATIONS[:broken], MIGRATIONS[broken] + "; CREATE TABLE job (again);", *MIGRATIONS[broken + 1 :])
    monkeypatch.setattr("jobpass.stores.sqlite.database.MIGRATIONS", failing)
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(path)
    monkeypatch.undo()
    assert _schema(path) == 1
    store = await SqliteStore.open(path)
    assert (await store.find_job("job")).sequence == 2
    assert await store.audit_nodes() == []
    await store.close()
