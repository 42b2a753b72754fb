"""``init``, ``serve`` and ``verify``."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

import jobpass
from jobpass import compose

PASSWORD = "correct-horse-battery"


def test_init_shows_the_password_that_it_made_once(shell: Any, serve: Callable[..., Any]) -> None:
    data = shell.home / "data"
    said = shell.good("init", "--data", data)
    password = said.strip().rpartition(" ")[2]
    assert len(password) == 23
    for path in data.iterdir():
        assert password.encode() not in path.read_bytes()
    with jobpass.Client(serve(data).url) as client:
        assert client.login("operator@localhost", password).is_admin


def test_init_takes_a_password_file_less_one_newline(shell: Any) -> None:
    (shell.home / "password").write_text(PASSWORD + "\n")
    made = shell.json("init", "--data", "data", "--admin-email", "A@B.example", "--admin-password-file", "password")
    assert "password" not in made
    with jobpass.open(f"sqlite://{shell.home}/data") as client:
        assert client.login("a@b.example", PASSWORD).email == "a@b.example"


def test_init_again_is_refused_and_changes_nothing(shell: Any) -> None:
    shell.good("init", "--data", "data")
    before = {path.name: path.read_bytes() for path in (shell.home / "data").iterdir()}
    again = shell("init", "--data", "data")
    assert again.returncode == 7
    assert "nothing was changed" in again.stderr
    assert again.stdout == ""
    assert {path.name: path.read_bytes() for path in (shell.home / "data").iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["init"], 7, "--data"),
        (["init", "--data", "data", "--admin-email", "nobody"], 2, "e-mail"),
        (["init", "--data", "data", "--admin-password-file", "absent"], 2, "password file absent"),
        (["init", "--data", "data", "--admin-password-file", "short"], 2, "12"),
        (["init", "--data", "short"], 7, "short"),
        (["verify", "--data", "absent"], 7, "jobpass init"),
        (["serve", "--data", "data", "--port", "99999"], 7, "--port"),
        (["serve", "--data", "data", "--config", "absent"], 7, "absent"),
        (["serve", "--data", "data", "--log-format", "xml"], 7, "--log-format"),
    ],
)
def test_what_cannot_be_is_one_line(shell: Any, here: Any, arguments: list[str], code: int, said: str) -> None:
    (shell.home / "short").write_text("short\n")
    done = here(*arguments)
    assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
    assert said in done.stderr
    assert not (shell.home / "data" / "jobpass.sqlite").exists()


def test_a_fresh_folder_is_initialised_by_serve(shell: Any) -> None:
    process = shell.start("serve", "--data", "data", "--port", "0")
    assert process.stdout is not None
    lines = [process.stdout.readline().strip() for _ in range(3)]
    password, url = lines[1].rpartition(" ")[2], lines[2].rpartition(" ")[2]
    assert lines[2].startswith("Jobpass serves data on http://127.0.0.1:")
    with jobpass.Client(url) as client:
        client.login("operator@localhost", password)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.communicate()


def test_serve_takes_its_settings_from_the_folder_and_the_environment(shell: Any, serve: Callable[..., Any]) -> None:
    shell.good("init", "--data", "data")
    (shell.home / "data" / "jobpass.toml").write_text("body_limit_bytes = 2048\n")
    shell.variables["JOBPASS_LOG_FORMAT"] = "json"
    server = serve(shell.home / "data")
    with jobpass.Client(server.url) as client, pytest.raises(jobpass.errors.TooLarge):
        client.login("a@b", "x" * 3000)
    (shell.home / "data" / "jobpass.toml").write_text("\nbody_limit = 2048\n")
    refused = shell("serve", "--data", "data")
    assert refused.returncode == 7
    assert "jobpass.toml line 2" in refused.stderr


def test_an_address_that_others_reach_is_warned_of(shell: Any) -> None:
    shell.good("init", "--data", "data")
    process = shell.start("serve", "--data", "data", "--port", "0", "--host", "0.0.0.0", "--json")
    assert process.stdout is not None
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert "TLS" in said


def test_a_port_that_is_taken_is_told(shell: Any, installation: Any) -> None:
    port = installation.url.rpartition(":")[2]
    done = shell("serve", "--data", "data", "--port", port)
    assert done.returncode == 7
    assert port in done.stderr


def test_the_keyring_must_be_private(shell: Any) -> None:
    shell.good("init", "--data", "data")
    keyring = shell.home / "data" / "keyring.json"
    assert stat.S_IMODE(keyring.stat().st_mode) == 0o600
    keyring.chmod(0o644)
    for command in ("serve", "verify"):
        done = shell(command, "--data", "data")
        assert (done.returncode, done.stderr.count("\n")) == (7, 1)
        assert "chmod 600" in done.stderr
    keyring.unlink()
    assert "no keyring" in shell("verify", "--data", "data").stderr
    assert not keyring.exists()


def test_a_newer_schema_is_refused(shell: Any) -> None:
    shell.good("init", "--data", "data")
    connection = apsw.Connection(str(shell.home / "data" / "jobpass.sqlite"))
    connection.pragma("user_version", 999)
    connection.close()
    for command in ("serve", "verify"):
        done = shell(command, "--data", "data")
        assert done.returncode == 7
        assert "newer Jobpass" in done.stderr


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A data folder with three jobs of five events, and their uuids."""
    data = tmp_path_factory.mktemp("original") / "data"
    asyncio.run(compose.init_data(data, "operator@localhost", PASSWORD, environ={}))
    uuids = []
    with jobpass.open(f"sqlite://{data}", environ={}) as client:
        client.login("operator@localhost", PASSWORD)
        pipeline = client.create_pipeline({"id": "p", "name": "p", "components": [], "processing_levels": []})["uuid"]
        for n in range(3):
            job = client.create_job(pipeline, {"n": n})
            client.send(job.uuid, "run")
            for step in range(3):
                client.send(job.uuid, "update", {"step": step})
            uuids.append(job.uuid)
    return data, uuids


@pytest.fixture
def filled(original: tuple[Path, list[str]], shell: Any) -> list[str]:
    """A copy of it in the shell's home; the uuids."""
    shutil.copytree(original[0], shell.home / "data")
    return original[1]


def edit(shell: Any, statement: str) -> None:
    connection = apsw.Connection(str(shell.home / "data" / "jobpass.sqlite"))
    connection.execute(statement)
    assert connection.changes() > 0
    connection.close()


def test_verify_tells_when_all_hold(shell: Any, filled: list[str]) -> None:
    assert shell.json("verify", "--data", "data") == {"jobs": 3, "events": 15, "audit_entries": 3, "broken": []}
    done = shell("verify", "--data", "data")
    assert (done.returncode, done.stdout) == (0, "")
    assert "all 3 histories hold" in done.stderr


OF_SECOND = "job = (SELECT id FROM job ORDER BY id LIMIT 1 OFFSET 1)"


@pytest.mark.parametrize(
    ("statement", "sequence"),
    [
        ("UPDATE event SET data = CAST('{\"step\":7}' AS BLOB) WHERE sequence = 4 AND {second}", 4),
        ("UPDATE event SET name = 'resource' WHERE sequence = 3 AND {second}", 3),
        ("UPDATE event SET at = at + 1 WHERE sequence = 2 AND {second}", 2),
        ("UPDATE event SET kid = '00000000' WHERE sequence = 3 AND {second}", 3),
        ("DELETE FROM event WHERE sequence = 3 AND {second}", 3),
        ("DELETE FROM event WHERE sequence = 5 AND {second}", 5),
        ("UPDATE event SET data = (SELECT data FROM event WHERE sequence = 4) WHERE sequence = 5 AND {second}", 5),
        ("UPDATE job SET state = 'FINISHED' WHERE id = (SELECT id FROM job ORDER BY id LIMIT 1 OFFSET 1)", 5),
    ],
)
def test_verify_names_the_first_bad_link(
    shell: Any, here: Any, filled: list[str], statement: str, sequence: int
) -> None:
    edit(shell, statement.replace("{second}", OF_SECOND))
    done = here("verify", "--data", "data")
    assert (done.returncode, done.stdout) == (1, f"{filled[1]} {sequence}\n"), done.stderr


def test_verify_tells_every_broken_job(shell: Any, here: Any, filled: list[str]) -> None:
    edit(shell, "UPDATE event SET data = x'31' WHERE sequence = 3")
    told = here("verify", "--data", "data", "--json")
    assert told.returncode == 1
    broken = [{"uuid": uuid, "sequence": 3} for uuid in filled]
    assert json.loads(told.stdout) == {"jobs": 3, "events": 15, "audit_entries": 3, "broken": broken}


def test_verify_while_a_server_is_writing(shell: Any, logged_in: Any, installation: Any, job: dict[str, Any]) -> None:
    with jobpass.Client(installation.url, job["token"]) as client:
        for n in range(20):
            client.send(job["uuid"], "update", n)
        assert shell("verify", "--data", installation.data).returncode == 0


def test_the_version_comes_at_once() -> None:
    times = []
    for _ in range(5):
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "jobpass", "--version"], capture_output=True, text=True)
        times.append(time.perf_counter() - started)
        assert done.stdout == f"jobpass {jobpass.__version__}\n"
    assert min(times) < 0.3  # 0.15 where nothing else runs


def test_the_version_imports_nothing_heavy() -> None:
    program = "import sys; sys.argv[1:] = ['--version']; from jobpass.__main__ import main; main(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules = set(done.stdout.splitlines()[1].split())
    assert "jobpass" in modules
    assert not modules & {"typer", "msgspec", "rich", "asyncio", "jobpass.cli", "jobpass.errors", "argparse"}


def test_a_log_line_is_json_and_knows_the_request(installation: Any) -> None:
    with (
        jobpass.Client(installation.url, "jp_doc_" + "A" * 40) as client,
        pytest.raises(jobpass.errors.InvalidToken) as caught,
    ):
        client.me()
    request_id = caught.value.detail["request_id"]
    until = time.monotonic() + 5
    while not (lines := [line for line in installation.log if request_id in line]) and time.monotonic() < until:
        time.sleep(0.02)
    found = json.loads(lines[0])
    assert (found["status"], found["path"]) == (401, "/api/me")
    assert "AAAA" not in "".join(installation.log)


def test_nothing_is_left_open_to_others(installation: Any) -> None:
    for place, folders, files in os.walk(installation.data):
        for name in (*folders, *files):
            assert stat.S_IMODE(Path(place, name).stat().st_mode) & 0o077 == 0, name
