"""Benchmark: two nodes before one PostgreSQL beside one, and what a million requests leave in a node's memory.

A node is ``jobpass serve``, each on a core of its own; accepted events over HTTP, 64 connections to each node, 1,000
jobs. PostgreSQL and ``wrk`` run wherever there is room. On two cores they share them with the nodes, so that it is
measured what each computes for an event: from that follows how much more than one node with a core of its own the
machine can do at all. There is no verdict where that is less than the target, or where others used the cores.

Memory: a third each of events, looks at a job and checks of a login token, over connections that are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.bench_check import EMAIL
from benchmarks.bench_http import EVENT, PASSWORD, TURNS
from benchmarks.bench_postgres import _support
from benchmarks.common import Row, at_most
from jobpass.compose import init_data, open_authority

JOBS = 1_000
CONNECTIONS = 64
"""Of each node."""
SECONDS = 5
TARGET = 1.6
BUSY = 0.9
"""Of a node's core, or of all cores, from which on that is the limit."""
OTHERS = 0.15
"""Cores that others may take in a run with a verdict."""
REQUESTS = 1_000_000
MEMORY_SECONDS = 300.0
"""Nobody waits longer for them than that, for each store."""
TURN_SECONDS = 10
MOST_MB = 120.0
MEGABYTE = 1_000_000

LUA = f"""
local lines, number = {{}}, 0
function init(args)
  for line in io.lines(args[1]) do
    local method, path, bearer = line:match("(%S+) (%S+) (%S+)")
    local headers = {{["Authorization"] = "Bearer " .. bearer}}
    local body = nil
    if method == "POST" then headers["Content-Type"] = "application/json"; body = [==[{EVENT.decode()}]==] end
    lines[#lines + 1] = wrk.format(method, path, headers, body)
  end
end
{TURNS}"""
_CORES = os.cpu_count() or 1
_TICKS = os.sysconf("SC_CLK_TCK")
Tokens = tuple[str, list[tuple[str, str]]]
"""A login token, and each job's uuid with its document token."""


class Round(NamedTuple):
    """One load: events a second, and the cores' worth that nodes, database, load and all others computed meanwhile."""

    rate: float
    nodes: float
    database: float
    load: float
    others: float
    busiest: float
    """Of the nodes alone, that which computed most."""

    @property
    def node_micros(self) -> float:
        """Computed by the nodes for an event."""
        return 1e6 * self.nodes / self.rate

    @property
    def database_micros(self) -> float:
        """By PostgreSQL."""
        return 1e6 * self.database / self.rate

    @property
    def load_micros(self) -> float:
        """By ``wrk``."""
        return 1e6 * self.load / self.rate

    @property
    def possible(self) -> float:
        """What all cores could do, over what one node could with a core for itself alone."""
        return _CORES * self.nodes / (self.nodes + self.database + self.load)


def run(runs: int = 5) -> list[Row]:
    """Medians of alternating rounds; then the memory of a node on each store."""
    server = _support().Server()
    try:
        with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place:
            folder = Path(place)
            script = folder / "load.lua"
            script.write_text(LUA)
            environ = {"JOBPASS_STORE": server.url("jobpass")}
            tokens = asyncio.run(_fill(folder / "nodes", environ))
            rows = _nodes(folder, script, tokens, environ, server, runs)
            rows.append(_memory("PostgreSQL", folder, script, folder / "nodes", tokens, environ))
            tokens = asyncio.run(_fill(folder / "file", {}))
            rows.append(_memory("SQLite", folder, script, folder / "file", tokens, {}))
            return rows
    finally:
        server.close()


def _nodes(folder: Path, script: Path, tokens: Tokens, environ: Mapping[str, str], server: Any, runs: int) -> list[Row]:
    lists = [folder / "first.txt", folder / "second.txt"]
    for number, file in enumerate(lists):  # each job's events come to one node, and to either
        jobs = tokens[1][number:] + tokens[1][:number]
        _write(file, [("POST", _events(uuid), token) for uuid, token in jobs])
    rounds: dict[int, list[Round]] = {1: [], 2: []}
    with _node(folder / "nodes", environ, 0) as first, _node(folder / "nodes", environ, 1) as second:
        for turn in range(-1, runs):
            for count, found in rounds.items():
                nodes = (first, second)[:count]
                one = _load(nodes, script, lists, SECONDS if turn >= 0 else 2, server)
                if turn >= 0:
                    found.append(one)
    return _rows(rounds)


class Node(NamedTuple):
    """A server that listens."""

    url: str
    pid: int

    def rss_mb(self) -> float:
        """What it has in memory."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) * 1024 / MEGABYTE


@contextlib.contextmanager
def _node(data: Path, environ: Mapping[str, str], core: int) -> Iterator[Node]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("JOBPASS_")}
    command = ["taskset", "-c", str(core % _CORES), sys.executable, "-m", "jobpass", "serve"]
    command += ["--data", str(data), "--port", "0", "--json", "--no-access-log"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=clean | dict(environ)
    ) as process:
        try:
            assert process.stdout is not None
            yield Node(json.loads(process.stdout.readline())["url"], process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _load(nodes: Sequence[Node], script: Path, lists: Sequence[Path], seconds: int, server: Any) -> Round:
    """One round; ``RuntimeError`` if a request was not answered with success."""
    before = _computed(nodes, server)
    started = time.monotonic()
    running = [_wrk(node.url, script, file, seconds) for node, file in zip(nodes, lists, strict=False)]
    rate = sum(requests / took for requests, took in map(_result, running))
    wall = time.monotonic() - started
    spent = [(after - then) / wall for after, then in zip(_computed(nodes, server), before, strict=True)]
    all_of_it, database, load, *own = spent
    return Round(rate, sum(own), database, load, all_of_it - database - load - sum(own), max(own))


def _wrk(url: str, script: Path, targets: Path, seconds: int) -> subprocess.Popen[str]:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), url, "--", str(targets)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _result(running: subprocess.Popen[str]) -> tuple[int, float]:
    """Requests, and the seconds that they took."""
    told, _ = running.communicate()
    found = next((line.split() for line in told.splitlines() if line.startswith("RESULT")), None)
    if found is None or found[3] != "0":
        raise RuntimeError(f"the load was not answered with success: {told}")
    return int(found[1]), int(found[2]) / 1e6


def _computed(nodes: Sequence[Node], server: Any) -> list[float]:
    """Seconds computed by the whole machine, by PostgreSQL, by ``wrk``, and by each node."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    idle = fields[3] + fields[4]
    return [
        (sum(fields) - idle) / _TICKS,
        sum(_seconds(pid) for pid in _family(server._process.pid)),
        children.ru_utime + children.ru_stime,
        *(_seconds(node.pid) for node in nodes),
    ]


def _family(pid: int) -> list[int]:
    """A process and its children, which live as long as their connections."""
    return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def _seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # a child of PostgreSQL that has just ended
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _rows(rounds: dict[int, list[Round]]) -> list[Row]:
    def middle(count: int, name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in rounds[count]))

    ratio = statistics.median(two.rate / one.rate for one, two in zip(rounds[1], rounds[2], strict=True))
    verdict: bool | None = ratio >= TARGET
    note = _shares(rounds[2])
    if not verdict and middle(1, "possible") < TARGET:
        verdict, note = None, f"NO VERDICT: {_CORES} cores can do {middle(1, 'possible'):.2f} of one node; {note}"
    elif max(middle(1, "others"), middle(2, "others")) > OTHERS:
        verdict, note = None, f"NO VERDICT: others used the cores; {note}"
    costs = [
        Row(f"computing for an event, {who}", middle(2, name), "µs", note=f"with one node {middle(1, name):.0f} µs")
        for who, name in (("nodes", "node_micros"), ("PostgreSQL", "database_micros"), ("wrk", "load_micros"))
    ]
    return [
        Row("one node on one core", middle(1, "rate"), "events/s", 1.0, note=_shares(rounds[1])),
        Row("two nodes on two cores", middle(2, "rate"), "events/s", ratio, f"≥ {TARGET:g}", verdict, note),
        *costs,
    ]


def _shares(rounds: Sequence[Round]) -> str:
    """Who computed how much, and what the limit was."""
    nodes, database, load, others, busiest = (
        statistics.median(getattr(one, name) for one in rounds)
        for name in ("nodes", "database", "load", "others", "busiest")
    )
    if busiest >= BUSY:
        limit = "a node's core"
    elif nodes + database + load + others >= BUSY * _CORES:
        limit = "the machine's cores"
    else:
        limit = "the database's waiting for the disk"
    shares = f"nodes {nodes:.2f}, PostgreSQL {database:.2f}, wrk {load:.2f}, others {others:.2f} of {_CORES} cores"
    return f"{shares}; the limit is {limit}"


def _memory(store: str, folder: Path, script: Path, data: Path, tokens: Tokens, environ: Mapping[str, str]) -> Row:
    """What a node has in memory after so many requests, and how that has grown since the first turn."""
    login, jobs = tokens
    lines = [
        line
        for uuid, token in jobs
        for line in (
            ("POST", _events(uuid), token),
            ("GET", f"/api/pipelinejobs/{uuid}", token),
            ("GET", "/api/me", login),
        )
    ]
    targets = _write(folder / f"memory-{store}.txt", lines)
    done, sizes, until = 0, [], time.monotonic() + MEMORY_SECONDS
    with _node(data, environ, 0) as node:
        while done < REQUESTS and time.monotonic() < until:
            done += _result(_wrk(node.url, script, targets, TURN_SECONDS))[0]
            sizes.append(node.rss_mb())
    note = f"after {done:,} requests; {sizes[0]:.0f} MB after the first {TURN_SECONDS} s, at most {max(sizes):.0f}"
    row = at_most(f"memory of a node on {store}", sizes[-1], "MB", sizes[-1] / MOST_MB, 1.0, note)
    if done >= REQUESTS or row.ok is False:
        return row
    return Row(row.name, row.value, row.unit, row.ratio, row.target, None, f"NO VERDICT: only {note}")


async def _fill(folder: Path, environ: Mapping[str, str]) -> Tokens:
    """An installation with jobs that run."""
    await init_data(folder, EMAIL, PASSWORD, environ=environ)
    async with open_authority(folder, environ=environ) as authority:
        login = await authority.accounts.login(EMAIL, PASSWORD)
        bearer = await authority.credentials.identify(authority.credentials.verify(login.token))
        members = {"id": "bench", "name": "Bench", "components": [], "processing_levels": []}
        pipeline = await authority.pipelines.put(bearer, json.dumps(members).encode(), members)
        made = [await authority.jobs.create(bearer, pipeline.uuid, b'{"n":%d}' % n, {"n": n}) for n in range(JOBS)]
    return login.token, [(one.job.uuid, one.token) for one in made]


def _events(uuid: str) -> str:
    return f"/api/pipelinejobs/{uuid}/events"


def _write(path: Path, lines: Sequence[tuple[str, str, str]]) -> Path:
    path.write_text("".join(f"{' '.join(line)}\n" for line in lines))
    return path
