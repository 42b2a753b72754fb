"""Copies of whole records between stores: everything arrives, also when it is killed again and again."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobpass import compose
from jobpass.cli import exits
from jobpass.compose import copying
from jobpass.errors import Conflict, SetupError
from jobpass.records import (
    AdminKey,
    AuditEntry,
    Credential,
    Details,
    FileSource,
    ImportBatch,
    Imported,
    IndexedFile,
    IndexRun,
    LegacyToken,
    Linked,
    Platform,
    Profile,
    Progress,
    Webhook,
)
from jobpass.stores.postgres import PostgresStore
from jobpass.stores.sqlite import SqliteStore
from jobpass.stores.sqlite.database import checkpoint
from support.postgres import run_sql, some_database

JOBS = 12


def everything(*_):
    return True


async def fill(store, kit, jobs=JOBS):
    """Some of everything."""
    for name in "ab":
        await store.add_principal(f"{name}@b", "operator", "a hash", kit.AT, Profile("ü", max_concurrent_jobs=7))
    await store.change_principal(2, lambda found: type(found)(2, "ü@b", "author", False, kit.AT))
    await store.put_pipeline(kit.pipeline())
    details = Details(acted_on=("file", "x"), attributes=b'{"a": 1}')
    fields = {"details": details, "child_of": ("p",), "archive_system": "s", "session": "\0 \x01", "serial": 2**64 - 1}
    for n in range(jobs):
        await store.apply(f"job-{n}", kit.create(f"job-{n}", archive_path=f"/a/{n}", **fields))
    for n in range(3):
        await store.add_webhook(_hook(kit, f"w{n}", f"job-{n}"), 9)
    calls = (
        store.apply(f"job-{n}", kit.send(data=b"\x00\xff %d" % k, key=f"k{k}"), f"k{k}")
        for n in range(jobs)
        for k in range(5)
    )
    await asyncio.gather(*calls)
    while await store.queue_news(everything, kit.AT):
        pass
    (claim,) = await store.claim("w1", kit.AT, kit.AT + timedelta(seconds=9), 9)
    await store.note_failure(claim, "HTTP 500", kit.AT, None)
    await store.add_ping("w2", "ping", kit.AT)
    await store.apply("job-0", kit.send("pending"))
    await store.add_webhook(_hook(kit, "late", "job-0"), 9)
    await store.apply("job-0", kit.send("pending too"))

    def addressed(job, standing):
        change = kit.send("from afar")(job, standing)
        return replace(change, event=replace(change.event, address="192.0.2.1"))

    await store.apply("job-1", addressed)
    await store.apply("job-0", addressed)
    await store.apply(f"job-{jobs - 1}", kit.delete)
    await _fill_queue(store, kit)
    await _fill_rest(store, kit)


async def _fill_queue(store, kit):
    await store.add_platform(Platform("p1", "sim:a", "ü", "simulator", "available", kit.AT, specs=b'{"a":1}'))
    for n in range(3):
        await store.add_blob(n + 1, b"{}", kit.AT)
        await store.extend_blob(n + 1, 1, bytes(n))
        if n:
            await store.apply(f"work-{n}", kit.submit(f"work-{n}", n + 1, token=n, group="g", process_id="p"))
    await store.apply_next(["sim:a"], kit.lease(until=kit.AT))


async def _fill_rest(store, kit):
    await store.add_credential(Credential("c1", "login", 1, "l", kit.AT, None, uses=3, kid="k1"))
    await store.add_credential(
        Credential("c2", "job", 1, "x", kit.AT, kit.AT, kit.AT, parent="c1", issuer="c1", ended_by="parent", priority=2)
    )
    await store.add_admin_key(AdminKey("a1", "approved", 1, "u", "s", 60, b"{}", "h", kit.AT, 2, kit.AT, "r"))
    await store.append_audit(
        "main", lambda *_: [AuditEntry("main", n, kit.AT, "x", 1, None, None, None, b"{}", "k1", b"l") for n in (1, 2)]
    )
    job = await store.find_job("job-3")
    run = IndexRun(2, kit.AT, (FileSource(("g",)),))
    file = IndexedFile("/a/3/ü", "u", "archive", None, 7, kit.AT, "d" * 64, (0,), 2, kit.AT)
    await store.put_files(job, run, [file])
    imported = Imported(
        kit.job("old", serial=5), Details(), (kit.event(1, "create"),), LegacyToken(5, "k1", "s", "f", kit.AT)
    )
    await store.import_batch({}, [], lambda *_: ImportBatch((imported,), (), Progress("f.json", 1, bytes(32), b"{}")))


def _hook(kit, name, job):
    return Webhook(name, 1, "https://example.org/", job, None, (), "k1", 1, kit.AT)


async def contents(store, kit):
    """All that can be asked of a store."""
    page = await store.list_jobs(owner=None, state=None, pipeline_uuid=None, after=None, limit=10_000)
    found = {"jobs": page.items, "uses": await store.count_kids(kit.AT), "lifecycles": await store.count_lifecycles()}
    for job in page.items:
        history = [(await store.history(job.uuid, 0, 10_000)), await store.find_details(job.uuid)]
        files = await store.list_files(job.uuid, kind=None, level=None, after=None, limit=99)
        found[job.uuid] = [*history, files, await store.find_run(job.uuid), await store.find_legacy(job.uuid)]
    linked = [Linked("acted_on", ("x",)), Linked("child_of", ("p",))]
    found["linked"] = await store.list_jobs(
        owner=None, state=None, pipeline_uuid=None, linked=linked, after="3", limit=5
    )
    found["neighbour"] = await store.archive_neighbour("other", "s", "/a/2/x")
    found["principals"] = await store.list_principals(after=None, limit=99)
    found["logins"] = [await store.find_login(name) for name in ("a@b", "ü@b")]
    found["sessions"] = [await store.find_session(name) for name in ("c1", "c2")]
    found["pipelines"] = await store.list_pipelines(after=None, limit=99)
    found["keys"] = await store.list_admin_keys(requester=None, after=None, limit=99)
    found["audit"] = await store.list_audit(limit=99)
    found["webhooks"] = await store.list_webhooks(owner=None, after=None, limit=99)
    found["deliveries"] = [await store.count_deliveries(name) for name in ("w0", "w1", "w2", "late")]
    found["dead"] = await store.list_dead("w1", after=None, limit=99)
    found["platforms"] = await store.list_platforms()
    found["work"] = await store.list_work(after=None, limit=99)
    found["blobs"] = [await store.read_blob(number, place) for number in (1, 2, 3) for place in (0, 1, 2)]
    found["usage"] = await store.usage([1, 2], None, None)
    found["load"] = await store.load_of(1)
    found["lapsed"] = await store.lapsed(kit.AT, 9)
    found["process"] = await store.process_owner("p")
    found["lineage"] = await store.find_lineage("c2", 9)
    found["progress"] = await store.find_progress("f.json")
    return found


async def goes_on(store, kit):
    """What happens next: news that were pending, numbers, claims."""
    told = []

    def wants(webhook, _owner, news):
        told.append((webhook.id, news.job_uuid, news.name))
        return True

    while await store.queue_news(wants, kit.AT):
        pass
    claims = [await store.claim(name, kit.AT, kit.AT, 9) for name in ("w0", "w1", "w2", "late")]
    sent = [[(one.delivery.sequence, one.delivery.message) for one in found] for found in claims]
    person = await store.add_principal("new@b", "author", "h", kit.AT)
    credential = await store.add_credential(Credential("new", "login", 1, "", kit.AT, None))
    await store.apply("new", kit.create("new"))
    page = await store.list_jobs(owner=None, state=None, pipeline_uuid=None, after="12", limit=9)
    return sorted(told), sent, person.id, credential.number, [job.uuid for job in page.items], page.next


@pytest.fixture
def places(postgres_server, tmp_path):
    """Data folders and databases by name."""
    with some_database(postgres_server) as first, some_database(postgres_server) as second:
        yield {"folder": tmp_path / "one", "folder 2": tmp_path / "two", "database": first, "database 2": second}


async def _open(place):
    if isinstance(place, str):
        return await PostgresStore.open(place)
    place.mkdir(exist_ok=True)
    return await SqliteStore.open(place / "jobpass.sqlite")


@pytest.mark.parametrize("at_once", [3, 1000])
@pytest.mark.parametrize(
    ("source", "target"),
    [("folder", "database"), ("database", "folder"), ("database", "database 2"), ("folder", "folder 2")],
    ids=lambda name: name.replace(" ", "-"),
)
async def test_everything_arrives_and_goes_on_alike(places, kit, source, target, at_once, monkeypatch):
    monkeypatch.setattr(copying, "ROWS_AT_ONCE", at_once)
    store = await _open(places[source])
    await fill(store, kit)
    before = await contents(store, kit)
    await store.close()
    counts = await compose.copy(str(places[source]), str(places[target]), lambda *_: None)
    assert all(count.here == count.there for count in counts)
    assert {count.table for count in counts if count.here == 0} <= {"file_orphan"}
    opened, original = await _open(places[target]), await _open(places[source])
    assert await contents(opened, kit) == before
    assert await goes_on(opened, kit) == await goes_on(original, kit)
    await opened.close()
    await original.close()


async def test_only_an_empty_store_is_copied_to_and_only_one_that_is_there_from(places, kit):
    for name in ("folder", "database"):
        store = await _open(places[name])
        await store.apply("job", kit.create())
        await store.close()
    with pytest.raises(Conflict, match="not empty"):
        await compose.copy(str(places["folder"]), places["database"], print)
    with pytest.raises(SetupError, match="no Jobpass data"):
        await compose.copy(str(places["folder 2"]), places["database 2"], print)


async def test_a_copy_that_was_broken_off_is_not_mixed_with_another(places, kit, monkeypatch):
    monkeypatch.setattr(copying, "ROWS_AT_ONCE", 3)
    for name in ("folder", "folder 2"):
        store = await _open(places[name])
        await fill(store, kit)
        await store.close()

    def stop(table, _):
        if table == "event":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await compose.copy(str(places["folder"]), places["database"], stop)
    with pytest.raises(Conflict, match="has not ended"):
        await compose.copy(str(places["folder 2"]), places["database"], print)
    counts = await compose.copy(str(places["folder"]), places["database"], lambda *_: None)
    assert all(count.here == count.there for count in counts)


async def test_counts_that_do_not_add_up_are_told(places, kit):
    store = await _open(places["folder"])
    await fill(store, kit)
    await store.close()

    def lose(table, _):
        if table == "audit":
            run_sql(places["database"], "DELETE FROM jobpass.job_link WHERE target = 'x' AND job = 1")

    counts = await compose.copy(str(places["folder"]), places["database"], lose)
    assert [count.table for count in counts if count.here != count.there] == ["job_link"]


async def _moved(store, kit):
    await store.apply("job-1", kit.send())


async def _counted(store, kit):
    await store.note_uses({"c1": (1, kit.AT)})


class Meanwhile:
    """Has something done to a store, in a thread with a loop of its own, when the rows of a table have been copied."""

    def __init__(self, table, work):
        self._table = table
        self._work = work

    def __call__(self, table, _):
        if table == self._table:
            with ThreadPoolExecutor(1) as aside:
                aside.submit(lambda: asyncio.run(self._work())).result()


@pytest.mark.parametrize("write", [_moved, _counted])
@pytest.mark.parametrize(("source", "target"), [("folder", "database"), ("database", "folder")])
async def test_a_source_that_is_written_to_is_noticed_and_the_copy_does_not_go_on(places, kit, source, target, write):
    store = await _open(places[source])
    await fill(store, kit)
    await store.close()

    async def served():
        node = await _open(places[source])
        await write(node, kit)
        await node.close()

    for while_copied in (Meanwhile("event", served), lambda *_: None):  # the second one finds what the first one left
        with pytest.raises(Conflict, match=r"written to .* since the copy began.*: stop its servers, empty") as told:
            await compose.copy(str(places[source]), str(places[target]), while_copied)
        assert _password(places) not in str(told.value)


@pytest.mark.parametrize(("source", "target"), [("folder", "database"), ("database", "folder")])
async def test_a_write_after_the_last_row_or_between_two_runs_is_noticed_too(places, kit, source, target):
    store = await _open(places[source])
    await fill(store, kit)

    def stop(table, _):
        if table == "event":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await compose.copy(str(places[source]), str(places[target]), stop)
    await _moved(store, kit)
    await store.close()
    with pytest.raises(Conflict, match="since the copy began"):
        await compose.copy(str(places[source]), str(places[target]), lambda *_: None)

    async def served():
        node = await _open(places[source])
        await _moved(node, kit)
        await node.close()

    with pytest.raises(Conflict, match="since the copy began"):
        await compose.copy(str(places[source]), str(places[f"{target} 2"]), Meanwhile("number", served))


@pytest.mark.parametrize(("source", "target"), [("folder", "database"), ("database", "folder")])
async def test_who_only_reads_the_source_disturbs_no_copy(places, kit, source, target):
    store = await _open(places[source])
    await fill(store, kit)
    await store.close()

    async def looked_at():
        reader = await _open(places[source])
        assert len(await reader.history("job-1", 0, 99)) > 5
        if source == "folder":
            checkpoint(places[source] / "jobpass.sqlite")
        await reader.close()

    counts = await compose.copy(str(places[source]), str(places[target]), Meanwhile("event", looked_at))
    assert all(count.here == count.there for count in counts)


async def test_the_command_ends_with_a_conflict_beside_a_server(places, kit):
    store = await _open(places["folder"])
    await fill(store, kit)
    command = _command(str(places["folder"]), str(places["folder 2"]))
    process = await asyncio.to_thread(
        lambda: subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    )
    await asyncio.to_thread(process.stderr.readline)  # a batch stands
    await store.apply("job-1", kit.send())
    out, errors = await asyncio.to_thread(process.communicate)
    assert (process.returncode, out) == (exits.CONFLICT, "")
    assert "stop its servers" in errors
    await store.close()


_SLOWLY = """
import sys, time
from jobpass import compose
from jobpass.cli import exits
from jobpass.cli.main import run
from jobpass.compose import copying

copying.ROWS_AT_ONCE = 1
compose.copy = lambda source, target, tell: copying.copy(source, target, lambda *to: (tell(*to), time.sleep(0.004)))
"""


def _command(source, target):
    """A copy of one row at a time, which waits a little between these: a fast disk must leave something to kill."""
    words = ["copy", "--from", source, "--to", target, "--json"]
    return [sys.executable, "-c", f"{_SLOWLY}\nsys.exit(run({words!r}))"]


async def test_a_copy_that_is_killed_and_started_again_goes_on(places, kit):
    store = await _open(places["folder"])
    await fill(store, kit)
    before = await contents(store, kit)
    await store.close()
    command = _command(str(places["folder"]), places["database"].replace(f":{_password(places)}@", "@"))
    environ = {"PATH": "/usr/bin:/bin", "PGPASSWORD": _password(places), "HOME": "/nonexistent"}
    chance, killed = random.Random(3), 0
    while True:
        process = await asyncio.to_thread(
            lambda: subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
        if killed < 8 and await asyncio.to_thread(process.stderr.readline):  # a batch stands
            await asyncio.sleep(chance.uniform(0.0, 0.02))
            process.kill()
            await asyncio.to_thread(process.communicate)
            killed += 1
            continue
        out, errors = await asyncio.to_thread(process.communicate)
        break
    assert process.returncode == 0, errors
    assert killed == 8
    assert json.loads(out)["complete"] is True
    opened = await _open(places["database"])
    assert await contents(opened, kit) == before
    await opened.close()


def _password(places):
    return places["database"].partition("://")[2].partition("@")[0].partition(":")[2]
