"""Calls that cannot succeed: each error is a sentence that says what to do, or its object, and never a traceback."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from cli.conftest import COMMAND

NOBODY = "http://127.0.0.1:1"
JOB = "1071269f-b251-5a5f-bec1-6d7f77131f3f"


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("job", "list", "--frobnicate"), 2, "No such option: --frobnicate (see jobpass job list --help)"),
        (("job", "show"), 2, "Missing argument"),
        (("no-such-command",), 2, "No such command"),
        (("job", "list", "--limit", "many"), 2, "valid integer"),
        (("verify", "--data", "nowhere"), 7, "There is no Jobpass data in nowhere"),
        (("job", "list", "--url", NOBODY), 6, f"The server cannot be reached: no connection ({NOBODY})."),
        (("job", "list"), 7, "No server is configured"),
        (("webhook", "create", "https://example.org"), 2, "either --job UUID or --pipeline UUID"),
    ],
)
def test_with_json_every_error_is_an_object(here: Any, words: tuple[str, ...], code: int, text: str) -> None:
    done = here(*words, "--json")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
    told = json.loads(done.stderr)
    assert text in told["error"]
    assert told["detail"]["code"]
    plain = here(*words)
    assert (plain.returncode, plain.stderr.count("\n")) == (code, 1)
    assert text in plain.stderr


def test_a_disk_that_is_full_is_told_in_both_forms(shell: Any) -> None:
    shell.good("init", "--data", "data")
    with Path("/dev/full").open("w") as full:
        done = shell.start("settings", "--data", "data", "--json", stdout=full)
        assert json.loads(done.communicate(timeout=60)[1])["error"] == "No space left on device"
        assert done.returncode == 7


def test_an_error_is_said_once(logged_in: Any, job: dict[str, Any]) -> None:
    done = logged_in("job", "send", job["uuid"], "nonsense")
    assert done.stderr == "jobpass: 'nonsense' is not an event of this job's lifecycle.\n"


def test_who_has_no_token_is_told_how_to_get_one(here: Any, installation: Any) -> None:
    done = here("job", "list", "--url", installation.url)
    assert done.returncode == 3
    assert done.stderr == (
        f"jobpass: There is no token for {installation.url}: "
        f"jobpass login --url {installation.url}, or --token-file FILE.\n"
    )
    here.variables["JOBPASS_TOKEN"] = "jp_log_none"
    assert here("job", "list", "--url", installation.url).stderr == "jobpass: The token is not valid.\n"


def test_a_token_file_with_nothing_in_it(here: Any) -> None:
    (here.home / "empty").write_text("\n")
    done = here("job", "show", JOB, "--url", NOBODY, "--token-file", "empty")
    assert (done.returncode, done.stderr) == (2, "jobpass: The token file empty is empty.\n")


@pytest.mark.parametrize("command", ["job list", "login --password-file password", "run -- true"])
def test_a_server_that_does_not_answer_is_named(here: Any, command: str) -> None:
    (here.home / "password").write_text("correct-horse-battery")
    here.variables["JOBPASS_URL"] = NOBODY
    assert f"cannot be reached: no connection ({NOBODY})." in here(*command.split()).stderr


@pytest.fixture
def without_driver(shell: Any) -> Iterator[Any]:
    """A shell whose Python has no driver of PostgreSQL."""
    (shell.home / "asyncpg.py").write_text("raise ModuleNotFoundError('it is not there', name='asyncpg')\n")
    shell.variables["PYTHONPATH"] = str(shell.home)
    return shell


@pytest.mark.parametrize(
    "command",
    [
        "init --data other --store {}",
        "copy --from data --to {}",
        "copy --from {} --to data",
        "finish-migration --store {}",
    ],
)
def test_without_the_driver_of_postgresql_it_is_named(without_driver: Any, command: str) -> None:
    without_driver.good("init", "--data", "data")
    done = without_driver(*command.format("postgresql://jobpass@127.0.0.1:1/jobpass").split())
    assert done.returncode == 7
    assert done.stderr == ("jobpass: PostgreSQL needs a driver that is not there: pip install 'jobpass[postgres]'.\n")


@pytest.mark.parametrize("place", ["http://example.org", "sqlite://other", "mysql://ann:secret@example.org/x"])
def test_a_copy_goes_to_no_other_url(here: Any, place: str) -> None:
    here.good("init", "--data", "data")
    before = sorted(here.home.iterdir())
    done = here("copy", "--from", "data", "--to", place)
    assert done.returncode == 2
    assert "is neither a data folder nor a URL that begins with postgresql://." in done.stderr
    assert "secret" not in done.stderr
    assert sorted(here.home.iterdir()) == before


def test_what_has_no_record_is_not_copied(here: Any) -> None:
    (here.home / "data").mkdir()
    apsw.Connection(str(here.home / "data" / "jobpass.sqlite")).close()
    (here.home / "data" / "jobpass.sqlite").touch()
    done = here("copy", "--from", "data", "--to", "other")
    assert (done.returncode, done.stderr) == (
        7,
        "jobpass: Nobody has an account in data: there is no record to copy.\n",
    )


def test_a_copy_onto_itself(here: Any) -> None:
    here.good("init", "--data", "data")
    done = here("copy", "--from", "data", "--to", "./data/")
    assert (done.returncode, done.stderr) == (2, "jobpass: --from and --to are the same store.\n")


def test_a_store_that_is_no_url_of_postgresql(here: Any) -> None:
    done = here("init", "--data", "data", "--store", "./file.sqlite")
    assert (done.returncode, done.stderr.partition(";")[0]) == (
        7,
        "jobpass: --store must be a URL that begins with postgresql://",
    )


def test_a_store_with_nothing_in_its_url(shell: Any) -> None:
    done = shell("verify", "--data", "data", "--store", "postgresql://")
    assert (done.returncode, "password" in done.stderr) == (7, False)


def test_a_backup_and_a_restore_name_the_file(here: Any) -> None:
    here.good("init", "--data", "data")
    done = here("backup", "--data", "data", "nowhere/copy")
    assert (done.returncode, done.stderr) == (
        2,
        "jobpass: nowhere/copy cannot be made: there is no folder nowhere.\n",
    )
    done = here("restore", "--data", "data", "nowhere/copy")
    assert (done.returncode, done.stderr) == (
        2,
        "jobpass: The copy nowhere/copy cannot be read: No such file or directory.\n",
    )


def test_a_data_folder_that_is_a_file(here: Any) -> None:
    (here.home / "file").write_text("")
    done = here("init", "--data", "file")
    assert (done.returncode, done.stderr) == (
        7,
        "jobpass: The data folder file cannot be made: there is a file of this name.\n",
    )


def test_what_serve_cannot_use_is_told_in_words(here: Any) -> None:
    (here.home / "file").write_text("no certificate")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = here("serve", "--data", "data", "--port", port, "--log-level", "error")
        assert done.stderr == f"jobpass: Cannot listen on 127.0.0.1:{port}: Address already in use.\n"
    done = here("serve", "--data", "data", "--port", 0, "--certfile", "file")
    assert "The certificate cannot be used (file): it must be a certificate and its key, in PEM" in done.stderr
    done = here("serve", "--data", "data", "--port", 0, "--certfile", "none")
    assert done.stderr == "jobpass: The certificate cannot be used (none): No such file or directory.\n"
    done = here("serve", "--data", "data", "--log-level", "loud")
    assert "it is one of debug, info, warning, error." in done.stderr


def test_names_that_are_not_utf_8(shell: Any) -> None:
    done = shell("init", "--data", "\udcfffolder")
    assert (done.returncode, done.stderr) == (
        7,
        "jobpass: The data folder \\udcfffolder cannot be made: its name is not UTF-8.\n",
    )
    assert list(shell.home.iterdir()) == []
    done = shell("run", "--", "\udcffnone")
    assert done.returncode == 127
    assert "FAILED" in done.stderr
    assert shell.json("job", "list")["jobs"][0]["state"] == "FAILED"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_stream_that_is_closed(shell: Any, closed: str) -> None:
    shell.good("init", "--data", "data")
    command = f'exec "$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *COMMAND, "keys", "list", "--data", "data"],
        env=shell.environ,
        cwd=shell.home,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert ("active" in done.stdout) == (closed != ">&-")


def test_several_reasons_are_told_apart(logged_in: Any, job: dict[str, Any]) -> None:
    done = logged_in("job", "delete", job["uuid"], "--yes")
    assert done.returncode == 3
    assert "does not open jobs.delete; the role operator" in done.stderr


def test_a_worker_says_what_it_lacks(here: Any, installation: Any) -> None:
    (here.home / "key").write_text("jp_key_none")
    words = ("worker", "--platform", "cpu:one", "--runner", "command", "--apikey-file")
    done = here(*words, "none", "--url", NOBODY, "--", "cat")
    assert done.stderr == "jobpass: The API key file none cannot be read: No such file or directory.\n"


def test_a_worker_runs_a_file_beside_it(shell: Any) -> None:
    (shell.home / "keys").mkdir()
    (shell.home / "keys" / "key").write_text("jp_key_none")
    (shell.home / "tool.sh").write_text("#!/bin/sh\necho 1\n")
    (shell.home / "tool.sh").chmod(0o755)
    words = ("worker", "--platform", "cpu:one", "--runner", "command", "--apikey-file", "keys/key", "--url", NOBODY)
    done = shell(*words, "--", "./tool.sh")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        6,
        f"jobpass: The server cannot be reached: no connection ({NOBODY}).",
    )
