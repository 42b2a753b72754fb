"""Jobs, against a server process, with a worker that asks it for work."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from jobpass import Client, errors
from steps.api.cloud_objects.cloud_base import TokenType
from steps.api.cloud_objects.cloud_job import Job
from steps.api.cloud_objects.cloud_platform import Platform
from steps.api.cloud_objects.cloud_token import ApiKey, JobToken
from steps.api.cloud_objects.cloud_user import User
from support.cloud import Cloud

PAYLOAD = {"command": "probs", "max_shots": 100, "job_context": None}
RESULTS = '{"results": {"|1,0>": 0.5}}'
_numbers = count()


@pytest.fixture
def platform(cloud: Cloud) -> str:
    """The name of a platform of the test's own."""
    platform = Platform(f"sim:jobs{next(_numbers)}", max_shots=1000)
    platform.create(cloud.context, cloud.admin())
    return platform.name


@pytest.fixture
def worker(cloud: Cloud) -> Client:
    """The cloud as a worker sees it."""
    admin = cloud.admin()
    ApiKey().create(cloud.context, admin)
    return cloud.context.client(admin.get_token(TokenType.API_Key))


@pytest.fixture
def user(cloud: Cloud) -> User:
    """A user with a job token."""
    user = cloud.user()
    JobToken(label="programs").create(cloud.context, user)
    return user


def made(cloud: Cloud, user: User, platform: str, **given: Any) -> Job:
    job = Job(**({"name": "one", "platform": platform, "payload": PAYLOAD} | given))
    job.create(cloud.context, user)
    return job


def test_a_job_goes_from_the_queue_to_its_results(cloud: Cloud, user: User, platform: str, worker: Client) -> None:
    job = made(cloud, user, platform, group="both", max_duration=60)
    assert (job.state, len(job.job_id)) == ("waiting", 36)
    told = job.read(cloud.context, user)
    assert (told["job_id"], told["payload"], told["token_label"]) == (job.job_id, PAYLOAD, "programs")
    assert (told["job_group_name"], told["max_duration"], told["platform_name"]) == ("both", 60, platform)
    assert job.result(cloud.context, user)["results"] is None
    leased = worker.next_job("w1", [platform], wait_seconds=5)
    assert leased is not None
    assert leased.job_id == job.job_id
    assert (job.status(cloud.context, user)["status"], job.state) == ("running", "running")
    worker.complete_job(leased, RESULTS.encode(), results_type="probs", shots=100)
    status = job.status(cloud.context, user)
    assert (status["status"], status["shots"], job.state) == ("completed", 100, "completed")
    result = job.result(cloud.context, user)
    assert (result["job_id"], result["results"], result["results_type"]) == (job.job_id, RESULTS, "probs")


def test_a_job_that_failed_has_no_results(cloud: Cloud, user: User, platform: str, worker: Client) -> None:
    job = made(cloud, user, platform)
    leased = worker.next_job("w1", [platform], wait_seconds=5)
    assert leased is not None
    worker.fail_job(leased, "too_large", "more photons than fit")
    status = job.status(cloud.context, user)
    assert (status["status"], status["failure_code"], job.state) == ("error", "too_large", "error")
    assert job.result(cloud.context, user)["results"] is None


def test_a_job_is_canceled_once(cloud: Cloud, user: User, platform: str, worker: Client) -> None:
    job = made(cloud, user, platform)
    job.cancel(cloud.context, user)
    assert job.status(cloud.context, user)["status"] == "canceled"
    assert worker.next_job("w1", [platform], wait_seconds=0) is None
    with pytest.raises(RuntimeError, match="Canceling job failed") as failed:
        job.cancel(cloud.context, user)
    assert isinstance(failed.value.__cause__, errors.Error)
    assert job.read(cloud.context, user)["status"] == job.state == "canceled"
    assert not hasattr(job, "delete")


def test_jobs_are_listed_for_their_owner_and_for_admins(cloud: Cloud, user: User, platform: str) -> None:
    other, admin = cloud.user(), cloud.admin()
    jobs = [made(cloud, user, platform, name=name) for name in ("one", "two")]
    foreign = made(cloud, other, platform, name="three")
    listed = Job.list_all(cloud.context, user)
    assert [(one.name, one.job_id, one.state) for one in listed] == [(job.name, job.job_id, "waiting") for job in jobs]
    assert [one.payload for one in listed] == [{}, {}]
    assert [one.job_id for one in Job.list_all(cloud.context, other)] == [foreign.job_id]
    JobToken().create(cloud.context, admin)  # a job token tells its owner's jobs alone; the log-in counts
    everybodys = [one.job_id for one in Job.list_all(cloud.context, admin)]
    assert {*(job.job_id for job in jobs), foreign.job_id} <= set(everybodys)


def test_jobs_of_others_are_not_there(cloud: Cloud, user: User, platform: str) -> None:
    job = made(cloud, user, platform)
    other = cloud.user()
    for do in (job.read, job.status, job.result, job.cancel):
        with pytest.raises(RuntimeError) as failed:
            do(cloud.context, other)
        assert isinstance(failed.value.__cause__, errors.NotFound)
    assert job.status(cloud.context, user)["status"] == "waiting"
    assert job.read(cloud.context, cloud.admin())["job_id"] == job.job_id


def test_wrong_calls_are_told_before_or_by_the_server(cloud: Cloud, user: User, platform: str) -> None:
    for do in (Job().read, Job().status, Job().result, Job().cancel):
        with pytest.raises(AssertionError, match="was not made"):
            do(cloud.context, user)
    for ask in (Job(name="x", platform=platform).create, Job(job_id="x").read):
        with pytest.raises(AssertionError, match="job token or login token"):
            ask(cloud.context, User())
    with pytest.raises(AssertionError, match="job token or login token"):
        Job.list_all(cloud.context, User())
    for given in (
        {"platform": "sim:none"},
        {"payload": {"max_shots": 1001}},
        {"max_duration": 0},
        {"payload": {"a": float("nan")}},
    ):
        job = Job(**({"name": "one", "platform": platform, "payload": PAYLOAD} | given))
        with pytest.raises(RuntimeError, match="Making job failed"):
            job.create(cloud.context, user)
        assert (job.job_id, job.state) == ("", "")
    user.login_token, user.job_tokens[0].token = None, "jp_job_forged"
    with pytest.raises(RuntimeError) as failed:
        made(cloud, user, platform)
    assert isinstance(failed.value.__cause__, errors.InvalidToken)
    assert "forged" not in str(failed.value)
