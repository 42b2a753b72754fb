"""What an import writes, in every store."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobpass.records import Details, ImportBatch, Imported, LegacyToken, Linked, Progress

UNTIL = timedelta(days=1)


def brought(kit, uuid="107-a", *, events=3, legacy=False, **fields):
    """A job with a history of updates."""
    history = (kit.event(1, "create"), *(kit.event(n) for n in range(2, events + 1)))
    job = kit.job(uuid, sequence=events, last_event=history[-1].name, head=history[-1].link, **fields)
    details = Details(generated_by=("pipe",), acted_on=("file",), attributes=b'{"agent":"a"}')
    old = LegacyToken(job.serial, job.kid, "salt", "['107-a']", kit.AT + UNTIL) if legacy else None
    return Imported(job, details, history, old)


def progress(documents=1, source="jobs.json"):
    return Progress(source, documents, bytes(32), b"{}")


async def put(store, *jobs, pipelines=(), at=None):
    batch = ImportBatch(tuple(jobs), tuple(pipelines), at or progress())
    await store.import_batch({}, [], lambda standing, known: batch)


async def test_an_imported_job_is_there_with_its_history_details_and_links(store, kit):
    one = brought(kit)
    await put(store, one, brought(kit, "107-b"), pipelines=[kit.pipeline()])
    assert await store.find_job("107-a") == one.job
    assert tuple(await store.history("107-a", 0, 10)) == one.events
    assert await store.find_details("107-a") == one.details
    assert await store.find_pipeline("pipe") == kit.pipeline()
    linked = [Linked("acted_on", ("file",))]
    page = await store.list_jobs(owner=None, state=None, pipeline_uuid=None, linked=linked, after=None, limit=9)
    assert [job.uuid for job in page.items] == ["107-a", "107-b"]


async def test_it_goes_on_as_any_other(store, kit):
    await put(store, brought(kit))
    change = await store.apply("107-a", kit.send("update"))
    assert change.after.sequence == 4
    assert [event.sequence for event in await store.history("107-a", 0, 10)] == [1, 2, 3, 4]


async def test_place_sees_what_stands_and_as_many_events_as_it_asked_for(store, kit):
    one = brought(kit, events=5)
    await put(store, one, pipelines=[kit.pipeline()])
    seen = []

    def place(standing, known):
        seen.append((standing, known))

    await store.import_batch({"107-a": 2, "107-z": 9}, ["pipe", "other"], place)
    standing, known = seen[-1]
    assert list(standing) == ["107-a"]
    assert (standing["107-a"].job, standing["107-a"].details) == (one.job, one.details)
    assert standing["107-a"].events == one.events[:2]
    assert known == {"pipe": kit.pipeline()}


async def test_where_place_answers_nothing_nothing_is_written(store, kit):
    await store.import_batch({"107-a": 1}, [], lambda standing, known: None)
    assert await store.find_progress("jobs.json") is None


async def test_what_stands_is_not_replaced(store, kit):
    await put(store, brought(kit))
    other = brought(kit, events=1)

    def place(standing, known):
        return ImportBatch((other,), (), progress(7))

    with pytest.raises(ValueError, match="does not replace"):
        await store.import_batch({"107-a": 1}, [], place)
    assert (await store.find_job("107-a")).sequence == 3
    assert (await store.find_progress("jobs.json")).documents == 1


async def test_a_history_out_of_sequence_is_not_written(store, kit):
    one = brought(kit)
    with pytest.raises(ValueError, match="sequence"):
        await put(store, replace(one, job=replace(one.job, sequence=9)))
    assert await store.find_job("107-a") is None


async def test_progress_is_written_with_the_batch_and_forgotten(store, kit):
    await put(store, brought(kit), at=progress(5))
    await put(store, brought(kit, "107-b"), at=progress(9))
    await put(store, at=progress(2, "other.json"))
    assert await store.find_progress("jobs.json") == progress(9)
    await store.forget_progress("jobs.json")
    assert await store.find_progress("jobs.json") is None
    assert await store.find_progress("other.json") == progress(2, "other.json")


async def test_an_old_token_ends_with_the_serial_it_came_with(store, kit):
    one = brought(kit, legacy=True)
    await put(store, one, brought(kit, "107-b"))
    assert await store.find_legacy("107-a") == one.legacy
    assert await store.find_legacy("107-b") is None
    assert await store.find_legacy("107-z") is None
    assert await store.count_legacy(kit.AT) == 1
    await store.apply("107-a", kit.rewrite(kid="another"))
    assert await store.find_legacy("107-a") is None
    await store.apply("107-a", kit.rewrite(kid=one.job.kid))
    assert await store.find_legacy("107-a") == one.legacy
    await store.apply("107-a", kit.rewrite(serial=7, previous_serial=one.job.serial))
    assert await store.find_legacy("107-a") is None
    assert await store.count_legacy(kit.AT) == 0


async def test_old_tokens_end_by_time_or_all_at_once(store, kit):
    late = replace(
        brought(kit, "107-b", legacy=True), legacy=LegacyToken(2**64 - 1, "k1", "s", "f", kit.AT + 2 * UNTIL)
    )
    await put(store, brought(kit, legacy=True), late)
    assert await store.count_legacy(kit.AT + UNTIL) == 1
    assert await store.has_legacy(kit.AT + UNTIL)
    assert not await store.has_legacy(kit.AT + 2 * UNTIL)
    assert await store.end_legacy(kit.AT + UNTIL) == 1
    assert await store.find_legacy("107-a") is None
    assert await store.find_legacy("107-b") == late.legacy
    assert await store.end_legacy() == 1
    assert await store.find_legacy("107-b") is None


async def test_a_deleted_job_takes_its_old_token_with_it(store, kit):
    await put(store, brought(kit, legacy=True))
    await store.apply("107-a", kit.delete)
    assert await store.find_legacy("107-a") is None
    assert await store.end_legacy() == 0


def test_an_old_token_is_not_shown(kit):
    shown = repr(brought(kit, legacy=True).legacy)
    assert "salt" not in shown
    assert "['107" not in shown
