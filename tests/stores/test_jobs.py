"""What every store does with jobs, histories and pipelines."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from jobpass.errors import Conflict, InvalidInput, StoreUnavailable, UnknownJob
from jobpass.records import Change, Replayed


async def test_a_job_is_made_and_found_as_it_was_given(store, kit):
    given = kit.job(
        "u-1",
        serial=2**64 - 1,
        previous_serial=2**63,
        previous_until=kit.AT + timedelta(microseconds=1),
        child_of=("a", 'quoted " and \\ and \0', "ü€😀"),
        archive_path="/an/archive/with ' and \0 and ü",
        session="\0",
        owner=2**62,
    )
    done = await store.apply("u-1", lambda found, _: Change(found, given, kit.event(1, "create")))
    assert done == Change(None, given, kit.event(1, "create"))
    assert await store.find_job("u-1") == given
    assert await store.history("u-1", 0, 10) == [kit.event(1, "create")]


async def test_unknown_jobs_are_none_and_without_history(store, kit):
    assert await store.find_job("u-1") is None
    assert await store.history("u-1", 0, 10) == []
    with pytest.raises(UnknownJob):
        await store.apply("u-1", kit.send())
    assert await store.find_job("u-1") is None


async def test_uuids_are_compared_exactly(store, kit):
    await store.apply("Job\0a", kit.create("Job\0a"))
    for other in ("job\0a", "Job", "Job\0", "Job\0a ", "Job\0b"):
        assert await store.find_job(other) is None


@pytest.mark.parametrize("serial", [0, 1, 2**63 - 1, 2**63, 2**64 - 1])
async def test_serials_keep_all_their_bits(store, kit, serial):
    await store.apply("job", kit.create(serial=serial))
    await store.apply("job", kit.rewrite(serial=serial ^ 1, previous_serial=serial, previous_until=kit.AT))
    found = await store.find_job("job")
    assert (found.serial, found.previous_serial, found.previous_until) == (serial ^ 1, serial, kit.AT)


@pytest.mark.parametrize(
    "data",
    [b"null", b'"\\u0000"', b'"\\ud800"', b"9" * 400, b'{"a":1,"a":2}', b" [ 1 ]\n", b"\xff\x00\xfe", b"x" * 1_000_000],
    ids=["null", "nul", "surrogate", "digits", "twice", "spaces", "bytes", "large"],
)
async def test_event_data_is_kept_as_the_bytes_that_came(store, kit, data):
    await store.apply("job", kit.create())
    await store.apply("job", kit.send(data=data))
    assert (await store.history("job", 1, 10))[0].data == data


async def test_an_event_moves_the_row_and_adds_to_the_history(store, kit):
    await store.apply("job", kit.create())
    done = await store.apply("job", kit.send("run", state="RUNNING"))
    found = await store.find_job("job")
    assert found == done.after
    assert (found.state, found.last_event, found.sequence, found.head) == ("RUNNING", "run", 2, done.event.link)
    assert [entry.name for entry in await store.history("job", 0, 10)] == ["create", "run"]


async def test_each_column_of_a_row_can_be_rewritten(store, kit):
    await store.apply("job", kit.create())
    changed = {
        "lifecycle": "compute",
        "state": "waiting",
        "kid": "k2",
        "serial": 7,
        "owner": 9,
        "pipeline_uuid": "other",
        "created_at": kit.AT - timedelta(days=1),
        "updated_at": kit.AT + timedelta(days=1),
        "child_of": ("x",),
        "archive_path": "/a",
        "session": "s",
        "previous_serial": 8,
        "previous_until": kit.AT,
    }
    for name, value in changed.items():
        await store.apply("job", kit.rewrite(**{name: value}))
        assert getattr(await store.find_job("job"), name) == value
    assert await store.find_job("job") == kit.job(**changed)
    assert len(await store.history("job", 0, 10)) == 1


async def test_an_event_may_change_rare_columns_too(store, kit):
    await store.apply("job", kit.create())
    await store.apply("job", kit.send("reset", state="RESET", serial=5, kid="k9"))
    found = await store.find_job("job")
    assert (found.state, found.serial, found.kid, found.sequence) == ("RESET", 5, "k9", 2)


async def test_calls_of_one_tick_are_judged_in_order_of_arrival(store, kit):
    seen = []

    def judge(name):
        def judging(found, standing):
            seen.append((name, found.state, found.sequence))
            return kit.send("move", state=name)(found, standing)

        return judging

    await store.apply("job", kit.create())
    answers = await asyncio.gather(*(store.apply("job", judge(name)) for name in "abcd"))
    assert seen == [("a", "CREATED", 1), ("b", "a", 2), ("c", "b", 3), ("d", "c", 4)]
    assert [answer.event.sequence for answer in answers] == [2, 3, 4, 5]
    assert (await store.find_job("job")).state == "d"
    assert [entry.state for entry in await store.history("job", 0, 9)] == ["CREATED", *"abcd"]


async def test_a_hundred_at_once_on_one_job_all_stand_in_sequence(store, kit):
    await store.apply("job", kit.create())
    await asyncio.gather(*(store.apply("job", kit.send(data=b"%d" % n)) for n in range(100)))
    history = await store.history("job", 0, 1000)
    assert [entry.sequence for entry in history] == list(range(1, 102))
    assert sorted(int(entry.data) for entry in history[1:]) == list(range(100))
    assert (await store.find_job("job")).sequence == 101


async def test_more_calls_than_one_group_takes_all_stand(store, kit):
    names = [f"job-{n}" for n in range(700)]
    await asyncio.gather(*(store.apply(name, kit.create(name)) for name in names))
    await asyncio.gather(*(store.apply(name, kit.send(state="RUNNING")) for name in names))
    for name in names:
        assert [entry.sequence for entry in await store.history(name, 0, 9)] == [1, 2]


@pytest.mark.parametrize("error", [Conflict("no"), ValueError("a bug"), StopIteration(), KeyError("x")], ids=repr)
async def test_what_a_judge_raises_reaches_its_own_caller_only(store, kit, error):
    await store.apply("job", kit.create())

    def refuse(*_):
        raise error

    answers = await asyncio.gather(
        store.apply("job", kit.send()),
        store.apply("job", refuse),
        store.apply("other", kit.create("other")),
        return_exceptions=True,
    )
    assert isinstance(answers[0], Change)
    assert answers[1] is error or answers[1].__cause__ is error
    assert isinstance(answers[2], Change)
    assert (await store.find_job("job")).sequence == 2
    assert await store.find_job("other") is not None


async def test_a_judge_that_answers_nonsense_spoils_nothing(store, kit):
    await store.apply("job", kit.create())
    found = await store.find_job("job")
    key = kit.event(2, key="never looked up")
    nonsense = [
        lambda *_: None,
        lambda *_: Change(None, kit.job(), kit.event(1)),  # made a second time
        lambda *_: Change(replace(found, state="X"), found, None),  # judged on another state
        lambda *_: Change(found, kit.job("another"), None),
        lambda *_: Change(found, replace(found, sequence=1), kit.event(1)),  # a sequence that is taken
        lambda *_: Change(found, replace(found, sequence=3), kit.event(2)),
        lambda *_: Change(found, replace(found, sequence=2), key),
    ]
    answers = await asyncio.gather(
        store.apply("other", kit.create("other")), *(store.apply("job", judge) for judge in nonsense),
        return_exceptions=True,
    )  # fmt: skip
    assert isinstance(answers[0], Change)
    assert {type(answer) for answer in answers[1:]} <= {ValueError, TypeError}
    with pytest.raises(ValueError, match="delete"):
        await store.apply("unknown", lambda *_: Change(None, None, None))
    assert await store.find_job("job") == found
    assert await store.history("job", 0, 9) == [kit.event(1, "create")]


async def test_an_idempotency_key_finds_the_event_that_stands(store, kit):
    await store.apply("job", kit.create())
    first = await store.apply("job", kit.send("run", state="RUNNING", key="k"), "k")
    await store.apply("job", kit.send("update"))
    again = await store.apply("job", kit.send("run", state="RUNNING", key="k"), "k")
    assert isinstance(again, Replayed)
    assert again.event == first.event
    assert again.job == await store.find_job("job")
    assert len(await store.history("job", 0, 9)) == 3


async def test_an_idempotency_key_counts_within_one_tick_as_well(store, kit):
    await store.apply("job", kit.create())
    answers = await asyncio.gather(*(store.apply("job", kit.send(key="k"), "k") for _ in range(5)))
    assert [type(answer) for answer in answers] == [Change, *[Replayed] * 4]
    assert {answer.event for answer in answers} == {answers[0].event}
    assert len(await store.history("job", 0, 9)) == 2


async def test_idempotency_keys_belong_to_a_job_and_are_exact(store, kit):
    for name in ("job", "other"):
        await store.apply(name, kit.create(name))
    for name, key in (("job", "k"), ("other", "k"), ("job", "K"), ("job", "k "), ("job", "")):
        assert isinstance(await store.apply(name, kit.send(key=key), key), Change)
    assert len(await store.history("job", 0, 9)) == 5


async def test_a_key_that_was_refused_is_free(store, kit):
    await store.apply("job", kit.create())

    def refuse(*_):
        raise Conflict("no")

    with pytest.raises(Conflict):
        await store.apply("job", refuse, "k")
    assert isinstance(await store.apply("job", kit.send(key="k"), "k"), Change)


async def test_a_deleted_job_is_gone_with_its_history_and_keys(store, kit):
    await store.apply("job", kit.create())
    await store.apply("job", kit.send(key="k"), "k")
    await store.apply("other", kit.create("other"))
    await store.apply("job", kit.delete)
    assert await store.find_job("job") is None
    assert await store.history("job", 0, 9) == []
    with pytest.raises(UnknownJob):
        await store.apply("job", kit.send())
    await store.apply("job", kit.create(serial=3))
    assert isinstance(await store.apply("job", kit.send(key="k"), "k"), Change)
    assert [entry.sequence for entry in await store.history("job", 0, 9)] == [1, 2]
    assert len(await store.history("other", 0, 9)) == 1


async def test_create_send_delete_and_create_within_one_tick(store, kit):
    answers = await asyncio.gather(
        store.apply("job", kit.create(serial=1)),
        store.apply("job", kit.send(key="k"), "k"),
        store.apply("job", kit.delete),
        store.apply("job", kit.send()),
        store.apply("job", kit.create(serial=2)),
        store.apply("job", kit.send("run", state="RUNNING", key="k"), "k"),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Change, Change, Change, UnknownJob, Change, Change]
    found = await store.find_job("job")
    assert (found.serial, found.state, found.sequence) == (2, "RUNNING", 2)
    assert [entry.name for entry in await store.history("job", 0, 9)] == ["create", "run"]


async def test_a_cancelled_caller_breaks_nobody_and_its_write_stands(store, kit):
    for name in ("job", "other"):
        await store.apply(name, kit.create(name))
    gone = asyncio.ensure_future(store.apply("job", kit.send("gone")))
    stays = asyncio.ensure_future(store.apply("other", kit.send("stays")))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).event.name == "stays"
    assert (await store.apply("job", kit.send())).event.sequence == 3
    assert [entry.name for entry in await store.history("job", 1, 9)] == ["gone", "update"]


async def test_a_history_is_read_in_pages(store, kit):
    await store.apply("job", kit.create())
    for _ in range(6):
        await store.apply("job", kit.send())

    async def sequences(after, limit):
        return [entry.sequence for entry in await store.history("job", after, limit)]

    assert await sequences(0, 3) == [1, 2, 3]
    assert await sequences(3, 3) == [4, 5, 6]
    assert await sequences(6, 3) == [7]
    assert await sequences(7, 3) == []
    assert await sequences(2**62, 3) == []


async def test_jobs_are_listed_in_order_of_creation_page_by_page(store, kit):
    names = ["e", "a", "d", "b", "c"]
    for name in names:
        await store.apply(name, kit.create(name))
    await store.apply("e", kit.send(state="RUNNING"))

    async def walk(limit):
        found, cursor = [], None
        while True:
            page = await store.list_jobs(owner=None, state=None, pipeline_uuid=None, after=cursor, limit=limit)
            found += [job.uuid for job in page.items]
            if page.next is None:
                return found
            cursor = page.next

    for limit in (1, 2, 3, 5, 100):
        assert await walk(limit) == names


async def test_a_page_that_ends_exactly_has_no_next(store, kit):
    for name in "ab":
        await store.apply(name, kit.create(name))
    page = await store.list_jobs(owner=None, state=None, pipeline_uuid=None, after=None, limit=2)
    assert [job.uuid for job in page.items] == ["a", "b"]
    assert page.next is None


async def test_a_cursor_stays_true_when_jobs_come_and_go(store, kit):
    for name in "abc":
        await store.apply(name, kit.create(name))
    page = await store.list_jobs(owner=None, state=None, pipeline_uuid=None, after=None, limit=2)
    for name in "bc":
        await store.apply(name, kit.delete)
    for name in "xb":
        await store.apply(name, kit.create(name))
    rest = await store.list_jobs(owner=None, state=None, pipeline_uuid=None, after=page.next, limit=9)
    assert [job.uuid for job in rest.items] == ["x", "b"]


async def test_jobs_are_filtered_by_each_and_all_of_owner_state_and_pipeline(store, kit):
    made = []
    for n in range(24):
        fields = {"owner": 1 + n % 2, "state": "ABC"[n % 3], "pipeline_uuid": "pq"[n // 12]}
        made.append((f"job-{n}", fields))
        await store.apply(f"job-{n}", kit.create(f"job-{n}", **fields))
    for owner in (None, 1, 2, 3):
        for state in (None, "A", "B", "a"):
            for pipeline_uuid in (None, "p", "q"):
                wanted = {"owner": owner, "state": state, "pipeline_uuid": pipeline_uuid}
                expected = [
                    name for name, fields in made if all(v is None or fields[k] == v for k, v in wanted.items())
                ]
                page = await store.list_jobs(**wanted, after=None, limit=100)
                assert [job.uuid for job in page.items] == expected


async def test_filters_follow_a_change_of_state(store, kit):
    await store.apply("job", kit.create())
    await store.apply("job", kit.send(state="RUNNING"))
    for state, expected in (("CREATED", []), ("RUNNING", ["job"])):
        page = await store.list_jobs(owner=None, state=state, pipeline_uuid=None, after=None, limit=9)
        assert [job.uuid for job in page.items] == expected


@pytest.mark.parametrize(
    "cursor", ["", "x", "-1", "0", "01", "+1", "1.0", " 1", "1 ", "1e0", "١", "1_0", "3", "9" * 5000]
)
async def test_a_cursor_that_was_never_given_is_refused(store, kit, cursor):
    for name in "ab":
        await store.apply(name, kit.create(name))
        await store.put_pipeline(kit.pipeline(name))
    with pytest.raises(InvalidInput) as refused:
        await store.list_jobs(owner=None, state=None, pipeline_uuid=None, after=cursor, limit=9)
    assert list(refused.value.detail["fields"]) == ["query.after"]
    with pytest.raises(InvalidInput):
        await store.list_pipelines(after=cursor, limit=9)


async def test_a_pipeline_is_kept_and_replaced_but_its_owner_stays(store, kit):
    first = kit.pipeline(name="ü\0", body=b'{"\\ud800":1}')
    await store.put_pipeline(first)
    assert await store.find_pipeline("pipe") == first
    later = kit.AT + timedelta(hours=1)
    await store.put_pipeline(kit.pipeline(name="new", body=b"{}", owner=2, created_at=later, updated_at=later))
    assert await store.find_pipeline("pipe") == kit.pipeline(name="new", body=b"{}", updated_at=later)
    assert await store.find_pipeline("other") is None


async def test_pipelines_are_listed_in_order_of_creation(store, kit):
    for name in ("c", "a", "b", "c"):
        await store.put_pipeline(kit.pipeline(name))
    first = await store.list_pipelines(after=None, limit=2)
    assert [pipeline.uuid for pipeline in first.items] == ["c", "a"]
    rest = await store.list_pipelines(after=first.next, limit=2)
    assert [pipeline.uuid for pipeline in rest.items] == ["b"]
    assert rest.next is None


async def test_closing_answers_what_was_taken_and_refuses_the_rest(store, kit):
    await store.apply("job", kit.create())
    under_way = [asyncio.ensure_future(store.apply("job", kit.send())) for _ in range(5)]
    await asyncio.sleep(0)
    await store.close()
    assert [(await answer).event.sequence for answer in under_way] == [2, 3, 4, 5, 6]
    await store.close()
    for call in (
        store.apply("job", kit.send()),
        store.find_job("job"),
        store.history("job", 0, 1),
        store.list_jobs(owner=None, state=None, pipeline_uuid=None, after=None, limit=1),
        store.put_pipeline(kit.pipeline()),
        store.find_pipeline("pipe"),
        store.list_pipelines(after=None, limit=1),
        store.find_login("a@b"),
        store.find_session("c"),
        store.add_principal("a@b", "author", "hash", kit.AT),
        store.end_credential("c", kit.AT),
        store.check(),
        store.tend(),
    ):
        with pytest.raises(StoreUnavailable):
            await call


async def test_check_and_tend_are_quiet_when_all_is_well(store, kit):
    await store.check()
    await store.apply("job", kit.create())
    await store.tend()
    await store.check()
    assert (await store.find_job("job")).sequence == 1
