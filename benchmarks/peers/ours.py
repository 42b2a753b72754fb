"""Jobpass, which stands beside each peer: who a job token belongs to, a new job token, an event of a job."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import bench_http
from benchmarks.peers.errors import CannotMeasureError
from benchmarks.peers.figures import Offer
from benchmarks.peers.load import NUMBER, Request
from benchmarks.peers.peer import Operation, Peer, query
from benchmarks.peers.process import ask
from jobpass import __version__

_TOKENS = "/api/tokens"
_LIFETIME = {"duration": 86_400}


class Jobpass(Peer):
    """The real server on SQLite (synchronous=FULL, every check), with 10^5 jobs stored of which 1,000 move."""

    key, name, distribution = "jobpass", "Jobpass", "jobpass"
    offers = (
        Offer("token check", "check"),
        Offer("token mint", "mint"),
        Offer("durable event", "event", 1),
        Offer("durable event", "event"),
    )

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {__version__}"

    def prepare(self) -> None:
        """It runs in the environment that this program has."""
        self._bin = Path(sys.executable).parent

    def start(self, folder: Path) -> None:
        """The jobs, the server, a login, and a job token."""
        self._jobs = asyncio.run(bench_http.fill(folder / "data"))
        self._database = folder / "data" / "jobpass.sqlite"
        command = [self._program("jobpass"), "serve", "--data", str(folder / "data"), "--port", self._choose_port()]
        command += ["--no-access-log", "--log-level", "warning"]
        self._serve(command, folder, self._environ(folder), "/health")
        login = {"email": "bench@example.org", "password": bench_http.PASSWORD}
        answer = ask(self.url + "/api/login", "POST", body=json.dumps(login))
        if answer.status != 200:
            raise CannotMeasureError("nobody could log in", self.log())
        self._login = f"Bearer {answer.json()['token']}"
        made = ask(self.url + _TOKENS, "POST", self._login, json.dumps({"label": "check", **_LIFETIME}))
        if made.status != 200:
            raise CannotMeasureError(f"`POST {_TOKENS}` answered {made.status}", made.body.decode())
        self._job_token = f"Bearer {made.json()['token']}"

    def operations(self) -> list[Operation]:
        """A check, a mint, and an event over one connection and over all."""
        body = json.dumps({"label": f"bench {NUMBER}", **_LIFETIME})
        events = [
            Request("POST", f"/api/pipelinejobs/{uuid}/events", f"Bearer {token}", bench_http.EVENT.decode())
            for uuid, token in self._jobs
        ]
        check, mint, one, many = self.offers
        return [
            Operation(check, [Request("GET", "/api/me", self._job_token)]),
            Operation(mint, [Request("POST", _TOKENS, self._login, body)], self._count("credential")),
            Operation(one, events, self._count("event")),
            Operation(many, events, self._count("event")),
        ]

    def _count(self, table: str) -> Callable[[], int]:
        return lambda: query(self._database, f"SELECT count(*) FROM {table}")
