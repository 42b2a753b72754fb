"""A catalogue becomes ours: whole, once, and nothing that does not follow."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jobpass import ids
from jobpass.authority.imports import Options
from jobpass.authority.legacy import old_token
from jobpass.clock import FixedClock
from jobpass.records import Change, Details
from support.catalogue import Catalogue, array, canonical, first_version, lines
from support.catalogue import old_token as given_token
from support.house import make_house
from support.importing import bring

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "document_tokens.json").read_text())["document_tokens"]


@pytest.fixture
def house():
    return make_house(FixedClock(NOW))


async def take(house, text, options=Options(), size=100):  # noqa: B008 - a frozen value
    """Import a dump; the counts, which add up, and what was refused."""
    imports, refused = await bring(house.authority, house.clock, text, options, size)
    for tally in (imports.counts.jobs, imports.counts.pipelines, imports.counts.others):
        assert tally.read == tally.imported + tally.unchanged + tally.moved_on + tally.refused
    return imports.counts, refused


async def exported(house):
    return [msgspec.json.decode(line) async for line in house.authority.export()]


async def everything(house):
    """All that an import could change, but the tallies of the audit."""
    page = await house.store.list_jobs(owner=None, state=None, pipeline_uuid=None, after=None, limit=10_000)
    return [
        (job, await house.store.find_details(job.uuid), await house.store.history(job.uuid, 0, 1000))
        for job in page.items
    ], (await house.store.list_pipelines(after=None, limit=100)).items


async def test_a_job_keeps_what_it_was(house):
    catalogue = Catalogue()
    document = catalogue.job(7)
    await take(house, lines([*catalogue.pipelines, document]))
    job = await house.store.find_job(document["uuid"])
    details = await house.store.find_details(job.uuid)
    history = await house.store.history(job.uuid, 0, 100)
    for name in ("state", "last_event", "pipeline_uuid", "session", "archive_path", "archive_system"):
        assert getattr(job, name) == document[name], name
    assert list(job.child_of) == document["child_of"]
    for name in ("generated_by", "acted_on", "acted_using"):
        assert list(getattr(details, name)) == document[name], name
    assert json.loads(details.archive_patterns) == document["archive_patterns"]
    attributes = json.loads(details.attributes)
    assert (attributes["agent"], attributes["task"]) == (document["agent"], None)
    assert (attributes["_admin"], attributes["source"]) == (document["_admin"], "testing")
    assert [event.name for event in history] == [entry["name"].lower() for entry in document["history"]]
    assert [event.uuid for event in history] == [entry["uuid"] for entry in document["history"]]
    assert [json.loads(event.data) for event in history] == [entry["data"] for entry in document["history"]]
    dates = [datetime.fromisoformat(entry["date"]["$date"]) for entry in document["history"]]
    assert [event.at for event in history] == dates
    assert (job.created_at, job.updated_at) == (dates[0], dates[-1])
    assert {event.credential for event in history} == {"import:datacatalog"}
    owner = await house.store.find_principal(job.owner)
    assert owner.email == f"{document['_admin']['owner']}@imported.invalid"
    assert all([checked.broken_at is None async for checked in house.authority.verify()])


async def test_an_owner_has_no_password_until_somebody_sets_one(house):
    await take(house, lines([Catalogue().job() | {"_admin": {"owner": "Ann"}}]), Options(owner_domain="example.org"))
    login = await house.store.find_login("ann@example.org")
    assert (login.password_hash, login.principal.role, login.principal.active) == ("!", "author", True)


async def test_salts_are_nowhere_but_with_the_old_tokens(house):
    catalogue = Catalogue()
    documents = [*catalogue.pipelines, *catalogue.jobs(5)]
    await take(house, lines(documents), Options(legacy_until=NOW + timedelta(days=1)))
    shown = repr(await everything(house)) + repr(await exported(house))
    shown += repr((await house.store.list_audit(limit=100)).items)
    assert not [document["_salt"] for document in documents if document["_salt"] in shown]
    assert (await house.store.find_legacy(documents[-1]["uuid"])).salt == documents[-1]["_salt"]


@pytest.mark.parametrize("form", [lines, array, lambda d: lines(map(canonical, d)), lambda d: array(map(canonical, d)),
                                  lambda d: lines(map(first_version, d))])  # fmt: skip
async def test_every_form_of_a_dump_gives_the_same(form):
    documents = [*Catalogue().pipelines, *Catalogue(3).jobs(20)]
    plain, other = make_house(FixedClock(NOW)), make_house(FixedClock(NOW))
    await take(plain, lines(documents))
    await take(other, form(deepcopy(documents)))
    (jobs, _), (others, _) = await everything(plain), await everything(other)
    assert [[(e.uuid, e.at, e.state, json.loads(e.data)) for e in events] for _, _, events in jobs] == [
        [(e.uuid, e.at, e.state, json.loads(e.data)) for e in events] for _, _, events in others
    ]
    assert [(j.uuid, j.created_at, j.updated_at) for j, _, _ in jobs] == [
        (j.uuid, j.created_at, j.updated_at) for j, _, _ in others
    ]


async def test_what_is_broken_is_refused_by_line_and_reason_and_the_rest_goes_on(house):
    catalogue = Catalogue()
    broken = list(catalogue.broken())
    good = list(catalogue.jobs(3))
    text = lines([good[0]]) + lines(document for _, document in broken) + lines(good[1:])
    counts, refused = await take(house, text)
    assert counts.jobs.imported == 3
    assert [one.line for one in refused] == list(range(2, len(broken) + 2))
    assert [(word, one.reason) for (word, _), one in zip(broken, refused, strict=True) if word not in one.reason] == []
    found = {document["uuid"] for document in good}
    assert {job.uuid for job, _, _ in (await everything(house))[0]} == found


async def test_a_second_run_changes_nothing(house):
    catalogue = Catalogue()
    text = lines([*catalogue.pipelines, *catalogue.jobs(30)])
    await take(house, text)
    before = await everything(house)
    counts, refused = await take(house, text, size=7)
    assert (counts.jobs.unchanged, counts.pipelines.unchanged, refused) == (30, 5, [])
    assert await everything(house) == before


async def test_a_job_that_moved_on_stays_where_it_is(house):
    document = Catalogue().job(1)
    await take(house, lines([document]))

    def judge(job, _):
        event = replace(history[0], sequence=2, uuid=ids.random_typed_uuid("pipelinejob_event", bytes(16)), name="run")
        return Change(job, replace(job, state="RUNNING", last_event="run", sequence=2), replace(event, state="RUNNING"))

    history = await house.store.history(document["uuid"], 0, 9)
    await house.store.apply(document["uuid"], judge)
    counts, _ = await take(house, lines([document]))
    assert counts.jobs.moved_on == 1
    assert (await house.store.find_job(document["uuid"])).state == "RUNNING"


async def test_another_job_of_the_same_uuid_is_refused_not_mixed(house):
    catalogue = Catalogue()
    document = catalogue.job(4)
    await take(house, lines([document]))
    before = await everything(house)
    other = catalogue.job(4)
    longer = deepcopy(document)
    longer["history"].append(catalogue.job(2)["history"][1])
    versions = [
        document | {name: other[name] for name in ("history", "state", "last_event", "data", "updated")},
        document | {"session": "another"},
        document | {"acted_on": []},
        document | {"_admin": {"owner": "somebody-else"}},
    ]
    counts, refused = await take(house, lines(versions))
    assert (counts.jobs.refused, len(refused)) == (4, 4)
    assert await everything(house) == before


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("dry_run", [False, True])
async def test_a_uuid_that_comes_twice_in_a_dump_is_one_job(house, size, dry_run):
    document = Catalogue().job(2)
    text = lines([document, document | {"_id": 2}, document | {"session": "another"}])
    counts, refused = await take(house, text, Options(dry_run=dry_run), size)
    assert (counts.jobs.imported, counts.jobs.unchanged, counts.jobs.refused) == (1, 1, 1)
    assert [one.line for one in refused] == [3]


async def test_a_dry_run_says_the_same_and_writes_nothing(house):
    catalogue = Catalogue()
    text = lines([*catalogue.pipelines, *catalogue.jobs(20), *(document for _, document in catalogue.broken())])
    options = Options(legacy_until=NOW + timedelta(days=1))
    before = (await house.store.list_audit(limit=100)).items
    said = await take(house, text, replace(options, dry_run=True))
    assert await everything(house) == ([], [])
    assert (await house.store.list_principals(after=None, limit=10)).items == []
    assert (await house.store.list_audit(limit=100)).items == before
    assert await house.store.find_progress("dump") is None
    assert await take(house, text, options) == said


async def test_the_audit_tells_of_an_import(house):
    await take(house, lines(Catalogue().jobs(2)))
    entries = {entry.name: json.loads(entry.data) for entry in (await house.store.list_audit(limit=100)).items}
    assert entries["import.started"] == {"after_documents": 0, "legacy_tokens_until": None}
    assert entries["import.finished"]["counts"]["jobs"]["imported"] == 2


@given(st.integers(0, 10_000), st.integers(0, 12))
async def test_export_and_import_give_the_same_documents(seed, count):
    catalogue = Catalogue(seed)
    first, second = make_house(FixedClock(NOW)), make_house(FixedClock(NOW + timedelta(days=3)))
    documents = [*catalogue.pipelines, *catalogue.jobs(count)]
    await take(first, lines(documents))
    out = [line async for line in first.authority.export()]
    counts, refused = await take(second, b"\n".join(out))
    assert (refused, counts.jobs.imported) == ([], count)
    assert [line async for line in second.authority.export()] == out
    again, refused = await take(first, b"\n".join(out))
    assert (refused, again.jobs.unchanged, again.pipelines.unchanged) == ([], count, len(catalogue.pipelines))
    for given_one, line in zip(documents, out, strict=True):
        expected = {name: value for name, value in given_one.items() if name not in ("_id", "_salt")}
        assert {name: value for name, value in json.loads(line).items() if name in expected} == expected


async def test_what_was_made_here_comes_out_and_in_again(house):
    ann = await house.person("ann@example.org")
    attributes = b'{"uuid":"mine","state":5,"_history_names":7,"_properties":[1],"_admin":{"owner":"victim"},"x":\n{}}'
    pipeline = await house.authority.pipelines.put(ann, b'{"id":"a","name":"A","components":[],"processing_levels":[]}',
        {"id": "a", "name": "A", "components": [], "processing_levels": []})  # fmt: skip
    made = await house.authority.jobs.create(
        ann, pipeline.uuid, b'{"a":\n1}', {"a": 1}, details=Details(attributes=attributes), lifecycle="compute"
    )
    await house.authority.jobs.submit_event(ann, made.job.uuid, "fail", b'"\\n"')
    out = [line async for line in house.authority.export()]
    assert not [line for line in out if b"\n" in line]
    document = json.loads(out[1])
    assert (document["state"], document["lifecycle"], document["_admin"]["owner"]) == (
        "error",
        "compute",
        "ann@example.org",
    )
    other = make_house(FixedClock(NOW))
    counts, refused = await take(other, b"\n".join(out))
    assert (counts.jobs.imported, refused) == (1, [])
    assert [line async for line in other.authority.export()] == out
    before = await everything(house)
    counts, refused = await take(house, b"\n".join(out))
    assert (counts.jobs.unchanged, counts.pipelines.unchanged, refused) == (1, 1, [])
    assert await everything(house) == before


async def test_an_earlier_export_of_what_was_made_here_is_known_again(house):
    ann = await house.person("ann@example.org")
    first = (await house.job(ann, {"a": 1})).job
    second = await house.authority.jobs.create(
        ann, first.pipeline_uuid, b"{}", {"b": 1}, child_of=(first.uuid,), details=Details(attributes=b'{"k":1}')
    )
    await house.authority.jobs.submit_event(ann, second.job.uuid, "run", b"null")
    out = [line async for line in house.authority.export()]
    house.clock.advance(5)
    await house.authority.jobs.submit_event(ann, second.job.uuid, "update", b"null")
    before = await everything(house)
    counts, refused = await take(house, b"\n".join(out))
    assert (counts.jobs.unchanged, counts.jobs.moved_on, counts.pipelines.unchanged, refused) == (1, 1, 1, [])
    assert await everything(house) == before
    for member, value in (("attributes", {"k": 2}), ("acted_using", [first.uuid]), ("agent", "x")):
        changed = json.loads(out[2]) | {member: value}
        _, refused = await take(house, lines([changed]))
        assert [one.reason for one in refused] == [
            "The job of this uuid which stands here has other links, patterns or attributes."
        ], member
    assert await everything(house) == before


@pytest.mark.parametrize("vector", VECTORS)
async def test_the_old_algorithm_is_that_of_the_vectors(vector):
    assert old_token(vector["salt"], str(vector["args"][0])) == vector["token"]


async def test_every_imported_job_has_its_old_token(house):
    documents = list(Catalogue().jobs(20))
    documents += [{name: value for name, value in Catalogue(9).job().items() if name != "_admin"}]
    counts, _ = await take(house, lines(documents), Options(legacy_until=NOW + timedelta(days=1)))
    assert counts.legacy == 21
    for document in documents:
        bearer = await house.authority.legacy_tokens.identify(given_token(document), document["uuid"])
        assert bearer.credential == f"legacy:{document['uuid']}"


async def test_a_job_without_a_salt_has_none(house):
    document = Catalogue().job()
    del document["_salt"]
    counts, _ = await take(house, lines([document]), Options(legacy_until=NOW + timedelta(days=1)))
    assert (counts.jobs.imported, counts.legacy) == (1, 0)


async def test_a_flaw_is_refused_with_its_line(house):
    _, refused = await take(house, b"\n" * 8 + b"no JSON")
    assert [(one.line, one.kind, one.reason[:11]) for one in refused] == [(9, "others", "is not JSON")]


NOWHERE = (
    '"\\ud800"', '{"$numberLong":"%s"}' % ("9" * 5000), '{"$numberLong":["a"]}', '{"$numberLong":"1_0"}',
    '{"$numberInt":1.5}', '{"$numberDouble":"NaN"}', '{"$numberDouble":"1e999"}',
)  # fmt: skip
"""What is refused wherever it stands."""
ODD = (
    *NOWHERE, "9" * 400, "-" + "9" * 5000, "1e999", "-0", '"\\u0000"', '{"$date":%s}' % ("9" * 400),
    '{"$date":-99999999999999}', '{"$date":"0000-01-01T00:00:00Z"}', '{"$date":"10000-01-01T00:00:00Z"}',
    '{"$date":"0001-01-01T00:00:00Z"}', '{"$date":"1969-12-31T23:59:59.5Z"}', '{"$date":"9999-12-31T23:59:59-23:59"}',
    "[]", "{}", "true", "null", '"x"', '[{"a":%s}]' % ("9" * 5000), '"%s"' % ("x" * 100_000), "[" * 60 + "]" * 60,
)  # fmt: skip
DEEPER = [
    ("history", 0), ("history", 1, "date"), ("history", 1, "data"), ("history", 0, "data"), ("history", 1, "name"),
    ("history", 1, "uuid"), ("_admin", "owner"), ("_admin", "project"), ("_properties", "created_date"),
    ("_properties", "x"), ("child_of", 0), ("data", "number"), ("archive_patterns", 0), ("unknown",), ("attributes",),
]  # fmt: skip


def with_odd(document, place, value):
    """The document's line with a value in one place that was not made by ``json``."""
    *way, last = place
    inner = deepcopy(document)
    found = inner
    for name in way:
        found = found[name]
    found[last] = "@odd@"
    return json.dumps(inner).replace('"@odd@"', value).encode() + b"\n"


@pytest.mark.parametrize("value", ODD, ids=[value[:30] for value in ODD])
async def test_whatever_stands_where_it_comes_in_and_out_again_or_is_refused(house, value):
    catalogue = Catalogue()
    text = b"".join(
        with_odd(catalogue.job(3), place, value) for place in [*((name,) for name in catalogue.job(1)), *DEEPER]
    )
    text += b"".join(with_odd(catalogue.pipelines[0], (member,), value) for member in catalogue.pipelines[0])
    counts, refused = await take(house, text, Options(legacy_until=NOW + timedelta(days=1)))
    assert counts.read == text.count(b"\n")
    assert (counts.jobs.imported > 0) is (value not in NOWHERE)  # a member that nobody knows can hold much
    assert all(one.reason for one in refused)
    assert all([checked.broken_at is None async for checked in house.authority.verify()])
    out = [line async for line in house.authority.export()]
    other = make_house(FixedClock(NOW))
    again, refused = await take(other, b"\n".join(out))
    assert (refused, again.jobs.imported) == ([], counts.jobs.imported)
    assert [line async for line in other.authority.export()] == out
    for known in (house, other):
        again, refused = await take(known, b"\n".join(out))
        assert (refused, again.jobs.unchanged) == ([], counts.jobs.imported)


async def test_a_job_may_stand_before_its_pipeline_and_come_twice(house):
    catalogue = Catalogue()
    jobs = list(catalogue.jobs(3))
    counts, refused = await take(house, lines([*jobs, *catalogue.pipelines, *jobs]), size=4)
    assert (counts.jobs.imported, counts.jobs.unchanged, counts.pipelines.imported, refused) == (3, 3, 5, [])


async def test_binary_junk_is_refused_line_by_line(house):
    text = bytes(range(256)) * 3 + b"\n" + lines([Catalogue().job()]) + b"\xff\xfe{\0}\0"
    counts, refused = await take(house, text)
    assert (counts.jobs.imported, counts.others.refused) == (1, text.count(b"\n"))
    assert all(one.uuid is None for one in refused)
