"""What a job says of itself: which of it is sound, what finds the job again, and what it is found by."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from jobpass import ids
from jobpass.archives import FileArchives, System
from jobpass.authority.bearer import Bearer
from jobpass.authority.jobs import Made
from jobpass.clock import FixedClock
from jobpass.errors import Denied, InvalidInput, JobExists
from jobpass.records import RELATIONS, Details
from jobpass.tokens.attenuate import attenuate
from jobpass.tokens.caveats import Actions
from support.house import MEMBERS, PIPELINE, House, make_house

SAMPLE = "103246e1-bcdf-5b6e-a8dc-4c7e81b91141"
FILE = "105c8890-9532-5b42-b26d-732247749291"
REFERENCE = "1092d775-0f7c-5b4d-970f-e739711d5f36"
OWN = "1071269f-b251-5a5f-bec1-6d7f77131f3f"
ALL: dict[str, Any] = {"state": None, "pipeline_uuid": None, "after": None, "limit": 100}


async def create(house: House, owner: Bearer, data: dict[str, Any] | None = None, **more: Any) -> Made:
    pipeline = await house.authority.pipelines.put(owner, PIPELINE, MEMBERS)
    text = ids.canonical_json(data or {}, "data").encode()
    return await house.authority.jobs.create(owner, pipeline.uuid, text, data or {}, **more)


async def test_all_of_it_is_kept_and_shown(house: House) -> None:
    ann = await house.person("ann@example.org")
    details = Details(
        generated_by=(REFERENCE,),
        acted_on=(FILE, FILE),
        acted_using=(REFERENCE, SAMPLE),
        archive_patterns=b'["a$", {"patterns": [".json$"], "level": "2"}]',
        product_patterns=b'[ {"patterns": [], "derived_from": ["x"]} ]',
        attributes=b'{"agent": 1.50}',
    )
    made = await create(house, ann, child_of=(SAMPLE,), details=details, archive_system="lab", session="s")
    assert made.details == details
    found = await house.authority.jobs.read(await house.bearer(made.token), made.job.uuid)
    assert (found.details, found.job, found.data) == (details, made.job, b"{}")
    again = await create(house, ann, child_of=(SAMPLE,), archive_system="lab", session="s")
    assert (again.details, again.token) == (details, made.token)


async def test_generated_by_is_the_pipeline_unless_given(house: House) -> None:
    made = await create(house, await house.person("ann@example.org"))
    assert made.details == Details(generated_by=(made.job.pipeline_uuid,))


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize(
    "target", ["sample.7", "", SAMPLE.upper(), SAMPLE + "0", "aaa246e1-bcdf-5b6e-a8dc-4c7e81b91141"]
)
async def test_a_link_is_a_uuid_of_a_known_type(house: House, relation: str, target: str) -> None:
    links: Any = (SAMPLE, target)
    more: dict[str, Any] = {"child_of": links} if relation == "child_of" else {"details": Details(**{relation: links})}
    with pytest.raises(InvalidInput) as refused:
        await create(house, await house.person("ann@example.org"), **more)
    assert list(refused.value.detail["fields"]) == [f"json.{relation}"]


@pytest.mark.parametrize("name", ["archive_patterns", "product_patterns"])
@pytest.mark.parametrize(
    "text",
    [
        *(b"{}", b"null", b'"x"', b"[1]", b"[[]]", b"[null]", b'["\\ud800"]', b"[" + b'"a",' * 100 + b'"a"]'),
        *(b'["' + b"a" * 1001 + b'"]', b'[{"a":"' + b"a" * 65536 + b'"}]', b"[" * 100_000),
    ],
)
async def test_patterns_are_texts_and_objects(house: House, name: str, text: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        await create(house, await house.person("ann@example.org"), details=Details(**{name: text}))  # type: ignore[arg-type]
    assert list(refused.value.detail["fields"]) == [f"json.{name}"]


@pytest.mark.parametrize("text", [b"[]", b"null", b"1", b'{"a":"' + b"a" * 65536 + b'"}'])
async def test_attributes_are_an_object_of_some_size(house: House, text: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        await create(house, await house.person("ann@example.org"), details=Details(attributes=text))
    assert list(refused.value.detail["fields"]) == ["json.attributes"]


async def test_what_is_as_large_as_it_may_be_is_kept(house: House) -> None:
    details = Details(
        archive_patterns=b"[" + b'"a",' * 99 + b'"' + b"a" * 1000 + b'"]', attributes=b'{"a":"' + b"a" * 65528 + b'"}'
    )
    made = await create(house, await house.person("ann@example.org"), details=details)
    assert made.details.attributes == details.attributes


async def test_an_own_uuid_is_one_of_a_job(house: House) -> None:
    ann = await house.person("ann@example.org")
    assert (await create(house, ann, uuid=OWN)).job.uuid == OWN
    for uuid in (SAMPLE, OWN.upper(), "x", "", OWN[:-1], OWN.replace("-", "")):
        with pytest.raises(InvalidInput) as refused:
            await create(house, ann, uuid=uuid)
        assert list(refused.value.detail["fields"]) == ["json.uuid"]


async def test_an_own_uuid_stands_for_one_job_only(house: House) -> None:
    ann, bob = await house.person("ann@example.org"), await house.person("bob@example.org")
    made = await create(house, ann, {"n": 1, "x": [1.5]}, uuid=OWN, child_of=(SAMPLE,))
    again = await create(house, ann, {"x": [1.5], "n": 1}, uuid=OWN, child_of=(SAMPLE,))
    assert (again.job, again.token, again.data) == (made.job, made.token, made.data)
    different: list[tuple[Bearer, Any, dict[str, Any]]] = [
        (ann, {"n": 1, "x": [1.5]}, {}),
        (ann, {"n": 1, "x": [1.5]}, {"child_of": (FILE,)}),
        (ann, {"n": 1, "x": [2]}, {"child_of": (SAMPLE,)}),
        (ann, {"n": True, "x": [1.5]}, {"child_of": (SAMPLE,)}),
        (ann, {"n": 1.0, "x": [1.5]}, {"child_of": (SAMPLE,)}),
        (ann, {"n": 1, "x": [1.5]}, {"child_of": (SAMPLE,), "archive_system": "lab"}),
        (bob, {"n": 1, "x": [1.5]}, {"child_of": (SAMPLE,)}),
    ]
    for owner, data, more in different:
        with pytest.raises(JobExists) as refused:
            await create(house, owner, data, uuid=OWN, **more)
        assert "jp_" not in repr(refused.value) + repr(refused.value.detail)
    other = await house.authority.pipelines.put(ann, PIPELINE, MEMBERS | {"id": "other"})
    with pytest.raises(JobExists):
        await house.authority.jobs.create(ann, other.uuid, b'{"n":1,"x":[1.5]}', {"n": 1, "x": [1.5]}, uuid=OWN)
    assert len(await house.authority.jobs.history(ann, OWN, 0, 10)) == 1


async def test_whoever_takes_the_uuid_of_other_parameters_gives_nothing_away(house: House) -> None:
    """A job under the uuid that follows from parameters which are not its own is not found by those."""
    ann = await house.person("ann@example.org")
    follows = (await create(house, ann, {"n": 1})).job.uuid
    await house.authority.jobs.cancel(ann, follows)
    await create(house, ann, {"n": 2}, uuid=follows)
    with pytest.raises(JobExists):
        await create(house, ann, {"n": 1})


async def test_uuids_follow_from_the_domain() -> None:
    seed = make_house(FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC)))
    own = make_house(FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC)), uuid_domain="lab.example.org")
    made = [await create(house, await house.person("ann@example.org")) for house in (seed, own)]
    assert made[0].job.uuid != made[1].job.uuid
    assert made[0].job.pipeline_uuid != made[1].job.pipeline_uuid
    space = ids.namespace("lab.example.org")
    assert made[1].job.pipeline_uuid == ids.pipeline_uuid(MEMBERS["id"], MEMBERS["components"], space)  # type: ignore[arg-type]
    assert made[1].job.uuid == ids.job_uuid(made[1].job.pipeline_uuid, [], {}, space)


async def test_the_archive_path_is_checked_and_its_system_kept(tmp_path: Path) -> None:
    archives = FileArchives([System("lab", tmp_path.as_uri(), ("/products",))], "lab")
    house = make_house(FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC)), archives=archives)
    ann = await house.person("ann@example.org")
    for path in ("/", "/products", "/products/../etc", "/products-x/a", "products/a", "/products/a\0", "/etc"):
        with pytest.raises(InvalidInput) as refused:
            await create(house, ann, archive_path=path)
        assert list(refused.value.detail["fields"]) == ["json.archive_path"]
    made = await create(house, ann, archive_path="//products///a/")
    assert (made.job.archive_path, made.job.archive_system) == ("/products/a", "lab")
    assert (await create(house, ann, archive_path="/products/a", archive_system="lab")).job == made.job
    for more in ({"archive_path": "/products/b"}, {"archive_path": "/products/a", "archive_system": "other"}, {}):
        with pytest.raises(JobExists):
            await create(house, ann, **more)


async def test_a_directory_is_one_owners(tmp_path: Path) -> None:
    archives = FileArchives([System("lab", tmp_path.as_uri(), ("/products",))], "lab")
    house = make_house(FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC)), archives=archives)
    bob, rex = await house.person("bob@example.org"), await house.person("rex@example.org", "operator")
    ann = await house.person("ann@example.org")
    made = await create(house, bob, {"n": 0}, archive_path="/products/v2/a")
    pipeline = made.job.pipeline_uuid
    for number, path in enumerate(("/products/v2", "/products/v2/a", "/products//v2/a/", "/products/v2/a/b"), 1):
        for who in (ann, rex):
            for system in (None, "lab"):
                with pytest.raises(JobExists) as refused:
                    await house.authority.jobs.create(
                        who, pipeline, b"{}", {"n": number}, archive_path=path, archive_system=system
                    )
                assert refused.value.detail == {"field": "archive_path"}
                assert made.job.uuid not in str(refused.value)
        assert (await create(house, bob, {"n": number}, archive_path=path)).job.sequence == 1
    assert (await house.authority.jobs.list(ann, **ALL)).items == []
    again = await create(house, bob, {"n": 0}, archive_path="/products/v2/a")
    assert (again.token, again.job) == (made.token, made.job)
    beside = await house.authority.jobs.create(ann, pipeline, b"{}", {"n": 9}, archive_path="/products/v2a")
    assert beside.job.archive_path == "/products/v2a"


async def test_the_directory_is_made_if_it_is_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    archives = FileArchives([System("lab", tmp_path.as_uri(), ("/products",))], "lab")
    house = make_house(FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC)), archives=archives)
    ann = await house.person("ann@example.org")
    (tmp_path / "products").mkdir()
    await create(house, ann, {"n": 1}, archive_path="/products/a/b")
    assert list((tmp_path / "products").iterdir()) == []
    for _ in range(2):  # also for a job that stands
        await create(house, ann, {"n": 1}, archive_path="/products/a/b", make_archive_path=True)
        assert (tmp_path / "products/a/b").is_dir()
        (tmp_path / "products/a/b").rmdir()
    await create(house, ann, {"n": 2}, make_archive_path=True)
    await create(house, ann, {"n": 3}, archive_path="/x", archive_system="other", make_archive_path=True)
    assert caplog.messages == []
    assert not (tmp_path / "x").exists()


async def test_a_directory_that_cannot_be_made_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    archives = FileArchives([System("lab", tmp_path.as_uri(), ("/products",))], "lab")
    house = make_house(FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC)), archives=archives)
    ann, bob = await house.person("ann@example.org"), await house.person("bob@example.org")
    made = await create(house, ann, {"n": 1}, archive_path="/products/a", make_archive_path=True)
    reason = "The archive system's directory is not there."
    assert caplog.messages == [f"the archive directory of job {made.job.uuid} was not made: {reason}"]
    assert (made.job.state, str(tmp_path) in caplog.text, made.token in caplog.text) == ("CREATED", False, False)
    (tmp_path / "products").mkdir()
    for who, more in ((bob, {"archive_path": "/products/a/b"}), (ann, {"archive_path": "/products/c"})):
        with pytest.raises(JobExists):  # nothing is made for a job that is not
            await house.authority.jobs.create(
                who, made.job.pipeline_uuid, b"{}", {"n": 1 if who is ann else 2}, make_archive_path=True, **more
            )
    assert list((tmp_path / "products").iterdir()) == []


async def test_jobs_are_found_by_their_links(house: House) -> None:
    ann = await house.person("ann@example.org")
    named = ids.typed_uuid("sample", "sample.7")
    first = await create(house, ann, {"n": 1}, child_of=(SAMPLE, named))
    second = await create(house, ann, {"n": 2}, details=Details(acted_on=(SAMPLE,), acted_using=(named, REFERENCE)))
    jobs, pipeline = house.authority.jobs, first.job.pipeline_uuid

    async def found(by: Bearer = ann, **links: str) -> list[str]:
        return [job.uuid for job in (await jobs.list(by, links=links, **ALL)).items]  # type: ignore[arg-type]

    one, two = first.job.uuid, second.job.uuid
    assert await found(child_of=SAMPLE) == [one]
    assert await found(child_of="sample.7") == [one]
    assert await found(acted_on=SAMPLE) == [two]
    assert await found(acted_using="sample.7", acted_on=SAMPLE) == [two]
    assert await found(acted_using="sample.7", child_of="sample.7") == []
    assert await found(generated_by=pipeline) == [one, two]
    assert await found(generated_by="nothing of that name") == []
    with pytest.raises(InvalidInput) as refused:
        await found(child_of="")
    assert list(refused.value.detail["fields"]) == ["query.child_of"]


async def test_finding_shows_nobody_more(house: House) -> None:
    ann, bob = await house.person("ann@example.org"), await house.person("bob@example.org")
    made, other = await create(house, ann, child_of=(SAMPLE,)), await create(house, bob, {"n": 1}, child_of=(SAMPLE,))
    jobs = house.authority.jobs

    async def found(by: Bearer, **links: str) -> list[str]:
        return [job.uuid for job in (await jobs.list(by, links=links, **ALL)).items]  # type: ignore[arg-type]

    assert await found(ann, child_of=SAMPLE) == [made.job.uuid]
    assert await found(bob, child_of=SAMPLE) == [other.job.uuid]
    holder = await house.bearer(made.token)
    assert await found(holder, child_of=SAMPLE) == [made.job.uuid]
    assert await found(holder, child_of=FILE) == []
    assert await found(holder, generated_by=made.job.pipeline_uuid, child_of=SAMPLE) == [made.job.uuid]
    assert await found(await house.admin(), child_of=SAMPLE) == [made.job.uuid, other.job.uuid]
    with pytest.raises(Denied):
        await found(await house.bearer(attenuate(made.token, [Actions(("jobs.event",))])), child_of=SAMPLE)
