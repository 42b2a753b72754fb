"""What a job is made with beside its row: details, the links by which it is found, and its archive's neighbours."""

from __future__ import annotations

import asyncio
from itertools import combinations, permutations

import pytest

from jobpass.errors import Conflict
from jobpass.records import RELATIONS, Change, Details, Linked

FULL = Details(
    generated_by=("g", "g", "f"),
    acted_on=("a \0 quoted \" and '", "ü€😀"),
    acted_using=("u",),
    archive_patterns=b'["\\ud800", "x" ]',
    product_patterns=b" [] \xff",
    attributes=b'{"a":1,"a":2}',
)


async def _found(store, *linked, **filters):
    page = await store.list_jobs(
        **({"owner": None, "state": None, "pipeline_uuid": None} | filters),
        linked=[Linked(relation, targets) for relation, targets in linked],
        after=None,
        limit=100,
    )
    assert page.next is None
    return [job.uuid for job in page.items]


async def test_details_are_kept_as_they_were_given(store, kit):
    done = await store.apply("job", kit.create(details=FULL, archive_system="s", archive_path="/a"))
    assert done.details == FULL
    assert await store.find_details("job") == FULL
    assert (await store.find_job("job")).archive_system == "s"


async def test_a_job_without_details_has_the_plain_ones(store, kit):
    await store.apply("job", kit.create())
    assert await store.find_details("job") == Details()
    assert await store.find_details("unknown") is None
    assert await _found(store, ("generated_by", ("pipe",))) == []


async def test_events_and_rewritten_rows_leave_the_details_alone(store, kit):
    await store.apply("job", kit.create(details=FULL, child_of=("p",)))
    await store.apply("job", kit.send("run", state="RUNNING"))
    await store.apply("job", kit.rewrite(session="s", archive_system="t"))
    assert await store.find_details("job") == FULL
    assert (await store.find_job("job")).archive_system == "t"
    assert await _found(store, ("child_of", ("p",)), ("acted_using", ("u",)), state="RUNNING") == ["job"]


async def test_details_with_a_job_that_stands_are_a_judges_mistake(store, kit):
    await store.apply("job", kit.create(details=FULL))
    for wrong in (
        lambda job, _: Change(job, job, None, Details()),
        lambda job, _: Change(job, None, None, Details()),
        lambda job, _: Change(job, kit.send()(job, None).after, kit.event(2), Details()),
    ):
        with pytest.raises(ValueError, match="details"):
            await store.apply("job", wrong)
    assert await store.find_details("job") == FULL
    assert (await store.find_job("job")).sequence == 1


async def test_details_that_cannot_be_written_spoil_nobody_elses_call(sqlite, kit):
    broken = Details(acted_on=("\ud800",))
    answers = await asyncio.gather(
        sqlite.apply("job", kit.create()),
        sqlite.apply("broken", kit.create("broken", details=broken)),
        sqlite.apply("other", kit.create("other", details=FULL)),
        return_exceptions=True,
    )
    assert [type(answer).__name__ for answer in answers] == ["Change", "UnicodeEncodeError", "Change"]
    assert await sqlite.find_job("broken") is None
    assert await sqlite.find_details("broken") is None
    assert await sqlite.find_details("other") == FULL


async def test_a_deleted_job_leaves_no_details_and_no_links(store, kit):
    for name in ("job", "other"):
        await store.apply(name, kit.create(name, details=FULL, child_of=("p",)))
    await store.apply("job", kit.delete)
    assert await store.find_details("job") is None
    for relation, target in (("child_of", "p"), ("generated_by", "g"), ("acted_on", "ü€😀"), ("acted_using", "u")):
        assert await _found(store, (relation, (target,))) == ["other"]
    await store.apply("job", kit.create())
    assert await store.find_details("job") == Details()
    assert await _found(store, ("generated_by", ("g",))) == ["other"]


async def test_make_delete_and_make_again_within_one_tick(store, kit):
    await asyncio.gather(
        store.apply("job", kit.create(details=FULL, child_of=("p",))),
        store.apply("job", kit.send()),
        store.apply("job", kit.delete),
        store.apply("job", kit.create(details=Details(acted_on=("new",)), child_of=("q", "q"))),
        store.apply("job", kit.send()),
    )
    assert await store.find_details("job") == Details(acted_on=("new",))
    assert await _found(store, ("child_of", ("p",))) == []
    assert await _found(store, ("child_of", ("q",)), ("acted_on", ("new",))) == ["job"]


async def test_what_a_group_takes_back_leaves_no_details(store, kit):
    await store.apply("job", kit.create(details=FULL))
    with pytest.raises(Conflict):
        await store.apply("job", kit.create(details=Details(acted_on=("another",))))
    assert await store.find_details("job") == FULL
    assert await _found(store, ("acted_on", ("another",))) == []


async def test_each_relation_finds_its_own_links_exactly(store, kit):
    for n, relation in enumerate(RELATIONS):
        fields = {"child_of": ("t",)} if relation == "child_of" else {"details": Details(**{relation: ("t",)})}
        await store.apply(f"job-{n}", kit.create(f"job-{n}", **fields))
    for n, relation in enumerate(RELATIONS):
        assert await _found(store, (relation, ("t",))) == [f"job-{n}"]
        for other in ("T", "t ", "", "t\0", "%", "_", "*", "?"):
            assert await _found(store, (relation, (other,))) == []


async def test_every_condition_must_hold_and_any_target_of_it_will_do(store, kit):
    names = {"".join(chosen) for count in range(4) for chosen in combinations("xyz", count)}
    made = []
    for on in sorted(names):
        for using in ("", "x", "xy"):
            uuid = f"{on}-{using}"
            made.append((uuid, set(on), set(using)))
            details = Details(acted_on=tuple(on), acted_using=tuple(using) * 2)
            await store.apply(uuid, kit.create(uuid, details=details))
    wanted = [(), ("x",), ("y", "x"), ("none", "z", "none"), ("none",)]
    for first in wanted:
        assert await _found(store, ("acted_on", first)) == [uuid for uuid, on, _ in made if on & set(first)]
        for second in wanted:
            both = [uuid for uuid, on, using in made if on & set(first) and using & set(second)]
            twice = [uuid for uuid, on, _ in made if on & set(first) and on & set(second)]
            for conditions in permutations([("acted_on", first), ("acted_using", second)]):
                assert await _found(store, *conditions) == both
            assert await _found(store, ("acted_on", first), ("acted_on", second)) == twice


async def test_links_are_combined_with_the_other_filters(store, kit):
    made = []
    for n in range(48):
        fields = {"owner": 1 + n % 2, "state": "ABC"[n % 3], "pipeline_uuid": "pq"[n // 24]}
        parents = {"odd", "all"} if n % 4 == 1 else {"all"}
        made.append((f"job-{n}", fields, parents))
        await store.apply(f"job-{n}", kit.create(f"job-{n}", **fields, child_of=tuple(parents)))
    for owner in (None, 1, 2, 3):
        for state in (None, "A", "D"):
            for pipeline_uuid in (None, "q"):
                for target in ("all", "odd", "none"):
                    wanted = {"owner": owner, "state": state, "pipeline_uuid": pipeline_uuid}
                    assert await _found(store, ("child_of", (target,)), **wanted) == [
                        name
                        for name, fields, parents in made
                        if target in parents and all(v is None or fields[k] == v for k, v in wanted.items())
                    ]


async def test_jobs_found_by_links_are_read_in_pages_in_order_of_creation(store, kit):
    names = [f"job-{n * 7 % 20}" for n in range(20)]
    for n, name in enumerate(names):
        parents = [("p",), ("q", "p"), ("q",), ("r",)][n % 4]
        await store.apply(name, kit.create(name, child_of=parents))
    await store.apply(names[4], kit.delete)
    expected = [name for n, name in enumerate(names) if n % 4 != 3 and n != 4]
    linked = [Linked("child_of", ("q", "none", "p", "p"))]
    for limit in (1, 2, 3, 7, len(expected), 100):
        found, cursor = [], None
        while True:
            page = await store.list_jobs(
                owner=None, state=None, pipeline_uuid=None, linked=linked, after=cursor, limit=limit
            )
            assert len(page.items) <= limit
            found += [job.uuid for job in page.items]
            if page.next is None:
                break
            cursor = page.next
        assert found == expected


async def test_rewritten_parents_are_the_ones_that_find_a_job(store, kit):
    await store.apply("job", kit.create(child_of=("a", "b"), details=FULL))
    await store.apply("job", kit.rewrite(child_of=("b", "c", "b")))
    assert [await _found(store, ("child_of", (name,))) for name in "abc"] == [[], ["job"], ["job"]]
    assert await _found(store, ("generated_by", ("f",))) == ["job"]


PATHS = (
    "/a/b",
    "/a/bc",
    "/a/b0",
    "/a/b!",
    "/a/b/c",
    "/a/b/c/d",
    "/a",
    "/x",
    "/A/b",
    "/a/B",
    "/a/b ",
    "/a/ü/%",
    "/a/_",
    "/",
)


@pytest.mark.parametrize(
    ("path", "neighbours"),
    [
        ("/a/b", {"/a", "/a/b", "/a/b/c", "/a/b/c/d"}),
        ("/a/b/c", {"/a", "/a/b", "/a/b/c", "/a/b/c/d"}),
        ("/a/b/c/d/e", {"/a", "/a/b", "/a/b/c", "/a/b/c/d"}),
        ("/a/b/x", {"/a", "/a/b"}),
        ("/a/bc", {"/a", "/a/bc"}),
        ("/a/b0", {"/a", "/a/b0"}),
        ("/a/b!", {"/a", "/a/b!"}),
        ("/a/b!/x", {"/a", "/a/b!"}),
        ("/a/%", {"/a"}),
        ("/a/_", {"/a", "/a/_"}),
        ("/a/ü", {"/a", "/a/ü/%"}),
        ("/%/%", set()),
        ("/A", {"/A/b"}),
        ("/y", set()),
        ("/a", set(PATHS) - {"/x", "/A/b", "/"}),
        ("/", set(PATHS)),
    ],
)
async def test_neighbours_share_contain_or_lie_in_a_directory(store, kit, path, neighbours):
    for other in PATHS:
        await store.apply(other, kit.create(other, archive_system="s", archive_path=other))
    found = set()
    while (uuid := await store.archive_neighbour("me", "s", path)) is not None:
        found.add(uuid)
        await store.apply(uuid, kit.delete)
    assert found == neighbours | {"/"}


async def test_nobody_is_a_neighbour_of_himself(store, kit):
    await store.apply("me", kit.create("me", archive_system="s", archive_path="/a/b"))
    assert await store.archive_neighbour("me", "s", "/a/b") is None
    await store.apply("other", kit.create("other", archive_system="s", archive_path="/a/b"))
    assert await store.archive_neighbour("me", "s", "/a/b") == "other"
    assert await store.archive_neighbour("other", "s", "/a/b") == "me"


async def test_neighbours_are_on_one_system(store, kit):
    for uuid, system, path in (("a", "t", "/a"), ("b", None, "/a"), ("c", "s", None), ("d", "S", "/a")):
        await store.apply(uuid, kit.create(uuid, archive_system=system, archive_path=path))
    assert await store.archive_neighbour("me", "s", "/a") is None
    assert await store.archive_neighbour("me", "t", "/a") == "a"


async def test_a_very_long_path_has_its_neighbours(store, kit):
    path = "/a" * 2000
    await store.apply("other", kit.create("other", archive_system="s", archive_path=path))
    assert await store.archive_neighbour("me", "s", path + "/b") == "other"
    assert await store.archive_neighbour("me", "s", "/a") == "other"
    assert await store.archive_neighbour("me", "s", path + "b") is None
