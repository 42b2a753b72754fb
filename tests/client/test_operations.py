"""Both clients against a real server: every operation, and the errors that it answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from jobpass.client.results import (
    AuditEntry,
    ComputeData,
    ComputeResult,
    ComputeStatus,
    Event,
    Introspection,
    Job,
    Platform,
    PlatformDetails,
)
from jobpass.errors import (
    Conflict,
    Denied,
    ExpiredToken,
    IdempotencyConflict,
    IllegalTransition,
    InvalidInput,
    InvalidToken,
    JobExists,
    LoginFailed,
    MissingToken,
    TooLarge,
    UnknownEvent,
    UnknownJob,
    UnknownPipeline,
)
from jobpass.lifecycle.resting import RESTING_STATES
from jobpass.lifecycle.standard import COMPUTE, PIPELINE
from jobpass.wire.compute import JobData, JobResult, JobStatus, Processor
from jobpass.wire.messages import HistoryEntry, JobAnswer
from jobpass.wire.platforms import PlatformAnswer
from jobpass.wire.power import AuditAnswer, IntrospectionAnswer


def test_probes_need_no_token(make: Any, served: Any) -> None:
    client = make(served.url + "/")
    assert client.url == served.url
    assert client.health().message
    assert client.ready().message


def test_login_is_used_and_logout_ends_it(make: Any, served: Any) -> None:
    client = make(served.url)
    with pytest.raises(InvalidToken):
        client.me()
    answer = client.login(served.author, served.password)
    assert client.token == answer.token
    assert answer.token not in repr(answer)
    me = client.me()
    assert (me.email, me.role, me.credential.kind) == (served.author, "author", "login")
    client.logout()
    assert client.token is None
    again = make(served.url, answer.token)
    with pytest.raises(InvalidToken):
        again.me()


def test_a_wrong_password_is_told_as_such(make: Any, served: Any) -> None:
    client = make(served.url)
    with pytest.raises(LoginFailed) as caught:
        client.login(served.author, "not the password")
    assert client.token is None
    assert "not the password" not in repr(caught.value) + repr(caught.value.detail)
    assert caught.value.detail["request_id"]


def test_pipelines(author: Any, served: Any) -> None:
    made = author.create_pipeline(served.members | {"id": "pages", "note": "kept"})
    assert author.pipeline(made["uuid"]) == made
    assert made["note"] == "kept"
    for number in range(3):
        author.create_pipeline(served.members | {"id": f"pages-{number}"})
    everything = list(author.iter_pipelines(limit=2))
    assert len(everything) >= 4
    assert len({pipeline["uuid"] for pipeline in everything}) == len(everything)
    page = author.pipelines(limit=1)
    assert len(page.pipelines) == 1
    assert author.pipelines(limit=1, after=page.next).pipelines != page.pipelines


def test_an_incomplete_pipeline_names_its_fields(author: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        author.create_pipeline({"id": "x"})
    assert "json.components" in caught.value.detail["fields"]


def test_unknown_pipeline(author: Any) -> None:
    for uuid in ("", "..", "x" * 5000, "10650844-0000-5000-8000-000000000000"):
        with pytest.raises(UnknownPipeline):
            author.pipeline(uuid)


def test_a_job_from_its_creation_to_its_end(author: Any, own_client: Any, job: Any) -> None:
    assert (job.state, job.sequence, job.data["case"] != "") == ("CREATED", 1, True)
    assert job.token not in repr(job)
    started = own_client.send(job.uuid, "run")
    assert (started.state, started.sequence, started.token) == ("RUNNING", 2, job.token)
    own_client.send(job.uuid, "update", {"lines": 12, "ratio": 0.5, "none": None, "text": "ä\U0001f680"})
    ended = own_client.send(job.uuid, "finish", ["a", 1])
    assert (ended.state, ended.last_event, ended.sequence) == ("FINISHED", "finish", 4)
    read = author.job(job.uuid)
    assert (read.state, read.data, read.token) == ("FINISHED", job.data, None)
    events = list(own_client.iter_history(job.uuid))
    assert [event.name for event in events] == ["create", "run", "update", "finish"]
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert events[2].data == {"lines": 12, "ratio": 0.5, "none": None, "text": "ä\U0001f680"}
    assert events[1].data is None
    assert events[0].at.tzinfo is not None
    checked = own_client.verify(job.uuid)
    assert (checked.events, checked.intact, checked.broken_at) == (4, True, None)


def test_the_same_parameters_give_the_same_job(author: Any, make: Any, served: Any, job: Any) -> None:
    again = author.create_job(job.pipeline_uuid, job.data)
    assert (again.uuid, again.token) == (job.uuid, job.token)
    other = make(served.url)
    other.login(served.other, served.password)
    with pytest.raises(JobExists):
        other.create_job(job.pipeline_uuid, job.data)
    with pytest.raises(InvalidInput):
        author.create_job("10650844-0000-5000-8000-000000000000", {})
    with pytest.raises(InvalidInput):
        author.create_job(job.pipeline_uuid, [1])
    with pytest.raises(InvalidInput):
        author.create_job(job.pipeline_uuid, {}, child_of=job.uuid)


def test_all_parameters_of_a_job_arrive(author: Any, job: Any) -> None:
    made = author.create_job(
        job.pipeline_uuid,
        msgspec.Raw(b'{"seed": 12345678901234567890123}'),
        child_of=[job.uuid],
        lifecycle="compute",
        archive_path="/archive/x",
        session="sly-fox",
    )
    read = author.job(made.uuid)
    assert (read.lifecycle, read.state, read.session, read.archive_path) == (
        "compute",
        "waiting",
        "sly-fox",
        "/archive/x",
    )
    assert (read.child_of, read.data) == ([job.uuid], {"seed": 12345678901234567890123})
    assert (read.generated_by, read.acted_on, read.attributes) == ([job.pipeline_uuid], [], {})


def test_what_a_job_says_of_itself_arrives_and_finds_it(author: Any, job: Any) -> None:
    sample, file = "103246e1-bcdf-5b6e-a8dc-4c7e81b91141", "105c8890-9532-5b42-b26d-732247749291"
    own = f"107{uuid4().hex[3:8]}-b251-5a5f-bec1-6d7f77131f3f"
    given = {
        "child_of": [sample],
        "generated_by": [job.uuid],
        "acted_on": (file, sample),
        "acted_using": [],
        "archive_system": "lab",
        "archive_patterns": [".json$", {"patterns": ["a"], "level": "1"}],
        "product_patterns": ({"patterns": [], "derived_from": [file]},),
        "attributes": {"agent": "nightly", "n": 1.5},
    }
    made = author.create_job(job.pipeline_uuid, {"n": 1}, uuid=own, **given)
    read = author.job(own)
    assert made.uuid == own
    for name, value in given.items():
        expected = list(value) if isinstance(value, tuple) else value
        assert getattr(read, name) == getattr(made, name) == expected, name
    listed = list(author.iter_jobs(child_of=sample, acted_on=file, generated_by=job.uuid, limit=1))
    assert [found.uuid for found in listed] == [own]
    assert (listed[0].data, listed[0].generated_by, listed[0].child_of) == (None, None, [sample])
    assert author.jobs(acted_using="nothing of that name").jobs == []
    with pytest.raises(JobExists):
        author.create_job(job.pipeline_uuid, {"n": 2}, uuid=own, **given)
    for wrong in (
        {"acted_on": file},
        {"generated_by": ["sample.7"]},
        {"archive_patterns": [1]},
        {"attributes": {"x": {1, 2}}},
        {"uuid": file},
        {"archive_system": "a b"},
    ):
        with pytest.raises(InvalidInput) as caught:
            author.create_job(job.pipeline_uuid, {"n": 3}, **wrong)
        assert any(field.startswith(f"json.{name}") for name in wrong for field in caught.value.detail["fields"])


def test_a_job_is_canceled_before_it_begins_and_not_later(author: Any, own_client: Any, job: Any) -> None:
    other = author.create_job(job.pipeline_uuid, {"another": job.uuid})
    author.cancel_job(other.uuid)
    with pytest.raises(UnknownJob):
        author.job(other.uuid)
    own_client.send(job.uuid, "run")
    with pytest.raises(Conflict, match='Send a "fail" event instead'):
        own_client.cancel_job(job.uuid)
    with pytest.raises(Denied):
        own_client.reset_job(job.uuid)
    with pytest.raises(InvalidInput):
        own_client.reset_job(job.uuid, idempotency_key="a b")
    assert author.job(job.uuid).state == "RUNNING"


def test_numbers_beyond_int_and_float_can_be_read(own_client: Any, job: Any) -> None:
    own_client.send(job.uuid, "update", msgspec.Raw(b"[" + b"7" * 5000 + b", 1e400, " + b"8" * 400 + b"]"))
    long, huge, exact = list(own_client.iter_history(job.uuid))[-1].data
    assert str(long) == "7" * 5000
    assert huge == float("inf")
    assert exact == int("8" * 400)


def test_jobs_are_listed_by_state_page_by_page(author: Any, job: Any) -> None:
    made = {author.create_job(job.pipeline_uuid, {"page": number}).uuid for number in range(5)}
    listed = [found.uuid for found in author.iter_jobs(pipeline_uuid=job.pipeline_uuid, limit=2)]
    assert made | {job.uuid} <= set(listed)
    assert len(set(listed)) == len(listed)
    author.send(job.uuid, "run")
    assert job.uuid in {found.uuid for found in author.iter_jobs(state="RUNNING")}
    assert job.uuid not in {found.uuid for found in author.iter_jobs(state="CREATED")}
    assert author.jobs(limit=1).next is not None
    for wrong in ({"limit": 0}, {"limit": 1001}, {"state": "\ud800"}, {"after": "x" * 2000}):
        with pytest.raises(InvalidInput):
            author.jobs(**wrong)


def test_history_goes_page_by_page(own_client: Any, job: Any) -> None:
    for number in range(7):
        own_client.send(job.uuid, "update", number)
    assert [event.data for event in own_client.iter_history(job.uuid, after=1, limit=3)] == list(range(7))
    page = own_client.history(job.uuid, after=2, limit=3)
    assert ([event.sequence for event in page.events], page.next) == ([3, 4, 5], 5)
    with pytest.raises(InvalidInput):
        own_client.history(job.uuid, after=-1)


def test_watch_ends_where_the_job_rests(own_client: Any, job: Any, served: Any, make: Any) -> None:
    slept: list[float] = []
    watcher = make(served.url, job.token, slept=slept)
    names = []
    for event in watcher.watch(job.uuid, interval_seconds=0.3):
        names.append(event.name)
        if event.name == "create":
            own_client.send(job.uuid, "run")
        elif event.name == "run":
            own_client.send(job.uuid, "finish")
    assert names == ["create", "run", "finish"]
    assert list(watcher.watch(job.uuid, after=3)) == []  # it rests already
    assert all(seconds <= 0.3 for seconds in slept)
    with pytest.raises(InvalidInput):
        next(iter(watcher.watch(job.uuid, interval_seconds=0)))


def test_watch_waits_longer_while_nothing_happens(job: Any, served: Any, make: Any) -> None:
    class EnoughError(Exception):
        """Ends the watch."""

    class Slept(list[float]):
        def append(self, seconds: float) -> None:
            super().append(seconds)
            if len(self) == 6:
                raise EnoughError

    slept = Slept()
    watcher = make(served.url, job.token, slept=slept)
    with pytest.raises(EnoughError):
        list(watcher.watch(job.uuid, until=(), interval_seconds=1))
    assert slept == [0.25, 0.375, 0.5625, 0.84375, 1, 1]


def test_an_event_that_is_not_legal_names_those_that_are(own_client: Any, job: Any) -> None:
    with pytest.raises(IllegalTransition) as caught:
        own_client.send(job.uuid, "finish")
    assert (caught.value.detail["state"], "run" in caught.value.detail["legal"]) == ("CREATED", True)
    with pytest.raises(UnknownEvent):
        own_client.send(job.uuid, "RUN")
    with pytest.raises(Denied) as denied:
        own_client.send(job.uuid, "reset")
    assert denied.value.detail["reasons"]
    assert own_client.job(job.uuid).sequence == 1


def test_what_is_not_this_jobs_is_unknown(own_client: Any, author: Any, job: Any) -> None:
    another = author.create_job(job.pipeline_uuid, {"another": job.uuid})
    for uuid in (another.uuid, "10700000-0000-5000-8000-000000000000", "no uuid", "", ".", "..", "a/b", "x" * 5000):
        with pytest.raises(UnknownJob):
            own_client.send(uuid, "run")
        with pytest.raises(UnknownJob):
            own_client.job(uuid)
    assert author.job(another.uuid).sequence == 1


def test_an_idempotency_key_makes_one_event_of_two(own_client: Any, job: Any) -> None:
    first = own_client.send(job.uuid, "update", 1, idempotency_key="one")
    again = own_client.send(job.uuid, "update", 1, idempotency_key="one")
    assert (again.sequence, again.event_uuid) == (first.sequence, first.event_uuid)
    with pytest.raises(IdempotencyConflict):
        own_client.send(job.uuid, "update", 2, idempotency_key="one")
    # Without a key each call is an event of its own.
    assert own_client.send(job.uuid, "update", 1).sequence == 3
    assert own_client.send(job.uuid, "update", 1).sequence == 4
    for key in ("", "ä", "a b", "x" * 256, "a\r\nX-Other: b"):
        with pytest.raises(InvalidInput):
            own_client.send(job.uuid, "update", idempotency_key=key)


def test_what_is_not_json_is_refused_here(own_client: Any, job: Any) -> None:
    circle: list[Any] = []
    circle.append(circle)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (float("nan"), float("inf"), {1, 2}, b"x", datetime.now(UTC), circle, deep, {(1, 2): 3}, object()):
        with pytest.raises(InvalidInput) as caught:
            own_client.send(job.uuid, "update", value)
        assert "json.data" in caught.value.detail["fields"]
    with pytest.raises(InvalidInput):
        own_client.send(job.uuid, "up\ud800date")
    assert own_client.job(job.uuid).sequence == 1


def test_bodies_too_large_are_told_as_such(own_client: Any, job: Any) -> None:
    with pytest.raises(TooLarge) as caught:
        own_client.send(job.uuid, "update", "x" * (1024 * 1024))
    assert caught.value.detail["limit_bytes"] == 1024 * 1024
    assert own_client.send(job.uuid, "update", "small").sequence == 2


def test_attenuate_can_only_take_away(own_client: Any, make: Any, served: Any, job: Any) -> None:
    narrow = make(served.url, own_client.attenuate(expires_in_seconds=60, events=["update"], jobs=[job.uuid]))
    answer = narrow.send(job.uuid, "update")
    assert answer.token == narrow.token  # what was attenuated stays attenuated
    with pytest.raises(Denied):
        narrow.send(job.uuid, "run")
    wide_again = make(served.url, narrow.attenuate(events=["update", "run"]))
    with pytest.raises(Denied):
        wide_again.send(job.uuid, "run")
    for limits in ({"cidr": ["10.0.0.0/8"]}, {"actions": ["jobs.event"]}, {"jobs": ["another"]}, {"actions": []}):
        outside = make(served.url, own_client.attenuate(**limits))
        with pytest.raises((Denied, UnknownJob)):
            outside.job(job.uuid)
    running = make(served.url, own_client.attenuate(states={"RUNNING": ["update"]}))
    with pytest.raises(Denied):
        running.send(job.uuid, "update")
    own_client.send(job.uuid, "run")
    assert running.send(job.uuid, "update").state == "RUNNING"
    expired = make(served.url, own_client.attenuate(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    with pytest.raises(InvalidToken) as caught:
        expired.job(job.uuid)
    assert not isinstance(caught.value, ExpiredToken)  # the reason goes to the audit only


def test_attenuate_refuses_what_makes_no_sense(own_client: Any, make: Any, served: Any) -> None:
    for limits in (
        {},
        {"events": "update"},
        {"events": [1]},
        {"states": {"RUNNING": "update"}},
        {"cidr": ["10.0.0.1/8"]},
        {"expires_in_seconds": 0},
        {"expires_in_seconds": float("nan")},
        {"expires_in_seconds": 1e30},
        {"expires_at": datetime(2030, 1, 1)},  # noqa: DTZ001 - without a zone on purpose
    ):
        with pytest.raises(InvalidInput):
            own_client.attenuate(**limits)
    with pytest.raises(InvalidToken):
        own_client.attenuate(token="no token", events=[])
    with pytest.raises(MissingToken):
        make(served.url).attenuate(events=[])


def test_results_have_what_the_wire_has() -> None:
    assert Job.__struct_fields__ == JobAnswer.__struct_fields__
    assert Event.__struct_fields__ == HistoryEntry.__struct_fields__
    for told, sent in (
        (ComputeStatus, JobStatus),
        (ComputeResult, JobResult),
        (ComputeData, JobData),
        (PlatformDetails, Processor),
        (Platform, PlatformAnswer),
        (AuditEntry, AuditAnswer),
        (Introspection, IntrospectionAnswer),
    ):
        assert set(told.__struct_fields__) <= set(sent.__struct_fields__), told


def test_resting_states_are_states_of_the_standard_lifecycles() -> None:
    states = {state.name for lifecycle in (PIPELINE, COMPUTE) for state in lifecycle.states}
    assert states >= RESTING_STATES
    assert PIPELINE.final | COMPUTE.final <= RESTING_STATES
    assert not RESTING_STATES & {PIPELINE.initial, COMPUTE.initial, "RUNNING", "running"}
