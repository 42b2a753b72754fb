"""Clients at work: several a job, with all kinds of events, whose every call goes into the log."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from faults.calls import Call, Entry, Log, canonical
from jobpass.client.aio import AsyncClient
from jobpass.client.exchange import ONCE, Retries
from jobpass.client.results import Event
from jobpass.errors import Error, IllegalTransition, ServerUnavailable, StoreUnavailable

TIMEOUT_SECONDS = 5.0
PATIENT = Retries(attempts=100, deadline_seconds=15.0, first_seconds=0.05, longest_seconds=0.2)
"""Half of the clients try again by themselves, and the other half of those that do not, here."""
BREATH_SECONDS = 0.1
"""After a call without an answer."""
WAIT_SECONDS = 60.0
PAGE = 40


class Plan(NamedTuple):
    """How a job is brought to where it is used, and what is sent to it there; some of that is illegal each time."""

    begin: tuple[str, ...]
    events: tuple[str, ...]


PLANS = (
    Plan(("run",), ("update", "update", "resource", "run", "validated", "indexed")),
    Plan(("run", "finish"), ("index", "indexed", "update", "resource", "index")),
    Plan(("run", "finish", "validate"), ("validate", "validated", "update", "finish", "run")),
)


@dataclass
class Target:
    """A job with its document token, and where it has been seen to be."""

    uuid: str
    token: str = field(repr=False)
    plan: Plan
    seen: int = 0


class Load:
    """Clients on jobs behind one or several nodes, until ``stop``.

    A client asks one thing after the other; of several nodes it takes another one after a call without an answer, and
    now and then.
    """

    def __init__(
        self, urls: Sequence[str], targets: list[Target], log: Log, *, each: int = 4, pause_seconds: float = 0.004
    ) -> None:
        self.urls = urls
        self.targets = targets
        self.log = log
        self.pause_seconds = pause_seconds
        self._each = each
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []
        self._noted = asyncio.Event()
        self._served: dict[str, float] = {}
        """By job and by node, when the last acknowledged event was asked for."""

    def start(self) -> None:
        """All clients begin."""
        for number, target in enumerate(self.targets):
            for one in range(self._each):
                client = _Client(self, target, f"{number}.{one}", random.Random(f"{number}.{one}"))
                self._tasks.append(asyncio.create_task(client.work(one)))

    async def stop(self) -> None:
        """Return when every call has ended."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    @property
    def stopping(self) -> bool:
        """Whether the clients are to end."""
        return self._stopping

    async def until(self, holds: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
        """Return as soon as something holds, looked at after each call; ``TimeoutError`` if that takes long."""
        async with asyncio.timeout(seconds):
            while not holds():
                self._noted.clear()
                await self._noted.wait()

    async def served_again(self, since: float, seconds: float = WAIT_SECONDS) -> float:
        """Wait until every job and every node has acknowledged an event that was asked for after ``since``.

        How long that took from then.
        """
        names = [*self.urls, *(target.uuid for target in self.targets)]
        await self.until(lambda: all(self._served.get(name, 0.0) >= since for name in names), seconds)
        return time.monotonic() - since

    def note(self, call: Call) -> None:
        """A call has ended."""
        self.log.add(call)
        if call.kind == "send" and call.outcome == "ok":
            for name in (call.job, call.node):
                self._served[name] = max(call.invoked_at, self._served.get(name, 0.0))
        self._noted.set()
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                task.result()


class _Client:
    """One of them."""

    def __init__(self, load: Load, target: Target, name: str, choice: random.Random) -> None:
        self._load = load
        self._target = target
        self._name = name
        self._choice = choice
        self._sent: list[tuple[str, int]] = []
        self._node = 0

    async def work(self, number: int) -> None:
        """Ask until the load stops. Every second one retries by itself, as the SDK does unless told otherwise."""
        patient = number % 2 == 1
        retries = PATIENT if patient else ONCE
        self._resent = patient
        self._clients = [
            AsyncClient(url, self._target.token, retries=retries, timeout_seconds=TIMEOUT_SECONDS)
            for url in self._load.urls
        ]
        self._node = number % len(self._clients)
        try:
            while not self._load.stopping:
                await self._next()
                await asyncio.sleep(self._load.pause_seconds * 2 * self._choice.random())
        finally:
            for client in self._clients:
                await client.aclose()

    @property
    def _client(self) -> AsyncClient:
        return self._clients[self._node]

    def _go_on(self) -> None:
        """Take the next node."""
        self._node = (self._node + 1) % len(self._clients)

    async def _next(self) -> None:
        if self._choice.random() < 0.1:
            self._go_on()
        chance = self._choice.random()
        if chance < 0.06:
            await self._read()
        elif chance < 0.09:
            await self._page()
        elif chance < 0.14 and self._sent:
            await self._send(*self._choice.choice(self._sent[-50:]))
        else:
            self._sent.append((self._choice.choice(self._target.plan.events), len(self._sent)))
            await self._insist(*self._sent[-1])

    async def _insist(self, name: str, number: int) -> None:
        """Send an event; without an answer, every second one is sent again until there is one, the others never."""
        while await self._send(name, number) == "unknown" and not self._load.stopping:
            if number % 2:
                return

    async def _send(self, name: str, number: int) -> str:
        data = {"client": self._name, "n": number}
        key = f"{self._name}-{number}"

        async def ask() -> dict[str, Any]:
            answer = await self._client.send(self._target.uuid, name, data, idempotency_key=key)
            return {"sequence": answer.sequence, "state": answer.state, "event_uuid": answer.event_uuid}

        return await self._call("send", ask, name=name, data=canonical(data), key=key, resent=self._resent)

    async def _read(self) -> None:
        async def ask() -> dict[str, Any]:
            job = await self._client.job(self._target.uuid)
            self._target.seen = max(self._target.seen, job.sequence)
            return {"sequence": job.sequence, "state": job.state}

        await self._call("read", ask)

    async def _page(self) -> None:
        after = max(0, self._target.seen - PAGE // 2)

        async def ask() -> dict[str, Any]:
            page = await self._client.history(self._target.uuid, after=after, limit=PAGE)
            last = page.events[-1].sequence if page.events else after
            return {"sequence": last, "seen": tuple(map(entry, page.events)), "whole": page.next is None}

        await self._call("page", ask)

    async def _call(self, kind: str, ask: Callable[[], Awaitable[dict[str, Any]]], **fields: Any) -> str:
        made = {"client": self._name, "job": self._target.uuid, "kind": kind, "invoked_at": time.monotonic()} | fields
        made["node"] = self._load.urls[self._node]
        answer = await told(ask)
        returned = time.monotonic() if answer["outcome"] != "unknown" else None
        self._load.note(Call(**made, returned_at=returned, **answer))
        if returned is None:
            self._go_on()
            await asyncio.sleep(BREATH_SECONDS)
        return str(answer["outcome"])


async def told(ask: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """The answer, as the log has it. What is no answer of a sound server counts as a refusal, which is judged."""
    try:
        return {"outcome": "ok"} | await ask()
    except (ServerUnavailable, StoreUnavailable) as error:
        return {"outcome": "unknown", "code": error.code}
    except IllegalTransition as error:
        return {"outcome": "refused", "code": error.code, "state": str(error.detail.get("state", ""))}
    except Error as error:
        return {"outcome": "refused", "code": error.code}


def entry(event: Event) -> Entry:
    """An event of a history as the checker has it."""
    return Entry(event.sequence, event.event_uuid, event.name, canonical(event.data), event.state, event.hash)
