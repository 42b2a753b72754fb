from __future__ import annotations

import json
import os
import pty
import stat
import time
from pathlib import Path
from typing import Any

import pytest

import jobpass


def login_file(shell: Any) -> Path:
    path: Path = shell.home / "config" / "jobpass" / "login.json"
    return path


def test_login_keeps_the_token_for_this_user_only(shell: Any, installation: Any, password: str) -> None:
    (shell.home / "password").write_text(password + "\n")
    said = shell.json("login", "--url", installation.url, "--password-file", "password")
    assert said["is_admin"] is True
    assert "token" not in said
    saved = json.loads(login_file(shell).read_text())
    assert saved["token"].startswith("jp_log_")
    assert stat.S_IMODE(login_file(shell).stat().st_mode) == 0o600
    assert stat.S_IMODE(login_file(shell).parent.stat().st_mode) == 0o700
    with jobpass.Client(installation.url, saved["token"]) as client:
        assert client.me().email == "operator@localhost"


def test_login_prints_no_token(shell: Any, installation: Any, password: str) -> None:
    done = shell("login", "--url", installation.url, "--password-file", "-", stdin=password)
    assert done.returncode == 0
    assert "jp_" not in done.stdout + done.stderr


def test_logout_ends_the_token(shell: Any, installation: Any, password: str) -> None:
    shell.good("login", "--url", installation.url, "--password-file", "-", stdin=password)
    token = json.loads(login_file(shell).read_text())["token"]
    shell.good("logout")
    assert not login_file(shell).exists()
    with jobpass.Client(installation.url, token) as client, pytest.raises(jobpass.errors.InvalidToken):
        client.me()
    again = shell("logout")
    assert (again.returncode, again.stderr) == (7, "jobpass: You are not logged in.\n")


def test_logout_forgets_a_token_that_has_ended(logged_in: Any, installation: Any, password: str) -> None:
    with jobpass.Client(installation.url) as client:
        client.login("operator@localhost", password)
        saved = json.loads(login_file(logged_in).read_text()) | {"token": client.token}
        login_file(logged_in).write_text(json.dumps(saved))
        client.logout()
    assert logged_in("logout").returncode == 0
    assert not login_file(logged_in).exists()


@pytest.mark.parametrize(("email", "text"), [("operator@localhost", "wrong-horse-battery"), ("who@x", "x")])
def test_a_wrong_password_is_refused_and_nothing_is_saved(shell: Any, installation: Any, email: str, text: str) -> None:
    done = shell("login", "--url", installation.url, "--email", email, "--password-file", "-", stdin=text)
    assert done.returncode == 3
    assert done.stderr == "jobpass: Unknown address or wrong password.\n"
    assert not login_file(shell).exists()


def test_without_a_terminal_a_password_file_is_needed(shell: Any, installation: Any) -> None:
    done = shell("login", "--url", installation.url)
    assert done.returncode == 2
    assert "--password-file" in done.stderr


def test_on_a_terminal_the_password_is_asked_for_without_echo(shell: Any, installation: Any, password: str) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(shell.home)
        arguments = ["python", "-m", "jobpass", "login", "--url", installation.url]
        os.execve(os.path.realpath("/proc/self/exe"), arguments, shell.environ | {"PYTHONPATH": _paths()})
    shown = _read(terminal, b"operator@localhost: ")
    os.write(terminal, password.encode() + b"\n")
    shown += _read(terminal, b"Logged in")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown
    os.close(terminal)
    assert password.encode() not in shown
    assert login_file(shell).exists()


def _paths() -> str:
    import sys

    return os.pathsep.join(path for path in sys.path if path)


def _read(terminal: int, until: bytes) -> bytes:
    shown, end = b"", time.monotonic() + 20
    while until not in shown and time.monotonic() < end:
        try:
            shown += os.read(terminal, 1024)
        except OSError:
            break
    return shown


def test_a_log_in_that_others_can_read_is_refused(logged_in: Any) -> None:
    login_file(logged_in).chmod(0o644)
    done = logged_in("job", "list")
    assert done.returncode == 7
    assert "Others can read" in done.stderr


def test_a_log_in_that_is_not_one_is_refused(logged_in: Any) -> None:
    for text in ("", "[]", '{"url": 1}', "\x00"):
        login_file(logged_in).write_text(text)
        done = logged_in("job", "list")
        assert (done.returncode, done.stderr.count("\n")) == (7, 1)


def test_a_saved_token_goes_to_no_other_server(logged_in: Any, installation: Any) -> None:
    other = installation.url.replace("127.0.0.1", "localhost")
    done = logged_in("job", "list", "--url", other)
    assert done.returncode == 3
    logged_in.variables["JOBPASS_URL"] = other
    assert logged_in("job", "list").returncode == 3


def test_the_environment_s_token_goes_to_its_server_only(logged_in: Any, installation: Any, job: Any) -> None:
    token = job["token"]
    logged_in.variables |= {"JOBPASS_URL": installation.url, "JOBPASS_TOKEN": token}
    assert [one["uuid"] for one in logged_in.json("job", "list")["jobs"]] == [job["uuid"]]
    other = installation.url.replace("127.0.0.1", "localhost")
    assert logged_in("job", "list", "--url", other).returncode == 3


def test_plain_http_elsewhere_must_be_allowed(shell: Any) -> None:
    done = shell("login", "--url", "http://example.invalid", "--password-file", "-", stdin="x")
    assert done.returncode == 2
    assert "https" in done.stderr


def test_a_server_that_is_not_there(shell: Any) -> None:
    done = shell("login", "--url", "http://127.0.0.1:1", "--password-file", "-", stdin="x")
    assert done.returncode == 6
    assert done.stderr.count("\n") == 1
