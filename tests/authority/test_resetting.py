"""Reset and ready: what is removed, when, by whom, how often, and what stands when it cannot be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from jobpass.archives import FileArchives, System
from jobpass.authority.bearer import Bearer
from jobpass.authority.resetting import spares, sparing
from jobpass.clock import FixedClock
from jobpass.errors import (
    ArchiveFailed,
    Conflict,
    Denied,
    IdempotencyConflict,
    IllegalTransition,
    InvalidInput,
    RevokedToken,
    UnknownEvent,
    UnknownJob,
)
from jobpass.lifecycle.parse import parse
from jobpass.lifecycle.standard import STANDARD
from jobpass.stores.memory import MemoryStore
from support.house import MEMBERS, PIPELINE, House, make_house


class Gated(FileArchives):
    """Waits at the door until it is opened, then removes as ever; counts how often it was asked."""

    def __init__(self, base: Path) -> None:
        super().__init__([System("lab", base.as_uri(), ("/products",))], "lab")
        self.open = asyncio.Event()
        self.open.set()
        self.asked = 0
        self.entered = asyncio.Event()

    async def clear(self, system: str | None, path: str) -> int:
        self.asked += 1
        self.entered.set()
        await self.open.wait()
        return await super().clear(system, path)


class Depot(NamedTuple):
    """A house with an archive system, an author with a job in it, and an admin."""

    house: House
    archives: Gated
    base: Path
    ann: Bearer
    admin: Bearer
    uuid: str

    @property
    def directory(self) -> Path:
        """The job's."""
        return self.base / "products" / "a"

    async def job(self, path: str = "/products/a", **data: Any) -> str:
        """A job of ann's."""
        pipeline = await self.house.authority.pipelines.put(self.ann, PIPELINE, MEMBERS)
        body = json.dumps(data).encode()
        made = await self.house.authority.jobs.create(self.ann, pipeline.uuid, body, data, archive_path=path)
        return made.job.uuid

    def fill(self) -> None:
        """Put something there."""
        (self.directory / "deep").mkdir(parents=True, exist_ok=True)
        (self.directory / "one").write_text("1")
        (self.directory / "deep" / "two").write_text("2")

    @property
    def left(self) -> int:
        """How many things lie there."""
        return len(list(self.directory.iterdir()))

    async def send(self, name: str, data: bytes = b"null", key: str | None = None, by: Bearer | None = None) -> Any:
        """An event, by the admin unless told."""
        return await self.house.authority.jobs.submit_event(by or self.admin, self.uuid, name, data, key)

    async def reset(self, by: Bearer | None = None, **more: Any) -> Any:
        """The whole way, by the admin unless told."""
        return await self.house.authority.jobs.reset(by or self.admin, self.uuid, **more)

    async def state(self) -> str:
        """The job's."""
        return (await self.house.authority.jobs.read(self.ann, self.uuid)).job.state

    async def names(self) -> list[str]:
        """The events after ``create``."""
        return [event.name for event in await self.house.authority.jobs.history(self.ann, self.uuid, 1, 100)]

    async def data(self) -> list[Any]:
        """What the events after ``create`` say."""
        events = await self.house.authority.jobs.history(self.ann, self.uuid, 1, 100)
        return [json.loads(event.data) for event in events]


@pytest.fixture
async def depot(tmp_path: Path) -> AsyncIterator[Depot]:
    (tmp_path / "products").mkdir()
    archives = Gated(tmp_path)
    house = make_house(FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC)), archives=archives)
    made = Depot(house, archives, tmp_path, await house.person("ann@example.org"), await house.admin(), "")
    made = made._replace(uuid=await made.job())
    made.fill()
    yield made
    archives.open.set()
    await house.authority.close()


async def test_reset_removes_nothing_and_ready_empties_the_directory(depot: Depot) -> None:
    await depot.send("run")
    assert (await depot.send("reset")).event.state == "RESET"
    assert depot.left == 2
    ready = await depot.send("ready", b'{"by":"hand"}')
    assert (ready.event.state, ready.event.data, ready.token) == ("CREATED", b'{"by":"hand"}', None)
    assert depot.left == 0
    assert depot.directory.is_dir()
    assert await depot.names() == ["run", "reset", "ready"]
    assert (await depot.house.authority.jobs.verify(depot.ann, depot.uuid))[1] is None


async def test_one_call_does_both(depot: Depot) -> None:
    done = await depot.reset(data=b'{"why":"again"}')
    assert (done.event.name, done.event.state, done.event.sequence, depot.left) == ("ready", "CREATED", 3, 0)
    assert await depot.data() == [{"why": "again"}, None]
    boss = await depot.house.person("boss@example.org", "operator")
    cleared = (await depot.house.authority.audit.page(boss, name="job.archive_cleared")).items
    assert [(entry.subject, json.loads(entry.data)) for entry in cleared] == [
        (depot.uuid, {"system": "lab", "path": "/products/a", "files": 2})
    ]
    assert cleared[0].credential == depot.admin.credential


@pytest.mark.parametrize("how", ["one call", "by event", "both"])
async def test_what_is_there_is_spared_when_asked(depot: Depot, how: str) -> None:
    if how == "by event":
        await depot.send("reset", b' { "no_clear_path" : true, "n": 1e999 }')
        await depot.send("ready")
    else:
        await depot.reset(data=b"null" if how == "one call" else b'{"no_clear_path":false,"a":1}', no_clear_path=True)
    assert (await depot.state(), depot.left, depot.archives.asked) == ("CREATED", 2, 0)


async def test_only_true_itself_spares() -> None:
    for data in (b"null", b"{}", b'{"no_clear_path":1}', b'{"no_clear_path":"true"}', b'["no_clear_path"]', b"true"):
        assert not spares(data), data
    assert spares(b'{"x":' + b"9" * 5000 + b',"no_clear_path":true}')
    assert spares(b'{"\\ud800":1,"no_clear_path":true}')
    assert spares(sparing(b"null"))
    kept = sparing(b'{"n": 1.50, "no_clear_path": false}')
    assert spares(kept)
    assert b"1.50" in kept
    for data in (b"[]", b"1", b'"x"', b"true"):
        with pytest.raises(InvalidInput) as refused:
            sparing(data)
        assert "json.data" in refused.value.detail["fields"]


async def test_the_last_reset_counts(depot: Depot) -> None:
    await depot.send("reset", b'{"no_clear_path":true}')
    await depot.send("reset")
    await depot.send("ready")
    assert depot.left == 0
    depot.fill()
    await depot.send("reset")
    await depot.send("reset", b'{"no_clear_path":true}')
    await depot.send("ready")
    assert depot.left == 2


async def test_a_job_without_a_path_is_just_made_ready(depot: Depot) -> None:
    made = await depot.house.job(depot.ann, {"no": "path"})
    done = await depot.house.authority.jobs.reset(depot.admin, made.job.uuid)
    assert (done.event.state, depot.archives.asked, depot.left) == ("CREATED", 0, 2)


async def test_when_it_cannot_be_emptied_the_job_stays_and_tells_why(depot: Depot) -> None:
    depot.directory.rename(depot.base / "elsewhere")
    (depot.base / "outside").mkdir()
    (depot.base / "outside" / "precious").write_text("x")
    depot.directory.symlink_to(depot.base / "outside")
    with pytest.raises(ArchiveFailed) as failed:
        await depot.reset(key="k")
    reason = failed.value.detail["reason"]
    assert "link" in reason
    assert reason in failed.value.message
    assert str(depot.base) not in repr(failed.value.detail) + failed.value.message
    assert await depot.state() == "RESET"
    assert (await depot.data())[-1] == {"archive_error": reason}
    for name in ("run", "update", "finish", "fail", "retire"):
        with pytest.raises(IllegalTransition):
            await depot.send(name)
    with pytest.raises(ArchiveFailed):
        await depot.send("ready", key="ready-key")
    assert await depot.names() == ["reset", "reset", "reset"]
    assert (depot.base / "outside" / "precious").exists()
    depot.directory.unlink()
    (depot.base / "elsewhere").rename(depot.directory)
    done = await depot.send("ready", key="ready-key")  # the failure left the key unused
    assert (done.event.state, depot.left) == ("CREATED", 0)
    assert (await depot.house.authority.jobs.verify(depot.ann, depot.uuid))[1] is None


async def test_a_failed_reset_goes_on_under_its_key_and_resets_once(depot: Depot) -> None:
    depot.directory.rename(depot.base / "kept")
    depot.directory.symlink_to(depot.base / "kept")
    with pytest.raises(ArchiveFailed):
        await depot.reset(key="k", data=b"1")
    depot.directory.unlink()
    (depot.base / "kept").rename(depot.directory)
    done = await depot.reset(key="k", data=b"1")
    assert await depot.data() == [1, {"archive_error": (await depot.data())[1]["archive_error"]}, None]
    assert (done.event.state, depot.left) == ("CREATED", 0)


async def test_the_same_request_again_does_nothing_twice(depot: Depot) -> None:
    first = await depot.reset(key="k", data=b"{}")
    await depot.send("run")
    depot.fill()
    again = await depot.reset(key="k", data=b"{}")
    assert again.event == first.event
    assert (await depot.state(), depot.left, depot.archives.asked) == ("RUNNING", 2, 1)
    with pytest.raises(IdempotencyConflict):
        await depot.reset(key="k", data=b"[]")
    event = await depot.send("update", key="u")
    assert (await depot.send("update", key="u")).event == event.event
    await depot.send("reset")
    await depot.send("ready", key="r")
    depot.fill()
    await depot.send("ready", key="r")
    assert (await depot.state(), depot.left, depot.archives.asked) == ("CREATED", 2, 2)


async def test_the_same_request_meanwhile_shares_the_work(depot: Depot) -> None:
    depot.archives.open.clear()
    both = [asyncio.create_task(depot.reset(key="k")) for _ in range(2)]
    await depot.archives.entered.wait()
    third = asyncio.create_task(depot.reset(key="k"))
    await asyncio.sleep(0)
    depot.archives.open.set()
    done = await asyncio.gather(*both, third)
    assert {one.event.uuid for one in done} == {done[0].event.uuid}
    assert (await depot.names(), depot.archives.asked) == (["reset", "ready"], 1)


async def test_one_at_a_time(depot: Depot) -> None:
    """While a directory is emptied nobody else resets, makes ready or deletes the job."""
    depot.archives.open.clear()
    work = asyncio.create_task(depot.reset(key="k"))
    await depot.archives.entered.wait()
    jobs = depot.house.authority.jobs
    for attempt in (depot.send("ready"), depot.send("ready", key="k"), depot.reset(), depot.reset(key="other")):
        with pytest.raises(Conflict) as refused:
            await attempt
        assert type(refused.value) is Conflict
    with pytest.raises(Conflict):
        await jobs.delete(depot.admin, depot.uuid)
    with pytest.raises(Conflict):
        await jobs.cancel(depot.ann, depot.uuid)
    with pytest.raises(IllegalTransition):
        await depot.send("run")
    assert not work.done()
    depot.archives.open.set()
    assert (await work).event.state == "CREATED"
    assert (await depot.names(), depot.archives.asked) == (["reset", "ready"], 1)


async def test_whoever_may_not_learns_nothing_of_the_work(depot: Depot) -> None:
    depot.archives.open.clear()
    work = asyncio.create_task(depot.reset(key="k"))
    await depot.archives.entered.wait()
    bob = await depot.house.person("bob@example.org")
    for attempt in (depot.reset(by=bob, key="k"), depot.send("ready", by=bob)):
        with pytest.raises(UnknownJob):
            await attempt
    for attempt in (depot.reset(by=depot.ann, key="k"), depot.send("ready", by=depot.ann)):
        with pytest.raises(Denied):
            await attempt
    depot.archives.open.set()
    await work


async def test_another_reset_meanwhile_keeps_the_job_where_it_is(depot: Depot) -> None:
    depot.archives.open.clear()
    work = asyncio.create_task(depot.reset())
    await depot.archives.entered.wait()
    await depot.send("reset", b'"again"')
    depot.archives.open.set()
    with pytest.raises(Conflict):
        await work
    assert (await depot.state(), await depot.names()) == ("RESET", ["reset", "reset"])
    assert (await depot.send("ready")).event.state == "CREATED"


async def test_a_failure_is_not_told_of_a_job_that_has_moved(depot: Depot) -> None:
    depot.archives.open.clear()
    work = asyncio.create_task(depot.reset())
    await depot.archives.entered.wait()
    await depot.send("reset", b'"again"')
    depot.directory.rename(depot.base / "kept")
    depot.directory.symlink_to(depot.base / "kept")
    depot.archives.open.set()
    with pytest.raises(ArchiveFailed):
        await work
    assert await depot.data() == [None, "again"]


async def test_a_replay_waits_for_nobody(depot: Depot) -> None:
    first = await depot.reset(key="k")
    await depot.send("reset")
    second = await depot.send("ready", key="r")
    depot.archives.open.clear()
    depot.archives.entered.clear()
    work = asyncio.create_task(depot.reset())
    await depot.archives.entered.wait()
    assert (await depot.reset(key="k")).event == first.event
    assert (await depot.send("ready", key="r")).event == second.event
    assert not work.done()
    depot.archives.open.set()
    await work
    assert depot.archives.asked == 3


class Late(MemoryStore):
    """Lets somebody else go first, once, before it holds anything."""

    def __init__(self) -> None:
        super().__init__()
        self.first: Callable[[], Awaitable[object]] | None = None

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        first, self.first = self.first, None
        if first is not None:
            await first()
        async with super().hold(name):
            yield


async def test_another_process_that_was_quicker_did_it(tmp_path: Path) -> None:
    """The same request reaches two processes on one store."""
    (tmp_path / "products" / "a").mkdir(parents=True)
    archives, store, clock = Gated(tmp_path), Late(), FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC))
    one = make_house(clock, archives=archives, store=store)
    two = make_house(clock, archives=archives, store=store, keyring=one.keyring)
    ann, admin = await one.person("ann@example.org"), await one.admin()
    pipeline = await one.authority.pipelines.put(ann, PIPELINE, MEMBERS)
    made = await one.authority.jobs.create(ann, pipeline.uuid, b"{}", {}, archive_path="/products/a")
    uuid, answers = made.job.uuid, []
    for key, ask in (("r", "reset"), ("k", "ready")):
        if ask == "ready":
            await one.authority.jobs.submit_event(admin, uuid, "reset")

        async def send(house: House, key: str = key, ask: str = ask) -> None:
            jobs = house.authority.jobs
            sent = jobs.reset(admin, uuid, key=key) if ask == "reset" else jobs.submit_event(admin, uuid, ask, key=key)
            answers.append((await sent).event)

        store.first = lambda send=send: send(two)  # type: ignore[misc]
        await send(one)
        assert answers[-1] == answers[-2]
    events = await one.authority.jobs.history(ann, uuid, 1, 10)
    assert [event.name for event in events] == ["reset", "ready", "reset", "ready"]
    assert archives.asked == 2


async def test_a_client_that_leaves_changes_nothing(depot: Depot) -> None:
    depot.archives.open.clear()
    work = asyncio.create_task(depot.reset(key="k"))
    await depot.archives.entered.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert await depot.state() == "RESET"
    with pytest.raises(Conflict):  # the job is held until the work has ended
        async with depot.house.store.hold(depot.uuid):
            raise AssertionError
    depot.archives.open.set()
    again = await depot.reset(key="k")
    assert (await depot.state(), depot.left, depot.archives.asked, again.event.sequence) == ("CREATED", 0, 1, 3)
    async with depot.house.store.hold(depot.uuid):
        assert await depot.names() == ["reset", "ready"]


async def test_closing_waits_for_the_work(depot: Depot) -> None:
    depot.archives.open.clear()
    work = asyncio.create_task(depot.reset())
    await depot.archives.entered.wait()
    work.cancel()
    closing = asyncio.create_task(depot.house.authority.close())
    await asyncio.sleep(0.05)
    assert not closing.done()
    depot.archives.open.set()
    await closing
    assert depot.left == 0


async def test_a_key_that_is_revoked_meanwhile_records_nothing_more(depot: Depot) -> None:
    depot.archives.open.clear()
    work = asyncio.create_task(depot.reset())
    await depot.archives.entered.wait()
    zoe = await depot.house.login("zoe@example.org")
    assert depot.admin.session is not None
    await depot.house.authority.admin_keys.revoke(zoe, depot.admin.session.credential.id, None)
    depot.archives.open.set()
    with pytest.raises(RevokedToken):
        await work
    assert (await depot.state(), await depot.names()) == ("RESET", ["reset"])
    assert (await depot.send("ready", by=await depot.house.admin())).event.state == "CREATED"


async def test_another_keyring_meanwhile_ends_nothing(depot: Depot) -> None:
    depot.archives.open.clear()
    work = asyncio.create_task(depot.reset(key="k"))
    await depot.archives.entered.wait()
    await depot.house.authority.use_keyring(depot.house.keyring)
    same = asyncio.create_task(depot.reset(key="k"))
    await asyncio.sleep(0)
    depot.archives.open.set()
    assert (await work).event == (await same).event
    assert depot.archives.asked == 1


@pytest.mark.parametrize("path", ["/products/a", "/products/a/b"])
async def test_what_another_job_may_have_there_is_not_removed(depot: Depot, path: str) -> None:
    other = await depot.job(path, other=True)
    with pytest.raises(ArchiveFailed) as around:
        await depot.house.authority.jobs.reset(depot.admin, other)
    assert around.value.detail["job"] == depot.uuid
    with pytest.raises(ArchiveFailed) as failed:
        await depot.reset()
    assert (failed.value.detail["job"], depot.left, depot.archives.asked) == (other, 2, 0)
    assert other not in json.dumps(await depot.data())  # the job's own readers may not read that one
    assert await depot.state() == "RESET"
    narrow = await depot.house.admin({"jobs": [depot.uuid]})
    with pytest.raises(ArchiveFailed) as hidden:
        await depot.send("ready", by=narrow)
    assert "job" not in hidden.value.detail
    assert other not in hidden.value.message
    await depot.house.authority.jobs.delete(depot.admin, other)
    assert (await depot.send("ready")).event.state == "CREATED"
    assert depot.left == 0


async def test_a_sibling_is_no_neighbour(depot: Depot) -> None:
    await depot.job("/products/ab", other=True)
    (depot.base / "products" / "ab").mkdir()
    (depot.base / "products" / "ab" / "precious").write_text("x")
    await depot.reset()
    assert (depot.left, (depot.base / "products" / "ab" / "precious").exists()) == (0, True)


async def test_a_path_that_is_outside_by_now_is_refused(depot: Depot) -> None:
    depot.archives._systems = FileArchives([System("lab", depot.base.as_uri(), ("/other",))])._systems
    with pytest.raises(ArchiveFailed):
        await depot.reset()
    assert (await depot.state(), depot.left) == ("RESET", 2)
    assert await depot.names() == ["reset", "reset"]


async def test_a_job_of_no_system_is_never_cleared(tmp_path: Path) -> None:
    house = make_house(FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC)))
    ann = await house.person("ann@example.org")
    pipeline = await house.authority.pipelines.put(ann, PIPELINE, MEMBERS)
    made = await house.authority.jobs.create(ann, pipeline.uuid, b"{}", {}, archive_path=str(tmp_path))
    (tmp_path / "precious").write_text("x")
    admin = await house.admin()
    with pytest.raises(ArchiveFailed):
        await house.authority.jobs.reset(admin, made.job.uuid)
    assert (tmp_path / "precious").exists()
    assert (await house.authority.jobs.reset(admin, made.job.uuid, no_clear_path=True)).event.state == "CREATED"


async def test_who_asks_to_spare_counts_on_it(depot: Depot) -> None:
    """Another reset, without no_clear_path, came between a reset that spares and its second attempt."""
    depot.archives.open.clear()
    await depot.send("reset", b'{"no_clear_path":true}', "k:reset")
    await depot.send("reset")
    with pytest.raises(Conflict):
        await depot.reset(key="k", no_clear_path=True)
    assert (await depot.state(), depot.left, depot.archives.asked) == ("RESET", 2, 0)


async def test_nobody_begins_what_they_may_not_end(depot: Depot) -> None:
    for scope in ({"events": ["reset"]}, {"states": {"CREATED": ["reset"]}}, {"events": ["ready"]}):
        with pytest.raises(Denied):
            await depot.reset(by=await depot.house.admin(scope))
    assert (await depot.names(), depot.left) == ([], 2)
    just = await depot.house.admin({"states": {"CREATED": ["reset"], "RESET": ["ready"]}})
    assert (await depot.reset(by=just)).event.state == "CREATED"


async def test_who_may_only_make_ready_can_and_its_failures_are_told(depot: Depot) -> None:
    await depot.send("reset")
    only = await depot.house.admin({"events": ["ready"]})
    depot.directory.rename(depot.base / "kept")
    depot.directory.symlink_to(depot.base / "kept")
    with pytest.raises(ArchiveFailed):
        await depot.send("ready", by=only)
    assert (await depot.names(), await depot.state()) == (["reset", "reset"], "RESET")
    assert "archive_error" in (await depot.data())[-1]


@pytest.mark.parametrize("name", ["READY", "ready ", "Ready", "ｒｅａｄｙ"])
async def test_ready_is_ready_exactly(depot: Depot, name: str) -> None:
    await depot.send("reset")
    with pytest.raises(UnknownEvent):
        await depot.send(name)
    assert (depot.archives.asked, depot.left) == (0, 2)


async def test_other_states_are_refused_before_anything_is_touched(depot: Depot) -> None:
    with pytest.raises(IllegalTransition):
        await depot.send("ready")
    await depot.send("run")
    with pytest.raises(IllegalTransition):
        await depot.send("ready")
    with pytest.raises(UnknownJob):
        await depot.house.authority.jobs.reset(depot.admin, "10700000-0000-5000-8000-000000000000")
    assert (depot.archives.asked, depot.left) == (0, 2)


REVIEW = """
name = "review"
initial = "draft"
final = ["out"]
[states]
draft = ""
out = ""
cleaning = ""
[events.publish]
from = "draft"
to = "out"
[events.reset]
from = "out"
to = "cleaning"
admin_only = true
[events.note]
from = ["cleaning", "draft"]
to = "="
[events.ready]
from = ["cleaning", "draft"]
to = "draft"
admin_only = true
"""


async def test_a_lifecycle_of_ones_own(tmp_path: Path) -> None:
    """Where others send events between reset and ready, where reset cannot be repeated, where ready needs no reset."""
    (tmp_path / "products" / "a").mkdir(parents=True)
    precious = tmp_path / "products" / "a" / "file"
    precious.write_text("x")
    archives = Gated(tmp_path)
    house = make_house(
        FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC)),
        archives=archives,
        lifecycles=STANDARD.adding([parse(REVIEW)]),
    )
    ann, admin = await house.person("ann@example.org"), await house.admin()
    pipeline = await house.authority.pipelines.put(ann, PIPELINE, MEMBERS)
    jobs = house.authority.jobs
    made = await jobs.create(ann, pipeline.uuid, b"{}", {}, archive_path="/products/a", lifecycle="review")
    uuid = made.job.uuid
    await jobs.submit_event(admin, uuid, "ready")  # nothing was reset, so nothing is cleared
    assert precious.exists()
    await jobs.submit_event(ann, uuid, "publish")
    await jobs.submit_event(admin, uuid, "reset")
    await jobs.submit_event(ann, uuid, "note", b'{"no_clear_path":true}')  # which only a reset can say
    precious.rename(tmp_path / "kept")
    (tmp_path / "products" / "a").rmdir()
    (tmp_path / "products" / "a").symlink_to(tmp_path)
    with pytest.raises(ArchiveFailed):
        await jobs.submit_event(admin, uuid, "ready")
    assert [event.name for event in await jobs.history(ann, uuid, 3, 10)] == ["reset", "note"]
    (tmp_path / "products" / "a").unlink()
    (tmp_path / "products" / "a").mkdir()
    (tmp_path / "kept").rename(precious)
    assert (await jobs.submit_event(admin, uuid, "ready")).event.state == "draft"
    assert not precious.exists()
    with pytest.raises(UnknownEvent):  # a lifecycle without them has none of this
        await jobs.reset(admin, (await jobs.create(ann, pipeline.uuid, b"1", {"n": 1}, lifecycle="compute")).job.uuid)
