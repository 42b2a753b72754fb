"""``run``: what the command gets, what it cannot do, what is recorded of its end."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import jobpass

REPORT = """
import jobpass
job = jobpass.current_job()
job.progress(0.5, "half")
job.resource(cores=2)
for name in ("finish", "fail", "run", "retire", "reset"):
    try:
        job.send(name)
    except jobpass.errors.Denied:
        print("denied", name)
"""


def last_job(operator: jobpass.Client) -> Any:
    *_, job = operator.iter_jobs(limit=1000)
    return operator.job(job.uuid)


def names(operator: jobpass.Client, uuid: str) -> list[str]:
    return [event.name for event in operator.iter_history(uuid)]


def test_a_command_reports_on_its_job_and_can_do_nothing_else(logged_in: Any, operator: jobpass.Client) -> None:
    done = logged_in("run", "--data", '{"purpose": "test"}', "--", sys.executable, "-c", REPORT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["denied finish", "denied fail", "denied run", "denied retire", "denied reset"]
    job = last_job(operator)
    assert f"job {job.uuid}" in done.stderr
    assert job.data["purpose"] == "test"
    assert job.data["command"][0] == sys.executable
    assert names(operator, job.uuid) == ["create", "run", "update", "resource", "finish"]
    *_, end = operator.iter_history(job.uuid)
    assert end.data["exit_code"] == 0
    assert end.data["duration_seconds"] > 0
    assert end.credential.startswith("document:")


def test_every_run_is_another_job(logged_in: Any, operator: jobpass.Client) -> None:
    uuids = set()
    for _ in range(2):
        logged_in.good("run", "--quiet", "--", "true")
        uuids.add(last_job(operator).uuid)
    assert len(uuids) == 2


def test_the_environment_holds_the_job_s_token_and_nothing_of_the_person_s(
    logged_in: Any, installation: Any, operator: jobpass.Client
) -> None:
    logged_in.variables |= {"JOBPASS_KEYRING": "secret", "JOBPASS_TOKEN": str(operator.token), "MINE": "kept"}
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    environ = json.loads(logged_in.good("run", "--", sys.executable, "-c", program))
    ours = {name: value for name, value in environ.items() if name.startswith("JOBPASS_")}
    assert set(ours) == {"JOBPASS_URL", "JOBPASS_JOB", "JOBPASS_TOKEN"}
    assert ours["JOBPASS_URL"] == installation.url
    assert ours["JOBPASS_TOKEN"].startswith("jp_doc_")
    assert operator.token not in environ.values()
    assert environ["MINE"] == "kept"


def test_the_token_ends_by_itself(logged_in: Any) -> None:
    program = """
import time, jobpass
started = time.time()
job = jobpass.current_job()
job.update("early")
time.sleep(max(0, 4.5 - (time.time() - started)))
try:
    job.update("late")
except jobpass.errors.InvalidToken:
    print("ended")
"""
    assert logged_in.good("run", "--token-seconds", 4, "--", sys.executable, "-c", program) == "ended\n"


def test_no_token_is_in_any_argv(logged_in: Any) -> None:
    process = logged_in.start("run", "--", "sh", "-c", "echo ready; cat", stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    shown = _command_lines(process.pid)
    assert len(shown) >= 2
    assert not any("jp_" in line for line in shown)
    process.communicate("", timeout=30)
    assert process.returncode == 0


def _command_lines(pid: int) -> list[str]:
    """The command lines of a process and its children."""
    lines = [Path(f"/proc/{pid}/cmdline").read_text()]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            lines += _command_lines(int(child))
    return lines


def test_stdin_and_stdout_are_the_command_s_own(logged_in: Any) -> None:
    done = logged_in("run", "--quiet", "--", "cat", stdin="through\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "through\n", "")


@pytest.mark.parametrize("code", [1, 3, 77, 255])
def test_the_exit_code_is_the_command_s(logged_in: Any, operator: jobpass.Client, code: int) -> None:
    done = logged_in("run", "--quiet", "--", "sh", "-c", f"echo why >&2; exit {code}")
    assert (done.returncode, done.stderr) == (code, "why\n")
    job = last_job(operator)
    *_, end = operator.iter_history(job.uuid)
    assert (job.state, end.name) == ("FAILED", "fail")
    assert (end.data["exit_code"], end.data["stderr"]) == (code, "why\n")


def test_the_tail_of_stderr_is_kept_without_tokens(logged_in: Any, operator: jobpass.Client) -> None:
    program = (
        "import os, sys\n"
        "sys.stderr.write('a' * 100_000 + '\\n')\n"
        "sys.stderr.write(os.environ['JOBPASS_TOKEN'] * 40 + '\\n')\n"
        "sys.stderr.buffer.write(b'\\xff\\x00 last words ' + os.environ['JOBPASS_TOKEN'].encode())\n"
        "sys.exit(5)"
    )
    done = subprocess.run(
        [sys.executable, "-m", "jobpass", "run", "--quiet", "--", sys.executable, "-c", program],
        capture_output=True,
        env=logged_in.environ,
        cwd=logged_in.home,
    )
    assert done.returncode == 5
    assert done.stderr.count(b"a") > 100_000  # the person sees all of it, as it came
    *_, end = operator.iter_history(last_job(operator).uuid)
    kept = end.data["stderr"]
    assert kept.endswith("\ufffd\x00 last words jp_doc_…")
    assert len(kept) <= 4096
    assert "AgIe" not in kept


def test_a_token_that_begins_before_the_tail_is_not_kept_in_half(logged_in: Any, operator: jobpass.Client) -> None:
    program = (
        "import os, sys\nsys.stderr.write('b' * 50_000 + os.environ['JOBPASS_TOKEN'] + ' ' + 'c' * 4000)\nsys.exit(1)"
    )
    logged_in("run", "--quiet", "--", sys.executable, "-c", program)
    *_, end = operator.iter_history(last_job(operator).uuid)
    kept = end.data["stderr"]
    assert kept.endswith("jp_doc_… " + "c" * 4000)
    assert set(kept.removesuffix("jp_doc_… " + "c" * 4000)) <= {"b"}


def test_a_token_in_the_command_is_not_recorded(logged_in: Any, operator: jobpass.Client) -> None:
    logged_in.good("run", "--quiet", "--", "true", "--token=jp_log_canary")
    assert last_job(operator).data["command"] == ["true", "--token=jp_log_…"]


TRAP = """
import signal, sys, time
def on(number, frame):
    print(signal.Signals(number).name, flush=True)
    if number == signal.SIGTERM:
        sys.exit(9)
for name in ("SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTERM"):
    signal.signal(getattr(signal, name), on)
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""


def test_signals_are_passed_on(logged_in: Any, operator: jobpass.Client) -> None:
    process = logged_in.start("run", "--", sys.executable, "-c", TRAP)
    assert process.stdout.readline() == "ready\n"
    for name in ("SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGTERM"):
        process.send_signal(getattr(signal, name))
        assert process.stdout.readline() == f"{name}\n"
    process.communicate(timeout=30)
    assert process.returncode == 9
    assert last_job(operator).state == "FAILED"


def test_a_terminal_s_interrupt_reaches_the_command_once(logged_in: Any, operator: jobpass.Client) -> None:
    import pty

    pid, terminal = pty.fork()
    if pid == 0:
        environ = logged_in.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        arguments = ["python", "-m", "jobpass", "run", "--quiet", "--", sys.executable, "-c", TRAP]
        os.execve(os.path.realpath("/proc/self/exe"), arguments, environ)
    shown = _until(terminal, b"ready")
    os.write(terminal, b"\x03")
    shown += _until(terminal, b"SIGINT")
    time.sleep(0.5)
    os.kill(pid, signal.SIGTERM)
    shown += _until(terminal, b"SIGTERM")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    os.close(terminal)
    assert shown.count(b"SIGINT") == 1, shown
    assert last_job(operator).state == "FAILED"


def _until(terminal: int, text: bytes) -> bytes:
    shown, end = b"", time.monotonic() + 30
    while text not in shown and time.monotonic() < end:
        shown += os.read(terminal, 1024)
    return shown


def test_a_command_that_a_signal_ends(logged_in: Any, operator: jobpass.Client) -> None:
    done = logged_in("run", "--quiet", "--", "sh", "-c", "kill -KILL $$")
    assert done.returncode == 137
    *_, end = operator.iter_history(last_job(operator).uuid)
    assert (end.data["exit_code"], end.data["signal"]) == (137, "SIGKILL")


def test_what_is_ignored_stays_ignored(logged_in: Any) -> None:
    program = f"trap '' HUP; exec {sys.executable} -m jobpass run --quiet -- sh -c 'kill -HUP $$; echo alive'"
    done = subprocess.run(
        ["sh", "-c", program], capture_output=True, text=True, env=logged_in.environ, cwd=logged_in.home
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr


def test_a_command_that_cannot_start_fails_its_job(logged_in: Any, operator: jobpass.Client) -> None:
    (logged_in.home / "plain").write_text("no program")
    for command, code in (("no-such-command", 127), ("./plain", 126), ("/", 126)):
        done = logged_in("run", "--quiet", "--", command)
        assert done.returncode == code
        assert done.stderr.startswith(f"jobpass: {command}: ")
        job = last_job(operator)
        assert (job.state, job.data["command"]) == ("FAILED", [command])


def test_a_grandchild_that_goes_on_does_not_hold_it_up(logged_in: Any) -> None:
    started = time.monotonic()
    done = logged_in("run", "--quiet", "--", "sh", "-c", "sleep 20 >/dev/null & exit 0")
    assert done.returncode == 0
    assert time.monotonic() - started < 15


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run"], 2, "command"),
        (["run", "--data", "[]", "--", "touch", "ran"], 125, "--data"),
        (["run", "--data", '{"session": 1}', "--", "touch", "ran"], 125, "session"),
        (["run", "--pipeline", "nonsense", "--", "touch", "ran"], 125, "pipeline"),
        (["run", "--token-seconds", "0", "--", "touch", "ran"], 2, "--token-seconds"),
        (["run", "--url", "http://127.0.0.1:1", "--", "touch", "ran"], 125, "cannot be reached"),
    ],
)
def test_a_wrong_call_starts_nothing(logged_in: Any, arguments: list[str], code: int, said: str) -> None:
    done = logged_in(*arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (logged_in.home / "ran").exists()


def test_an_end_that_cannot_be_recorded_is_said(logged_in: Any, operator: jobpass.Client) -> None:
    process = logged_in.start("run", "--", "sh", "-c", "echo ready; cat", stdin=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    operator.send(last_job(operator).uuid, "fail")
    _, said = process.communicate("", timeout=30)
    assert process.returncode == 125
    assert "not on record" in said


def test_with_json_the_notes_are_objects(logged_in: Any, operator: jobpass.Client) -> None:
    done = logged_in("run", "--json", "--", "sh", "-c", "exit 4", "--json")
    first, last = (json.loads(line) for line in done.stderr.splitlines())
    assert first["state"] == "CREATED"
    assert last == {"uuid": first["uuid"], "state": "FAILED", "exit_code": 4}


def test_a_pipeline_may_be_named(logged_in: Any, operator: jobpass.Client, pipeline: str) -> None:
    logged_in.good("run", "--quiet", "--pipeline", pipeline, "--", "true")
    assert last_job(operator).pipeline_uuid == pipeline


def test_without_a_server_a_private_one_is_there_for_as_long(shell: Any) -> None:
    done = shell("run", "--", sys.executable, "-c", REPORT)
    assert done.returncode == 0, done.stderr
    assert "denied finish" in done.stdout
    state = shell.home / "state" / "jobpass"
    for path in (state / "login.json", state / "operator.json", state / "private" / "keyring.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    (job,) = shell.json("job", "list")["jobs"]
    assert job["state"] == "FINISHED"
    assert len(shell.json("job", "history", job["uuid"])["events"]) == 5
    assert shell.good("job", "verify", job["uuid"])
    assert shell("verify", "--data", state / "private").returncode == 0


def test_several_runs_without_a_server_at_once(shell: Any) -> None:
    program = "import jobpass; job = jobpass.current_job(); [job.update(n) for n in range(20)]"
    processes = [shell.start("run", "--quiet", "--", sys.executable, "-c", program) for _ in range(4)]
    for process in processes:
        _, said = process.communicate(timeout=90)
        assert process.returncode == 0, said
    jobs = shell.json("job", "list")["jobs"]
    assert [(job["state"], job["sequence"]) for job in jobs] == [("FINISHED", 23)] * 4
    assert shell("verify", "--data", shell.home / "state" / "jobpass" / "private").returncode == 0


def test_private_data_that_were_made_again_are_logged_in_to_again(shell: Any) -> None:
    import shutil

    shell.good("run", "--quiet", "--", "true")
    state = shell.home / "state" / "jobpass"
    old = json.loads((state / "login.json").read_text())["token"]
    shutil.rmtree(state / "private")
    shell.good("run", "--quiet", "--", "true")
    assert json.loads((state / "login.json").read_text())["token"] != old
    assert len(shell.json("job", "list")["jobs"]) == 1
