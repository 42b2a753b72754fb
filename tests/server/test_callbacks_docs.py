"""docs/callbacks.md: its tables are those of the code, and its Python runs."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

import jobpass
from jobpass.authority.callbacks import CALLS
from jobpass.compose import init_data, serving
from jobpass.lifecycle.resting import settles
from jobpass.lifecycle.standard import PIPELINE
from jobpass.server.callbacks import BODY_LIMIT_BYTES
from jobpass.settings import load
from jobpass.tokens.ticket import MAX_LIFE
from jobpass.wire.callbacks import AGAVE_EVENTS

PAGE = (Path(__file__).parents[2] / "docs" / "callbacks.md").read_text()
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
EMAIL, PASSWORD = "ann@example.org", "correct horse battery staple"


def test_the_statuses_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ((?:`[A-Z_]+` ?)+)\|$", PAGE, re.MULTILINE)
    told = {status: event for event, statuses in rows for status in re.findall(r"`(\w+)`", statuses)}
    assert told == AGAVE_EVENTS


def test_what_counts_once_is_what_the_code_says() -> None:
    listed = re.search(r"\(in `pipeline`:\s+(.*?)\)", PAGE, re.DOTALL)
    assert listed is not None
    settling = {event.name for event in PIPELINE.events if settles(PIPELINE, event.name)}
    assert set(re.findall(r"`(\w+)`", listed[1])) == settling


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"within {MAX_LIFE.days} days" in PAGE
    assert f"a body of more than {BODY_LIMIT_BYTES // 1024} KiB" in PAGE
    assert (CALLS.burst, CALLS.seconds) == (60, 5.0)
    assert "sixty at once, then one each five seconds" in PAGE


def test_the_settings_can_be_used(tmp_path: Path) -> None:
    block = re.search(r"```toml data/jobpass.toml\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    (tmp_path / "jobpass.toml").write_text(block[1])
    settings = load({}, data=tmp_path).settings
    assert (settings.callbacks, settings.public_url) == (True, "https://jobs.example.org")


def test_the_python_runs(tmp_path: Path) -> None:
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    assert code.count("assert") >= 11
    asyncio.run(init_data(tmp_path / "data", EMAIL, PASSWORD, environ={}))
    with serving(tmp_path / "data", environ={"JOBPASS_CALLBACKS": "true"}) as url:
        names: dict[str, object] = {}
        exec(compile(code.replace("http://127.0.0.1:8470", url), "docs/callbacks.md", "exec"), names)
        names["client"].close()  # type: ignore[attr-defined]


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)")
def test_nginx_logs_what_is_safe(tmp_path: Path) -> None:
    block = re.search(r"```nginx\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    asyncio.run(init_data(tmp_path / "data", EMAIL, PASSWORD, environ={}))
    with serving(tmp_path / "data", environ={"JOBPASS_CALLBACKS": "true"}) as url, jobpass.Client(url) as client:
        client.login(EMAIL, PASSWORD)
        pipeline = client.create_pipeline({"id": "a", "name": "A", "components": [], "processing_levels": []})
        job = client.create_job(pipeline["uuid"])
        with front(tmp_path, block[1], url) as address:
            made = client.callback_url(["run", "update"], expires_in_seconds=60, token=job.token, base=address)
            assert httpx2.get(f"{made}?event=run").json()["state"] == "RUNNING"
            assert httpx2.post(made.replace("/api/callbacks", "//api/%63allbacks"), json={"event": "update"}).is_success
            assert httpx2.get(f"{address}/health").is_success
        with front(tmp_path, block[1], "http://127.0.0.1:9") as address:  # nobody is there
            assert httpx2.get(made.replace(made.partition("/api")[0], address)).status_code == 502
    logged = "".join((tmp_path / name).read_text() for name in ("access.log", "error.log", "nginx.log"))
    assert logged.count('/api/callbacks/..."') == 2 + 1, logged
    assert '"GET /health" 200' in logged
    ticket = made.rpartition("_")[2]
    assert not [start for start in range(0, len(ticket) - 24, 8) if ticket[start : start + 24] in logged]


@contextmanager
def front(place: Path, block: str, url: str) -> Iterator[str]:
    """An nginx with the page's lines before a server; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    assert block.count("/var/log/nginx/jobs.log") == 1
    lines = block.replace("/var/log/nginx/jobs.log", f"{place}/access.log")
    lines = lines.replace("/var/log/nginx/error.log", f"{place}/error.log")
    temporary = "".join(f"{kind}_temp_path t;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (place / "nginx.conf").write_text(
        f"{'user root;' if os.geteuid() == 0 else ''} daemon off; pid nginx.pid; events {{}}\n"
        f"http {{ {temporary}\n{lines}\nserver {{ listen {address}; location / {{ proxy_pass {url}; }} }} }}\n"
    )
    command = [str(NGINX), "-e", "stderr", "-p", f"{place}/", "-c", "nginx.conf"]
    with (place / "nginx.log").open("w") as log, subprocess.Popen(command, stderr=log) as server:
        try:
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
            yield f"http://{address}"
        finally:
            server.terminate()
            server.wait(timeout=10)
