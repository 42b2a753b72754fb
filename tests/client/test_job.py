"""The job that a process works on, from the three variables."""

from __future__ import annotations

from typing import Any

import pytest

from jobpass.client.job import CurrentJob
from jobpass.errors import Denied, InvalidInput, MalformedToken, SetupError, UnknownJob


@pytest.fixture
def current(served: Any, job: Any) -> Any:
    environment = {"JOBPASS_URL": served.url, "JOBPASS_JOB": job.uuid, "JOBPASS_TOKEN": job.token, "HOME": "/"}
    with CurrentJob.from_environment(environment) as current:
        yield current


def test_missing_variables_are_named() -> None:
    for environment, missing in (
        ({}, ["JOBPASS_URL", "JOBPASS_JOB", "JOBPASS_TOKEN"]),
        ({"JOBPASS_URL": "http://localhost", "JOBPASS_JOB": ""}, ["JOBPASS_JOB", "JOBPASS_TOKEN"]),
    ):
        with pytest.raises(SetupError) as caught:
            CurrentJob.from_environment(environment)
        assert caught.value.detail["missing"] == missing
        assert all(name in caught.value.message for name in missing)


def test_variables_that_cannot_be_are_refused() -> None:
    good = {"JOBPASS_URL": "http://localhost", "JOBPASS_JOB": "x", "JOBPASS_TOKEN": "jp_doc_x"}
    with pytest.raises(InvalidInput):
        CurrentJob.from_environment(good | {"JOBPASS_URL": "http://example.org"})
    CurrentJob.from_environment(good | {"JOBPASS_URL": "http://example.org"}, allow_plain_http=True).close()
    with pytest.raises(MalformedToken):
        CurrentJob.from_environment(good | {"JOBPASS_TOKEN": "a\nb"})


def test_events_of_the_current_job(current: Any, job: Any) -> None:
    assert current.uuid == job.uuid
    assert current.state == "CREATED"
    current.send("run")
    assert current.state == "RUNNING"
    current.update("started")
    current.update(files=3)
    current.update({"files": 3}, lines=4)
    current.progress(0.4, "half way, nearly")
    current.progress(1)
    current.resource(cpu=2)
    current.resource(["disk"])
    events = list(current.client.iter_history(job.uuid, after=2))
    assert [(event.name, event.data) for event in events] == [
        ("update", "started"),
        ("update", {"files": 3}),
        ("update", {"files": 3, "lines": 4}),
        ("update", {"progress": 0.4, "message": "half way, nearly"}),
        ("update", {"progress": 1}),
        ("resource", {"cpu": 2}),
        ("resource", ["disk"]),
    ]
    with pytest.raises(InvalidInput):
        current.update([1], a=2)


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan"), float("inf")])
def test_progress_is_a_fraction(current: Any, fraction: float) -> None:
    with pytest.raises(InvalidInput):
        current.progress(fraction)
    assert current.client.job(current.uuid).sequence == 1


def test_what_is_handed_on_is_for_this_job_and_narrower(current: Any, served: Any, author: Any, job: Any) -> None:
    token = current.attenuate(expires_in_seconds=60, events=["update"])
    environment = {"JOBPASS_URL": served.url, "JOBPASS_JOB": job.uuid, "JOBPASS_TOKEN": token}
    with CurrentJob.from_environment(environment) as narrow:
        narrow.update(1)
        with pytest.raises(Denied):
            narrow.send("run")
    # An author's token, handed on by a job, opens that job alone.
    other = author.create_job(job.pipeline_uuid, {"other": job.uuid})
    with CurrentJob.from_environment(environment | {"JOBPASS_TOKEN": author.token}) as wide:
        handed = wide.attenuate(expires_in_seconds=60)
    environment |= {"JOBPASS_TOKEN": handed, "JOBPASS_JOB": other.uuid}
    with CurrentJob.from_environment(environment) as outside, pytest.raises((Denied, UnknownJob)):
        outside.update(1)


def test_repr_shows_no_token(current: Any, job: Any) -> None:
    assert job.uuid in repr(current)
    assert job.token not in repr(current)
    assert "jp_doc_…" in repr(current)
