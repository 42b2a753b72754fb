"""Benchmark: checks, mints and refusals over HTTP, beside the yardstick of ``bench_http`` in the same run.

A check is ``GET /api/me`` or ``POST /oauth/introspect``; the durable mint is ``POST …/token/rotate``, which writes the
job and the audit; the refusal is an event that a document token may not send, with the audit and without.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from benchmarks import bench_http as http
from benchmarks.common import Row, at_least, at_most
from jobpass.compose import init_data, open_authority

JOBS = 200
SECONDS = 3
CHECK_TARGET, MINT_TARGET, REFUSAL_BOUND = 0.6, 0.3, 1.5
EMAIL = "bench@example.org"

LUA = """
local lines, number = {}, 0
function init(args)
  for line in io.lines(args[1]) do
    local method, path, bearer = line:match("(%S+) (%S+) (%S+)")
    local headers = {["Authorization"] = "Bearer " .. bearer}
    if BODY then headers["Content-Type"] = TYPE end
    lines[#lines + 1] = wrk.format(method, path, headers, BODY)
  end
end
function request()
  number = number % #lines + 1
  return lines[number]
end
function done(summary)
  local e = summary.errors
  local wrong = REFUSED and summary.requests - e.status or e.status
  print(string.format("RESULT %d %d %d", summary.requests, summary.duration,
    wrong + e.connect + e.read + e.write + e.timeout))
end
"""


class Case(NamedTuple):
    """One kind of request: its lines (method, path, bearer), and its body with the type."""

    lines: list[tuple[str, str, str]]
    body: str | None = None
    media_type: str = "application/json"
    refused: bool = False

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """The script and the targets, as files."""
        head = f"TYPE = '{self.media_type}'\nREFUSED = {str(self.refused).lower()}\n"
        head += f"BODY = [==[{self.body}]==]\n" if self.body is not None else ""
        script, targets = folder / f"{name}.lua", folder / f"{name}.txt"
        script.write_text(head + LUA)
        targets.write_text("".join(f"{' '.join(line)}\n" for line in self.lines))
        return script, targets


def run(runs: int = 5) -> list[Row]:
    """Alternating rounds; the medians of the ratios within each."""
    with tempfile.TemporaryDirectory(prefix="jobpass-bench-") as place, contextlib.ExitStack() as stack:
        folder = Path(place)
        login, tokens = asyncio.run(_fill(folder / "data"))
        files = {name: case.write(folder, name) for name, case in _cases(login, tokens).items()}
        servers = {name: stack.enter_context(http._server(*how)) for name, how in _servers(folder / "data").items()}
        rounds: dict[str, list[http.Load]] = {name: [] for name in files}
        for count in range(-1, runs):  # the first round warms all up and is not counted
            for name, (script, targets) in files.items():
                load = servers[_SERVED.get(name, "ours")].load(script, targets, SECONDS if count >= 0 else 1)
                if count >= 0:
                    rounds[name].append(load)
    return _rows(rounds)


_SERVED = {"yardstick": "yardstick", "unnoted": "unaudited"}
"""Which server answers a case; ``ours`` unless told."""


def _servers(data: Path) -> dict[str, tuple[str, ...]]:
    return {"yardstick": ("yardstick",), "ours": ("ours", str(data)), "unaudited": ("unaudited", str(data))}


def _cases(login: str, tokens: list[tuple[str, str]]) -> dict[str, Case]:
    event = http.EVENT.decode()
    refused = [("POST", http._path(uuid), token) for uuid, token in tokens]
    form = "application/x-www-form-urlencoded"
    return {
        "yardstick": Case([("POST", http._path(uuid), http._signed(uuid)) for uuid, _ in tokens], event),
        "me": Case([("GET", "/api/me", login)]),
        "introspect": Case([("POST", "/oauth/introspect", login)], urlencode({"token": tokens[0][1]}), form),
        "rotate": Case([("POST", f"/api/pipelinejobs/{uuid}/token/rotate", login) for uuid, _ in tokens[1:101]]),
        "refused": Case(refused[101:], '{"name":"reset"}', refused=True),
        "unnoted": Case(refused[101:], '{"name":"reset"}', refused=True),
    }


def _rows(rounds: dict[str, list[http.Load]]) -> list[Row]:
    def rate(name: str) -> float:
        return statistics.median(load.rate for load in rounds[name])

    def ratio(name: str, to: str) -> float:
        return statistics.median(a.rate / b.rate for a, b in zip(rounds[name], rounds[to], strict=True))

    def share(name: str, words: str, target: float) -> Row:
        return at_least(words, rate(name), "requests/s", ratio(name, "yardstick"), target)

    return [
        Row("Starlette: parse, one HMAC, answer", rate("yardstick"), "requests/s", 1.0, note="the yardstick"),
        share("me", "Jobpass: GET /api/me", CHECK_TARGET),
        share("introspect", "Jobpass: POST /oauth/introspect", CHECK_TARGET),
        share("rotate", "Jobpass: durable mint, with its audit", MINT_TARGET),
        Row("Jobpass: refusal, nothing noted", rate("unnoted"), "requests/s", ratio("unnoted", "yardstick")),
        at_most(
            "Jobpass: refusal, noted for the audit",
            rate("refused"),
            "requests/s",
            1 / ratio("refused", "unnoted"),
            REFUSAL_BOUND,
            "the ratio is that of the times, to the same refusal without the audit",
        ),
    ]


async def _fill(folder: Path) -> tuple[str, list[tuple[str, str]]]:
    """A data folder with jobs: a login token of their owner, and each job's uuid with its document token."""
    await init_data(folder, EMAIL, http.PASSWORD, environ={})
    async with open_authority(folder, environ={}) as authority:
        login = await authority.accounts.login(EMAIL, http.PASSWORD)
        bearer = await authority.credentials.identify(authority.credentials.verify(login.token))
        members = {"id": "bench", "name": "Bench", "components": [], "processing_levels": []}
        pipeline = await authority.pipelines.put(bearer, json.dumps(members).encode(), members)
        made = [await authority.jobs.create(bearer, pipeline.uuid, b'{"n":%d}' % n, {"n": n}) for n in range(JOBS)]
    return login.token, [(one.job.uuid, one.token) for one in made]
