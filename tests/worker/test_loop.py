"""``jobpass worker`` beside a real server: what is submitted is done, and nobody is left behind."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from jobpass.errors import Conflict
from support.job_cloud import PLATFORM, Cloud, Worker, clouding


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with clouding(tmp_path_factory.mktemp("cloud"), JOBPASS_LEASE_SECONDS="2") as made:
        yield made


def wait(cloud: Cloud, job: str, *words: str, seconds: float = 20) -> Any:
    """How the job stands once its status is one of the words."""
    words = words or ("completed", "canceled", "error")
    ends_at = time.monotonic() + seconds
    while True:
        status = cloud.ann.compute_status(job)
        if status.status in words:
            return status
        assert time.monotonic() < ends_at, status


def results(cloud: Cloud, job: str) -> Any:
    text = cloud.ann.compute_result(job).results
    return None if text is None else json.loads(text)


def submit(cloud: Cloud, payload: dict[str, Any], **more: Any) -> str:
    return cloud.ann.submit(PLATFORM, {"command": "run", "max_shots": 1} | payload, name="a job", **more)


def names(cloud: Cloud, job: str) -> list[str]:
    return [event.name for event in cloud.ann.iter_history(job)]


def eventually(true: Callable[[], bool], seconds: float = 10) -> None:
    ends_at = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends_at
        time.sleep(0.02)


def test_a_job_is_done_and_its_record_holds(cloud: Cloud) -> None:
    with cloud.worker(function="plain.echo") as worker:
        assert worker.ready["platform"] == PLATFORM
        job = submit(cloud, {"text": "ü"})
        assert wait(cloud, job).status == "completed"
        assert results(cloud, job) == {"payload": {"command": "run", "max_shots": 1, "text": "ü"}}
        assert names(cloud, job) == ["create", "lease", "complete"]
        assert cloud.ann.verify(job).intact
        assert worker.stop() == 0


def test_a_waiting_job_begins_within_fifty_milliseconds(cloud: Cloud) -> None:
    with cloud.worker(function="plain.echo"):
        took = []
        for n in range(7):
            job = submit(cloud, {"n": n})
            wait(cloud, job)
            events = {event.name: event.at for event in cloud.ann.iter_history(job)}
            took.append((events["lease"] - events["create"]).total_seconds())
        assert sorted(took)[3] < 0.05, took


def test_progress_is_told_and_a_job_that_is_canceled_stops(cloud: Cloud) -> None:
    with cloud.worker(function="plain.steps") as worker:
        job = submit(cloud, {"steps": 1000, "seconds": 0.05})
        wait(cloud, job, "running")
        eventually(lambda: cloud.ann.compute_status(job).progress > 0)
        assert cloud.ann.compute_status(job).progress_message.startswith("step ")
        started = time.monotonic()
        cloud.ann.cancel_compute(job)
        assert wait(cloud, job).status == "canceled"
        assert time.monotonic() - started < 4
        with pytest.raises(Conflict):
            cloud.ann.cancel_compute(job)
        assert worker.stop() == 0


def test_what_fails_says_why_and_what_takes_too_long_is_ended(cloud: Cloud) -> None:
    with cloud.worker(function="plain.raises"):
        status = wait(cloud, submit(cloud, {}))
        assert (status.status, status.failure_code) == ("error", "runner")
        assert "ValueError" in status.status_message
    with cloud.worker(function="plain.steps"):
        job = submit(cloud, {"steps": 100, "seconds": 1}, max_duration_seconds=1)
        status = wait(cloud, job)
        assert (status.status, status.failure_code) == ("error", "time_limit")
        assert results(cloud, job) is None


def test_a_worker_that_dies_gives_its_job_back_and_three_deaths_are_an_error(cloud: Cloud) -> None:
    job = submit(cloud, {"steps": 100, "seconds": 1})
    for attempt in (1, 2, 3):
        with cloud.worker(function="plain.steps") as worker:
            wait(cloud, job, "running")
            assert worker.stop(signal.SIGKILL) == -signal.SIGKILL
            status = wait(cloud, job, "waiting" if attempt < 3 else "error")
    assert status.failure_code == "worker_lost"
    assert names(cloud, job).count("lease") == 3
    assert cloud.ann.verify(job).intact


def test_another_worker_takes_what_the_dead_one_had(cloud: Cloud) -> None:
    with cloud.worker(function="plain.steps") as worker:
        job = submit(cloud, {"steps": 4, "seconds": 0.5})
        wait(cloud, job, "running")
        worker.stop(signal.SIGKILL)
    with cloud.worker(function="plain.steps"):
        assert wait(cloud, job).status == "completed"
    assert results(cloud, job) == {"results": "all"}


def test_a_worker_that_was_frozen_throws_its_late_result_away(cloud: Cloud) -> None:
    with cloud.worker(function="plain.steps") as frozen:
        job = submit(cloud, {"steps": 12, "seconds": 0.5})
        wait(cloud, job, "running")
        frozen.process.send_signal(signal.SIGSTOP)
        try:
            wait(cloud, job, "waiting")
            with cloud.worker(function="plain.echo"):
                assert wait(cloud, job).status == "completed"
        finally:
            frozen.process.send_signal(signal.SIGCONT)
        eventually(lambda: any("is not this worker's any more" in line or "not taken" in line for line in frozen.log))
        assert "payload" in results(cloud, job)
        assert names(cloud, job).count("complete") == 1


def test_sigterm_lets_what_runs_end_and_takes_no_more(cloud: Cloud) -> None:
    with cloud.worker(function="plain.steps") as worker:
        running = submit(cloud, {"steps": 12, "seconds": 0.4})
        wait(cloud, running, "running")
        worker.process.send_signal(signal.SIGTERM)
        later = submit(cloud, {"steps": 1, "seconds": 0.1})
        assert worker.process.wait(15) == 0
        assert cloud.ann.compute_status(running).status == "completed"
        assert cloud.ann.compute_status(later).status == "waiting"
        cloud.ann.cancel_compute(later)


def test_a_second_sigterm_gives_the_job_back_at_once(cloud: Cloud) -> None:
    with cloud.worker(function="plain.steps") as worker:
        job = submit(cloud, {"steps": 100, "seconds": 0.3})
        wait(cloud, job, "running")
        worker.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(15) == 0
        assert cloud.ann.compute_status(job).status == "waiting"
        assert names(cloud, job)[-1] == "requeue"
        assert cloud.ann.compute_data(job).attempts == 0  # it was not the job's fault
        cloud.ann.cancel_compute(job)


def reports(cloud: Cloud) -> dict[str, int]:
    """How often each route of workers' jobs was answered with 200."""
    headers = {"authorization": f"Bearer {cloud.operator.token}"}
    found = {}
    for line in httpx2.get(f"{cloud.url}/metrics", headers=headers).text.splitlines():
        if line.startswith("jobpass_requests_total{") and "/api/workers/jobs" in line and 'status="200"' in line:
            found[line.partition('route="')[2].partition('"')[0].rpartition("/")[2]] = int(float(line.split()[-1]))
    return found


def test_results_and_the_next_job_take_one_request_unless_the_results_are_large(cloud: Cloud) -> None:
    before = reports(cloud)
    small = [submit(cloud, {"n": n}) for n in range(5)]
    large = submit(cloud, {"text": "x" * 100_000})
    with cloud.worker(function="plain.echo") as worker:
        assert {wait(cloud, job).status for job in (*small, large)} == {"completed"}
        assert worker.stop() == 0
    assert results(cloud, large)["payload"]["text"] == "x" * 100_000
    after = reports(cloud)
    assert after["complete"] - before.get("complete", 0) == 1
    assert after["next"] - before["next"] in (6, 7)  # the last one waits in vain, or was not answered any more


def _starter(worker: Worker) -> int:
    """The process in which the worker has jobs started."""
    children = Path(f"/proc/{worker.process.pid}/task/{worker.process.pid}/children").read_text().split()
    (found,) = [pid for pid in children if b"jobpass.worker.warm" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return int(found)


def test_a_job_that_ends_what_starts_jobs_each_time_has_failed_after_the_third(cloud: Cloud) -> None:
    with cloud.worker(function="plain.steps") as worker:
        job = submit(cloud, {"steps": 1000, "seconds": 0.3})
        for number in range(1, 4):
            eventually(lambda number=number: names(cloud, job).count("lease") == number)  # type: ignore[misc]
            wait(cloud, job, "running")
            eventually(lambda: "update" in names(cloud, job)[-1:])
            os.kill(_starter(worker), signal.SIGKILL)
        status = wait(cloud, job)
        assert (status.status, status.failure_code) == ("error", "interrupted")
        assert names(cloud, job).count("requeue") == 2


def test_slots_work_side_by_side_and_several_workers_share(cloud: Cloud) -> None:
    with cloud.worker("--slots", "3", function="plain.steps"), cloud.worker(function="plain.steps"):
        started = time.monotonic()
        jobs = [submit(cloud, {"steps": 2, "seconds": 0.5}) for _ in range(4)]
        assert {wait(cloud, job).status for job in jobs} == {"completed"}
        assert time.monotonic() - started < 3.5


def test_the_command_runner(cloud: Cloud) -> None:
    with cloud.worker("--", "/bin/cat", runner="command"):
        job = submit(cloud, {"x": 1})
        assert wait(cloud, job).status == "completed"
        assert results(cloud, job)["x"] == 1


def test_a_wrong_key_a_wrong_platform_and_a_wrong_runner_are_told_at_once(cloud: Cloud, tmp_path: Path) -> None:
    bad = tmp_path / "bad.key"
    bad.write_text(cloud.token)
    for key, platform, runner, code in (
        (bad, PLATFORM, "python:plain:echo", 3),
        (cloud.key_file, "sim:absent", "python:plain:echo", 4),
        (cloud.key_file, PLATFORM, "python:plain:absent", 7),
        (tmp_path / "absent", PLATFORM, "python:plain:echo", 2),
    ):
        folder = Path(__file__).parent / "jobs"
        worker = Worker(cloud.url, key, "--runner", runner, "--path", str(folder), platform=platform)
        assert worker.said == ""
        assert worker.stop() == code, worker.log
        assert cloud.token not in "".join(worker.log)


def test_the_key_is_in_no_argument_and_in_no_environment(cloud: Cloud) -> None:
    with cloud.worker(function="plain.echo") as worker:
        key = cloud.key_file.read_text().strip()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            assert key.encode() not in told
        assert os.getpid() != worker.process.pid
        assert key not in "".join(worker.log)
