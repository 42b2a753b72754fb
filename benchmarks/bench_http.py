"""Benchmark (c): accepted events over HTTP, the server on one core and the load on another.

Ours is the real server on SQLite (synchronous=FULL, every check) with 10^5 jobs stored, 1,000 of them moving. The
yardstick is a Starlette application under the same uvicorn that parses the body, checks one HMAC and answers. Needs
``wrk`` and ``taskset``.

Two cores have to be ours alone: a server of two threads gets more of a shared core than one of a single thread, and the
ratio comes out too good. So it is measured how much of both cores went to others, and such a round does not count.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import os
import resource
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import apsw

from benchmarks.common import Row, at_least
from benchmarks.http_apps import YARDSTICK_KEY, YARDSTICK_PATH
from jobpass.compose import init_data, open_authority
from jobpass.ports import Judge
from jobpass.records import NO_LINK, Change, Event, Job
from jobpass.stores.sqlite.store import SqliteStore

STORED, ACTIVE = 100_000, 1_000
CONNECTIONS = 32
SECONDS = 4
TARGET = 0.5
"""Of the yardstick's requests a second."""
SERVER_CORE, LOAD_CORE = 0, 1
OTHERS_SHARE = 0.08
"""Of a core, more of which others must not have taken in a round that counts."""
PATIENCE = 4
"""So many times the rounds wanted are tried before the figure is given up."""
EVENT = b'{"name":"update","data":{"progress":0.5,"message":"half of it"}}'
PASSWORD = "a password for the benchmark"

TURNS = """
function request()
  number = number % #lines + 1
  return lines[number]
end
function done(summary)
  local e = summary.errors
  print(string.format("RESULT %d %d %d", summary.requests, summary.duration,
    e.status + e.connect + e.read + e.write + e.timeout))
end
"""
"""Of a script for wrk: the requests in ``lines`` in turn, and a line that says what became of them."""
LUA = """
local lines, number = {}, 0
function init(args)
  local headers = {["Content-Type"] = "application/json"}
  for line in io.lines(args[1]) do
    local path, bearer = line:match("(%S+) (%S+)")
    headers["Authorization"] = "Bearer " .. bearer
    lines[#lines + 1] = wrk.format("POST", path, headers, BODY)
  end
end
"""


def run(runs: int = 5) -> list[Row]:
    """Alternating rounds; the medians and their ratio. Without a verdict if the cores were never ours alone."""
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place, contextlib.ExitStack() as stack:
        folder = Path(place)
        tokens = asyncio.run(fill(folder / "data"))
        script = folder / "load.lua"
        script.write_text(f"BODY = [==[{EVENT.decode()}]==]\n{LUA}{TURNS}")
        ours_list = _write(folder / "ours.txt", [(_path(uuid), token) for uuid, token in tokens])
        bare_list = _write(folder / "bare.txt", [(_path(uuid), _signed(uuid)) for uuid, _ in tokens])
        ours = stack.enter_context(_server("ours", str(folder / "data")))
        bare = stack.enter_context(_server("yardstick"))
        before = _events(folder / "data")
        bare.load(script, bare_list, 1)  # warm
        answered = ours.load(script, ours_list, 1).requests
        rounds: list[tuple[Load, Load]] = []
        tried = 0
        while tried < runs * PATIENCE and sum(_counts(pair) for pair in rounds) < runs:
            rounds.append((bare.load(script, bare_list, SECONDS), ours.load(script, ours_list, SECONDS)))
            answered += rounds[-1][1].requests
            tried += 1
        stored = _events(folder / "data") - before
    # What was under way when a round ended is stored, and its answer was not waited for.
    if not answered <= stored <= answered + CONNECTIONS * (tried + 1):
        raise RuntimeError(f"{answered} events were answered, {stored} are stored")
    return _rows([pair for pair in rounds if _counts(pair)], rounds, stored)


class Load(NamedTuple):
    """One round on one server; ``others`` is the greater share of a core that others took meanwhile.

    ``computed`` is how many seconds the server's process computed: that hardly depends on others.
    """

    requests: int
    seconds: float
    others: float
    computed: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def _counts(pair: tuple[Load, Load]) -> bool:
    return max(load.others for load in pair) <= OTHERS_SHARE


def _rows(quiet: list[tuple[Load, Load]], rounds: list[tuple[Load, Load]], stored: int) -> list[Row]:
    pairs = quiet or rounds
    fast, slow = (statistics.median(pair[side].rate for pair in pairs) for side in (1, 0))
    ratio = statistics.median(ours.rate / bare.rate for bare, ours in pairs)
    name = "Jobpass: accepted events"
    yardstick = Row("Starlette: parse, one HMAC, answer", slow, "requests/s", 1.0, note="the yardstick")
    costs = [(ours.computed / ours.requests, bare.computed / bare.requests) for bare, ours in rounds]
    cost = Row(
        "Jobpass: computing time an event",
        statistics.median(ours for ours, _ in costs) * 1e6,
        "us",
        statistics.median(bare / ours for ours, bare in costs),
        note="the ratio is the yardstick's to ours; waiting for the disk is not in it; of all rounds",
    )
    if not quiet:
        note = "NO VERDICT: others used the cores in every round, and the ratio means nothing"
        return [yardstick, Row(name, fast, "events/s", ratio, f"≥ {TARGET:g}", None, note), cost]
    note = (
        f"{CONNECTIONS} connections, {STORED:,} jobs stored, {ACTIVE:,} active; {stored:,} events, each answered one "
        f"stored; {len(quiet)} of {len(rounds)} rounds had the cores for themselves"
    )
    return [yardstick, at_least(name, fast, "events/s", ratio, TARGET, note), cost]


async def fill(folder: Path) -> list[tuple[str, str]]:
    """A data folder with ``STORED`` jobs; uuid and document token of the ``ACTIVE`` ones, which stand among them."""
    await init_data(folder, "bench@example.org", PASSWORD, environ={})
    async with open_authority(folder, environ={}) as authority:
        login = await authority.accounts.login("bench@example.org", PASSWORD)
        credentials = authority.credentials
        bearer = await credentials.identify(credentials.verify(login.token))
        members = {"id": "bench", "name": "Bench", "components": [], "processing_levels": []}
        pipeline = await authority.pipelines.put(bearer, json.dumps(members).encode(), members)
        made = []
        every = STORED // ACTIVE
        for start in range(0, ACTIVE, 100):
            created = [
                authority.jobs.create(bearer, pipeline.uuid, b'{"n":%d}' % n, {"n": n})
                for n in range(start, start + 100)
            ]
            made += await asyncio.gather(*created)
            await _add_idle(folder, made[-1].job, 100 * (every - 1))
    return [(one.job.uuid, one.token) for one in made]


async def _add_idle(folder: Path, like: Job, count: int) -> None:
    """Jobs that nobody moves, straight through the store."""
    store = await SqliteStore.open(folder / "jobpass.sqlite")
    at = datetime.now(UTC)

    def judge(uuid: str) -> Judge:
        event = Event(1, secrets.token_hex(16), "create", b"{}", at, "CREATED", "login:0", None, like.kid, NO_LINK)
        job = Job(
            uuid, "pipeline", "CREATED", "create", 1, NO_LINK, like.kid, 1, like.owner, like.pipeline_uuid, at, at
        )
        return lambda _job, _prior: Change(None, job, event)

    for start in range(0, count, 250):
        uuids = [_uuid() for _ in range(start, min(start + 250, count))]
        await asyncio.gather(*(store.apply(uuid, judge(uuid)) for uuid in uuids))
    await store.close()


def _uuid() -> str:
    digits = secrets.token_hex(16)
    return f"107{digits[3:8]}-{digits[8:12]}-5{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _path(uuid: str) -> str:
    return YARDSTICK_PATH.replace("{uuid}", uuid)


def _signed(payload: str) -> str:
    return f"{payload}.{hmac.digest(YARDSTICK_KEY, payload.encode(), 'sha256').hex()}"


def _write(path: Path, targets: list[tuple[str, str]]) -> Path:
    path.write_text("".join(f"{where} {bearer}\n" for where, bearer in targets))
    return path


def _events(folder: Path) -> int:
    connection = apsw.Connection(str(folder / "jobpass.sqlite"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return int(connection.cursor().execute("SELECT count(*) FROM event").get)
    finally:
        connection.close()


class Server(NamedTuple):
    """A server on its core."""

    url: str
    pid: int

    def load(self, script: Path, targets: Path, seconds: int) -> Load:
        """One round; ``RuntimeError`` if a request was not answered with success."""
        command = ["taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
        before, computed = self._others(), sum(self._cpu())
        started = time.monotonic()
        done = subprocess.run(
            [*command, "-s", str(script), self.url, "--", str(targets)], capture_output=True, text=True, check=False
        )
        wall = time.monotonic() - started
        others = max((after - then) / wall for after, then in zip(self._others(), before, strict=True))
        result = next((line.split() for line in done.stdout.splitlines() if line.startswith("RESULT")), None)
        if result is None or result[3] != "0":
            raise RuntimeError(f"the load was not answered with success: {done.stdout}{done.stderr}")
        return Load(int(result[1]), int(result[2]) / 1e6, others, sum(self._cpu()) - computed)

    def _others(self) -> tuple[float, float]:
        """Seconds that others have taken of the server's and of the load's core, other machines included."""
        own, _system = self._cpu()
        wrk = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        return _taken(SERVER_CORE) - own, _taken(LOAD_CORE) - wrk

    def _cpu(self) -> tuple[float, float]:
        """Seconds that the server has computed, in itself and in the system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) / _TICKS, int(fields[12]) / _TICKS


_TICKS = os.sysconf("SC_CLK_TCK")


def _taken(core: int) -> float:
    line = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} "))
    user, nice, _system, _idle, _iowait, _irq, _softirq, steal = (int(field) for field in line.split()[1:9])
    return (user + nice + steal) / _TICKS


@contextlib.contextmanager
def _server(*arguments: str) -> Iterator[Server]:
    command = ["taskset", "-c", str(SERVER_CORE), sys.executable, "-m", "benchmarks.http_apps", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            host, port = process.stdout.readline().split()
            yield Server(f"http://{host}:{port}", process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)
