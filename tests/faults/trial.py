"""A trial: a record, its nodes, clients at work, something that is done to them, and the verdict."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec import Struct

from faults.calls import Call, Entry, Log, canonical, write_histories
from faults.checker import Violation, check
from faults.load import PLANS, Load, Target, entry
from faults.nodes import EMAIL, PASSWORD, Node, verify
from jobpass.client.aio import AsyncClient
from jobpass.lifecycle.standard import PIPELINE

PIPELINE_OF_ALL = {"id": "faults", "name": "Faults", "components": [], "processing_levels": []}
HISTORY_PAGE = 1000


class Verdict(Struct, frozen=True, kw_only=True):
    """What a trial has shown: a row of the table."""

    fault: str
    times: int
    """How often it was done."""
    calls: int
    acknowledged: int
    unanswered: int
    events: int
    """That stand in the histories."""
    violations: list[Violation]
    back_seconds: list[float]
    """Each time, from the fault until every job was served again."""
    note: str = ""

    def count(self, *wrong: str) -> int:
        """How many violations of these kinds there are."""
        return sum(violation.wrong in wrong for violation in self.violations)

    @property
    def back_median(self) -> float:
        """In seconds."""
        return statistics.median(self.back_seconds)


class Trial:
    """Nodes over one record with clients at work on it."""

    def __init__(self, folder: Path, nodes: Sequence[Node], store: Sequence[str], *, jobs: int, each: int) -> None:
        self.folder = folder
        self.nodes = nodes
        self.log = Log(folder / "calls.jsonl")
        self.back_seconds: list[float] = []
        self.violations: list[Violation] = []
        self.login = ""
        self._store = store
        self._jobs = jobs
        self._each = each

    async def begin(self, *, pause_seconds: float = 0.004) -> None:
        """Start the nodes, make the jobs, and let the clients begin."""
        for node in self.nodes:
            await node.start()
        async with AsyncClient(self.nodes[0].url) as client:
            await client.login(EMAIL, PASSWORD)
            self.login = str(client.token)
            pipeline = (await client.create_pipeline(PIPELINE_OF_ALL))["uuid"]
            self.targets = [await self._make(client, pipeline, number) for number in range(self._jobs)]
        urls = [node.url for node in self.nodes]
        self.load = Load(urls, self.targets, self.log, each=self._each, pause_seconds=pause_seconds)
        self.load.start()
        await self.load.served_again(time.monotonic())

    async def _make(self, client: AsyncClient, pipeline: str, number: int) -> Target:
        """A job, brought to the state in which it is used; that is asked for and answered, too."""
        invoked = time.monotonic()
        job = await client.create_job(pipeline, {"number": number})
        self._note(job.uuid, "create", canonical({"number": number}), invoked, job.sequence, job.state, "")
        plan = PLANS[number % len(PLANS)]
        for name in plan.begin:
            invoked = time.monotonic()
            done = await client.send(job.uuid, name, {"begins": name})
            data = canonical({"begins": name})
            self._note(job.uuid, name, data, invoked, done.sequence, done.state, done.event_uuid)
        return Target(job.uuid, str(job.token), plan)

    def _note(
        self, job: str, name: str, data: str, invoked_at: float, sequence: int, state: str, event_uuid: str
    ) -> None:
        self.log.add(
            Call(
                client="maker",
                job=job,
                kind="send",
                invoked_at=invoked_at,
                returned_at=time.monotonic(),
                outcome="ok",
                name=name,
                data=data,
                sequence=sequence,
                state=state,
                event_uuid=event_uuid,
            )
        )

    async def hurt(self, harm: Callable[[], Awaitable[float]]) -> None:
        """Do something to it, and note how long it takes until every job is served again.

        ``harm`` returns the moment from which that is counted: when the fault began if nobody but the service can end
        it, when it ended if it lasts as long as somebody wants.
        """
        since = await harm()
        self.back_seconds.append(await self.load.served_again(since))

    def starts(self, _calls: list[Call]) -> str:
        """A note: how much of the time it is that servers take to start."""
        took = [seconds for node in self.nodes for seconds in node.start_seconds[1:]]
        return f"of which starting {statistics.median(took):.2f} s, at most {max(took):.2f} s"

    def expect(self, holds: bool, what: str) -> None:
        """Something else that has to hold; it is told with the verdict."""
        if not holds:
            self.violations.append(Violation("service", "", what))

    async def end(self, fault: str, note: Callable[[list[Call]], str] = lambda _: "") -> Verdict:
        """Stop the clients, read everything, and judge."""
        await self.load.stop()
        histories = {}
        async with AsyncClient(self.nodes[0].url, self.login) as client:
            for target in self.targets:
                histories[target.uuid] = await self._history(client, target.uuid)
        await asyncio.gather(*(node.stop() for node in self.nodes))
        self.log.close()
        write_histories(self.folder / "histories.jsonl", histories.items())
        broken = await verify(self.nodes[0].data, *self._store)
        violations = await asyncio.to_thread(check, self.log.calls, histories, PIPELINE, broken)
        outcomes = Counter((call.kind, call.outcome) for call in self.log.calls)
        return Verdict(
            fault=fault,
            times=len(self.back_seconds),
            calls=len(self.log.calls),
            acknowledged=outcomes["send", "ok"],
            unanswered=outcomes["send", "unknown"],
            events=sum(map(len, histories.values())),
            violations=[*self.violations, *violations],
            back_seconds=self.back_seconds,
            note=note(self.log.calls),
        )

    async def _history(self, client: AsyncClient, uuid: str) -> list[Entry]:
        """The history; the job as it stands and the last page are read too, as any client's calls."""
        invoked = time.monotonic()
        job = await client.job(uuid)
        self.log.add(
            Call(
                client="judge",
                job=uuid,
                kind="read",
                invoked_at=invoked,
                returned_at=time.monotonic(),
                outcome="ok",
                sequence=job.sequence,
                state=job.state,
            )
        )
        return [entry(event) async for event in client.iter_history(uuid, limit=HISTORY_PAGE)]


@asynccontextmanager
async def trial(
    folder: Path, nodes: Sequence[Node], store: Sequence[str] = (), *, jobs: int = 3, each: int = 4
) -> AsyncIterator[Trial]:
    """A trial over nodes that are not started yet; whatever happens, no process is left."""
    made = Trial(folder, nodes, store, jobs=jobs, each=each)
    try:
        yield made
    finally:
        for node in nodes:
            await node.kill()
