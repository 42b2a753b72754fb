"""The files of jobs: what every store keeps of them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobpass.errors import InvalidInput, UnknownJob
from jobpass.records import Change, FileSource, IndexedFile, IndexRun

SOURCES = (FileSource(("g",)), FileSource(("g",), ("f",), ("u",)))


@pytest.fixture
def run(kit):
    """Makes a run."""
    return lambda number=2, **more: IndexRun(number, kit.AT, SOURCES, **more)


@pytest.fixture
def file(kit):
    """Makes a file as a run records it."""

    def make(path="/a/x", run=2, **more):
        plain = {
            "uuid": f"uuid of {path}",
            "kind": "archive",
            "level": "1",
            "size": 7,
            "modified_at": kit.AT,
            "digest": "d" * 64,
            "sources": (0,),
            "indexed_at": kit.AT + timedelta(seconds=run),
        }
        return IndexedFile(path=path, run=run, **(plain | more))

    return make


@pytest.fixture
async def job(store, kit):
    await store.apply("job", kit.create())
    return await store.find_job("job")


async def files(store, uuid="job", **conditions):
    wanted = {"kind": None, "level": None, "after": None, "limit": 1000} | conditions
    page = await store.list_files(uuid, **wanted)
    return [one.path for one in page.items]


async def sweep(store, job, run, limit=2):
    after = 0
    while after is not None:
        after = await store.sweep_files(job, run, after, limit)


async def test_what_is_put_is_there(store, job, run, file, kit):
    whole = run(total_files=3, total_bytes=21, files=2, bytes=14)
    one = file("/a/ü \n'\"", size=2**40, level=None, kind="product", sources=(0, 1), modified_at=None, digest=None)
    await store.put_files(job, whole, [file(), one])
    page = await store.list_files("job", kind=None, level=None, after=None, limit=10)
    assert (page.items, page.next) == ([file(), one], None)
    assert await store.find_run("job") == whole == await store.find_run("job", 2)
    assert await store.find_run("job", 3) is None
    ended = replace(whole, ended_at=kit.AT, error="no", files=3, sources=())
    await store.put_files(job, ended)
    assert await store.find_run("job") == replace(ended, sources=SOURCES)


async def test_nothing_of_another_job(store, job, run, file, kit):
    await store.apply("other", kit.create("other"))
    other = await store.find_job("other")
    await store.put_files(job, run(), [file()])
    await store.put_files(other, run(), [file(), file("/a/y")])
    assert await files(store) == ["/a/x"]
    await sweep(store, other, 3)
    assert (await files(store), await files(store, "other")) == (["/a/x"], [])
    assert await store.find_run("job") == run()
    assert await files(store, "nobody") == []
    assert await store.find_run("nobody") is None


async def test_again(store, job, run, file):
    paths = [f"/a/{n}" for n in range(7)]
    await store.put_files(job, run(), [file(path) for path in paths])
    later = run(5)
    await store.put_files(job, later, [file("/a/new", 5), file("/a/2", 5, size=9, level="2")], ["/a/4", "/a/unknown"])
    assert await files(store) == [*paths, "/a/new"]  # until it is swept nothing is missing
    await sweep(store, job, 5)
    page = await store.list_files("job", kind=None, level=None, after=None, limit=10)
    expected = [file("/a/2", 5, size=9, level="2"), file("/a/4"), file("/a/new", 5)]
    assert page.items == expected
    assert await store.find_run("job") == later
    assert await store.find_run("job", 2) == run()  # one file still has its links from there
    await store.put_files(job, run(6), [file("/a/4", 6)])
    await sweep(store, job, 6)
    assert await store.find_run("job", 2) is None
    assert await files(store) == ["/a/4"]


async def test_a_digest_holds_while_nothing_shows_a_change(store, job, run, file, kit):
    async def digest_after(**more):
        await store.put_files(job, run(), [file()])
        await store.put_files(job, run(3), [file(run=3, digest=None) if not more else file(run=3, **more)])
        return (await store.list_files("job", kind=None, level=None, after=None, limit=1)).items[0].digest

    assert await digest_after() == "d" * 64
    assert await digest_after(digest="e" * 64) == "e" * 64
    assert await digest_after(digest=None, size=8) is None
    assert await digest_after(digest=None, modified_at=kit.AT + timedelta(microseconds=1)) is None
    assert await digest_after(digest=None, modified_at=None) is None


async def test_pages(store, job, run, file):
    made = [file(f"/a/{n}", kind="product" if n % 3 == 0 else "archive", level=str(n % 2)) for n in range(10)]
    await store.put_files(job, run(), made)
    after, found = None, []
    while True:
        page = await store.list_files("job", kind=None, level=None, after=after, limit=3)
        found += page.items
        after = page.next
        if after is None:
            break
        assert len(page.items) == 3
    assert found == made
    assert await files(store, kind="product") == ["/a/0", "/a/3", "/a/6", "/a/9"]
    assert await files(store, kind="product", level="1") == ["/a/3", "/a/9"]
    assert await files(store, level="1", limit=2) == ["/a/1", "/a/3"]
    for never in ("11", "-1", "x", "0"):
        with pytest.raises(InvalidInput):
            await files(store, after=never)


async def test_they_go_with_their_job(store, job, run, file, kit):
    await store.put_files(job, run(), [file()])
    await store.apply("job", lambda found, _: Change(found, None, None))
    assert await files(store) == []
    assert await store.find_run("job") is None
    for attempt in (store.put_files(job, run(), [file()]), store.sweep_files(job, 2, 0, 10)):
        with pytest.raises(UnknownJob):
            await attempt
    await store.apply("job", kit.create(created_at=kit.AT + timedelta(microseconds=1)))
    assert await files(store) == []  # the same uuid, another job
    with pytest.raises(UnknownJob):
        await store.put_files(job, run(), [file()])
    anew = await store.find_job("job")
    await store.put_files(anew, run(), [file("/a/z")])
    for _ in range(3):
        await store.tend()
    assert await files(store) == ["/a/z"]


async def test_neighbours_of_other_owners(store, kit):
    await store.apply("me", kit.create("me", archive_system="s", archive_path="/a/b"))
    for path in ("/a/b", "/a", "/a/b/c"):
        await store.apply("mine", kit.create("mine", archive_system="s", archive_path=path))
        assert await store.archive_neighbour("me", "s", "/a/b") == "mine"
        assert await store.archive_neighbour("me", "s", "/a/b", not_of=1) is None
        await store.apply("theirs", kit.create("theirs", archive_system="s", archive_path=path, owner=2))
        assert await store.archive_neighbour("me", "s", "/a/b", not_of=1) == "theirs"
        for uuid in ("mine", "theirs"):
            await store.apply(uuid, lambda found, _: Change(found, None, None))


async def test_what_deleted_jobs_left_is_swept_in_pieces(sqlite, kit, run, file, monkeypatch):
    monkeypatch.setattr("jobpass.stores.sqlite.files.ORPHANS_AT_ONCE", 4)
    await sqlite.apply("job", kit.create())
    job = await sqlite.find_job("job")
    await sqlite.put_files(job, run(), [file(f"/a/{n}") for n in range(10)])
    await sqlite.apply("job", lambda found, _: Change(found, None, None))
    left = []
    for _ in range(4):
        left.append(sqlite._rows("SELECT count(*) FROM file", ())[0][0])
        await sqlite.tend()
    assert left == [10, 6, 2, 0]
    for table in ("file", "file_run", "file_orphan"):
        assert sqlite._rows(f"SELECT count(*) FROM {table}", ()) == [(0,)]


async def test_looks_use_indexes(sqlite):
    from jobpass.stores.sqlite.queries import QUERIES

    for name in ("next_files", "delete_old_runs", "find_run", "list_files", "see_file", "find_orphan", "find_this_job"):
        sql = QUERIES[name].replace("{filters}", "")
        bindings = (
            (1, 2, 3)[: sql.count("?")] if "?" in sql else dict.fromkeys(("job", "run", "uuid", "after", "limit"), 1)
        )
        plan = sqlite._rows(f"EXPLAIN QUERY PLAN {sql}", bindings)
        scans = [row[3] for row in plan if row[3].startswith("SCAN") and "file_orphan" not in row[3]]
        assert scans == [], (name, plan)
        assert not any("TEMP B-TREE" in row[3] for row in plan), (name, plan)
