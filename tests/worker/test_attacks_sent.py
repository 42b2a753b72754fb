"""What jobs do that mean harm, from their submission to a real server to their end by a real worker: each is an error,
and the worker goes on.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.job_cloud import PLATFORM, Cloud, Worker
from support.jobs import marked, new_mark
from support.real_client import serving_process


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with serving_process(tmp_path_factory.mktemp("cloud")) as made:
        yield made


@pytest.fixture(scope="module")
def worker(cloud: Cloud) -> Iterator[Worker]:
    """A worker whose jobs do the harm that their payloads name."""
    with cloud.worker("--processes", "32", "--tmp", "16", function="sent.attack") as started:
        assert started.said, started.log
        yield started
        assert started.stop() == 0, started.log


def attack(cloud: Cloud, name: str, given: Any = None, seconds: int = 20) -> Any:
    """What the job brought, or how it stands if it brought nothing."""
    payload = {"command": "run", "max_shots": 1, "attack": name, "with": given}
    job = cloud.ann.submit(PLATFORM, payload, name="a job", max_duration_seconds=seconds)
    ends_at = time.monotonic() + 60
    while (status := cloud.ann.compute_status(job)).status not in ("completed", "canceled", "error"):
        assert time.monotonic() < ends_at, status
    assert cloud.ann.verify(job).intact
    results = cloud.ann.compute_result(job).results
    return status if results is None else json.loads(results)


def as_before(worker: Worker, cloud: Cloud) -> bool:
    """Whether the worker is the same process and does what it is asked for."""
    return attack(cloud, "echo", "well") == {"payload": "well"} and worker.process.poll() is None


@pytest.mark.parametrize("name", ["endless_loop", "fork_bomb", "stay_with_daemons"])
def test_what_does_not_end_is_ended_with_all_that_it_made(name: str, worker: Worker, cloud: Cloud) -> None:
    mark = new_mark()
    status = attack(cloud, name, mark, seconds=1)
    assert (status.status, status.failure_code) == ("error", "time_limit")
    assert marked(mark) == []
    assert as_before(worker, cloud)


@pytest.mark.parametrize(
    ("name", "given", "code"),
    [
        ("huge_result", 70 * 2**20, "result"),
        ("deep_result", None, "result"),
        ("say_garbage", None, "result"),
        ("say_huge", [4, 4_000_000_000], "result"),
        ("huge_progress", None, "time_limit"),
        ("growing_memory", None, "memory_limit"),
        ("full_disk", None, "runner"),
        ("thread_bomb", None, "runner"),
        ("crash", None, "killed"),
        ("raise_unspeakable", None, "runner"),
        ("new_namespaces", None, "runner"),
    ],
)
def test_it_ends_as_an_error(name: str, given: Any, code: str, worker: Worker, cloud: Cloud) -> None:
    status = attack(cloud, name, given, seconds=2 if code == "time_limit" else 20)
    assert (status.status, status.failure_code) == ("error", code), status
    assert len(status.status_message) <= 2000
    assert as_before(worker, cloud)


def test_it_reads_neither_the_workers_key_nor_its_environment(worker: Worker, cloud: Cloud) -> None:
    key = cloud.key_file.read_text().strip()
    found = attack(cloud, "scavenge", key[::-1])
    assert found["found"] == []
    assert found["read"] > 10  # so it did look
    for path in (str(cloud.key_file), f"/proc/{worker.process.pid}/environ", f"/proc/{os.getpid()}/environ"):
        status = attack(cloud, "read_file", path)
        assert (status.status, status.failure_code) == ("error", "runner"), path
        assert "No such file" in status.status_message or "Permission denied" in status.status_message


def test_it_reaches_no_network_not_even_the_server(worker: Worker, cloud: Cloud) -> None:
    status = attack(cloud, "connect", int(cloud.url.rpartition(":")[2]))
    assert (status.status, status.failure_code) == ("error", "runner")
