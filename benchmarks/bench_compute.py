"""Benchmark: compute jobs from their submission to their results, and what a long queue costs.

Over HTTP: a real server on SQLite (synchronous=FULL), a worker that does nothing with four slots and eight senders, all
on loopback. Requests are written by hand and kept on their connections, so that it is the server which is measured. The
queue's length is compared in this process, over two databases with 10 and 10,000 jobs that wait: a lease (given back
each time) and a status call, in turns, in CPU time, since the disk is another matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from argon2 import PasswordHasher
from msgspec.structs import replace

from benchmarks.common import Row, at_least, at_most
from jobpass.archives import FileArchives
from jobpass.authority.authority import Authority
from jobpass.authority.bearer import Bearer
from jobpass.authority.passwords import Passwords
from jobpass.authority.platforms import Draft
from jobpass.authority.submissions import Asked
from jobpass.clock import SystemClock
from jobpass.compose import init_data, open_authority
from jobpass.lifecycle.standard import STANDARD
from jobpass.records import Profile
from jobpass.stores.sqlite import SqliteStore
from jobpass.tokens.keyring import Keyring

PLATFORM = "sim:bench"
PAYLOAD = {"command": "nothing", "max_shots": 1}
JOB = json.dumps({"job_name": "n", "platform_name": PLATFORM, "payload": PAYLOAD}).encode()
ASKED = Asked(json.dumps(PAYLOAD).encode(), platform=PLATFORM)
RESULT = b'{"results":"nothing"}'
EMAIL, PASSWORD = "bench@example.org", "a password for the benchmark"
SLOTS = 4
SENDERS = 8
ALONE = 150
"""Calls whose time is looked at one by one."""
SECONDS = 4.0
TARGET_MS = 15.0
TARGET_RATE = 300.0
SHORT, LONG = 10, 10_000
TURNS, CYCLES = 15, 20
TARGET_RATIO = 1.25


def run(runs: int = 3) -> list[Row]:
    """Medians of the runs."""
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place:
        folder = Path(place)
        token, key = asyncio.run(_prepare(folder / "data"))
        with _server(folder / "data") as url:
            measured = [asyncio.run(_measure(url, token, key)) for _ in range(runs)]
        ratios = asyncio.run(_compare(folder, runs))
    alone = statistics.median(one[0] for one in measured)
    rate = statistics.median(one[1] for one in measured)
    return [
        at_most(
            "submit, wait and result of a job", alone * 1000, "ms", alone * 1000 / TARGET_MS, 1.0, "p50, one at a time"
        ),
        at_least("jobs done with four slots", rate, "jobs/s", rate / TARGET_RATE, 1.0, "client and worker on one core"),
        *(
            at_most(
                f"{name} with {LONG:,} waiting", value * 1e6, "µs CPU", ratio, TARGET_RATIO, f"beside {SHORT} waiting"
            )
            for name, (value, ratio) in ratios.items()
        ),
    ]


async def _prepare(folder: Path) -> tuple[str, str]:
    """An installation with a platform; a job token and an API key."""
    await init_data(folder, EMAIL, PASSWORD, environ={})
    async with open_authority(folder, environ={}) as authority:
        return (await _people(authority))[2:]


async def _people(authority: Authority) -> tuple[Bearer, Bearer, str, str]:
    """Who sends jobs and a worker, as bearers and as texts; the sender may have any number of jobs."""
    logged_in = await authority.accounts.login(EMAIL, PASSWORD)
    many = Profile(max_jobs_in_queue=1_000_000, max_concurrent_jobs=1_000_000)
    await authority._store.change_principal(logged_in.principal.id, lambda one: replace(one, profile=many))
    sender = await _bearer(authority, logged_in.token)
    await authority.platforms.create(sender, Draft(PLATFORM))
    issued = await authority.api_keys.create(sender)
    return sender, await _bearer(authority, issued.token), logged_in.token, issued.token


async def _bearer(authority: Authority, text: str) -> Bearer:
    return await authority.credentials.identify(authority.credentials.verify(text))


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "jobpass", "serve", "--data", str(folder), "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            yield json.loads(server.stdout.readline())["url"]
        finally:
            server.terminate()


class Connection:
    """One connection, on which requests follow each other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> Connection:
        host, _, port = url.removeprefix("http://").partition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def ask(self, method: str, path: str, token: str, body: bytes = b"") -> Any:
        """The JSON of a good answer."""
        kind = "content-type: application/json\r\n" if body else ""
        head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{kind}"
        self._writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
        if b" 200 " not in lines[0]:
            raise RuntimeError(f"{method} {path} was answered {lines[0]!r}")
        sizes = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
        return json.loads(await self._reader.readexactly(sizes[0]) if sizes else await self._chunks())

    async def _chunks(self) -> bytes:
        found = b""
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            found += (await self._reader.readexactly(size + 2))[:-2]
        await self._reader.readexactly(2)
        return found

    def close(self) -> None:
        self._writer.close()


async def _measure(url: str, token: str, key: str) -> tuple[float, float]:
    """Seconds of a lone job (the median), and jobs a second."""
    connections = [await Connection.open(url) for _ in range(SLOTS + SENDERS)]
    senders = connections[SLOTS:]
    slots = [asyncio.create_task(_work(one, key)) for one in connections[:SLOTS]]
    try:
        took = [await _one(senders[0], token) for _ in range(ALONE)]
        rate = await _rate(senders, token)
    finally:
        for slot in slots:
            slot.cancel()
        await asyncio.wait(slots)
        for connection in connections:
            connection.close()
    return statistics.median(took), rate


async def _work(connection: Connection, key: str) -> None:
    wanted = json.dumps({"worker_id": "w", "platforms": [PLATFORM], "wait_s": 5}).encode()
    while True:
        job = (await connection.ask("POST", "/api/workers/jobs/next", key, wanted))["job"]
        if job is not None:
            await connection.ask("POST", f"/api/workers/jobs/{job['job_id']}/complete", job["token"], RESULT)


async def _one(connection: Connection, token: str) -> float:
    started = time.perf_counter()
    job_id = (await connection.ask("POST", "/api/job", token, JOB))["job_id"]
    status = await connection.ask("GET", f"/api/job/status/{job_id}", token)
    result = await connection.ask("GET", f"/api/job/result/{job_id}", token)
    took = time.perf_counter() - started
    if status["status"] != "completed" or result["results"] != RESULT.decode():
        raise RuntimeError(f"the job is {status['status']}")
    return took


async def _rate(senders: list[Connection], token: str) -> float:
    """Jobs a second whose results were fetched, while some senders always wait for one."""
    done = 0
    until = time.perf_counter() + SECONDS

    async def send(connection: Connection) -> None:
        nonlocal done
        while time.perf_counter() < until:
            await _one(connection, token)
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(send(one) for one in senders))
    return done / (time.perf_counter() - started)


class Queue(NamedTuple):
    """An authority whose queue has some jobs, of one who sends and one who works."""

    authority: Authority
    sender: Bearer
    worker: Bearer
    waiting: int
    last: str


@contextlib.asynccontextmanager
async def _queue(path: Path, waiting: int) -> AsyncIterator[Queue]:
    keyring = Keyring.generate(secrets.token_bytes(4), secrets.token_bytes(32))
    passwords = Passwords(1, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    store = await SqliteStore.open(path)
    authority = Authority(
        store, keyring, STANDARD, passwords, SystemClock(), secrets.token_bytes, archives=FileArchives()
    )
    await authority.accounts.create(EMAIL, PASSWORD, "operator")
    sender, worker, *_ = await _people(authority)
    last = ""
    for start in range(0, waiting, 100):
        jobs = [authority.submissions.submit(sender, ASKED) for _ in range(min(100, waiting - start))]
        last = (await asyncio.gather(*jobs))[-1].uuid
    yield Queue(authority, sender, worker, waiting, last)
    await authority.close()


async def _compare(folder: Path, runs: int) -> dict[str, tuple[float, float]]:
    """What → (CPU seconds a call with the long queue, the ratio to the short one)."""
    ratios: dict[str, list[float]] = {"next lease": [], "status": []}
    values: dict[str, list[float]] = {"next lease": [], "status": []}
    async with _queue(folder / "short.sqlite", SHORT) as short, _queue(folder / "long.sqlite", LONG) as long:
        calls: dict[str, Any] = {"next lease": _lease, "status": _status}
        for _ in range(TURNS * runs):
            for name, call in calls.items():
                little, much = await _timed(call, short), await _timed(call, long)
                ratios[name].append(much / little)
                values[name].append(much / CYCLES)
    return {name: (statistics.median(values[name]), statistics.median(ratios[name])) for name in ratios}


async def _timed(call: Any, queue: Queue) -> float:
    started = time.process_time()
    for _ in range(CYCLES):
        await call(queue)
    took = time.process_time() - started
    await _fill_up(queue)
    return took


async def _fill_up(queue: Queue) -> None:
    """As many wait again as at first: one that was given back very often has failed."""
    found = await queue.authority.compute.availability(queue.sender)
    for _ in range(queue.waiting - found.num_jobs_in_queue):
        await queue.authority.submissions.submit(queue.sender, ASKED)


async def _lease(queue: Queue) -> None:
    workers = queue.authority.workers
    leased = await workers.next(queue.worker, "w", (PLATFORM,), 0)
    if leased is None:
        raise RuntimeError("nothing waits")
    await workers.requeue(await _bearer(queue.authority, leased.token), leased.job.uuid, "", counts=False)


async def _status(queue: Queue) -> None:
    await queue.authority.compute.status(queue.sender, queue.last)
