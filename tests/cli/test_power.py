"""``admin-key``, ``admin-token``, ``token``, ``user``, ``audit``, ``lifecycle``, and a job's tokens."""

from __future__ import annotations

import json
import secrets
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import jobpass

REASONS = ("--use-case", "reset stuck jobs", "--storage", "a vault")
PASSWORD = "quite unusual words"


@pytest.fixture
def ann(operator: jobpass.Client) -> Iterator[tuple[str, str]]:
    """An author's address and a file's content with the password."""
    email = f"ann-{secrets.token_hex(4)}@example.org"
    operator.create_user(email, PASSWORD)
    return email, PASSWORD


@pytest.fixture
def author(shell: Any, here: Any, installation: Any, ann: tuple[str, str]) -> Any:
    """The command line, logged in as an author; ``as_operator`` makes options that speak for the operator."""
    (shell.home / "password").write_text(ann[1])
    here.good("login", "--url", installation.url, "--email", ann[0], "--password-file", "password")
    return here


@pytest.fixture
def as_operator(shell: Any, operator: jobpass.Client) -> tuple[str, str]:
    (shell.home / "operator-token").write_text(str(operator.token))
    return "--token-file", "operator-token"


def test_an_admin_key_from_request_to_revocation(
    author: Any, as_operator: tuple[str, str], pipeline: str, shell: Any
) -> None:
    uuid = author.json("job", "create", "--pipeline", pipeline, "--data", json.dumps({"r": secrets.token_hex(4)}))[
        "uuid"
    ]
    asked = author.json("admin-key", "request", *REASONS, "--scope", '{"events": ["reset"]}')
    key_id = asked["id"]
    assert f"{key_id}\trequested\t" in author.good("admin-key", "list", "--state", "requested", *as_operator)
    own = author("admin-key", "approve", key_id, "--yes")
    assert own.returncode == 3
    changed = author.json("admin-key", "change", key_id, *REASONS, "--lifetime-seconds", 60)
    old = author("admin-key", "approve", key_id, "--hash", asked["request_hash"], "--yes", *as_operator)
    assert (old.returncode, "another one" in old.stderr) == (5, True)
    unasked = author("admin-key", "approve", key_id, *as_operator)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    shown = author.good("admin-key", "approve", key_id, "--yes", *as_operator)
    for text in ("use_case: reset stuck jobs", "storage: a vault", "scope: everything", changed["request_hash"]):
        assert text in shown
    assert author("admin-key", "collect", key_id, *as_operator).returncode == 3  # the requester alone
    assert "The key is in" in author.good("admin-key", "collect", key_id, "--out", "key")
    assert stat.S_IMODE((shell.home / "key").stat().st_mode) == 0o600
    again = author("admin-key", "collect", key_id)
    assert (again.returncode, again.stdout) == (5, "")
    token = author.json("admin-token", "--key-file", "key")
    assert datetime.fromisoformat(token["expires_at"]) > datetime.now(UTC)
    (shell.home / "admin").write_text(token["token"])
    author.good("job", "send", uuid, "run")
    author.good("job", "send", uuid, "fail")
    assert author("job", "send", uuid, "reset").returncode == 3
    for event in ("reset", "ready"):
        author.good("job", "send", uuid, event, "--token-file", "admin")
    author.good("admin-key", "revoke", key_id, "--reason", "done")
    assert author("job", "send", uuid, "reset", "--token-file", "admin").returncode == 3
    assert "reason: done" in author.good("admin-key", "show", key_id)


def test_a_request_is_denied_with_a_reason(author: Any, as_operator: tuple[str, str]) -> None:
    key_id = author.json("admin-key", "request", *REASONS)["id"]
    assert author("admin-key", "deny", key_id, "--reason", " ", *as_operator).returncode == 2
    author.good("admin-key", "deny", key_id, "--reason", "too wide\x1b[2J", *as_operator)
    shown = author.good("admin-key", "show", key_id)
    assert "too wide\\x1b[2J" in shown
    assert author("admin-key", "collect", key_id, "--out", "never").returncode == 5
    assert not Path(author.home / "never").exists()  # and no empty file is left


def test_a_key_is_not_collected_if_it_cannot_be_written(author: Any, as_operator: tuple[str, str]) -> None:
    asked = author.json("admin-key", "request", *REASONS)
    author.good("admin-key", "approve", asked["id"], "--yes", *as_operator)
    (author.home / "taken").write_text("mine")
    refused = author("admin-key", "collect", asked["id"], "--out", "taken")
    assert (refused.returncode, (author.home / "taken").read_text()) == (2, "mine")
    assert author.json("admin-key", "collect", asked["id"])["key"].startswith("jp_adk_")


@pytest.fixture
def key(operator: jobpass.Client, installation: Any, ann: tuple[str, str]) -> tuple[str, str]:
    """A collected admin key: its id and text."""
    with jobpass.Client(installation.url) as client:
        client.login(*ann)
        asked = client.request_admin_key("tests", "here")
        operator.approve_admin_key(asked.id, asked.request_hash)
        return asked.id, client.collect_admin_key(asked.id)


def test_an_admin_token_is_made_offline_and_never_from_an_argument(shell: Any, here: Any, key: tuple[str, str]) -> None:
    made = shell.good("admin-token", stdin=key[1] + "\n")
    assert made.startswith("jp_adm_")
    shell.variables["JOBPASS_ADMIN_KEY"] = key[1]
    assert here.good("admin-token") == made
    del shell.variables["JOBPASS_ADMIN_KEY"]
    given = here("admin-token", key[1])
    assert given.returncode == 2
    assert key[1][7:] not in given.stdout + given.stderr
    for text in ("", "no key", made):
        done = here("admin-token", stdin=text)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)


def test_deleting_a_job_needs_an_admin_token(
    logged_in: Any, here: Any, key: tuple[str, str], job: dict[str, Any]
) -> None:
    assert here("job", "delete", job["uuid"], "--yes").returncode == 3
    (here.home / "admin").write_text(here.good("admin-token", stdin=key[1]))
    assert here("job", "delete", job["uuid"], "--token-file", "admin").returncode == 2  # nobody said yes
    assert here.json("job", "delete", job["uuid"], "--yes", "--token-file", "admin")["deleted"] is True
    assert here("job", "show", job["uuid"]).returncode == 4


def test_a_job_s_token_is_printed_and_rotated(logged_in: Any, here: Any, job: dict[str, Any]) -> None:
    assert here.good("job", "token", job["uuid"]) == job["token"] + "\n"
    graceful = here.good("job", "rotate", job["uuid"], "--grace-seconds", 60).strip()
    (here.home / "token").write_text(job["token"])
    here.good("job", "show", job["uuid"], "--token-file", "token")
    assert here.json("job", "rotate", job["uuid"])["token"] not in (graceful, job["token"])
    assert here("job", "show", job["uuid"], "--token-file", "token").returncode == 3


def test_a_token_is_told_in_words_and_made_narrower(logged_in: Any, here: Any, job: dict[str, Any], shell: Any) -> None:
    whole = here.json("token", "inspect", "--server", stdin=job["token"])
    assert (whole["kind"], whole["job"], whole["conditions"]) == ("document", job["uuid"], [])
    assert (whole["server"]["active"], whole["server"]["job"]) == (True, job["uuid"])
    narrow = here.good(
        "token", "attenuate", "--events", "update,run", "--events", "finish", "--states", "RUNNING=update",
        "--states", "CREATED=run", "--actions", "jobs.event", "--jobs", job["uuid"], "--platforms", "",
        "--cidr", "127.0.0.0/8", "--cidr", "::1/128", "--expires", "2h", stdin=job["token"],
    )  # fmt: skip
    told = here.json("token", "inspect", stdin=narrow)
    assert told["conditions"][1:] == [
        f"only about the jobs {job['uuid']}",
        "only the events update, run, finish",
        "from RUNNING only update; from CREATED only run; from other states none",
        "only the actions jobs.event",
        "only on the platforms (none)",
        "only from the networks 127.0.0.0/8, ::1/128",
    ]
    left = datetime.fromisoformat(told["expires_at"]) - datetime.now(UTC)
    assert 7100 < left.total_seconds() <= 7200
    (here.home / "narrow").write_text(narrow)
    assert here("job", "show", job["uuid"], "--token-file", "narrow").returncode == 3
    assert here.json("job", "send", job["uuid"], "run", "--token-file", "narrow")["state"] == "RUNNING"
    assert here("job", "send", job["uuid"], "finish", "--token-file", "narrow").returncode == 3
    shell.variables["JOBPASS_TOKEN"] = narrow.strip()
    assert here.json("token", "inspect")["conditions"] == told["conditions"]
    assert "jp_" not in here.good("token", "inspect")


def test_inspect_says_when_a_token_is_dead(logged_in: Any, here: Any, job: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "token").write_text(job["token"])
    here.good("job", "rotate", job["uuid"])
    done = here("token", "inspect", "--server", "--file", tmp_path / "token")
    assert done.returncode == 1
    assert "not active" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["token", "inspect", "jp_doc_AAAA"], 2, "argument"),
        (["token", "inspect"], 3, "not a token"),
        (["token", "inspect", "--file", "absent"], 2, "absent"),
        (["token", "attenuate"], 2, "limited to"),
        (["token", "attenuate", "--expires", "tomorrow"], 2, "--expires"),
        (["token", "attenuate", "--expires", "2026-01-01T00:00:00"], 2, "time zone"),
        (["token", "attenuate", "--expires", "999999999w"], 2, "--expires"),
        (["token", "attenuate", "--states", "RUNNING"], 2, "--states"),
        (["token", "attenuate", "--cidr", "10.0.0.1/8"], 2, "Cidr"),
        (["admin-key", "show", "0" * 32], 4, "no such admin key"),
        (["admin-key", "request", "--use-case", "x"], 2, "--storage"),
        (["admin-key", "request", *REASONS, "--scope", "[]"], 2, "--scope"),
        (["admin-key", "request", *REASONS, "--scope", '{"nonsense": 1}'], 2, "scope"),
        (["admin-key", "request", *REASONS, "--lifetime-seconds", "9999999"], 2, "lifetime_seconds"),
        (["user", "show", "999999"], 4, "no such account"),
        (["user", "show", "nobody@example.org"], 4, "no such account"),
        (["user", "create", "no-address"], 2, "e-mail"),
        (["user", "create", "a@b.example", "--role", "king"], 2, "--role"),
        (["user", "create", "operator@localhost"], 5, ""),
        (["user", "disable", "operator@localhost"], 5, "own account"),
        (["audit", "--since", "yesterday"], 2, "--since"),
        (["audit", "--limit", "0"], 2, "--limit"),
        (["lifecycle", "show", "nonsense"], 2, "NAME: is not a lifecycle"),
        (["lifecycle", "show", "compute", "--format", "png"], 2, "format"),
        (["lifecycle", "check", "absent"], 2, "absent"),
    ],
)
@pytest.mark.usefixtures("logged_in")
def test_a_wrong_call_is_one_line_and_a_code(
    here: Any, job: dict[str, Any], arguments: list[str], code: int, said: str
) -> None:
    good_token = arguments[:2] == ["token", "attenuate"]
    done = here(*arguments, stdin=job["token"] if good_token else "")
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert "AAAA" not in done.stderr


def test_accounts(logged_in: Any, here: Any, installation: Any, shell: Any) -> None:
    email = f"{secrets.token_hex(4)}@example.org"
    made = here.json("user", "create", email.upper())
    assert (made["email"], made["role"]) == (email, "author")
    with jobpass.Client(installation.url) as person:
        person.login(email, made["password"])
        assert here.json("user", "show", made["id"])["active"] is True
        assert f"{made['id']}\t{email}\tauthor\tactive\n" in here.good("user", "list")
        here.good("user", "disable", email)
        with pytest.raises(jobpass.errors.InvalidToken):
            person.me()
        with pytest.raises(jobpass.errors.LoginFailed):
            person.login(email, made["password"])
        here.good("user", "enable", made["id"])
        person.login(email, made["password"])
        (shell.home / "new").write_text("another fine phrase\n")
        here.good("user", "password", email, "--password-file", "new")
        with pytest.raises(jobpass.errors.InvalidToken):
            person.me()
        person.login(email, "another fine phrase")


def test_an_own_password_needs_the_present_one(author: Any, shell: Any) -> None:
    (shell.home / "new").write_text("another fine phrase")
    (shell.home / "wrong").write_text("not the present one")
    wrong = author("user", "password", "--password-file", "new", "--present-password-file", "wrong")
    assert wrong.returncode == 3
    author.good("user", "password", "--password-file", "new", "--present-password-file", "password")
    assert author("job", "list").returncode == 3
    assert author("user", "list").returncode == 3


def test_the_audit_is_for_operators_and_can_be_followed(
    logged_in: Any, here: Any, job: dict[str, Any], operator: jobpass.Client
) -> None:
    follower = logged_in.start("audit", "--follow", "--name", "job.rotated", "--since", "1m", "--json")
    try:
        operator.rotate_job_token(job["uuid"])
        entries = map(json.loads, iter(follower.stdout.readline, ""))
        entry = next(entry for entry in entries if entry["subject"] == job["uuid"])
        assert (entry["name"], entry["data"]) == ("job.rotated", {"grace_seconds": 0})
    finally:
        follower.terminate()
        follower.communicate()
    lines = here.good("audit", "--name", "job.rotated", "--principal", 1, "--since", "1h").splitlines()
    assert any(job["uuid"] in line for line in lines)
    assert len(here.good("audit", "--limit", 2).splitlines()) == 2
    assert here.good("audit", "--until", "52w") == ""
    (here.home / "token").write_text(job["token"])
    assert here("audit", "--token-file", "token").returncode in (3, 4)


def test_lifecycles_from_the_server_and_from_nowhere(logged_in: Any, here: Any, shell: Any) -> None:
    asked = here.json("lifecycle", "list")
    drawn = {form: here.good("lifecycle", "show", "pipeline", "--format", form) for form in ("text", "mermaid", "svg")}
    assert drawn["text"].startswith("pipeline")
    assert drawn["mermaid"].startswith("stateDiagram-v2")
    assert drawn["svg"].startswith("<svg")
    (shell.home / "config" / "jobpass" / "login.json").unlink()
    assert here.json("lifecycle", "list") == asked
    assert here.good("lifecycle", "show", "pipeline", "--format", "svg") == drawn["svg"]


def test_a_lifecycle_of_one_s_own_is_checked_by_line(here: Any) -> None:
    good = Path(__file__).parents[2] / "examples" / "lifecycles"
    for path in sorted(good.glob("*.toml")):
        assert here.json("lifecycle", "check", path)["sound"] is True
    text = 'name = "x"\ninitial = "a"\n[states]\na = ""\n[events.go]\nfrom = "a"\nto = "b"\n'
    done = here("lifecycle", "check", "-", stdin=text)
    assert (done.returncode, [line.split(" ")[0] for line in done.stdout.splitlines()]) == (1, ["-:4:", "-:7:"])
    assert json.loads(here("lifecycle", "check", "-", "--json", stdin=text).stdout)["problems"][1]["line"] == 7
