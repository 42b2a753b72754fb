"""Indexing over HTTP, on real directories."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from jobpass.archives import FileArchives, System
from jobpass.authority import filters as filters_module
from jobpass.authority import recording
from jobpass.ids import typed_uuid
from jobpass.records import Change, Job
from jobpass.stores.memory import MemoryStore
from jobpass.stores.sqlite.store import SqliteStore
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Events
from support.asgi import Answer
from support.site import Owned, Site, make_site

ROOT = "/products/v2"
NONE = {"run": None, "begun_at": None, "ended_at": None, "total_files": None, "total_bytes": None}


class Bench(NamedTuple):
    """A site whose jobs have directories here."""

    site: Site
    base: Path

    def put(self, path: str, content: bytes = b"content") -> Path:
        """Write a file of the archive."""
        file = self.base / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    async def job(self, name: str = "ann", path: str = f"{ROOT}/one", **more: Any) -> Owned:
        """A job that has finished."""
        login = await self.site.login(name)
        wanted = {"pipeline_uuid": await self.site.pipeline(login), "data": {"path": path, "of": name}}
        wanted |= {"archive_path": path, "archive_system": "here"} | more
        answer = await self.site.ask("POST", "/api/pipelinejobs", token=login, json=wanted)
        assert answer.status == 200, answer.body
        job = Owned(answer.json()["uuid"], answer.json()["token"])
        for event in ("run", "finish"):
            assert (await self.site.send(job, event)).status == 200
        return job

    async def begin(self, job: Owned, token: str | None = None, **asked: Any) -> Answer:
        """Ask for indexing."""
        return await self.site.ask("POST", f"{job.path}/index", token=token or job.token, json=asked or None)

    async def ended(self, job: Owned) -> dict[str, Any]:
        """How the indexing ended."""
        for _ in range(2000):
            answer = await self.site.ask("GET", f"{job.path}/index", token=job.token)
            if not answer.json()["running"]:
                return answer.json()
            await asyncio.sleep(0.005)
        raise AssertionError("it does not end")

    async def index(self, job: Owned, **asked: Any) -> dict[str, Any]:
        """Index to the end."""
        answer = await self.begin(job, **asked)
        assert answer.status == 200, answer.body
        assert (answer.json()["last_event"], answer.json()["state"]) == ("index", "INDEXING")
        assert answer.json()["token"] is None
        return await self.ended(job)

    async def files(self, job: Owned, query: str = "") -> list[dict[str, Any]]:
        """All files."""
        answer = await self.site.ask("GET", f"{job.path}/files{query}", token=job.token)
        assert answer.status == 200, answer.body
        return answer.json()["files"]

    async def names(self, job: Owned, query: str = "") -> list[str]:
        """Their last names."""
        return [file["path"].rpartition("/")[2] for file in await self.files(job, query)]

    async def history(self, job: Owned) -> list[tuple[str, Any]]:
        """What happened after ``finish``."""
        answer = await self.site.ask("GET", f"{job.path}/history", token=job.token)
        return [(event["name"], event["data"]) for event in answer.json()["events"][3:]]


@pytest.fixture(params=["memory", "sqlite"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    store = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "jobpass.sqlite")
    base = tmp_path / "archive"
    (base / ROOT.lstrip("/")).mkdir(parents=True)
    site = make_site(store, archives=FileArchives([System("here", f"file://{base}", (ROOT,))]))
    yield Bench(site, base)
    await site.authority.close()


async def test_all_files_without_patterns(bench: Bench) -> None:
    job = await bench.job()
    shown = await bench.site.ask("GET", f"{job.path}/index", token=job.token)
    nothing = {"uuid": job.uuid, "state": "FINISHED", "running": False, "files": 0, "bytes": 0, "error": None}
    assert shown.json() == nothing | NONE
    bench.put(f"{ROOT}/one/b.csv", b"12345")
    bench.put(f"{ROOT}/one/sub/ä b.txt", b"")
    ended = await bench.index(job)
    at = "2026-11-22T12:00:00Z"
    expected = {"run": 4, "begun_at": at, "ended_at": at, "total_files": 2, "total_bytes": 5, "files": 2, "bytes": 5}
    assert ended == nothing | expected
    first, second = await bench.files(job)
    assert first.pop("modified_at").endswith("Z")
    assert first == {
        "path": f"{ROOT}/one/b.csv",
        "uuid": typed_uuid("file", f"{ROOT}/one/b.csv"),
        "kind": "archive",
        "level": "1",
        "size": 5,
        "sha256": hashlib.sha256(b"12345").hexdigest(),
        "run": 4,
        "indexed_at": at,
        "generated_by": [job.uuid],
        "derived_from": [],
        "derived_using": [],
    }
    assert (second["path"], second["size"], second["sha256"]) == (
        f"{ROOT}/one/sub/ä b.txt",
        0,
        hashlib.sha256().hexdigest(),
    )
    assert await bench.history(job) == [("index", {}), ("indexed", {"files": 2, "bytes": 5})]


async def test_the_jobs_own_patterns(bench: Bench) -> None:
    reference = typed_uuid("reference", "https:/example.org/genome")
    job = await bench.job(
        archive_patterns=[{"processing_level": "1", "patterns": [".csv$"]}, {"level": 2, "patterns": [".xls$", "^b"]}],
        product_patterns=[
            {
                "patterns": ["^b"],
                "derived_from": ["./a.csv", "/uploads/x", "agave://any/uploads/x"],
                "derived_using": ["https://example.org/genome", reference],
                "note": {"any": "thing"},
            },
            "^c",
        ],
    )
    for name in ("a.csv", "b.csv", "b.xls", "c", "d"):
        bench.put(f"{ROOT}/one/{name}")
    ended = await bench.index(job)
    assert (ended["error"], ended["files"]) == (None, 4)
    found = {file["path"].rpartition("/")[2]: file for file in await bench.files(job)}
    told = {name: (file["kind"], file["level"]) for name, file in found.items()}
    assert told == {
        "a.csv": ("archive", "1"),
        "b.csv": ("product", "2"),
        "b.xls": ("product", "2"),
        "c": ("product", None),
    }
    product = found["b.csv"]
    here = typed_uuid("file", f"{ROOT}/one/a.csv")
    assert product["derived_from"] == sorted([here, typed_uuid("file", "/uploads/x")])
    assert product["derived_using"] == [reference]
    assert product["generated_by"] == [job.uuid]
    assert (found["a.csv"]["derived_from"], found["c"]["derived_from"]) == ([], [])
    assert await bench.names(job, "?kind=product") == ["b.csv", "b.xls", "c"]
    assert await bench.names(job, "?kind=product&level=2") == ["b.csv", "b.xls"]
    assert await bench.names(job, "?level=1") == ["a.csv"]


async def test_filters_that_are_asked_for_add_to_what_is_known(bench: Bench) -> None:
    job = await bench.job()
    changing = bench.put(f"{ROOT}/one/a.csv")
    for name in ("b.csv", "c.txt"):
        bench.put(f"{ROOT}/one/{name}")
    await bench.index(job, filters=[{"patterns": [".csv$"]}], transition=False)
    assert await bench.names(job) == ["a.csv", "b.csv"]
    digests = [file["sha256"] for file in await bench.files(job)]
    changing.write_bytes(b"another content")
    (bench.base / f"{ROOT}/one/b.csv".lstrip("/")).unlink()
    ended = await bench.index(job, filters=["txt", {"filters": ["^zz"]}], level="3")
    assert (ended["files"], ended["state"]) == (1, "FINISHED")
    files = await bench.files(job)
    assert [(file["path"][-5:], file["level"]) for file in files] == [("a.csv", "1"), ("c.txt", "3")]
    assert files[0]["sha256"] == digests[0]  # nobody asked for it this time
    await bench.index(job, fixity=False)
    files = await bench.files(job)
    assert [file["sha256"] is None for file in files] == [True, False]  # the digest of another content is no digest
    assert [file["level"] for file in files] == ["1", "1"]


async def test_fixity_and_transition(bench: Bench) -> None:
    job = await bench.job()
    bench.put(f"{ROOT}/one/a")
    bench.put(f"{ROOT}/one/b")
    no = [{"patterns": ["a"], "fixity": False}, {"patterns": ["b"]}, {"patterns": ["b"], "fixity": False}]
    ended = await bench.index(job, filters=no, transition=False)
    assert ended["state"] == "INDEXING"
    assert [file["sha256"] is None for file in await bench.files(job)] == [True, False]
    assert await bench.history(job) == [("index", {})]


async def test_pages(bench: Bench) -> None:
    job = await bench.job()
    for number in range(7):
        bench.put(f"{ROOT}/one/{number}")
    await bench.index(job)
    after, pages = "", []
    while True:
        answer = (await bench.site.ask("GET", f"{job.path}/files?limit=3{after}", token=job.token)).json()
        pages.append([file["path"][-1] for file in answer["files"]])
        if answer["next"] is None:
            break
        after = f"&after={answer['next']}"
    assert pages == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    for query in ("kind=other", "kind=", "limit=0", "after=x", "after=99999999", "of=x"):
        assert (await bench.site.ask("GET", f"{job.path}/files?{query}", token=job.token)).status == 422, query


async def test_a_page_of_very_many_links_is_cut(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobpass.server.files.PAGE_BYTES", 40 * 100)
    many = [typed_uuid("file", str(number)) for number in range(30)]
    job = await bench.job(product_patterns=[{"patterns": [], "derived_from": many}])
    for number in range(7):
        bench.put(f"{ROOT}/one/{number}")
    await bench.index(job)
    answer = (await bench.site.ask("GET", f"{job.path}/files", token=job.token)).json()
    assert len(answer["files"]) == 3
    rest = await bench.files(job, f"?after={answer['next']}&limit=2")
    assert [file["path"][-1] for file in rest] == ["3", "4"]
    assert rest[0]["derived_from"] == sorted(many)


UNSOUND: list[Any] = [
    {"filters": {}},
    {"filters": [1]},
    {"filters": [{}]},
    {"filters": [{"patterns": "a"}]},
    {"filters": [{"patterns": ["("]}]},
    {"filters": [{"patterns": [r"(a)\1"]}]},
    {"filters": [{"patterns": ["(?=a)"]}]},
    {"filters": [{"patterns": ["a)|(b"]}]},
    {"filters": [{"patterns": ["a" * 1001]}]},
    {"filters": [{"patterns": ["a"] * 513}]},
    {"filters": ["a"] * 101},
    {"filters": [{"patterns": [], "derived_fron": []}]},
    {"filters": [{"patterns": [], "derived_from": ["measurement.1"]}]},
    {"filters": [{"patterns": [], "derived_from": ["./../two/x"]}]},
    {"filters": [{"patterns": [], "derived_from": ["./."]}]},
    {"filters": [{"patterns": [], "derived_from": ["10650844-0000-5000-8000-000000000000"]}]},
    {"filters": [{"patterns": [], "derived_from": [""]}]},
    {"filters": [{"patterns": [], "generated_by": ["me"]}]},
    {"filters": [{"patterns": [], "level": "x" * 65}]},
    {"level": ""},
    {"level": "x" * 65},
    {"fixity": 1},
    {"filter": []},
]


@pytest.mark.parametrize("asked", UNSOUND, ids=lambda asked: str(asked)[:40])
async def test_what_is_not_sound_changes_nothing(bench: Bench, asked: dict[str, Any]) -> None:
    job = await bench.job()
    answer = await bench.begin(job, **asked)
    assert (answer.status, answer.code) == (422, "invalid_input"), answer.body
    assert await bench.history(job) == []


async def test_unsound_patterns_of_the_job(bench: Bench) -> None:
    job = await bench.job(archive_patterns=["(?<=a)b"])
    answer = await bench.begin(job)
    assert answer.status == 422
    assert "look-around" in answer.json()["detail"]["json"]["archive_patterns"][0]


async def test_too_many_links(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filters_module, "MAX_REFERENCES", 3)
    job = await bench.job()
    two = {"patterns": [], "derived_from": ["/a", "/b"]}
    assert (await bench.begin(job, filters=[two, two])).status == 422
    assert (await bench.begin(job, filters=[two])).status == 200


async def test_a_hostile_pattern_does_not_hang(bench: Bench) -> None:
    job = await bench.job()
    for number in range(200):
        bench.put(f"{ROOT}/one/{'a' * 200}{number}!")
    hostile = ["(a+)+$", "(a|a)*b$", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*a){40}$"]
    ended = await asyncio.wait_for(bench.index(job, filters=[{"patterns": hostile}], fixity=False), 20)
    assert (ended["error"], ended["files"]) == (None, 0)


async def test_patterns_that_take_too_long_are_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "SORT_SECONDS", 0.0)
    job = await bench.job()
    bench.put(f"{ROOT}/one/a")
    ended = await bench.index(job)
    assert ended["error"] == "The patterns take too long: they are too many, or too large."
    assert (ended["state"], ended["files"]) == ("INDEXING", 0)


async def test_no_directory_to_read(bench: Bench) -> None:
    login = await bench.site.login("ann")
    bare = await bench.site.job(login)
    for event in ("run", "finish"):
        await bench.site.send(bare, event)
    answer = await bench.begin(bare)
    assert (answer.status, answer.code) == (409, "archive_failed")
    assert await bench.history(bare) == []
    elsewhere = await bench.job(archive_system="there", path="/x/y")
    reason = "The job's archive system is not configured here."
    assert (await bench.index(elsewhere))["error"] == reason
    assert await bench.history(elsewhere) == [("index", {}), ("update", {"index_error": reason})]
    nobody = await bench.job(path=f"{ROOT}/nobody")  # a directory that is not there has no files
    assert (await bench.index(nobody))["state"] == "FINISHED"
    (bench.base / ROOT.lstrip("/")).rmdir()
    ended = await bench.index(nobody)
    assert (ended["state"], ended["error"]) == ("INDEXING", "The archive system's directory is not there.")


async def test_a_file_that_others_are_derived_from_must_be_there(bench: Bench) -> None:
    job = await bench.job()
    bench.put(f"{ROOT}/one/a")
    asked = [{"patterns": ["a"], "derived_from": ["./sub/b"]}]
    ended = await bench.index(job, filters=asked)
    assert ended["error"] == f"A file that others are derived from is not there: '{ROOT}/one/sub/b'."
    bench.put(f"{ROOT}/one/sub/b")
    ended = await bench.index(job, filters=asked)
    assert (ended["error"], ended["state"]) == (None, "FINISHED")


async def test_only_its_own_names(bench: Bench) -> None:
    """A directory beside, a link out of it, and a directory whose name begins alike tell nothing."""
    bench.put(f"{ROOT}/two/secret")
    bench.put(f"{ROOT}/one-more/secret")
    bench.put(f"{ROOT}/one/own")
    here = bench.base / f"{ROOT}/one".lstrip("/")
    (here / "file").symlink_to(bench.base / f"{ROOT}/two/secret".lstrip("/"))
    (here / "folder").symlink_to(bench.base / f"{ROOT}/two".lstrip("/"))
    os.mkfifo(here / "pipe")
    job = await bench.job()
    assert (await bench.index(job))["error"] is None
    assert await bench.names(job) == ["own"]


@pytest.mark.parametrize("path", ["one", "one/sub", ""])
async def test_somebody_elses_directory_is_not_read(bench: Bench, path: str) -> None:
    """No such job is made, but jobs can come from elsewhere."""
    bench.put(f"{ROOT}/x/one/sub/secret")
    await bench.job("bob", f"{ROOT}/x/one")
    job = await bench.job("ann")

    def judge(found: Job | None, _prior: object) -> Change:
        assert found is not None
        return Change(found, replace(found, archive_path=f"{ROOT}/x/{path}".rstrip("/")), None)

    await bench.site.store.apply(job.uuid, judge)
    answer = await bench.begin(job)
    assert (answer.status, answer.code) == (409, "archive_failed")
    assert b"secret" not in answer.body
    assert await bench.files(job) == []


async def test_ones_own_directories_may_overlap(bench: Bench) -> None:
    bench.put(f"{ROOT}/one/a")
    bench.put(f"{ROOT}/one/sub/b")
    outer, inner = await bench.job(), await bench.job(path=f"{ROOT}/one/sub")
    assert [(await bench.index(job))["files"] for job in (outer, inner)] == [2, 1]
    assert (await bench.names(outer), await bench.names(inner)) == (["a", "b"], ["b"])


class Held:
    """No file is read until ``release``; ``reached`` is set when one is to be."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self._gate = asyncio.Event(), asyncio.Event()
        self._archives = bench.site.authority._archives
        self._digest = self._archives.digest
        monkeypatch.setattr(self._archives, "digest", self._wait)

    async def _wait(self, *arguments: Any) -> str:
        self.reached.set()
        await self._gate.wait()
        return await self._digest(*arguments)

    def release(self) -> None:
        """Let them be read."""
        self._gate.set()

    async def begin(self, bench: Bench, token: str | None = None, **asked: Any) -> Owned:
        """A job whose one file is to be read."""
        job = await bench.job()
        bench.put(f"{ROOT}/one/a")
        assert (await bench.begin(job, token, **asked)).status == 200
        await self.reached.wait()
        return job


async def test_two_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(bench, monkeypatch)
    job = await bench.job()
    bench.put(f"{ROOT}/one/a")
    answers = await asyncio.gather(*(bench.begin(job) for _ in range(5)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409, 409]
    progress = (await bench.site.ask("GET", f"{job.path}/index", token=job.token)).json()
    assert (progress["running"], progress["state"]) == (True, "INDEXING")
    held.release()
    assert (await bench.ended(job))["files"] == 1
    assert [name for name, _ in await bench.history(job)] == ["index", "indexed"]
    assert (await bench.index(job))["error"] is None


async def test_waiting_for_the_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(bench, monkeypatch)
    job = await held.begin(bench)
    waiting = asyncio.create_task(bench.site.ask("GET", f"{job.path}/index?wait=5", token=job.token))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    held.release()
    answer = await asyncio.wait_for(waiting, 4)
    assert (answer.json()["running"], answer.json()["state"]) == (False, "FINISHED")
    for wrong in ("6", "-1", "1.5", ""):
        answer = await bench.site.ask("GET", f"{job.path}/index?wait={wrong}", token=job.token)
        assert answer.status == 422, wrong


async def test_the_token_dies_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(bench, monkeypatch)
    job = await held.begin(bench)
    ann = await bench.site.login("ann")
    rotated = await bench.site.ask("POST", f"{job.path}/token/rotate", token=ann)
    held.release()
    job = Owned(job.uuid, rotated.json()["token"])
    ended = await bench.ended(job)
    assert ended["error"] == "The token that began the indexing is not valid any more."
    assert (ended["state"], ended["files"]) == ("INDEXING", 1)
    assert [name for name, _ in await bench.history(job)] == ["index"]
    await bench.site.authority.audit.flush()
    page = await bench.site.store.list_audit(name="refused")
    assert [entry.subject for entry in page.items] == [job.uuid]


async def test_the_root_key_is_retired_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(bench, monkeypatch)
    job = await held.begin(bench)
    old = bench.site.keyring.signing_kid
    keyring = bench.site.keyring.rotate(b"\1\2\3\4", bytes(range(32))).retire(old)
    await bench.site.authority.use_keyring(keyring)
    held.release()
    await asyncio.wait(bench.site.authority._indexings._tasks)
    run, found = await bench.site.store.find_run(job.uuid), await bench.site.store.find_job(job.uuid)
    assert run is not None
    assert found is not None
    assert run.error == "The token that began the indexing is not valid any more."
    assert (found.state, found.last_event) == ("INDEXING", "index")


async def test_a_login_ends_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(bench, monkeypatch)
    ann = await bench.site.login("ann")
    job = await held.begin(bench, ann)
    assert (await bench.site.ask("POST", "/api/logout", token=ann)).status == 200
    held.release()
    assert (await bench.ended(job))["state"] == "INDEXING"


async def test_the_job_goes_elsewhere_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it is back in a state where ``indexed`` is legal."""
    held = Held(bench, monkeypatch)
    job = await held.begin(bench)
    for event in ("update", "indexed", "index"):
        assert (await bench.site.send(job, event)).status == 200
    held.release()
    ended = await bench.ended(job)
    assert ended["error"] == "The job has left the state that index put it in."
    assert [name for name, _ in await bench.history(job)] == ["index", "update", "indexed", "index"]


async def test_events_meanwhile_that_keep_the_state(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(bench, monkeypatch)
    job = await held.begin(bench)
    for _ in range(3):
        assert (await bench.site.send(job, "update")).status == 200
    held.release()
    assert (await bench.ended(job))["state"] == "FINISHED"


async def test_the_job_is_deleted_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(bench, monkeypatch)
    job = await held.begin(bench)
    admin = await bench.site.admin()
    assert (await bench.site.ask("DELETE", job.path, token=admin)).status == 200
    bench.site.clock.advance(1)
    again = await bench.job()
    assert again.uuid == job.uuid
    held.release()
    await asyncio.wait(bench.site.authority._indexings._tasks)
    assert await bench.files(again) == []
    assert await bench.history(again) == []


async def test_a_stop_in_the_middle(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(bench, monkeypatch)
    job = await held.begin(bench)
    await bench.site.authority._indexings.stop()
    ended = await bench.ended(job)
    assert (ended["ended_at"], ended["error"]) == (None, "The indexing was cut off: send index again.")
    assert ended["state"] == "INDEXING"
    held.release()
    assert (await bench.index(job))["files"] == 1


async def test_a_file_that_changes_while_it_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    held = Held(bench, monkeypatch)
    job = await held.begin(bench)
    bench.put(f"{ROOT}/one/a", b"longer than before")
    held.release()
    ended = await bench.ended(job)
    assert ended["error"].endswith(f"At '{ROOT}/one/a'.")
    assert ended["state"] == "INDEXING"
    assert (await bench.index(job))["state"] == "FINISHED"


async def test_nobody_begins_what_they_may_not_end(bench: Bench) -> None:
    job = await bench.job()
    only_index = attenuate(job.token, [Events(("index",))])
    assert (await bench.begin(job, only_index)).status == 403
    assert await bench.history(job) == []
    answer = await bench.begin(job, only_index, transition=False)
    assert answer.status == 200
    assert (await bench.ended(job))["state"] == "INDEXING"


async def test_an_index_where_it_is_not_legal(bench: Bench) -> None:
    ann = await bench.site.login("ann")
    job = await bench.site.job(ann)
    answer = await bench.begin(job)
    assert (answer.status, answer.code) == (409, "illegal_transition")
