"""``job`` and ``pipeline``, good and wrong calls."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

import jobpass

UNKNOWN = "1071269f-b251-5a5f-bec1-6d7f77131f3f"
MEMBERS = {"id": "t", "name": "T\x1b[2J", "components": [], "processing_levels": ["1"], "more": {"kept": True}}


def test_pipelines(logged_in: Any, tmp_path: Path) -> None:
    (tmp_path / "pipeline.json").write_text(json.dumps(MEMBERS))
    made = logged_in.json("pipeline", "create", tmp_path / "pipeline.json")
    assert made["more"] == {"kept": True}
    assert logged_in.json("pipeline", "show", made["uuid"]) == made
    assert made in logged_in.json("pipeline", "list")["pipelines"]
    listed = logged_in.good("pipeline", "list")
    assert f"{made['uuid']}\tt\tT\\x1b[2J\t0\n" in listed
    assert "\x1b" not in listed + logged_in.good("pipeline", "show", made["uuid"])


@pytest.mark.usefixtures("logged_in")
def test_a_job_s_life(here: Any, pipeline: str, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"life": "é"}')
    made = here.json(
        "job", "create", "--pipeline", pipeline, "--data", f"@{tmp_path}/data.json",
        "--child-of", UNKNOWN, "--session", "s", "--archive-path", "/a",
    )  # fmt: skip
    uuid = made["uuid"]
    assert made["token"].startswith("jp_doc_")
    again = here.good(
        "job", "create", "--pipeline", pipeline, "--data", '{"life": "é"}',
        "--child-of", UNKNOWN, "--session", "s", "--archive-path", "/a",
    )  # fmt: skip
    assert f"uuid: {uuid}\n" in again
    assert here.json("job", "send", uuid, "run")["state"] == "RUNNING"
    sent = here.json("job", "send", uuid, "update", "--data", "[1, null]", "--key", "k")
    assert here.json("job", "send", uuid, "update", "--data", "[1, null]", "--key", "k") == sent
    shown = here.json("job", "show", uuid)
    assert (shown["state"], shown["sequence"], shown["data"]) == ("RUNNING", 3, {"life": "é"})
    assert "token" not in shown
    assert "state: RUNNING" in here.good("job", "show", uuid)
    assert uuid in here.good("job", "list", "--state", "RUNNING", "--pipeline", pipeline)
    assert "token" not in here.json("job", "list", "--state", "RUNNING")["jobs"][0]
    here.good("job", "send", uuid, "finish", "--data", '"done"')
    history = here.json("job", "history", uuid)["events"]
    assert [event["name"] for event in history] == ["create", "run", "update", "finish"]
    assert [event["sequence"] for event in here.json("job", "history", uuid, "--after", 2)["events"]] == [3, 4]
    assert len(here.good("job", "history", uuid, "--limit", 2).splitlines()) == 2
    watched = here.good("job", "watch", uuid, "--json").splitlines()
    assert [json.loads(line) for line in watched] == history
    assert len(here.good("job", "watch", uuid, "--after", 3).splitlines()) == 1
    assert here.json("job", "verify", uuid)["intact"] is True
    assert here.good("job", "verify", uuid) == f"{uuid} holds (4 events)\n"


@pytest.mark.usefixtures("logged_in")
def test_a_state_in_which_no_job_can_be_is_told_from_one_in_which_none_is(
    here: Any, pipeline: str, job: dict[str, Any]
) -> None:
    listed = ("job", "list", "--pipeline", pipeline, "--state")
    wrong = here(*listed, "nonsense")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("jobpass: No lifecycle has a state nonsense. There are: CREATED, RUNNING, FAILED, ")
    assert "suspended" in wrong.stderr
    other = here(*listed, "Running", "--json")
    assert other.returncode == 2
    told = "No lifecycle has a state Running; there is RUNNING (of pipeline) and running (of compute)."
    assert json.loads(other.stderr)["error"] == told
    hint = here(*listed, "running")
    assert (hint.returncode, hint.stdout) == (0, "")
    assert hint.stderr == "jobpass: These jobs have no state running; there is RUNNING (of pipeline).\n"
    assert job["uuid"] in here.good(*listed, "CREATED")
    for more in (("RETIRED",), ("RUNNING", "--child-of", "none.such"), ("running", "--child-of", "none.such")):
        none = here(*listed, *more)  # such jobs there may be, but there are none
        assert (none.returncode, none.stdout, none.stderr) == (0, "", "")


def test_watch_follows_and_tells_a_bad_end(logged_in: Any, job: dict[str, Any]) -> None:
    process = logged_in.start("job", "watch", job["uuid"])
    assert "create" in process.stdout.readline()
    logged_in.good("job", "send", job["uuid"], "run")
    assert "run" in process.stdout.readline()
    logged_in.good("job", "send", job["uuid"], "fail", "--data", '{"why": "\\u001b[2J"}')
    said, _ = process.communicate(timeout=20)
    assert "FAILED" in said
    assert "\x1b" not in said
    assert process.returncode == 1


def test_watch_follows_a_job_in_a_queue(logged_in: Any, installation: Any, operator: Any) -> None:
    by_operator = {"authorization": f"Bearer {operator.token}"}
    with httpx2.Client(base_url=installation.url, headers=by_operator) as http:
        http.post("/api/platforms", json={"name": "sim:watched"}).raise_for_status()
        key = http.post("/api/apikeys", json={"platforms": ["sim:watched"]}).raise_for_status().json()["key"]
    with jobpass.Client(installation.url, key) as worker:
        for end, code in ((worker.fail_job, 1), (lambda job: worker.complete_job(job, b"{}"), 0)):
            uuid = operator.submit("sim:watched", {"command": "x"})
            process = logged_in.start("job", "watch", uuid)
            assert "create" in process.stdout.readline()
            job = worker.next_job("w1", ["sim:watched"], wait_seconds=0)
            assert "lease" in process.stdout.readline()
            end(job)
            said, trouble = process.communicate(timeout=20)
            assert process.returncode == code, trouble
            assert said.count("\n") == 1
    plain = operator.create_job(operator.create_pipeline(
        {"id": "q", "name": "Q", "components": [], "processing_levels": []}
    )["uuid"], {"of": "no queue"}, lifecycle="compute")  # fmt: skip
    process = logged_in.start("job", "watch", plain.uuid)
    assert "create" in process.stdout.readline()
    operator.send(plain.uuid, "cancel")
    assert "canceled" in process.communicate(timeout=20)[0]


def test_watch_can_be_interrupted(logged_in: Any, job: dict[str, Any]) -> None:
    process = logged_in.start("job", "watch", job["uuid"])
    process.stdout.readline()
    process.send_signal(2)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_a_token_file_is_used(logged_in: Any, job: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "token").write_text(job["token"] + "\n")
    assert [one["uuid"] for one in logged_in.json("job", "list", "--token-file", tmp_path / "token")["jobs"]] == [
        job["uuid"]
    ]


def test_data_of_any_kind_comes_back(logged_in: Any, job: dict[str, Any]) -> None:
    logged_in.good("job", "send", job["uuid"], "update", "--data", '{"a": "\\u0000", "n": ' + "9" * 400 + "}")
    shown = logged_in.json("job", "history", job["uuid"])["events"][-1]["data"]
    assert shown == {"a": "\0", "n": int("9" * 400)}
    logged_in.good("job", "history", job["uuid"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["job", "show", UNKNOWN], 4, "no such job"),
        (["job", "show", "x"], 4, "no such job"),
        (["job", "history", UNKNOWN], 4, "no such job"),
        (["job", "watch", UNKNOWN], 4, "no such job"),
        (["job", "verify", UNKNOWN], 4, "no such job"),
        (["job", "send", UNKNOWN, "run"], 4, "no such job"),
        (["job", "send", "JOB", "finish"], 5, "Legal now: create, fail, "),
        (["job", "send", "JOB", "RUN"], 2, "'RUN' is not an event"),
        (["job", "send", "JOB", "reset"], 3, "reset needs an administrative token"),
        (["job", "send", "JOB", "update", "--data", "{"], 2, "--data is not JSON"),
        (["job", "send", "JOB", "update", "--data", "NaN"], 2, "--data is not JSON"),
        (["job", "send", "JOB", "update", "--data", "[" * 100_000], 2, "--data is not JSON"),
        (["job", "send", "JOB", "update", "--data", "@absent"], 2, "absent"),
        (["job", "send", "JOB", "update", "--key", "a b"], 2, "Idempotency-Key"),
        (["job", "create", "--pipeline", UNKNOWN], 2, "pipeline"),
        (["job", "create", "--pipeline", "PIPELINE", "--data", "[]"], 2, "--data is not a JSON object"),
        (["job", "create", "--pipeline", "PIPELINE", "--lifecycle", "none"], 2, "lifecycle"),
        (["job", "list", "--state", "NONSENSE", "--limit", "0"], 2, "--limit"),
        (["job", "list", "--token-file", "absent"], 2, "absent"),
        (["job", "list", "--url", "nonsense"], 2, "url"),
        (["job", "nonsense"], 2, "nonsense"),
        (["job", "show"], 2, "uuid"),
        (["nonsense"], 2, "nonsense"),
        (["job", "list", "--nonsense"], 2, "--nonsense"),
        (["pipeline", "show", "x"], 4, "no such pipeline"),
        (["pipeline", "create", "absent"], 2, "absent"),
        (["pipeline", "create", "-"], 2, "not JSON"),
    ],
)
def test_a_wrong_call_is_one_line_and_a_code(
    logged_in: Any,
    here: Any,
    operator: jobpass.Client,
    job: dict[str, Any],
    pipeline: str,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    done = here(*[{"JOB": job["uuid"], "PIPELINE": pipeline}.get(word, word) for word in arguments])
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert operator.job(job["uuid"]).sequence == 1


def test_with_json_the_error_is_an_object(logged_in: Any, job: dict[str, Any]) -> None:
    done = logged_in("job", "send", job["uuid"], "finish", "--json")
    assert (done.returncode, done.stdout) == (5, "")
    body = json.loads(done.stderr)
    assert body["detail"]["code"] == "illegal_transition"
    assert "run" in body["detail"]["legal"]


def test_a_bad_pipeline_is_told_by_field(logged_in: Any) -> None:
    done = logged_in("pipeline", "create", "-", stdin='{"id": "x"}')
    assert done.returncode == 2
    for field in ("json.name", "json.components", "json.processing_levels"):
        assert field in done.stderr


def test_without_a_server_it_is_said_how_to_name_one(shell: Any) -> None:
    done = shell("job", "list")
    assert done.returncode == 7
    assert "jobpass login" in done.stderr


def test_help_is_for_everybody(shell: Any) -> None:
    for arguments in ([], ["job"], ["pipeline"]):
        done = shell(*arguments, "--help")
        assert done.returncode == 0
        assert "Commands:" in done.stdout
    nothing = shell()
    assert nothing.returncode == 2
    assert "Commands:" in nothing.stderr


def test_a_reader_that_leaves_is_no_error(logged_in: Any, job: dict[str, Any]) -> None:
    process = logged_in.start("job", "watch", job["uuid"], stderr=subprocess.PIPE)
    process.stdout.close()
    logged_in.good("job", "send", job["uuid"], "run")
    said = process.stderr.read()
    assert process.wait(20) in (1, 141)
    process.stderr.close()
    assert said == ""


def test_lines_have_the_time_and_the_data(logged_in: Any, job: dict[str, Any]) -> None:
    line = logged_in.good("job", "history", job["uuid"]).split("\t")
    assert line[0] == "1"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z", line[1])
    assert line[2:4] == ["create", "CREATED"]
    assert line[4].startswith("login:")
    assert json.loads(line[5]) == {"test": json.loads(line[5])["test"]}
