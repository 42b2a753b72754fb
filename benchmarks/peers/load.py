"""The load: ``wrk`` on a core of its own, its script, and what it prints.

An answer below 400 counts as a success. That it means success each operation's trial has shown before; what it was
worth is what the database has kept, which is counted apart.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.peers.errors import CannotMeasureError

NUMBER = "NNNNNNNNNN"
"""Stands in a body for a number that no other request of the run has."""
_NUMBERS_A_ROUND = 1_000_000
_TIMEOUT_SECONDS = 20
_HANGS_SECONDS = 60

LUA = """
local lines, number, count, running = {}, 0, 0, false
function init(args)
  count = tonumber(args[2])
  for line in io.lines(args[1]) do
    local method, path, authorization, body = line:match("^(%S+)\\t(%S+)\\t([^\\t]+)\\t(.*)$")
    local headers = {["Authorization"] = authorization}
    if body ~= "" then headers["Content-Type"] = "application/json" end
    running = running or body:find("NNNNNNNNNN", 1, true) ~= nil
    lines[#lines + 1] = wrk.format(method, path, headers, body ~= "" and body or nil)
  end
end
function request()
  number = number % #lines + 1
  if not running then return lines[number] end
  count = count + 1
  return (lines[number]:gsub("NNNNNNNNNN", string.format("%010d", count)))
end
function done(summary, latency)
  local e = summary.errors
  print(string.format("RESULT %d %d %d %d %d %d", summary.requests, summary.duration, e.status,
    e.connect + e.read + e.write + e.timeout, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Request:
    """One request that ``wrk`` sends; ``authorization`` is the header's whole value, ``body`` JSON in one line."""

    method: str
    path: str
    authorization: str
    body: str = ""

    def line(self) -> str:
        """The request as a line of the list that the script reads."""
        fields = (self.method, self.path, self.authorization, self.body)
        if any(sign in field for field in fields for sign in "\t\n"):
            raise ValueError("a request's parts are without tabs and line ends")
        return "\t".join(fields) + "\n"


def forged(authorization: str) -> str:
    """The header with one character of its token changed."""
    at = len(authorization) - 5
    return authorization[:at] + ("B" if authorization[at] == "A" else "A") + authorization[at + 1 :]


class Load(NamedTuple):
    """What ``wrk`` saw in a round, times in seconds; ``refused`` answers were 400 and above, ``broken`` never came."""

    requests: int
    seconds: float
    refused: int
    broken: int
    p50: float
    p99: float

    @property
    def succeeded(self) -> int:
        """Requests that were answered with success."""
        return self.requests - self.refused


def parse(text: str) -> Load:
    """Read what the script's last line says; ``CannotMeasureError`` if it is not there, or nothing was answered."""
    line = next((line.split() for line in text.splitlines() if line.startswith("RESULT ")), None)
    if line is None or len(line) != 7 or not all(field.isdecimal() for field in line[1:]):
        raise CannotMeasureError("the load generator gave no result", text)
    requests, duration, refused, broken, p50, p99 = (int(field) for field in line[1:])
    if not requests:
        raise CannotMeasureError("not one request was answered", text)
    return Load(requests, duration / 1e6, refused, broken, p50 / 1e6, p99 / 1e6)


_rounds = itertools.count(1)


def send(url: str, requests: Sequence[Request], connections: int, seconds: int, core: int, folder: Path) -> Load:
    """One round of the requests, in turn and over again, to the server at ``url``."""
    script, targets = folder / "load.lua", folder / "requests.txt"
    script.write_text(LUA)
    targets.write_text("".join(request.line() for request in requests))
    targets.chmod(0o600)
    first = str(next(_rounds) * _NUMBERS_A_ROUND)
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += [f"--timeout={_TIMEOUT_SECONDS}s", "-s", str(script), url, "--", str(targets), first]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + _HANGS_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise CannotMeasureError("the load generator did not end", str(error.stdout)) from error
    return parse(done.stdout + done.stderr)


def generator() -> str:
    """Name and version of the load generator; ``SystemExit`` says which program is missing and what brings it."""
    packages = {"wrk": "wrk", "taskset": "util-linux"}
    missing = [program for program in packages if shutil.which(program) is None]
    if missing:
        install = " ".join(packages[program] for program in missing)
        raise SystemExit(f"bench-peers needs {' and '.join(missing)}: apt-get install {install}")
    said = subprocess.run(["wrk", "--version"], capture_output=True, text=True).stdout.split()
    return f"wrk {said[1].removeprefix('debian/')}" if len(said) > 1 else "wrk"
