"""Benchmark (c): accepted events over HTTP, the server on one core and the load on another.

Ours is the real server on SQLite (synchronous=FULL, every check) with 10^5 jobs stored, 1,000 of them moving. The
yardstick is a Starlette application under the same uvicorn that parses the body, checks one HMAC and answers. Needs
``wrk`` and ``taskset``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import apsw

from benchmarks.common import Row, at_least
from benchmarks.http_apps import YARDSTICK_KEY, YARDSTICK_PATH
from jobpass.compose import init_data, open_authority
from jobpass.records import NO_LINK, Change, Event, Job
from jobpass.stores.sqlite.store import SqliteStore

STORED, ACTIVE = 100_000, 1_000
CONNECTIONS = 32
SECONDS = 4
TARGET = 0.5
"""Of the yardstick's requests a second."""
SERVER_CORE, LOAD_CORE = "0", "1"
EVENT = b'{"name":"update","data":{"progress":0.5,"message":"half of it"}}'
PASSWORD = "a password for the benchmark"

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


def run(runs: int = 5) -> list[Row]:
    """Alternating runs; the medians and their ratio."""
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place, contextlib.ExitStack() as stack:
        folder = Path(place)
        tokens = asyncio.run(fill(folder / "data"))
        script = folder / "load.lua"
        script.write_text(f"BODY = [==[{EVENT.decode()}]==]\n{LUA}")
        ours_list = _write(folder / "ours.txt", [(_path(uuid), token) for uuid, token in tokens])
        bare_list = _write(folder / "bare.txt", [(_path(uuid), _signed(uuid)) for uuid, _ in tokens])
        ours = stack.enter_context(_server("ours", str(folder / "data")))
        bare = stack.enter_context(_server("yardstick"))
        before = _events(folder / "data")
        rates: dict[str, list[float]] = {"ours": [], "bare": []}
        answered = 0
        for count in range(-1, runs):  # the first round warms both up and is not counted
            for name, url, targets in (("bare", bare, bare_list), ("ours", ours, ours_list)):
                requests, seconds = _load(url, script, targets, SECONDS if count >= 0 else 1)
                answered += requests if name == "ours" else 0
                if count >= 0:
                    rates[name].append(requests / seconds)
        stored = _events(folder / "data") - before
    # What was under way when a run ended is stored, and its answer was not waited for.
    if not answered <= stored <= answered + CONNECTIONS * (runs + 1):
        raise RuntimeError(f"{answered} events were answered, {stored} are stored")
    fast, slow = statistics.median(rates["ours"]), statistics.median(rates["bare"])
    ratio = statistics.median(a / b for a, b in zip(rates["ours"], rates["bare"], strict=True))
    note = f"{CONNECTIONS} connections, {STORED:,} jobs stored, {ACTIVE:,} active; {stored:,} events, each answered one stored"
    return [
        Row("Starlette: parse, one HMAC, answer", slow, "requests/s", 1.0, note="the yardstick"),
        at_least("Jobpass: accepted events", fast, "events/s", ratio, TARGET, note),
    ]


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

    def change(uuid: str) -> Change:
        event = Event(1, secrets.token_hex(16), "create", b"{}", at, "CREATED", "login:0", None, like.kid, NO_LINK)
        job = Job(
            uuid, "pipeline", "CREATED", "create", 1, NO_LINK, like.kid, 1, like.owner, like.pipeline_uuid, at, at
        )
        return Change(None, job, event)

    for start in range(0, count, 250):
        uuids = [_uuid() for _ in range(start, min(start + 250, count))]
        await asyncio.gather(*(store.apply(uuid, lambda _job, _prior, uuid=uuid: change(uuid)) for uuid in uuids))
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
        return connection.cursor().execute("SELECT count(*) FROM event").get
    finally:
        connection.close()


@contextlib.contextmanager
def _server(*arguments: str) -> Iterator[str]:
    command = ["taskset", "-c", SERVER_CORE, sys.executable, "-m", "benchmarks.http_apps", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            host, port = process.stdout.readline().split()
            yield f"http://{host}:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


def _load(url: str, script: Path, targets: Path, seconds: int) -> tuple[int, float]:
    """Requests answered with success and the seconds that they took; ``RuntimeError`` if any was not."""
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), url]
    done = subprocess.run([*command, "--", str(targets)], capture_output=True, text=True, check=False)
    result = next((line.split() for line in done.stdout.splitlines() if line.startswith("RESULT")), None)
    if result is None or result[3] != "0":
        raise RuntimeError(f"the load was not answered with success: {done.stdout}{done.stderr}")
    return int(result[1]), int(result[2]) / 1e6
