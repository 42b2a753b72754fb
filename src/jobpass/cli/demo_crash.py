"""The demo's crash: senders at work, SIGKILL in the middle, and what the record says afterwards."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from jobpass.errors import ServerUnavailable

if TYPE_CHECKING:
    from jobpass.cli.demo_server import DemoServer
    from jobpass.client.results import Job

SENDERS = 4
ENOUGH_EVENTS = 400
LONGEST_SECONDS = 5.0


class Sent(NamedTuple):
    """One event: which job, by which sender, its number."""

    job: str
    sender: int
    number: int

    @property
    def key(self) -> str:
        """Its idempotency key."""
        return f"{self.sender}-{self.number}"

    @property
    def data(self) -> dict[str, int]:
        """What is in it."""
        return {"sender": self.sender, "number": self.number}


@dataclass
class Stream:
    """Senders that send as fast as they are answered, until the server is gone."""

    url: str
    jobs: list[Job]
    acknowledged: dict[Sent, int] = field(default_factory=dict)
    unanswered: list[Sent] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run_into(self, server: DemoServer) -> None:
        """Send, and kill the server once enough is acknowledged, while everybody is sending."""
        threads = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(SENDERS)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + LONGEST_SECONDS
        while len(self.acknowledged) < ENOUGH_EVENTS and time.monotonic() < until and not self.failures:
            time.sleep(0.005)
        server.kill()
        for thread in threads:
            thread.join(30)
            if thread.is_alive():
                self.failures.append("a sender did not notice that the server is gone")

    def _send(self, sender: int) -> None:
        from jobpass.client.exchange import ONCE
        from jobpass.client.sync import Client

        job = self.jobs[sender % len(self.jobs)]
        number = 0
        with Client(self.url, job.token, retries=ONCE) as client:
            while True:
                number += 1
                sent = Sent(job.uuid, sender, number)
                try:
                    answer = client.send(job.uuid, "update", sent.data, idempotency_key=sent.key)
                except ServerUnavailable:
                    self.unanswered.append(sent)
                    return
                self.acknowledged[sent] = answer.sequence

    def send_again(self) -> None:
        """What was not answered is sent again, with the same keys: it may stand in the record already."""
        from jobpass.client.sync import Client

        tokens = {job.uuid: job.token for job in self.jobs}
        for sent in self.unanswered:
            with Client(self.url, tokens[sent.job]) as client:
                answer = client.send(sent.job, "update", sent.data, idempotency_key=sent.key)
            self.acknowledged[sent] = answer.sequence

    def compare(self) -> list[str]:
        """Where the histories differ from what was acknowledged; empty if every event is there exactly once."""
        from jobpass.client.sync import Client

        problems = list(self.failures)
        for job in self.jobs:
            with Client(self.url, job.token) as client:
                updates = [e for e in client.iter_history(job.uuid, limit=1000) if e.name == "update"]
            found = {Sent(job.uuid, e.data["sender"], e.data["number"]): e.sequence for e in updates}
            wanted = {sent: sequence for sent, sequence in self.acknowledged.items() if sent.job == job.uuid}
            problems += _differences(wanted, found)
            times: Counter[Any] = Counter((e.data["sender"], e.data["number"]) for e in updates)
            problems += [f"event {key} is there {n} times" for key, n in times.items() if n > 1]
        return problems


def _differences(wanted: dict[Sent, int], found: dict[Sent, int]) -> list[str]:
    lost = [f"event {sent.key} was acknowledged and is gone" for sent in wanted.keys() - found.keys()]
    moved = [f"event {s.key} has another sequence" for s in wanted.keys() & found.keys() if wanted[s] != found[s]]
    strange = [f"event {sent.key} was never answered and is there" for sent in found.keys() - wanted.keys()]
    return lost + moved + strange
