"""Airflow's Task Execution API: a task reports that it lives, and that it begins to run."""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
import time
import uuid
from contextlib import closing
from pathlib import Path

import jwt

from benchmarks.peers.errors import CannotMeasureError
from benchmarks.peers.figures import Offer
from benchmarks.peers.load import Request
from benchmarks.peers.peer import Operation, Peer, query
from benchmarks.peers.process import run

_DAG = Path(__file__).parent / "sites" / "airflow_dag.py"
TASKS = 10_000
"""More than a round can run: a task begins once, and each beat is that of another task."""
_PREFIX = "/execution/task-instances"
_LIFETIME_SECONDS = 86_400
_AUDIENCE = "urn:airflow.apache.org:task"
_CLONE = """
INSERT INTO task_instance ({columns}, id, map_index)
WITH RECURSIVE number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < {count})
SELECT {columns}, lower(hex(randomblob(16))), n FROM task_instance, number WHERE map_index = -1
"""


class Airflow(Peer):
    """The execution API alone, on SQLite as it ships, with one run of a workflow that has many mapped tasks."""

    key, name, distribution = "airflow", "Airflow", "apache-airflow-core"
    offers = (
        Offer("heartbeat", "event", 1),
        Offer("heartbeat", "event"),
        Offer("run", "event", 1),
        Offer("run", "event"),
    )

    def start(self, folder: Path) -> None:
        """The tables, a workflow, a run of it, its tasks, and the server."""
        self._secret = secrets.token_hex(64)
        environ = self._environ(folder, **self._settings(folder))
        (folder / "dags").mkdir()
        shutil.copy(_DAG, folder / "dags" / "bench.py")
        airflow = self._program("airflow")
        for words in ("db migrate", "dags reserialize", "dags trigger bench"):
            run([airflow, *words.split()], folder, environ, f"`airflow {words}` failed")
        self._database = folder / "airflow.db"
        self._tasks = self._make_tasks()
        command = [airflow, "api-server", "--apps", "execution", "--host", "127.0.0.1", "--workers", "1"]
        self._serve([*command, "--port", self._choose_port()], folder, environ, "/execution/health")

    def _settings(self, folder: Path) -> dict[str, str]:
        return {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__API_AUTH__JWT_SECRET": self._secret,
            "AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME": str(_LIFETIME_SECONDS),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "AIRFLOW__LOGGING__UVICORN_LOGGING_LEVEL": "ERROR",
        }

    def _make_tasks(self) -> list[uuid.UUID]:
        """Copies of the run's one task instance, as a mapped task has them."""
        with closing(sqlite3.connect(self._database)) as connection, connection:
            names = [row[1] for row in connection.execute("PRAGMA table_info(task_instance)")]
            columns = ", ".join(name for name in names if name not in ("id", "map_index"))
            connection.execute(_CLONE.format(columns=columns, count=TASKS))
            rows = connection.execute("SELECT id FROM task_instance WHERE map_index >= 0").fetchall()
        if len(rows) != TASKS:
            raise CannotMeasureError("its run has not one task")
        return [uuid.UUID(row[0]) for row in rows]

    def _authorization(self, task: uuid.UUID) -> str:
        """The task's own token, as its scheduler would make it."""
        now = int(time.time())
        claims = {"sub": str(task), "aud": _AUDIENCE, "iat": now, "nbf": now, "exp": now + _LIFETIME_SECONDS}
        token = jwt.encode({**claims, "jti": secrets.token_hex(16)}, self._secret, "HS512")
        return f"Bearer {token}"

    def operations(self) -> list[Operation]:
        """Beats and beginnings, each of another task than the one before."""
        who = {"hostname": "bench", "pid": 1}
        begin = {"state": "running", "unixname": "bench", "start_date": "2026-01-01T00:00:00Z", **who}
        tokens = {task: self._authorization(task) for task in self._tasks}

        def requests(method: str, verb: str, body: str) -> list[Request]:
            return [Request(method, f"{_PREFIX}/{task}/{verb}", token, body) for task, token in tokens.items()]

        sent = {
            "heartbeat": requests("PUT", "heartbeat", json.dumps(who)),
            "run": requests("PATCH", "run", json.dumps(begin)),
        }
        return [self._operation(offer, sent[offer.name]) for offer in self.offers]

    def _operation(self, offer: Offer, sent: list[Request]) -> Operation:
        ready, count = _STATEMENTS[offer.name]
        stored, begin = lambda: query(self._database, count), lambda: query(self._database, ready)
        return Operation(offer, sent, stored, ready=begin, once=True)


_STATEMENTS = {
    "heartbeat": (
        "UPDATE task_instance SET state = 'running', hostname = 'bench', pid = 1, last_heartbeat_at = NULL",
        "SELECT count(*) FROM task_instance WHERE last_heartbeat_at IS NOT NULL",
    ),
    "run": (
        "UPDATE task_instance SET state = 'queued', hostname = '', pid = NULL, last_heartbeat_at = NULL",
        "SELECT count(*) FROM task_instance WHERE state = 'running'",
    ),
}
"""What a round begins with, and what counts the tasks that were reported on since."""
