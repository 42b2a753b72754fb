"""docs/compute.md: its Python runs as it stands, and its numbers are those of the code."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest

from jobpass.authority import compute, holds, outcome, payload, platforms, work_judges, workers
from jobpass.authority.blobs import SWEPT_AFTER
from jobpass.server.call import WorkLimits
from jobpass.server.compute_routes import COMPUTE
from jobpass.settings import Settings
from jobpass.wire import compute as wire
from jobpass.wire import paths

PAGE = (Path(__file__).parents[2] / "docs" / "compute.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_block_runs(served: Any, make: Any, capsys: pytest.CaptureFixture[str]) -> None:
    author, operator = make(served.url), make(served.url)
    author.login(served.author, served.password)
    operator.login(served.operator, served.password)
    with httpx2.Client(base_url=served.url, headers={"authorization": f"Bearer {operator.token}"}) as http:
        assert http.post("/api/platforms", json={"name": "sim:local"}).status_code in (200, 409)
        key = http.post("/api/apikeys", json={"platforms": ["sim:local"]}).raise_for_status().json()["key"]
    names = {"URL": served.url, "TOKEN": author.token, "API_KEY": key}
    sends, works = BLOCKS
    sender = threading.Thread(target=lambda: exec(compile(sends, "docs/compute.md", "exec"), dict(names)))
    sender.start()
    waiting = works.replace("wait_seconds=0", "wait_seconds=5")
    assert waiting != works
    exec(compile(f"import jobpass\n{waiting}", "docs/compute.md", "exec"), dict(names))
    exec(compile(f"import jobpass\n{works}", "docs/compute.md", "exec"), dict(names))  # nothing waits: no harm
    sender.join(10)
    said = capsys.readouterr().out
    assert "lease running" in said
    assert said.splitlines()[-1] == '{"results": "none"}'


def test_the_numbers_are_those_of_the_code() -> None:
    limits, settings = WorkLimits(), Settings()
    words = " ".join(PAGE.split())  # as a reader has them: a line may end between any two
    assert (limits.payload_bytes, limits.result_bytes) == (settings.payload_limit_bytes, settings.result_limit_bytes)
    assert limits.hold_seconds == settings.status_hold_seconds == 2.0
    assert settings.lease_seconds == workers.LEASE_SECONDS
    for told in (
        f"at most {limits.payload_bytes >> 20} MiB (`payload_limit_bytes`)",
        f"at most {limits.result_bytes >> 20} MiB (`result_limit_bytes`)",
        f"ends after {workers.LEASE_SECONDS} seconds (`lease_seconds`)",
        f"no more than {holds.MOST} calls are held at a time, {holds.MOST_EACH} of one user's",
        f"listen to {compute.LISTENERS_EACH} jobs",
        f"at most {workers.MAX_INTERMEDIATE_BYTES >> 10} KiB",
        f"at most {workers.MAX_SPECS_BYTES >> 10} KiB",
        f"`wait_s` (0 to {wire.WAIT_SECONDS})",
        f"`{work_judges.WORKER_LOST}`",
        f"`{work_judges.GIVEN_BACK}`",
        f"`{work_judges.TIME_LIMIT}`",
        f"({platforms.MAX_DURATION_SECONDS:,} s if neither",
        f"up to {work_judges.MAX_GIVEN_BACK} times",
        f"`{outcome.FORBIDDEN}`",
    ):
        assert told in words, told
    assert work_judges.MAX_ATTEMPTS == 3
    assert SWEPT_AFTER.total_seconds() == 7200
    assert payload.MAX_SHOTS == 2**53


def test_the_routes_of_workers_are_all_there() -> None:
    told = re.findall(r"^\| `POST (/api/workers/[^`]+)` \|", PAGE, re.MULTILINE)
    assert sorted(told) == sorted(route.template for route in COMPUTE if route.template.startswith("/api/workers"))
    members = PAGE.partition("`job` has ")[2].partition(".")[0].replace("\n", " ")
    assert set(re.findall(r"`(\w+)`", members)) == set(wire.LeasedJob.__struct_fields__)
    assert paths.WORKER_NEXT in told
