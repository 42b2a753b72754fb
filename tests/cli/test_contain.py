"""``contain``: real processes, on a real terminal where a person is asked."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import jobpass
from support.terminal import typed_on_terminal

ASKED = "End it now"


class Leak(NamedTuple):
    """A leaked job token, what was made with it, and a job of its."""

    label: str
    parent: Any
    child: Any
    job: Any


@pytest.fixture
def leak(operator: jobpass.Client, pipeline: str) -> Leak:
    label = f"leak-{secrets.token_hex(4)}"
    parent = operator.create_token(label)
    program = operator.with_token(parent.token)
    job = program.create_job(pipeline, {"leak": label})
    program.send(job.uuid, "run")
    return Leak(label, parent, program.create_token(), job)


def opens(operator: jobpass.Client, token: str) -> bool:
    try:
        operator.with_token(token).jobs(limit=1)
    except jobpass.errors.InvalidToken:
        return False
    return True


def alone(shell: Any, *arguments: str, stdin: str) -> subprocess.CompletedProcess[str]:
    """A command that has no terminal to ask on, whatever the tests themselves are started from."""
    process = shell.start(*arguments, stdin=subprocess.PIPE, start_new_session=True)
    out, err = process.communicate(stdin, timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@pytest.mark.parametrize("hashed", [(), ("--hashed",)])
def test_what_a_leak_did_is_told_and_nothing_ends_by_that(
    logged_in: Any, operator: jobpass.Client, leak: Leak, hashed: tuple[str, ...]
) -> None:
    told = logged_in.json("contain", "--dry-run", *hashed, stdin=leak.parent.token)
    assert (told["kind"], told["living"], told["label"], told["stopped"]) == ("job", True, leak.label, None)
    assert [one["credential"] for one in told["descendants"]] == [leak.child.credential]
    assert [(one["uuid"], one["events"]) for one in told["jobs"]] == [(leak.job.uuid, 2)]
    assert list(told["addresses"]) == ["127.0.0.1"]
    shown = logged_in.good("contain", "--dry-run", *hashed, stdin=leak.parent.token)
    for text in (
        "kind: job\n",
        f"credential: job:{leak.parent.credential}\n",
        "state: living\n",
        "owner: operator@localhost (1)\n",
        f"label: {leak.label}\n",
        "made with:\n  login ",
        f"made with it:\n  job {leak.child.credential}",
        f"jobs touched, by 2 events:\n  {leak.job.uuid}  2 events",
        "  create → CREATED",
        "  run → RUNNING",
        "from:\n  127.0.0.1  ",
    ):
        assert text in shown, shown
    assert "jp_" not in shown
    assert opens(operator, leak.parent.token)


@pytest.mark.parametrize("hashed", [(), ("--hashed",)])
def test_one_action_ends_all_and_says_what_that_stopped(
    logged_in: Any, operator: jobpass.Client, leak: Leak, hashed: tuple[str, ...]
) -> None:
    shown = logged_in.good("contain", "--yes", *hashed, stdin=leak.parent.token + "\n")
    assert "Ended, for good: 2 credentials, and the tokens of 0 jobs.\n" in shown
    for one in (leak.parent, leak.child):
        assert f"  job {one.credential}  {one.label}  of 1, issued " in shown
        assert not opens(operator, one.token)
    assert opens(operator, leak.job.token)
    again = logged_in.json("contain", "--yes", "--rotate-jobs", *hashed, stdin=leak.parent.token)
    assert (again["living"], again["stopped"]) == (False, {"credentials": [], "jobs": [leak.job.uuid], "webhooks": []})
    assert not opens(operator, leak.job.token)
    assert "state: ended\n" in logged_in.good("contain", "--dry-run", *hashed, stdin=leak.parent.token)


def test_a_person_is_asked(logged_in: Any, operator: jobpass.Client, leak: Leak) -> None:
    (logged_in.home / "leaked").write_text(leak.parent.token)
    no, lines = typed_on_terminal(logged_in, 120, "contain", "--file", "leaked", answers=[(ASKED, "n")])
    assert (no, lines[-1]) == (2, "jobpass: Nothing was done.")
    assert opens(operator, leak.parent.token)
    yes, lines = typed_on_terminal(
        logged_in, 120, "contain", answers=[("The leaked token:", leak.parent.token), (ASKED, "y")]
    )
    assert (yes, any("2 credentials" in line for line in lines)) == (0, True)
    assert leak.parent.token not in "\n".join(lines), "what is typed is not shown"
    assert not opens(operator, leak.child.token)


def test_a_person_is_asked_on_the_terminal_while_the_token_comes_on_stdin(
    logged_in: Any, operator: jobpass.Client, leak: Leak, tmp_path: Path
) -> None:
    (tmp_path / "leaked").write_text(leak.parent.token)
    code, lines = typed_on_terminal(
        logged_in, 120, "contain", "--rotate-jobs", "--json", answers=[(ASKED, "yes")], stdin=tmp_path / "leaked"
    )
    assert code == 0
    assert json.loads(lines[-1])["stopped"]["jobs"] == [leak.job.uuid]
    assert not opens(operator, leak.job.token)


def test_nobody_who_could_answer_is_no_yes(logged_in: Any, operator: jobpass.Client, leak: Leak) -> None:
    done = alone(logged_in, "contain", stdin=leak.parent.token)
    assert (done.returncode, "--yes" in done.stderr, leak.job.uuid in done.stdout) == (2, True, True)
    done = alone(logged_in, "contain", "--json", stdin=leak.parent.token)
    assert (done.returncode, done.stdout) == (2, "")
    assert opens(operator, leak.parent.token)


def test_what_is_no_token_of_ones_own_is_refused_and_not_repeated(
    logged_in: Any, here: Any, operator: jobpass.Client, leak: Leak
) -> None:
    author = operator.create_user(f"{secrets.token_hex(4)}@example.org", "quite unusual words")
    given = operator.create_token(user_id=author.id)
    with jobpass.Client(operator.url) as client:
        client.login(author.email, "quite unusual words")
        (here.home / "author").write_text(str(client.token))
        for hashed in ((), ("--hashed",)):
            hidden = here("contain", "--yes", "--token-file", "author", *hashed, stdin=leak.parent.token)
            assert (hidden.returncode, hidden.stdout) == (4, "")
            told = here.json("contain", "--dry-run", "--token-file", "author", *hashed, stdin=given.token)
            assert told["user_id"] == author.id
            forged = leak.parent.token[:-3] + ("AAA" if leak.parent.token[-3:] != "AAA" else "BBB")
            for text in ("nonsense", "jp_job_AAAA", forged):
                done = here("contain", "--yes", *hashed, stdin=text)
                assert done.returncode in (2, 4)
                assert (done.stdout, text in done.stderr) == ("", False)
    (here.home / "program").write_text(given.token)
    assert here("contain", "--dry-run", "--token-file", "program", stdin=given.token).returncode == 3
    assert opens(operator, leak.parent.token)


def test_a_leaked_admin_key_and_a_job_s_token(
    logged_in: Any, here: Any, operator: jobpass.Client, job: dict[str, Any]
) -> None:
    told = here.json("contain", "--dry-run", "--hashed", stdin=job["token"])
    assert (told["kind"], told["job_uuid"], told["living"]) == ("document", job["uuid"], True)
    assert here.json("contain", "--yes", stdin=job["token"])["stopped"]["jobs"] == [job["uuid"]]
    assert not opens(operator, job["token"])
    email = f"{secrets.token_hex(4)}@example.org"
    operator.create_user(email, "quite unusual words")
    with jobpass.Client(operator.url) as client:
        client.login(email, "quite unusual words")
        asked = client.request_admin_key("tests", "here")
        operator.approve_admin_key(asked.id, asked.request_hash)
        key = client.collect_admin_key(asked.id)
    assert here.json("contain", "--dry-run", stdin=key)["credential"] == f"admin:{asked.id}"
    here.good("contain", "--yes", "--hashed", stdin=key)
    assert operator.admin_key(asked.id).state == "revoked"
