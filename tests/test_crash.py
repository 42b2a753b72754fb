"""SIGKILL at any moment under load, twenty times: what was acknowledged is there, once, and the chains hold."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import jobpass
from jobpass import compose
from jobpass.client.exchange import ONCE
from jobpass.errors import ServerUnavailable

KILLS = 20
SENDERS = 6
PASSWORD = "correct-horse-battery"
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("JOBPASS_")}


class Load:
    """Senders on three jobs; each event says who sent it, and the key is the same when it is sent again."""

    def __init__(self, tokens: dict[str, str]) -> None:
        self.tokens = tokens
        self.acknowledged: dict[tuple[str, str], int] = {}
        self.unanswered: dict[int, tuple[str, str]] = {}
        self.errors: list[str] = []
        self._numbers = [0] * SENDERS

    def run(self, url: str, kill_after_seconds: float, process: subprocess.Popen[str]) -> None:
        threads = [threading.Thread(target=self._send, args=(url, n)) for n in range(SENDERS)]
        for thread in threads:
            thread.start()
        time.sleep(kill_after_seconds)
        process.kill()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        process.communicate()

    def _send(self, url: str, sender: int) -> None:
        uuid = list(self.tokens)[sender % len(self.tokens)]
        with jobpass.Client(url, self.tokens[uuid], retries=ONCE) as client:
            try:
                while True:
                    # What the crash before left unanswered is sent again first: it may stand already.
                    _, key = self.unanswered.get(sender, (uuid, f"{sender}-{self._numbers[sender]}"))
                    self.unanswered[sender] = (uuid, key)
                    answer = client.send(uuid, "update", {"key": key}, idempotency_key=key)
                    self.acknowledged[uuid, key] = answer.sequence
                    del self.unanswered[sender]
                    self._numbers[sender] += 1
            except ServerUnavailable:
                return
            except jobpass.errors.Error as error:
                self.errors.append(repr(error))


def start(data: Path) -> tuple[str, subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "jobpass", "serve", "--data", str(data), "--port", "0", "--json", "--no-access-log"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRON,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return json.loads(line)["url"], process


@pytest.mark.timeout(180)
def test_twenty_kills_under_load(tmp_path: Path) -> None:
    data = tmp_path / "data"
    asyncio.run(compose.init_data(data, "operator@localhost", PASSWORD, environ={}))
    with jobpass.open(f"sqlite://{data}", environ={}) as client:
        client.login("operator@localhost", PASSWORD)
        token = client.token
        pipeline = client.create_pipeline({"id": "p", "name": "p", "components": [], "processing_levels": []})["uuid"]
        jobs = [client.create_job(pipeline, {"n": n}) for n in range(3)]
        for job in jobs:
            client.send(job.uuid, "run")
    load = Load({job.uuid: str(job.token) for job in jobs})
    moments = random.Random(7)
    for _ in range(KILLS):
        url, process = start(data)
        load.run(url, moments.uniform(0.02, 0.4), process)
        assert not load.errors
    verified = subprocess.run(
        [sys.executable, "-m", "jobpass", "verify", "--data", str(data), "--json"],
        capture_output=True,
        text=True,
        env=ENVIRON,
    )
    assert verified.returncode == 0, verified.stdout
    assert len(load.acknowledged) > KILLS
    with jobpass.open(f"sqlite://{data}", token, environ={}) as client:
        for job in jobs:
            _compare(client, job.uuid, load)


def _compare(client: jobpass.Client, uuid: str, load: Load) -> None:
    events = list(client.iter_history(uuid, limit=1000))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert {event.state for event in events[1:]} == {"RUNNING"}
    found: dict[str, list[int]] = defaultdict(list)
    for event in events[2:]:
        found[event.data["key"]].append(event.sequence)
    assert Counter(len(sequences) for sequences in found.values()).keys() <= {1}
    acknowledged = {key: sequence for (job, key), sequence in load.acknowledged.items() if job == uuid}
    assert {key: found[key] for key in acknowledged} == {key: [sequence] for key, sequence in acknowledged.items()}
    waiting = {key for job, key in load.unanswered.values() if job == uuid}
    assert found.keys() - acknowledged.keys() <= waiting
