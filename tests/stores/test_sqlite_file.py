"""The file: private, ours, of a known schema, read by indexes, written with few statements."""

from __future__ import annotations

import asyncio
import itertools
import re
import stat
import threading

import apsw
import pytest

from jobpass.errors import SchemaTooNew, SetupError, StoreUnavailable
from jobpass.records import Credential
from jobpass.stores.listing import JOB_FILTERS
from jobpass.stores.sqlite import SqliteStore
from jobpass.stores.sqlite import store as store_module
from jobpass.stores.sqlite.queries import MIGRATIONS, QUERIES


async def test_everything_is_there_after_reopening(tmp_path, kit):
    path = tmp_path / "store.sqlite"
    first = await SqliteStore.open(path)
    await first.apply("job", kit.create())
    done = await first.apply("job", kit.send("run", state="RUNNING", key="k"), "k")
    owner = await first.add_principal("a@b", "author", "h", kit.AT)
    await first.add_credential(Credential("c1", "login", owner.id, "", kit.AT, None))
    await first.end_credential("c1", kit.AT)
    await first.put_pipeline(kit.pipeline())
    await first.close()
    second = await SqliteStore.open(path)
    assert await second.find_job("job") == done.after
    assert (await second.history("job", 1, 9)) == [done.event]
    assert (await second.find_session("c1")).credential.revoked_at == kit.AT
    assert await second.find_pipeline("pipe") == kit.pipeline()
    await second.close()


async def test_what_is_answered_is_committed_and_synced(sqlite, tmp_path, kit):
    writer = sqlite._writer._connection
    assert writer.pragma("journal_mode") == "wal"
    assert writer.pragma("synchronous") == 2  # FULL: the log is synced before COMMIT returns
    assert writer.pragma("foreign_keys") == 1
    other = apsw.Connection(str(tmp_path / "store.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    await sqlite.apply("job", kit.create())
    await asyncio.gather(*(sqlite.apply("job", kit.send()) for _ in range(9)))
    assert other.execute("SELECT sequence FROM job").get == 10


async def test_the_files_are_private(sqlite, tmp_path, kit):
    await sqlite.apply("job", kit.create())
    files = list(tmp_path.iterdir())
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_newer_schema_is_refused_and_left_alone(tmp_path, kit):
    path = tmp_path / "store.sqlite"
    await (await SqliteStore.open(path)).close()
    with apsw.Connection(str(path)) as connection:
        connection.pragma("user_version", len(MIGRATIONS) + 1)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SchemaTooNew, match="newer Jobpass") as refused:
        await SqliteStore.open(path)
    assert refused.value.detail == {"found": len(MIGRATIONS) + 1, "known": len(MIGRATIONS)}
    assert path.read_bytes() == before


async def test_another_programs_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SetupError, match="another program"):
        await SqliteStore.open(path)
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "text.sqlite"
    path.write_text("a text that is longer than the header of a database " * 20)
    before = path.read_bytes()
    with pytest.raises(SetupError, match="not a database"):
        await SqliteStore.open(path)
    assert path.read_bytes() == before


async def test_a_path_that_cannot_be_opened_is_unavailable(tmp_path):
    for path in (tmp_path / "missing" / "store.sqlite", tmp_path):
        with pytest.raises(StoreUnavailable):
            await SqliteStore.open(path)


async def test_an_interrupted_first_migration_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "store.sqlite"
    broken = (MIGRATIONS[0] + "; CREATE TABLE job (again);",)
    monkeypatch.setattr("jobpass.stores.sqlite.database.MIGRATIONS", broken)
    with pytest.raises(StoreUnavailable):
        await SqliteStore.open(path)
    monkeypatch.undo()
    store = await SqliteStore.open(path)
    assert await store.find_job("job") is None
    await store.close()


async def test_every_reading_query_uses_an_index(sqlite):
    statements = [
        QUERIES["list_jobs"].replace("{filters}", "".join(filters))
        for count in range(4)
        for filters in itertools.combinations(JOB_FILTERS.values(), count)
    ]
    names = ("find_job", "find_key", "history", "find_pipeline", "list_pipelines", "find_login", "find_session")
    statements += [QUERIES[name] for name in (*names, "delete_history", "advance_job", "change_credential")]
    connection = sqlite._reader
    for sql in statements:
        names = re.findall(r":(\w+)", sql)
        bindings = dict.fromkeys(names, 1) if names else (1,) * sql.count("?")
        plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + sql, bindings)]
        assert plan
        assert all(step.startswith("SEARCH") for step in plan), (sql, plan)


async def test_a_lone_event_of_a_known_job_takes_five_statements(sqlite, kit):
    await sqlite.apply("job", kit.create())
    assert await _statements(sqlite, [sqlite.apply("job", kit.send())]) == [
        "BEGIN IMMEDIATE",
        "PRAGMA data_version",
        "INSERT INTO event",
        "UPDATE job SET last_event",
        "COMMIT",
    ]


async def test_events_of_one_tick_on_one_job_write_its_row_once(sqlite, kit):
    await sqlite.apply("job", kit.create())
    calls = [sqlite.apply("job", kit.send()) for _ in range(50)]
    statements = await _statements(sqlite, calls)
    assert statements.count("UPDATE job SET last_event") == 1
    assert statements.count("INSERT INTO event") == 50
    assert len(statements) == 54


async def test_an_event_that_keeps_the_state_writes_no_indexed_column(sqlite, kit):
    await sqlite.apply("job", kit.create())
    seen = []
    sqlite._writer._connection.exec_trace = lambda _, sql, __: seen.append(sql) or True
    await sqlite.apply("job", kit.send())
    await sqlite.apply("job", kit.send(state="RUNNING"))
    sqlite._writer._connection.exec_trace = None
    updates = [sql for sql in seen if sql.startswith("UPDATE")]
    assert updates == [QUERIES["advance_job"], QUERIES["move_job"]]
    assert "state" not in updates[0]


async def _statements(store, calls):
    """The beginnings of the statements that the calls cause on the writing connection."""
    seen = []
    connection = store._writer._connection
    connection.exec_trace = lambda _, sql, __: seen.append(" ".join(sql.split()[:4])) or True
    await asyncio.gather(*calls)
    connection.exec_trace = None
    heads = ("BEGIN IMMEDIATE", "PRAGMA data_version", "INSERT INTO event", "UPDATE job SET last_event", "COMMIT")
    return [next((head for head in heads if sql.startswith(head)), sql) for sql in seen]


async def test_a_group_holds_other_writes_together_with_events(sqlite, kit):
    await sqlite.apply("job", kit.create())
    calls = [sqlite.apply("job", kit.send()), sqlite.put_pipeline(kit.pipeline()), sqlite.apply("job", kit.send())]
    statements = await _statements(sqlite, calls)
    assert statements.count("BEGIN IMMEDIATE") == statements.count("COMMIT") == 1


async def test_tending_copies_the_log_back_and_bounds_it(tmp_path, kit, monkeypatch):
    monkeypatch.setattr(store_module, "TEND_WAL_BYTES", 100_000)
    path = tmp_path / "store.sqlite"
    store = await SqliteStore.open(path)
    await store.apply("job", kit.create())
    data = b'"' + b"x" * 10_000 + b'"'
    for _ in range(20):
        await asyncio.gather(*(store.apply("job", kit.send(data=data)) for _ in range(10)))
        await store.tend()
    assert path.stat().st_size > 1_900_000
    assert store._wal_bytes() < 1_000_000
    await store.close()


async def test_tending_may_be_given_up_or_done_twice_at_once(tmp_path, kit, monkeypatch):
    monkeypatch.setattr(store_module, "TEND_WAL_BYTES", 0)
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    await store.apply("job", kit.create())
    data = b'"' + b"x" * 20_000 + b'"'
    for _ in range(20):
        await asyncio.gather(*(store.apply("job", kit.send(data=data)) for _ in range(20)))
        await asyncio.gather(store.tend(), store.tend())
    await asyncio.gather(*(store.apply("job", kit.send(data=data)) for _ in range(200)))
    tending = asyncio.create_task(store.tend())
    await asyncio.sleep(0.0005)
    tending.cancel()
    await store.close()  # while the thread may still be copying
    again = await SqliteStore.open(tmp_path / "store.sqlite")
    assert (await again.find_job("job")).sequence == 601
    await again.close()


async def test_writers_go_on_while_the_log_is_copied_back(tmp_path, kit, monkeypatch):
    monkeypatch.setattr(store_module, "TEND_WAL_BYTES", 0)
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    await store.apply("job", kit.create())

    async def sender():
        for _ in range(100):
            await store.apply("job", kit.send())

    async def tender():
        for _ in range(50):
            await store.tend()

    await asyncio.gather(sender(), sender(), tender())
    assert (await store.find_job("job")).sequence == 201
    await store.close()


async def test_the_cache_of_jobs_is_bounded(sqlite, kit, monkeypatch):
    monkeypatch.setattr("jobpass.stores.sqlite.cache.JOBS_CACHED", 10)
    for n in range(40):
        await sqlite.apply(f"job-{n}", kit.create(f"job-{n}"))
        await sqlite.apply("job-0", kit.send())
    assert len(sqlite._writer._jobs) == 10
    assert "job-0" in sqlite._writer._jobs
    assert (await sqlite.apply("job-1", kit.send())).event.sequence == 2


async def test_jobs_that_are_only_read_stay_cached_and_bounded(tmp_path, kit, monkeypatch):
    monkeypatch.setattr("jobpass.stores.sqlite.cache.JOBS_CACHED", 10)
    maker = await SqliteStore.open(tmp_path / "store.sqlite")
    for n in range(40):
        await maker.apply(f"job-{n}", kit.create(f"job-{n}"))
    await maker.close()
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    for n in range(40):
        found = await store.find_job(f"job-{n}")
        assert found == kit.job(f"job-{n}")
        assert await store.find_job(f"job-{n}") is found
    assert len(store._writer._jobs) == 10
    assert (await store.apply("job-39", kit.send())).before is found
    await store.close()


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "not cached"])
async def test_a_job_is_read_as_last_committed_while_a_change_is_on_its_way_to_the_disk(sqlite, kit, cached):
    for name in ("job", "gone"):
        await sqlite.apply(name, kit.create(name))
    if not cached:
        sqlite._writer._jobs.clear()
    begun, go_on = threading.Event(), threading.Event()

    def hook():
        begun.set()
        return not go_on.wait(10)

    connection = sqlite._writer._connection
    connection.set_commit_hook(hook)
    calls = asyncio.gather(*(sqlite.apply("job", kit.send()) for _ in range(2)), sqlite.apply("gone", kit.delete))
    assert await asyncio.to_thread(begun.wait, 10)
    found = [await sqlite.find_job(name) for name in ("job", "gone") for _ in range(2)]
    go_on.set()
    await calls
    connection.set_commit_hook(None)
    assert found == [kit.job("job")] * 2 + [kit.job("gone")] * 2
    assert (await sqlite.find_job("job")).sequence == 3
    assert await sqlite.find_job("gone") is None


async def test_a_change_that_was_not_committed_is_not_read(sqlite, kit):
    await sqlite.apply("job", kit.create())
    connection = sqlite._writer._connection
    connection.set_commit_hook(lambda: True)
    answers = await asyncio.gather(*(sqlite.apply("job", kit.send()) for _ in range(2)), return_exceptions=True)
    connection.set_commit_hook(None)
    assert [type(answer) for answer in answers] == [StoreUnavailable] * 2
    assert (await sqlite.find_job("job")).sequence == 1


async def test_the_cache_of_sessions_is_bounded(sqlite, kit, monkeypatch):
    monkeypatch.setattr(store_module, "SESSIONS_CACHED", 5)
    owner = await sqlite.add_principal("a@b", "author", "h", kit.AT)
    for n in range(12):
        await sqlite.add_credential(Credential(f"c{n}", "login", owner.id, "", kit.AT, None))
        assert await sqlite.find_session(f"c{n}") is not None
        assert len(sqlite._writer.sessions) <= 5


async def test_a_slow_disk_is_waited_for_in_the_thread(sqlite, kit):
    """A lone call's commit moves off the loop once commits take long."""
    await sqlite.apply("job", kit.create())
    sqlite._writer._commit_seconds = 1.0
    assert sqlite._writer._thread._thread is None
    await sqlite.apply("job", kit.send())
    assert sqlite._writer._thread._thread is not None
    assert sqlite._writer._commit_seconds < 1.0


def test_one_store_serves_one_event_loop_after_another(tmp_path, kit):
    store = asyncio.run(SqliteStore.open(tmp_path / "store.sqlite"))
    asyncio.run(store.apply("job", kit.create()))

    async def several():
        await asyncio.gather(*(store.apply("job", kit.send()) for _ in range(5)))

    asyncio.run(several())
    asyncio.run(several())
    assert asyncio.run(store.find_job("job")).sequence == 11
    asyncio.run(store.close())


def test_uvloop_serves_as_well(tmp_path, kit):
    uvloop = pytest.importorskip("uvloop")

    async def main():
        store = await SqliteStore.open(tmp_path / "store.sqlite")
        await store.apply("job", kit.create())
        await asyncio.gather(*(store.apply("job", kit.send()) for _ in range(100)))
        sequence = (await store.find_job("job")).sequence
        await store.close()
        return sequence

    assert uvloop.run(main()) == 101
