"""``backup``, ``restore``, ``anchor``, ``verify --anchor``, ``keys``, ``settings``, ``completion``, TLS, lifecycles."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import stat
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

import jobpass
from jobpass import compose

PASSWORD = "correct-horse-battery"
MEMBERS = {"id": "p", "name": "p", "components": [], "processing_levels": []}


class Place:
    """A data folder of this test's own, filled without a server."""

    def __init__(self, shell: Any) -> None:
        self.data: Path = shell.home / "data"
        (shell.home / "password").write_text(PASSWORD)
        shell.good("init", "--data", self.data, "--admin-password-file", "password")

    def open(self, url: str | None = None) -> jobpass.Client:
        """The operator."""
        client = jobpass.Client(url) if url else jobpass.open(f"sqlite://{self.data}", environ={})
        client.login("operator@localhost", PASSWORD)
        return client

    def job(self, client: jobpass.Client, n: int, events: int = 3) -> Any:
        """A job that runs."""
        job = client.create_job(client.create_pipeline(MEMBERS)["uuid"], {"n": n})
        client.send(job.uuid, "run")
        for step in range(events):
            client.send(job.uuid, "update", step)
        return job

    def edit(self, *statements: str) -> None:
        """Change the database behind everybody's back."""
        connection = apsw.Connection(str(self.data / "jobpass.sqlite"))
        connection.pragma("foreign_keys", 0)
        for statement in statements:
            connection.execute(statement)
        connection.close()


@pytest.fixture
def place(shell: Any) -> Place:
    return Place(shell)


def lives(client: jobpass.Client, token: str, uuid: str) -> bool:
    try:
        client.with_token(token).job(uuid)
    except jobpass.errors.InvalidToken:
        return False
    return True


def wait_until(holds: Callable[[], bool], seconds: float = 10) -> float:
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds
        time.sleep(0.02)
    return time.monotonic() - started


def test_a_backup_under_load_is_whole(place: Place, shell: Any, serve: Callable[..., Any]) -> None:
    server = serve(place.data)
    with place.open(server.url) as client:
        job = place.job(client, 1)
        stop = threading.Event()
        sent: list[int] = []

        def write() -> None:
            while not stop.is_set():
                sent.append(client.send(job.uuid, "update", len(sent)).sequence)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            wait_until(lambda: len(sent) > 20)
            before = sent[-1]
            shell.good("backup", "--data", place.data, "copy")
        finally:
            stop.set()
            writer.join()
    copy = shell.home / "copy"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    again = shell("backup", "--data", place.data, "copy")
    assert (again.returncode, "already" in again.stderr) == (5, True)
    other = shell.home / "other"
    other.mkdir()
    shutil.copy2(place.data / "keyring.json", other)
    shell.good("restore", "--data", other, "copy")
    found = shell.json("verify", "--data", other)
    assert found["broken"] == []
    assert found["events"] >= before


def test_restore_refuses_what_cannot_be_and_leaves_nothing(place: Place, here: Any) -> None:
    here.good("backup", "--data", place.data, "copy")
    before = {path.name: path.read_bytes() for path in place.data.iterdir() if path.name != "jobpass.sqlite-shm"}
    taken = here("restore", "--data", place.data, "copy")
    assert (taken.returncode, "move it away" in taken.stderr) == (7, True)
    (here.home / "junk").write_text("no database" * 500)
    assert here("restore", "--data", "empty", "copy").returncode == 7  # no keyring
    stranger = here.home / "stranger"
    here.good("init", "--data", stranger)
    (stranger / "jobpass.sqlite").unlink()
    wrong = here("restore", "--data", stranger, "copy")
    assert (wrong.returncode, "another keyring" in wrong.stderr) == (7, True)
    for rotate in ((), ("--rotate",)):
        assert here("restore", "--data", stranger, "junk", *rotate).returncode in (6, 7)
    assert sorted(path.name for path in stranger.iterdir()) == ["keyring.json"]
    (stranger / "jobpass.sqlite-wal").write_bytes(b"left over")
    assert "jobpass.sqlite-wal" in here("restore", "--data", stranger, "copy").stderr
    assert {name: (place.data / name).read_bytes() for name in before} == before


def test_restoring_an_older_copy_with_rotate_kills_every_token(
    place: Place, shell: Any, here: Any, serve: Callable[..., Any]
) -> None:
    with place.open() as client:
        job = place.job(client, 1)
        login = str(client.token)
        here.good("backup", "--data", place.data, "copy")
        client.rotate_job_token(job.uuid)
        client.logout()
    for name, options in (("plain", ()), ("rotated", ("--rotate",))):
        folder = here.home / name
        folder.mkdir()
        shutil.copy2(place.data / "keyring.json", folder)
        done = here("restore", "--data", folder, "copy", *options)
        assert done.returncode == 0
        assert ("live again" in done.stderr) == (name == "plain")
        with jobpass.open(f"sqlite://{folder}", environ={}) as client:
            assert lives(client, job.token, job.uuid) == (name == "plain")
            assert lives(client, login, job.uuid) == (name == "plain")
    url = serve(here.home / "rotated").url
    with place.open(url) as client:
        assert lives(client, client.job_token(job.uuid), job.uuid)  # its owner can have a new one
        assert client.send(job.uuid, "update").sequence == 6
        assert [entry.data["rotated"] for entry in client.iter_audit(name="restored")] == [True]
    assert [key["state"] for key in here.json("keys", "list", "--data", "rotated")["keys"]] == ["active", "retired"]
    assert here.json("verify", "--data", "rotated")["broken"] == []


def test_root_keys_are_rotated_and_retired_while_serving(place: Place, here: Any, serve: Callable[..., Any]) -> None:
    server = serve(place.data)
    first = here.json("keys", "list", "--data", place.data)["keys"][0]["kid"]
    with place.open(server.url) as client:
        job = place.job(client, 1)
        second = here.json("keys", "rotate", "--data", place.data)["kid"]

        def signs_now() -> bool:
            token = place.job(client, time.monotonic_ns(), 0).token
            return bool(here.json("token", "inspect", stdin=token)["kid"] == second)

        assert wait_until(signs_now) < 3  # a second, and the time that the questions take
        assert lives(client, job.token, job.uuid)
        refused = here("keys", "retire", first, "--data", place.data)
        assert (refused.returncode, "--force" in refused.stderr) == (5, True)
        assert here("keys", "retire", second, "--data", place.data, "--force").returncode == 7
        assert here("keys", "retire", "00000000", "--data", place.data, "--force").returncode == 7
        assert here.json("keys", "retire", first, "--data", place.data, "--force")["jobs_rekeyed"] >= 1
        wait_until(lambda: not lives(client, job.token, job.uuid), 3)
    with place.open(server.url) as client:
        assert lives(client, client.job_token(job.uuid), job.uuid)
        assert [e.subject for e in client.iter_audit(name="keys.retired")] == [first]
        assert [e.subject for e in client.iter_audit(name="keys.rotated")] == [second]
    assert here.json("verify", "--data", place.data)["broken"] == []


def test_a_keyring_that_others_can_read_is_not_taken_over(place: Place, here: Any, serve: Callable[..., Any]) -> None:
    server = serve(place.data)
    with place.open(server.url) as client:
        job = place.job(client, 1)
        (place.data / "keyring.json").chmod(0o644)
        wait_until(lambda: any("chmod 600" in line for line in server.log))
        assert lives(client, job.token, job.uuid)
        (place.data / "keyring.json").chmod(0o600)


def test_a_keyring_in_the_environment_is_not_rotated_here(place: Place, here: Any, shell: Any) -> None:
    shell.variables["JOBPASS_KEYRING"] = (place.data / "keyring.json").read_text()
    done = here("keys", "rotate", "--data", place.data)
    assert (done.returncode, "JOBPASS_KEYRING" in done.stderr) == (7, True)
    shown = here.good("settings", "--data", place.data)
    assert "keyring\t(hidden)\tenvironment JOBPASS_KEYRING" in shown
    assert json.loads(shell.variables["JOBPASS_KEYRING"])["keys"][0]["root"] not in shown


def test_an_anchor_finds_what_the_chains_alone_cannot(place: Place, here: Any) -> None:
    with place.open() as client:
        jobs = [place.job(client, n) for n in range(3)]
    here.good("anchor", "--data", place.data, "--out", "anchor")
    assert (
        here.good("anchor", "--data", place.data).splitlines()[1:]
        == (here.home / "anchor").read_text().splitlines()[1:]
    )
    assert here.json("verify", "--data", place.data, "--anchor", "anchor")["anchored"] == 4
    older = here.home / "older"
    shutil.copytree(place.data, older)
    with place.open() as client:  # what goes on is no contradiction
        client.send(jobs[0].uuid, "update")
    assert here("verify", "--data", place.data, "--anchor", "anchor").returncode == 0
    here.good("anchor", "--data", place.data, "--out", "later")
    # The folder as it was: every chain holds, and yet an event and a log-in are missing.
    assert here("verify", "--data", older).returncode == 0
    found = json.loads(here("verify", "--data", older, "--anchor", "later", "--json").stdout)["broken"]
    assert found == [
        {"audit": "main", "anchored": True, "sequence": 4},
        {"uuid": jobs[0].uuid, "anchored": True, "sequence": 6},
    ]
    # A job that is gone without a word, and one whose end was cut off together with its row.
    place.edit(f"DELETE FROM event WHERE job = (SELECT id FROM job WHERE uuid = '{jobs[1].uuid}')")
    place.edit(f"DELETE FROM job WHERE uuid = '{jobs[1].uuid}'")
    place.edit("DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)")
    assert here("verify", "--data", place.data).returncode == 0
    told = here("verify", "--data", place.data, "--anchor", "later")
    assert (told.returncode, told.stdout.splitlines()) == (
        1,
        ["audit:main (anchored) 4", f"{jobs[1].uuid} (anchored) 5"],
    )


def test_a_job_that_was_deleted_as_it_should_is_not_missing(place: Place, here: Any) -> None:
    with place.open() as client:
        job = place.job(client, 1)
        here.good("anchor", "--data", place.data, "--out", "anchor")
        client.create_user("ann@example.org", "quite unusual words")
        with client.with_token(None) as ann:
            ann.login("ann@example.org", "quite unusual words")
            asked = ann.request_admin_key("clean up", "nowhere")
            client.approve_admin_key(asked.id, asked.request_hash)
            client.with_token(ann.admin_token(ann.collect_admin_key(asked.id))).delete_job(job.uuid)
    assert here("verify", "--data", place.data, "--anchor", "anchor").returncode == 0
    with place.open() as client:
        place.job(client, 1, 0)  # the same job made again has another history
    assert here("verify", "--data", place.data, "--anchor", "anchor").returncode == 0


def test_an_edited_audit_is_told(place: Place, here: Any) -> None:
    with place.open():
        pass
    place.edit("UPDATE audit SET principal = 7 WHERE sequence = 2")
    told = here("verify", "--data", place.data)
    assert (told.returncode, told.stdout) == (1, "audit:main 2\n")


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_an_anchor_that_was_cut_short_is_none(place: Place, here: Any, cut: int) -> None:
    lines = here.good("anchor", "--data", place.data).splitlines()
    del lines[cut]
    (here.home / "anchor").write_text("\n".join(lines))
    done = here("verify", "--data", place.data, "--anchor", "anchor")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_the_settings_in_force_tell_where_they_stand(place: Place, here: Any, shell: Any) -> None:
    (place.data / "jobpass.toml").write_text("# mine\nport = 9000\n")
    shell.variables["JOBPASS_LOG_LEVEL"] = "warning"
    shown = here.json("settings", "--data", place.data)
    assert shown["port"] == {"value": 9000, "from": f"{place.data}/jobpass.toml line 2"}
    assert shown["log_level"] == {"value": "warning", "from": "environment JOBPASS_LOG_LEVEL"}
    assert shown["host"]["from"] == "default"
    shell.variables["JOBPASS_NODE"] = "No Good"
    assert here("settings", "--data", place.data).returncode == 7


def test_what_opens_an_archive_is_shown_nowhere(place: Place, here: Any, shell: Any) -> None:
    system = {"url": "s3://bucket", "options": {"secret": "canary"}}
    shell.variables["JOBPASS_ARCHIVES"] = json.dumps({"cold": system})
    hidden = {"cold": {"url": "s3://bucket", "roots": ["/products"], "options": {"secret": "(hidden)"}}}
    shown = here.json("settings", "--data", place.data)
    assert shown["archives"] == {"value": hidden, "from": "environment JOBPASS_ARCHIVES"}
    assert "canary" not in here.good("settings", "--data", place.data)
    with compose.serving(place.data, environ=shell.variables):
        pass
    with place.open() as client:
        latest = list(client.iter_audit(name="server.started"))
    assert [entry.data["settings"]["archives"] for entry in latest if entry.data["settings"]["archives"]] == [hidden]


def test_one_operator_may_approve_alone_only_where_init_said_so(here: Any, shell: Any) -> None:
    (shell.home / "password").write_text(PASSWORD)
    (shell.home / "one").mkdir()
    (shell.home / "one" / "jobpass.toml").write_text("port = 0\n")
    for name, options in (("one", ("--single-operator",)), ("many", ())):
        here.good("init", "--data", name, "--admin-password-file", "password", *options)
        with jobpass.open(f"sqlite://{shell.home}/{name}", environ={}) as client:
            client.login("operator@localhost", PASSWORD)
            asked = client.request_admin_key("alone", "here")
            if name == "many":
                with pytest.raises(jobpass.errors.Denied):
                    client.approve_admin_key(asked.id, asked.request_hash)
            else:
                client.approve_admin_key(asked.id, asked.request_hash)
                approved = list(client.iter_audit(name="admin_key.approved"))
                assert approved[0].data["own_request"] is True
    assert (shell.home / "one" / "jobpass.toml").read_text() == "single_operator = true\nport = 0\n"
    assert not (shell.home / "many" / "jobpass.toml").exists()


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_is_made_and_completes(shell: Any, here: Any, name: str) -> None:
    script = here.good("completion", name)
    assert "_JOBPASS_COMPLETE" in script
    asks = {"_JOBPASS_COMPLETE": f"complete_{name}", "COMP_WORDS": "jobpass admin-k", "COMP_CWORD": "1"}
    shell.variables |= asks | {"_TYPER_COMPLETE_ARGS": "jobpass admin-k", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert "admin-key" in shell().stdout


def test_another_shell_is_told_which_there_are(here: Any) -> None:
    done = here("completion", "tcsh")
    assert (done.returncode, "bash, zsh, fish" in done.stderr) == (2, True)


def test_a_lifecycle_of_the_folder_is_served(place: Place, here: Any, serve: Callable[..., Any]) -> None:
    (place.data / "lifecycles").mkdir()
    text = (
        'name = "review"\ninitial = "open"\nfinal = ["shut"]\n[states]\nopen = ""\nshut = ""\n'
        '[events.create]\nfrom = "open"\nto = "open"\n[events.close]\nfrom = "open"\nto = "shut"\n'
    )
    (place.data / "lifecycles" / "review.toml").write_text(text)
    assert "review" in here.good("lifecycle", "list", "--data", place.data)
    with place.open(serve(place.data).url) as client:
        uuid = client.create_pipeline(MEMBERS)["uuid"]
        job = client.create_job(uuid, {"n": 1}, lifecycle="review")
        client.send(job.uuid, "close")
        assert [event.name for event in client.watch(job.uuid)] == ["create", "close"]  # it ends: shut is final
        assert client.job(job.uuid).final is True
    (place.data / "lifecycles" / "other.toml").write_text(text.replace('to = "shut"', 'to = "nowhere"'))
    for command in (["serve"], ["verify"], ["lifecycle", "list"]):
        done = here(*command, "--data", place.data)
        assert done.returncode == 7
        assert "other.toml" in done.stderr


def test_tls_and_the_port_for_metrics(
    place: Place, shell: Any, here: Any, serve: Callable[..., Any], tmp_path: Path
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
            *["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            *["-keyout", str(key), "-out", str(certificate)],
        ],
        check=True,
        capture_output=True,
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = serve(place.data, "--certfile", certificate, "--keyfile", key, "--metrics-port", port)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        assert b"jobpass_" in answer.read()
    assert server.url.startswith("https://")
    with jobpass.Client(server.url, tls=ssl.create_default_context(cafile=str(certificate))) as client:
        assert client.login("operator@localhost", PASSWORD).is_admin
    assert "TLS" not in "".join(server.log)
    missing = here("serve", "--data", place.data, "--port", "0", "--certfile", "absent")
    assert (missing.returncode, "absent" in missing.stderr) == (7, True)


def test_the_keyring_of_a_secret_is_written_for_who_serves(shell: Any, serve: Callable[..., Any]) -> None:
    secret, data = "canary: the secret of it", shell.home / "data"
    with jobpass.open(f"sqlite://{data}", secret=secret, account="me@localhost", environ={}) as client:
        job = client.create_job(client.create_pipeline(MEMBERS)["uuid"], {"n": 1})
    for stdin, code in (("another secret of it\n", 7), ("short\n", 7), ("", 7)):
        done = shell("keys", "from-secret", "--data", data, stdin=stdin)
        assert (done.returncode, (data / "keyring.json").exists()) == (code, False)
    assert shell("keys", "from-secret", secret, "--data", data).returncode == 2, "a secret is no argument"
    assert shell("keys", "from-secret", "--data", "nothing", stdin=secret).returncode == 7
    made = shell.json("keys", "from-secret", "--data", data, stdin=secret + "\n")
    assert made["email"] == "operator@localhost"
    assert stat.S_IMODE((data / "keyring.json").stat().st_mode) == 0o600
    again = shell("keys", "from-secret", "--data", data, stdin=secret)
    assert (again.returncode, "nothing was changed" in again.stderr) == (7, True)
    with jobpass.Client(serve(data).url) as client:
        client.login("operator@localhost", made["password"])
        assert client.with_token(job.token).send(job.uuid, "run").state == "RUNNING"
    assert shell.json("verify", "--data", data)["broken"] == []
    assert shell.json("keys", "list", "--data", data)["keys"][0]["uses"] >= 1
    with jobpass.open(f"sqlite://{data}", secret=secret, account="me@localhost", environ={}) as client:
        assert client.send(job.uuid, "update").sequence == 3


def test_the_operator_of_a_folder_that_is_made_servable_may_have_a_given_password(shell: Any) -> None:
    data = shell.home / "data"
    jobpass.open(f"sqlite://{data}", secret="a secret for this folder", environ={}).close()
    (shell.home / "password").write_text(PASSWORD)
    options = ("--admin-email", "boss@localhost", "--admin-password-file", "password")
    told = shell.good("keys", "from-secret", "--data", data, *options, stdin="a secret for this folder")
    assert PASSWORD not in told
    with jobpass.open(f"sqlite://{data}", environ={}) as client:
        client.login("boss@localhost", PASSWORD)
        assert client.me().role == "operator"
