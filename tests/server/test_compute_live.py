"""Compute jobs through real servers: streams that last, large results, processes that die."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from jobpass.clock import SystemClock
from jobpass.stores.sqlite.store import SqliteStore
from jobpass.tokens.keyring import Keyring
from support.process import Folder, make_folder, process
from support.site import make_site
from support.yard import JOB, PLATFORM, events_of, make_yard

MEBIBYTE = 1024 * 1024


class Queue:
    """A folder with a platform; who sends jobs and who takes them, over HTTP."""

    def __init__(self, folder: Folder, token: str, key: str) -> None:
        self.folder = folder
        self.token = token
        self.key = key

    def client(self, url: str, token: str | None = None, seconds: float = 30) -> httpx2.Client:
        headers = {"authorization": f"Bearer {token or self.token}"}
        return httpx2.Client(base_url=url, headers=headers, timeout=seconds)

    def submit(self, client: httpx2.Client, **changed: Any) -> str:
        answer = client.post("/api/job", json=JOB | changed)
        assert answer.status_code == 200, answer.text
        return answer.json()["job_id"]

    def lease(self, client: httpx2.Client, wait_s: float = 0) -> Any:
        wanted = {"worker_id": "w1", "platforms": [PLATFORM], "wait_s": wait_s}
        by_key = {"authorization": f"Bearer {self.key}"}
        answer = client.post("/api/workers/jobs/next", json=wanted, headers=by_key)
        return answer.raise_for_status().json()["job"]

    def complete(self, client: httpx2.Client, job: Any, text: bytes | Iterator[bytes]) -> httpx2.Response:
        path = f"/api/workers/jobs/{job['job_id']}/complete"
        by_lease = {"authorization": f"Bearer {job['token']}", "content-type": "application/json"}
        return client.post(path, content=text, headers=by_lease)


@pytest.fixture
async def queue(tmp_path: Path) -> Queue:
    folder = await make_folder(tmp_path)
    keyring = Keyring.parse((tmp_path / "keyring.json").read_text())
    site = make_site(await SqliteStore.open(tmp_path / "jobpass.sqlite"), SystemClock(), keyring)
    yard = await make_yard(site)
    await site.authority.close()
    return Queue(folder, yard.token, yard.key)


def test_a_synchronous_call_takes_no_longer_than_its_job(queue: Queue) -> None:
    took = []
    with process(queue.folder) as (_, url), queue.client(url) as client, queue.client(url) as worker:

        def work() -> None:
            for _ in range(5):
                queue.complete(worker, queue.lease(worker, 10), b'{"a":1}')

        thread = threading.Thread(target=work)
        thread.start()
        for _ in range(5):
            started = time.perf_counter()
            job_id = queue.submit(client)
            assert client.get(f"/api/job/status/{job_id}").json()["status"] == "completed"
            assert client.get(f"/api/job/result/{job_id}").json()["results"] == '{"a":1}'
            took.append(time.perf_counter() - started)
        thread.join()
    assert min(took) < 0.15, took
    assert max(took) < 2, took


def test_a_large_result_goes_through_without_staying(queue: Queue) -> None:
    text = b'{"results":"' + b"0123456789abcdef" * (40 * MEBIBYTE // 16) + b'"}'

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(text), 100_000):
            yield text[start : start + 100_000]

    with process(queue.folder) as (server, url), queue.client(url) as client:
        peaks = []
        for content in (text, text, text, pieces()):  # after two of them the database's cache of pages is full
            job = _next(queue, client)
            assert queue.complete(client, job, content).status_code == 200
            with client.stream("GET", f"/api/job/result/{job['job_id']}") as answer:
                got = b"".join(answer.iter_bytes())
            assert json.loads(got)["results"].encode() == text
            peaks.append(_peak(server.pid))
        assert peaks[-1] - peaks[1] < 8 * MEBIBYTE
        too_large = b'{"results":"' + b"x" * (65 * MEBIBYTE) + b'"}'
        job = _next(queue, client)
        with pytest.raises(httpx2.HTTPError):  # refused on the way: more than the server reads for a client's sake
            queue.complete(client, job, too_large).raise_for_status()
        assert client.get(f"/api/jobs/{job['job_id']}/status").json()["status"] == "running"


def test_a_stream_of_events_tells_at_once_and_ends_with_the_job(queue: Queue) -> None:
    with process(queue.folder) as (_, url), queue.client(url) as client:
        job_id = queue.submit(client)
        heard: list[tuple[str, float]] = []

        def listen() -> None:
            with queue.client(url) as mine, mine.stream("GET", f"/api/jobs/{job_id}/events") as answer:
                lines = (line for line in answer.iter_lines() if line.startswith("event: "))
                heard.extend((line.removeprefix("event: "), time.perf_counter()) for line in lines)

        listener = threading.Thread(target=listen)
        listener.start()
        time.sleep(0.3)
        job = queue.lease(client)
        leased_at = time.perf_counter()
        queue.complete(client, job, b'{"a":1}')
        ended_at = time.perf_counter()
        listener.join(5)
        assert [name for name, _ in heard] == ["create", "lease", "complete", "end"]
        assert heard[1][1] - leased_at < 0.5
        assert heard[2][1] - ended_at < 0.5


def test_who_leaves_a_stream_is_not_listened_for(queue: Queue) -> None:
    """More leave than may listen at once, and another one is heard all the same."""
    with process(queue.folder) as (_, url), queue.client(url) as client:
        job_id = queue.submit(client)
        for _ in range(40):
            with queue.client(url) as mine, mine.stream("GET", f"/api/jobs/{job_id}/events") as answer:
                assert answer.status_code == 200
                next(answer.iter_lines())
        client.post(f"/api/jobs/{job_id}/cancel").raise_for_status()
        assert [name for name, _ in events_of(client.get(f"/api/jobs/{job_id}/events").content)][-1] == "end"


def test_no_more_listen_than_may(queue: Queue) -> None:
    with process(queue.folder) as (_, url), queue.client(url) as client:
        job_id = queue.submit(client)
        streams = [
            client.send(client.build_request("GET", f"/api/jobs/{job_id}/events"), stream=True) for _ in range(33)
        ]
        assert sorted(answer.status_code for answer in streams) == [200] * 32 + [429]
        for answer in streams:
            answer.close()


def test_what_was_acknowledged_survives_a_server_that_is_killed(queue: Queue) -> None:
    with process(queue.folder) as (server, url), queue.client(url) as client:
        ids = [queue.submit(client) for _ in range(6)]
        done, lost = queue.lease(client), queue.lease(client)
        queue.complete(client, done, b'{"kept":1}')
        stop = threading.Event()
        more: list[str] = []

        def hammer() -> None:
            with queue.client(url) as mine:
                while not stop.is_set():
                    try:
                        more.append(mine.post("/api/job", json=JOB).json()["job_id"])
                    except (httpx2.HTTPError, KeyError, ValueError):
                        return

        thread = threading.Thread(target=hammer)
        thread.start()
        time.sleep(0.2)
        server.send_signal(signal.SIGKILL)
        server.wait()
        stop.set()
        thread.join()
    with process(queue.folder) as (_, url), queue.client(url) as client:
        found = {job["job_id"]: job for job in client.get("/api/jobs?limit=1000").json()["jobs"]}
        assert {*ids, *more} <= set(found)
        assert client.get(f"/api/job/result/{done['job_id']}").json()["results"] == '{"kept":1}'
        assert found[lost["job_id"]]["status"] == "running"
        assert queue.complete(client, lost, b'{"late":1}').status_code == 200  # the lease stands in the record
        for job_id in ids:
            verified = client.get(f"/api/pipelinejobs/{job_id}/verify").json()
            assert verified["intact"] is True


def test_two_servers_on_one_file_wake_each_other(queue: Queue) -> None:
    """A worker waits at one, the job is sent to the other."""
    with (
        process(queue.folder) as (_, one),
        process(queue.folder) as (_, two),
        queue.client(one) as at_one,
        queue.client(two) as client,
    ):
        leased: list[Any] = []
        worker = threading.Thread(target=lambda: leased.append((queue.lease(at_one, 10), time.perf_counter())))
        worker.start()
        time.sleep(0.3)
        started = time.perf_counter()
        job_id = queue.submit(client)
        worker.join(10)
        assert leased[0][0]["job_id"] == job_id
        assert leased[0][1] - started < 0.5


def test_a_server_that_stops_lets_go_of_who_waits(queue: Queue) -> None:
    heard: list[str] = []
    taken: list[Any] = []
    with process(queue.folder) as (server, url), queue.client(url) as client, queue.client(url) as worker:
        held = queue.submit(client)
        job = queue.lease(worker)
        assert job["job_id"] == held

        def listen() -> None:
            with queue.client(url) as mine, mine.stream("GET", f"/api/jobs/{held}/events") as answer:
                heard.extend(line for line in answer.iter_lines() if line.startswith("event: "))

        threads = [
            threading.Thread(target=listen),
            threading.Thread(target=lambda: taken.append(queue.lease(worker, 25))),
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        started = time.perf_counter()
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=20) == 0
        assert time.perf_counter() - started < 10
        for thread in threads:
            thread.join(5)
    assert heard == ["event: create", "event: lease", "event: problem"]
    assert taken == [None]


def _next(queue: Queue, client: httpx2.Client) -> Any:
    queue.submit(client)
    return queue.lease(client)


def _peak(pid: int) -> int:
    """The most memory that the process ever had, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
