"""``jobpass webhook``, and ``jobpass serve`` that tells what happened."""

from __future__ import annotations

import asyncio
import json
import secrets
import stat
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

import jobpass
from support.outgoing import eventually
from support.receiver import receiving

PASSWORD = "correct-horse-battery"


@pytest.fixture
def own(shell: Any, here: Any, serve: Any) -> Any:
    """The command line, logged in to a server of this test's own, which may tell loopback."""
    (shell.home / "password").write_text(PASSWORD)
    here.good("init", "--data", "data", "--admin-password-file", "password")
    (shell.home / "data" / "jobpass.toml").write_text(
        'webhook_networks = ["127.0.0.0/8"]\nwebhook_retry_seconds = []\n'
    )
    server = serve(shell.home / "data", "--log-format", "json")
    here.good("login", "--url", server.url, "--email", "operator@localhost", "--password-file", "password")
    pipeline = {"id": "test", "name": "Test", "components": [], "processing_levels": []}
    (shell.home / "pipeline.json").write_text(json.dumps(pipeline))
    here.good("pipeline", "create", "pipeline.json")
    here.server = server
    return here


def make_job(own: Any) -> dict[str, Any]:
    pipeline = own.json("pipeline", "list")["pipelines"][0]["uuid"]
    made: dict[str, Any] = own.json(
        "job", "create", "--pipeline", pipeline, "--data", f'{{"x":"{secrets.token_hex(4)}"}}'
    )
    return made


async def test_a_real_server_tells_what_happened(own: Any, shell: Any) -> None:
    job = make_job(own)
    async with receiving() as receiver:
        made = own.json("webhook", "create", receiver.url, "--job", job["uuid"], "--event", "run,finish", "--out", "s")
        assert made == {"id": made["id"], "file": "s"}
        secret = (shell.home / "s").read_text().strip()
        assert stat.S_IMODE((shell.home / "s").stat().st_mode) == 0o600
        with jobpass.Client(own.server.url, job["token"]) as client:
            for name in ("run", "update", "finish"):
                await asyncio.to_thread(client.send, job["uuid"], name)
        got = await receiver.wait(2)
        assert [Webhook(secret).verify(one.body, one.headers)["data"]["event"] for one in got] == ["run", "finish"]
        assert "is on its way" in own.good("webhook", "ping", made["id"])
        assert (await receiver.wait(3))[2].json()["type"] == "webhook.ping"
        receiver.answer = lambda _: 500
        with jobpass.Client(own.server.url, job["token"]) as client:
            await asyncio.to_thread(client.send, job["uuid"], "index")
        assert own.good("webhook", "dead-letters", made["id"]) == ""  # that event was not asked for
        own.json("webhook", "ping", made["id"])
        await receiver.wait(4)
        dead = await eventually(lambda: own.json("webhook", "dead-letters", made["id"])["dead_letters"])
        assert (dead[0]["event"], dead[0]["last_error"]) == (None, "HTTP 500")
        assert own.good("webhook", "dead-letters", made["id"]).split("\t")[3:] == ["ping", "1", "HTTP 500\n"]
        receiver.answer = lambda _: 200
        assert own.good("webhook", "retry", made["id"], "--id", dead[0]["id"]) == "1 wait to be sent again.\n"
        await receiver.wait(5)
    lines = "".join(own.server.log)
    assert "a delivery failed: HTTP 500" in lines
    assert secret not in lines
    assert "box=1" not in lines


def test_making_seeing_rotating_and_ending_one(own: Any, shell: Any) -> None:
    job = make_job(own)
    url = "http://127.0.0.1:9/a-secret-path"
    shown = own.good("webhook", "create", "-", "--pipeline", job["pipeline_uuid"], stdin=url + "\n")
    identity, secret = (line.partition(": ")[2] for line in shown.splitlines())
    assert secret.startswith("whsec_")
    assert own.good("webhook", "list") == f"{identity}\tsound\t{job['pipeline_uuid']}\t\t{url}\n"
    told = own.good("webhook", "show", identity)
    for line in ("state: sound", "events: all", "waiting: 0", f"url: {url}"):
        assert line in told.splitlines()
    assert secret not in told
    rotated = own.json("webhook", "rotate", identity, "--grace-seconds", 60)
    assert rotated["secret"] not in (secret, "")
    assert own.json("webhook", "show", identity)["previous_until"] is not None
    assert own.good("webhook", "enable", identity) == f"{identity} is sound.\n"
    assert own.good("webhook", "delete", identity) == f"{identity} is gone.\n"
    assert own("webhook", "show", identity).returncode == 4
    assert own("webhook", "show", "../users").returncode == 4


def test_what_cannot_be(own: Any) -> None:
    job = make_job(own)
    for arguments, code, said in (
        (("http://10.0.0.1/", "--job", "{job}"), 2, "does not lead to"),
        (("http://127.0.0.1/", "--job", "{job}", "--event", "finnish"), 2, "no event of a lifecycle"),
        (("http://127.0.0.1/",), 2, "either --job UUID or --pipeline UUID"),
        (("http://127.0.0.1/", "--job", "10700000-0000-5000-8000-000000000000"), 4, "no such job"),
        (("http://127.0.0.1/", "--job", "{job}", "--out", "password"), 2, "cannot be made"),
    ):
        done = own("webhook", "create", *(word.replace("{job}", job["uuid"]) for word in arguments))
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert own.json("webhook", "list") == {"webhooks": []}


def test_a_network_that_is_none_stops_the_server_at_once(shell: Any, here: Any) -> None:
    (shell.home / "password").write_text(PASSWORD)
    here.good("init", "--data", "data", "--admin-password-file", "password")
    for networks in ('["10.0.0.1/8"]', '["localhost"]', '"10.0.0.0/8"', "[1]"):
        (shell.home / "data" / "jobpass.toml").write_text(f"webhook_networks = {networks}\n")
        done = here("settings", "--data", "data")
        assert done.returncode == 7, networks
        assert "jobpass.toml line 1" in done.stderr
    here.variables["JOBPASS_WEBHOOK_NETWORKS"] = '["10.0.0.0/8"]'
    (shell.home / "data" / "jobpass.toml").unlink()
    assert here.json("settings", "--data", "data")
