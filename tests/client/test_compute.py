"""Compute jobs and workers through both clients, against a real server."""

from __future__ import annotations

import secrets
import threading
from typing import Any, NamedTuple

import httpx2
import pytest
from msgspec import Raw

from jobpass.errors import (
    Conflict,
    IllegalTransition,
    InvalidInput,
    InvalidToken,
    NotFound,
    UnexpectedAnswer,
    UnknownJob,
)

RESULT = b'{"results": "\xc3\xbc\\n", "n": [1, 2]}'


class Yard(NamedTuple):
    """A platform of its own, who sends jobs there, and its worker."""

    platform: str
    author: Any
    worker: Any

    def submit(self, **more: Any) -> str:
        return self.author.submit(self.platform, {"command": "probs", "max_shots": 5}, name="n", **more)

    def lease(self) -> Any:
        job = self.worker.next_job("w1", [self.platform], wait_seconds=5)
        assert job is not None
        return job


@pytest.fixture
def yard(make: Any, served: Any, author: Any) -> Yard:
    operator = make(served.url)
    operator.login(served.operator, served.password)
    platform = f"sim:{secrets.token_hex(4)}"
    with httpx2.Client(base_url=served.url, headers={"authorization": f"Bearer {operator.token}"}) as http:
        http.post("/api/platforms", json={"name": platform}).raise_for_status()
        key = (
            http.post("/api/apikeys", json={"platforms": [platform], "label": platform})
            .raise_for_status()
            .json()["key"]
        )
    return Yard(platform, author, make(served.url, key))


def test_a_job_and_its_worker(yard: Yard) -> None:
    specs = {"available_commands": ["probs"], "architecture": None}
    assert yard.worker.heartbeat("w1", yard.platform, specs=specs, perfs={"g2 (%)": 1.0}) == 10
    details = yard.author.platform_details(yard.platform)
    assert (details.specs, details.perfs, details.status) == (specs, {"g2 (%)": 1.0}, "available")
    job_id = yard.submit(group="g", max_duration_seconds=60)
    job = yard.lease()
    assert (job.job_id, job.command, job.max_shots, job.max_duration) == (job_id, "probs", 5, 60)
    assert bytes(job.payload) == b'{"command":"probs","max_shots":5}'
    assert job.token not in repr(job)
    told = yard.worker.report_progress(job, progress=0.5, message="half", intermediate={"a": 1})
    assert (told.status, told.cancel_requested, told.lease_s) == ("running", False, 30)
    assert yard.author.compute_status(job_id).last_intermediate_results == {"a": 1}
    assert yard.worker.complete_job(job, RESULT, results_type="probs", shots=5).status == "completed"
    result = yard.author.compute_result(job_id)
    assert (result.results, result.results_type, result.shots) == (RESULT.decode(), "probs", 5)
    data = yard.author.compute_data(job_id)
    assert (data.payload, data.job_group_name, data.attempts) == ({"command": "probs", "max_shots": 5}, "g", 1)
    with pytest.raises(IllegalTransition):
        yard.worker.complete_job(job, RESULT)
    assert yard.author.availability().max_jobs_in_queue == 50


def test_a_job_that_is_canceled_fails_or_is_given_back(yard: Yard) -> None:
    job_id = yard.submit()
    job = yard.lease()
    yard.author.cancel_compute(job_id)
    assert yard.worker.report_progress(job).cancel_requested
    assert yard.worker.canceled_job(job, b'{"part":1}').status == "canceled"
    assert yard.author.compute_result(job_id).results == '{"part":1}'
    with pytest.raises(Conflict):
        yard.author.cancel_compute(job_id)
    fresh = yard.author.rerun(job_id, name="again")
    job = yard.lease()
    assert (job.job_id, job.job_name) == (fresh, "again")
    assert yard.worker.requeue_job(job, "restarted", counts=False).status == "waiting"
    job = yard.lease()
    assert (job.job_id, job.attempt) == (fresh, 1)
    assert yard.worker.requeue_job(job, "stopping").status == "waiting"
    with pytest.raises(InvalidToken):
        yard.worker.report_progress(job)
    job = yard.lease()
    assert (job.job_id, job.attempt) == (fresh, 2)
    assert yard.worker.fail_job(job, "out_of_memory", "too large").status == "error"
    status = yard.author.compute_status(fresh)
    assert (status.status, status.failure_code, status.status_message) == ("error", "out_of_memory", "too large")
    assert yard.worker.next_job("w1", [yard.platform], wait_seconds=0) is None
    other = yard.author.rerun(fresh, payload=Raw(b'{"command": "x"}'))
    assert yard.author.compute_data(other).payload == {"command": "x"}


def test_results_are_told_and_the_next_job_taken_at_once(yard: Yard) -> None:
    ids = [yard.submit() for _ in range(2)]
    job = yard.lease()
    for bad in (b"", b"{", b'{}},"worker_id":"w2"', b"[]"):
        with pytest.raises(InvalidInput):
            yard.worker.complete_and_next(job, bad, "w1", [yard.platform])
    following = yard.worker.complete_and_next(job, RESULT, "w1", [yard.platform], results_type="probs", shots=5)
    assert following.job_id == ids[1]
    result = yard.author.compute_result(ids[0])
    assert (result.results, result.results_type, result.shots) == (RESULT.decode(), "probs", 5)
    with pytest.raises(IllegalTransition):
        yard.worker.complete_and_next(job, RESULT, "w1", [yard.platform])
    assert yard.worker.complete_and_next(following, RESULT, "w1", [yard.platform]) is None
    assert [yard.author.compute_status(one).status for one in ids] == ["completed"] * 2


def test_lists_go_through_every_page(yard: Yard) -> None:
    ids = [yard.submit(group=yard.platform) for _ in range(3)]
    found = [job.job_id for job in yard.author.iter_compute_jobs(platform=yard.platform, limit=2)]
    assert found == ids
    page = yard.author.compute_jobs(group=yard.platform, status="waiting", limit=2)
    assert [job.job_id for job in page.jobs] == ids[:2]
    assert page.next is not None


def test_events_come_as_they_happen(yard: Yard) -> None:
    job_id = yard.submit()

    def work() -> None:
        job = yard.lease()
        yard.worker.report_progress(job, progress=0.5)
        yard.worker.complete_job(job, RESULT)

    watched = yard.author.watch_compute(job_id)
    assert next(iter(watched)).name == "create"
    thread = threading.Thread(target=work)
    thread.start()
    assert [event.name for event in watched] == ["lease", "update", "complete"]
    thread.join()
    assert [event.name for event in yard.author.watch_compute(job_id, after=2)] == ["update", "complete"]
    assert list(yard.author.watch_compute(job_id, after=4)) == []


def test_the_same_key_is_the_same_job(yard: Yard) -> None:
    key = yard.platform
    assert yard.submit(idempotency_key=key) == yard.submit(idempotency_key=key) != yard.submit()


def test_what_cannot_be_is_not_sent(yard: Yard) -> None:
    with pytest.raises(InvalidInput):
        yard.author.submit(yard.platform, {"a": float("nan")})
    with pytest.raises(InvalidInput):
        yard.worker.next_job("w1", yard.platform)
    for bad in ("", "..", "a/b"):
        with pytest.raises(UnknownJob):
            yard.author.compute_status(bad)
        with pytest.raises(NotFound):
            yard.author.platform_details(bad)
    with pytest.raises(UnknownJob):
        yard.author.compute_status("1071269f-b251-4a5f-bec1-6d7f77131f3f")
    with pytest.raises(UnknownJob):
        list(yard.author.watch_compute("1071269f-b251-4a5f-bec1-6d7f77131f3f"))
    with pytest.raises(NotFound):
        yard.author.submit("sim:none", {})


def test_a_stream_that_breaks_off_is_an_error(make: Any, hostile: Any, play: Any) -> None:
    body = b'event: problem\ndata: {"code":"invalid_token"}\n\n'
    client = make(hostile.plays(play.answer(200, body, "Content-Type: text/event-stream")), "jp_job_x")
    with pytest.raises(UnexpectedAnswer, match="invalid_token"):
        list(client.watch_compute("1071269f-b251-4a5f-bec1-6d7f77131f3f"))
