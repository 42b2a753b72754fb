"""``job callback``: a URL that works, from a log-in and from a document token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

import jobpass


@pytest.fixture
def open_server(here: Any, shell: Any, serve: Callable[..., Any]) -> Any:
    """A server where callbacks are on."""
    (shell.home / "password").write_text("correct-horse-battery")
    here.good("init", "--data", "data", "--admin-password-file", "password")
    (shell.home / "data" / "jobpass.toml").write_text("callbacks = true\n")
    server = serve(shell.home / "data", "--log-format", "json")
    here.good("login", "--url", server.url, "--email", "operator@localhost", "--password-file", "password")
    return server


def make_job(here: Any) -> dict[str, Any]:
    (here.home / "p.json").write_text('{"id": "t", "name": "T", "components": [], "processing_levels": []}')
    pipeline = here.json("pipeline", "create", "p.json")["uuid"]
    found: dict[str, Any] = here.json("job", "create", "--pipeline", pipeline)
    return found


def test_the_url_of_an_owner_works_and_stays_out_of_the_log(here: Any, open_server: Any) -> None:
    uuid = make_job(here)["uuid"]
    url = here.good("job", "callback", uuid, "--events", "run,finish", "--expires", "2h").strip()
    assert url.startswith(f"{open_server.url}/api/callbacks/jp_doc_")
    assert httpx2.get(f"{url}?status=RUNNING").json()["state"] == "RUNNING"
    assert httpx2.post(url, json={"status": "FINISHED"}).json()["state"] == "FINISHED"
    assert httpx2.get(f"{url}?event=fail").status_code == 403
    here.good("job", "rotate", uuid)
    assert httpx2.get(f"{url}?status=FINISHED").status_code == 401
    open_server.process.terminate()
    open_server.process.wait(20)
    log = "".join(open_server.log)
    assert log.count('"/api/callbacks/…"') == 4
    body = url.rpartition("jp_doc_")[2]
    assert not [start for start in range(0, len(body) - 24, 8) if body[start : start + 24] in log]


def test_the_holder_of_a_document_token_needs_no_server(here: Any, open_server: Any, tmp_path: Path) -> None:
    job = make_job(here)
    open_server.process.terminate()
    open_server.process.wait(20)
    (tmp_path / "token").write_text(job["token"])
    options = ("--events", "run", "--expires", "1h", "--token-file", tmp_path / "token", "--json")
    url = here.json("job", "callback", job["uuid"], *options[:-1])["url"]
    assert url.startswith(f"{open_server.url}/api/callbacks/")
    here.variables["JOBPASS_PUBLIC_URL"] = "https://outside.example.org"
    assert here.good("job", "callback", job["uuid"], *options[:-1]).startswith("https://outside.example.org/api/")
    told = here.good("job", "callback", job["uuid"], *options[:-1], "--base", "https://b.example.org")
    assert told.startswith("https://b.example.org/api/callbacks/")


@pytest.mark.parametrize(
    "options",
    [
        ("--events", "run"),
        ("--expires", "1h"),
        ("--events", ",", "--expires", "1h"),
        ("--events", "run", "--expires", "31d"),
        ("--events", "run", "--expires", "1h", "--base", "http://b.example.org"),
    ],
    ids=str,
)
def test_what_cannot_be_made_is_an_error_of_the_call(
    here: Any, logged_in: Any, job: dict[str, Any], options: Any
) -> None:
    done = here("job", "callback", job["uuid"], *options)
    assert done.returncode == 2, done.stderr
    assert "jp_" not in done.stdout + done.stderr


def test_off_the_url_leads_nowhere(here: Any, logged_in: Any, job: dict[str, Any], operator: jobpass.Client) -> None:
    url = here.good("job", "callback", job["uuid"], "--events", "run", "--expires", "1h").strip()
    assert httpx2.get(f"{url}?event=run").status_code == 404
    assert operator.job(job["uuid"]).state == "CREATED"
