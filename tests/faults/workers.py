"""(g) Workers under load, killed at any moment or frozen for longer than a lease; jobs that no worker ever ends.

Before one server on a file, or two nodes before one PostgreSQL, of which workers have one each and clients both.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import cycle
from pathlib import Path

import msgspec

from faults.calls import Call, Entry, Log, canonical, write_histories
from faults.checker import Violation, check
from faults.hands import Hand
from faults.load import WAIT_SECONDS, entry
from faults.nodes import EMAIL, PASSWORD, Node, verify
from faults.postgres import cluster
from faults.trial import HISTORY_PAGE, Verdict
from faults.work import End, check_work, work_calls
from jobpass.client.aio import AsyncClient
from jobpass.lifecycle.standard import COMPUTE

PLATFORM = "sim:faults"
AUTHOR = "author@localhost"
PRIORITY = 3
HANDS, CLIENTS, OPEN_JOBS = 3, 3, 4
"""Workers, clients, and how many jobs of its own a client has at a time."""
LEASE_SECONDS = 1
FROZEN_SECONDS = LEASE_SECONDS + 1.5
WORK_SECONDS = (0.02, 0.25)
DOOMED_SECONDS = 600.0
"""What such a job takes: it ends when three workers were lost with it."""
READING = 16
"""Jobs that are read at a time in the end."""
LOOK_SECONDS = 0.05
"""Between two looks of a client at its jobs."""


class Cloud:
    """Nodes, workers and clients that send jobs and look at their histories until these have ended."""

    def __init__(
        self,
        folder: Path,
        nodes: Sequence[Node],
        store: Sequence[str],
        hands: Sequence[Hand],
        authors: Sequence[AsyncClient],
    ) -> None:
        self.nodes = nodes
        self.hands = hands
        self.back_seconds: list[float] = []
        self._folder = folder
        self._store = store
        self._authors = cycle(authors)
        self._log = Log(folder / "calls.jsonl")
        self._numbers: dict[str, int] = {}
        self._open: set[str] = set()
        self._histories: dict[str, list[Entry]] = {}
        self._submissions: list[Call] = []
        self._stopping = False
        self._reading = asyncio.Semaphore(READING)
        self._tasks: list[asyncio.Task[None]] = []
        self.doomed = ""

    @property
    def _author(self) -> AsyncClient:
        """Who asks: one call goes to one node, and the next to another."""
        return next(self._authors)

    async def begin(self) -> None:
        """Let the clients begin, and return when the first job has been done."""
        self.doomed = await self._submit("judge", DOOMED_SECONDS)
        for number in range(CLIENTS):
            self._tasks.append(asyncio.create_task(self._work(f"client-{number}", random.Random(number))))
        await self._until(lambda: len(self._open) < len(self._numbers) - 1)

    async def _work(self, client: str, choice: random.Random) -> None:
        mine: set[str] = set()
        while mine or not self._stopping:
            while len(mine) < OPEN_JOBS and not self._stopping:
                job = await self._submit(client, choice.uniform(*WORK_SECONDS))
                self._open.add(job)
                mine.add(job)
            for job in sorted(mine):
                if await self._look(client, job) in COMPUTE.final:
                    self._open.discard(job)
                    mine.discard(job)
            await asyncio.sleep(LOOK_SECONDS)

    async def _submit(self, client: str, seconds: float) -> str:
        number = len(self._submissions) + 1
        key = f"{client}-{number}"
        payload = canonical({"command": "run", "max_shots": 1, "number": number, "seconds": seconds}).encode()
        call = Call(
            client=client,
            job="",
            kind="send",
            invoked_at=time.monotonic(),
            returned_at=None,
            outcome="unknown",
            name="create",
            data=_first_data(key, payload),
            key=key,
            resent=True,
        )
        self._submissions.append(call)
        job = await self._author.submit(PLATFORM, msgspec.Raw(payload), name=key, idempotency_key=key)
        made = {"job": job, "returned_at": time.monotonic(), "outcome": "ok", "sequence": 1, "state": "waiting"}
        self._submissions[number - 1] = call = msgspec.structs.replace(call, **made)
        self._log.add(call)
        self._numbers[job] = number
        return job

    async def _look(self, client: str, job: str) -> str:
        """The state of a job; the look at its history is a call, too."""
        invoked = time.monotonic()
        page = await self._author.history(job)
        seen = tuple(map(entry, page.events))
        self._log.add(
            Call(
                client=client,
                job=job,
                kind="page",
                invoked_at=invoked,
                returned_at=time.monotonic(),
                outcome="ok",
                sequence=seen[-1].sequence,
                seen=seen,
                whole=page.next is None,
            )
        )
        self._histories[job] = list(seen)
        return seen[-1].state

    async def _until(self, holds: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                for task in self._tasks:
                    if task.done() and not self._stopping:
                        task.result()
                await asyncio.sleep(LOOK_SECONDS)

    async def hurt(self, harm: Callable[[], Awaitable[float]]) -> None:
        """Do something, and note how long it takes until every job that stood open then has ended."""
        standing = set(self._open)
        since = await harm()
        await self._until(lambda: not standing & self._open)
        self.back_seconds.append(time.monotonic() - since)

    async def holder(self) -> Hand | None:
        """The worker that has the doomed job, None if that is gone; another such job is sent if it has ended."""
        async with asyncio.timeout(WAIT_SECONDS):
            while (state := await self._look("judge", self.doomed)) != "running":
                if state in COMPUTE.final:
                    self.doomed = await self._submit("judge", DOOMED_SECONDS)
                await asyncio.sleep(LOOK_SECONDS)
        return self._holder()

    def _holder(self) -> Hand | None:
        last = self._histories[self.doomed][-1]
        name = msgspec.json.decode(last.data)["worker"] if last.name == "lease" else ""
        return next((hand for hand in self.hands if name == hand.name), None)

    async def end(self, fault: str) -> Verdict:
        """Stop the clients, kill whoever has the doomed job until that ends, read everything, and judge."""
        self._stopping = True
        async with asyncio.timeout(WAIT_SECONDS):
            await asyncio.gather(*self._tasks)
            while await self._look("judge", self.doomed) not in COMPUTE.final:
                if (hand := self._holder()) is not None:
                    await hand.kill()
                await asyncio.sleep(LOOK_SECONDS)
        found, ends = await self._read()
        await asyncio.gather(*(hand.kill() for hand in self.hands))
        await asyncio.gather(*(node.stop() for node in self.nodes))
        for call in work_calls(self._submissions, self._histories):
            self._log.add(call)
        self._log.close()
        write_histories(self._folder / "histories.jsonl", self._histories.items())
        broken = await verify(self.nodes[0].data, *self._store)
        found += await asyncio.to_thread(check, self._log.calls, self._histories, COMPUTE, broken)
        marks = {name: mark for hand in self.hands for name, mark in hand.marks.items()}
        found += check_work(ends, self._histories, marks)
        return self._verdict(fault, found, ends)

    async def _read(self) -> tuple[list[Violation], list[End]]:
        """All jobs that there are, each with its whole history, and how it stands."""
        there = [listed.job_id async for listed in self._author.iter_compute_jobs(limit=100)]
        unknown = [job for job in there if job not in self._numbers]
        found = [Violation("fabricated", job, "nobody sent this job") for job in unknown]
        ends = await asyncio.gather(*(self._end(job) for job in self._numbers))
        return found, ends

    async def _end(self, job: str) -> End:
        async with self._reading:
            events = self._author.iter_history(job, limit=HISTORY_PAGE)
            self._histories[job] = [entry(event) async for event in events]
            stands = await self._author.compute_status(job)
            results = (await self._author.compute_result(job)).results
        return End(job, self._numbers[job], stands.status, stands.failure_code, results)

    def _verdict(self, fault: str, found: list[Violation], ends: list[End]) -> Verdict:
        completed = sum(end.status == "completed" for end in ends)
        again = sum(one.name == "requeue" for history in self._histories.values() for one in history)
        return Verdict(
            fault=fault,
            times=len(self.back_seconds),
            calls=len(self._log.calls),
            acknowledged=sum(call.outcome == "ok" for call in self._submissions),
            unanswered=sum(call.outcome == "unknown" for call in self._submissions),
            events=sum(map(len, self._histories.values())),
            violations=found,
            back_seconds=self.back_seconds,
            note=f"{completed:,} jobs completed, {len(ends) - completed:,} lost three workers, {again:,} began again",
        )


def _first_data(name: str, payload: bytes) -> str:
    """What the first event of such a job says."""
    asked = {"platform": PLATFORM, "name": name, "command": "run", "max_shots": 1, "priority": PRIORITY}
    nothing = dict.fromkeys(("group", "max_samples", "iterations", "max_duration", "rerun_from"))
    digest = {"bytes": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}
    return canonical(asked | nothing | {"payload": digest})


@asynccontextmanager
async def cloud(folder: Path, *store: str, nodes: int = 1) -> AsyncIterator[Cloud]:
    """Nodes and workers of one platform, all of them ready; whatever happens, no process is left."""
    environ = {"JOBPASS_LEASE_SECONDS": str(LEASE_SECONDS)}
    made = [Node(folder / "data", folder / f"node{number}.log", *store, environ=environ) for number in range(nodes)]
    async with AsyncExitStack() as stack:
        for node in made:
            stack.push_async_callback(node.kill)
            await node.start()
        key_file = folder / "worker.key"
        key_file.touch(0o600)
        key_file.write_text(await _prepare(made[0]))
        authors = [await stack.enter_async_context(AsyncClient(node.url)) for node in made]
        for author in authors:
            await author.login(AUTHOR, PASSWORD)
        hands = [
            Hand(folder / f"worker{number}", made[number % nodes].url, key_file, PLATFORM) for number in range(HANDS)
        ]
        for hand in hands:
            stack.push_async_callback(hand.kill)
        await asyncio.gather(*(hand.start() for hand in hands))
        yield Cloud(folder, made, store, hands, authors)


async def _prepare(node: Node) -> str:
    """Make the platform, the account of the clients, and a key for workers, whose text is the answer."""
    async with AsyncClient(node.url) as operator:
        await operator.login(EMAIL, PASSWORD)
        await operator.create_platform(PLATFORM)
        await operator.create_user(
            AUTHOR, PASSWORD, priority=PRIORITY, max_jobs_in_queue=10_000, max_concurrent_jobs=1000
        )
        return str((await operator.create_api_key(label="workers")).key)


async def worker_kills(folder: Path, times: int) -> Verdict:
    """Workers of one server on a file."""
    async with cloud(folder) as made:
        return await _hurt(made, times, "workers killed or frozen, SQLite")


async def postgres_worker_kills(folder: Path, times: int) -> Verdict:
    """Workers of two nodes."""
    async with cluster(folder) as database, cloud(folder, "--store", database.url(), nodes=2) as made:
        return await _hurt(made, times, "workers killed or frozen, two nodes, PostgreSQL")


async def _hurt(made: Cloud, times: int, fault: str) -> Verdict:
    """One worker after the other is killed, in turn any one and the one that has a doomed job; each third is frozen."""
    chance = random.Random(13)
    await made.begin()
    for number in range(times):
        await asyncio.sleep(chance.uniform(0, 0.6))
        hand = chance.choice(made.hands)
        if number % 3 == 0:
            hand = await made.holder() or hand
        if number % 3 == 1:
            await made.hurt(lambda hand=hand: hand.freeze(FROZEN_SECONDS))
        else:
            await made.hurt(hand.kill_and_start)
    return await made.end(fault)
