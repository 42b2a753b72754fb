"""Prefect: the state of a flow run is set."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from benchmarks.peers.errors import CannotMeasureError
from benchmarks.peers.figures import Offer
from benchmarks.peers.load import Request
from benchmarks.peers.peer import Operation, Peer, query
from benchmarks.peers.process import ask

RUNS = 200
_STATE = '{"state":{"type":"RUNNING"}}'


class Prefect(Peer):
    """The server's API without its background services, on SQLite as it ships; it wants the one password it has."""

    key, name, distribution = "prefect", "Prefect", "prefect"
    offers = (Offer("set-state", "event", 1), Offer("set-state", "event"))

    def start(self, folder: Path) -> None:
        """The server, a flow and its runs."""
        password = f"bench:{secrets.token_hex(16)}"
        self._authorization = "Basic " + base64.b64encode(password.encode()).decode()
        environ = self._environ(
            folder,
            PREFECT_HOME=str(folder),
            PREFECT_SERVER_API_AUTH_STRING=password,
            PREFECT_SERVER_ANALYTICS_ENABLED="false",
            PREFECT_SERVER_LOGGING_LEVEL="ERROR",
            PREFECT_LOGGING_LEVEL="ERROR",
            DO_NOT_TRACK="1",
        )
        self._database = folder / "prefect.db"
        command = [self._program("prefect"), "server", "start", "--no-services", "--no-ui", "--host", "127.0.0.1"]
        self._serve([*command, "--port", self._choose_port()], folder, environ, "/api/health")
        flow = self._make("/api/flows/", {"name": "bench"})
        pending = {"flow_id": flow, "state": {"type": "PENDING"}}
        self._runs = [self._make("/api/flow_runs/", pending) for _ in range(RUNS)]

    def _make(self, path: str, body: Mapping[str, object]) -> str:
        answer = ask(self.url + path, "POST", self._authorization, json.dumps(body))
        if answer.status not in (200, 201):
            raise CannotMeasureError("it made no flow run", str(answer))
        return str(answer.json()["id"])

    def operations(self) -> list[Operation]:
        """The same over one connection and over all."""
        requests = [
            Request("POST", f"/api/flow_runs/{run}/set_state", self._authorization, _STATE) for run in self._runs
        ]
        return [Operation(offer, requests, lambda: query(self._database, _STATES)) for offer in self.offers]


_STATES = "SELECT count(*) FROM flow_run_state"
