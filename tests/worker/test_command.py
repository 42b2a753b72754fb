"""The runner ``command``: what an executable is given, and what is made of what it writes."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from jobpass.worker.work import Canceled, Completed, Failed, Progress, Setup
from support.jobs import SMALL, executing, marked, new_mark, outcome, until, work


def shell(script: str, **others: Any) -> Setup:
    return Setup(runner="command", arguments=("sh", "-c", script), **({"limits": SMALL} | others))


async def test_the_payload_is_its_input_and_its_output_the_result() -> None:
    payload = {"a": ["ü", 1]}
    ended = await outcome(shell("cat"), work(payload, command="probs"))
    assert isinstance(ended, Completed)
    assert json.loads(ended.results) == payload
    assert ended.results_type == "probs"


async def test_a_large_payload_and_a_large_result() -> None:
    text = "x" * (4 * 2**20)
    ended = await outcome(shell("cat", limits=Setup(runner="").limits), work(text))
    assert isinstance(ended, Completed)
    assert json.loads(ended.results) == text


async def test_an_executable_by_its_path_with_arguments(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nprintf \'["%s","%s"]\' "$1" "$PWD"\n')
    for path in (program, tmp_path):
        path.chmod(0o755)
    setup = Setup(runner="command", arguments=(str(program), "a b"), limits=SMALL)
    assert await outcome(setup, work()) == Completed('["a b","/tmp"]', "run")


async def test_its_environment_says_what_the_job_is_and_nothing_else() -> None:
    job = work(command="probs", max_shots=7, max_samples=3)
    script = "env | grep -v '^_=\\|^SHLVL=' | sort | sed 's/.*/\"&\"/' | paste -sd, | sed 's/.*/[&]/'"
    ended = await outcome(shell(script), job)
    assert isinstance(ended, Completed), ended
    seen = dict(line.split("=", 1) for line in json.loads(ended.results))
    assert seen["JOBPASS_COMMAND"] == "probs"
    assert (seen["JOBPASS_JOB"], seen["JOBPASS_MAX_SHOTS"], seen["JOBPASS_MAX_SAMPLES"]) == ("a-job", "7", "3")
    assert {name for name in seen if name.startswith("JOBPASS_")} == {
        "JOBPASS_COMMAND",
        "JOBPASS_JOB",
        "JOBPASS_MAX_SHOTS",
        "JOBPASS_MAX_SAMPLES",
        "JOBPASS_PROGRESS_FD",
    }


async def test_lines_of_progress_are_told() -> None:
    script = """
    eval "exec 9>&$JOBPASS_PROGRESS_FD"
    echo '{"progress": 0.25, "message": "a quarter"}' >&9; sleep 0.1
    echo '{"progress": 0.5, "message": "half", "partial": {"n": [1]}}' >&9; sleep 0.1
    echo '"done"'
    """
    told: list[Progress] = []
    assert await outcome(shell(script), work(), told.append) == Completed('"done"', "run")
    assert told == [Progress(0.25, "a quarter"), Progress(0.5, "half", '{"n": [1]}')]


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        ("echo so it is >&2; exit 3", "runner", "The command left with 3: so it is"),
        ("exit 1", "runner", "The command left with 1."),
        ("yes trouble | head -100000 >&2; echo the end >&2; exit 1", "runner", "the end"),
        ("kill -9 $$", "runner", "The command was ended by SIGKILL."),
        ("true", "result", "not JSON"),
        ("echo no", "result", "not JSON"),
        ("echo 1 2", "result", "not JSON"),
        ("printf '\"\\377\"'", "result", "not JSON"),
        ("yes", "result", "more than 1048576 bytes"),
        ("echo '{\"progress\": 2}' >&$JOBPASS_PROGRESS_FD; sleep 60", "runner", "line of progress"),
        ("echo no >&$JOBPASS_PROGRESS_FD; sleep 60", "runner", "line of progress"),
        ("cat /dev/zero >&$JOBPASS_PROGRESS_FD", "runner", "line of progress"),
    ],
)
async def test_a_command_that_fails_says_why(script: str, code: str, says: str) -> None:
    ended = await outcome(shell(script.replace(">&$J", "> /proc/self/fd/$J")), work())
    assert isinstance(ended, Failed), ended
    assert ended.failure_code == code, ended
    assert says in ended.message, ended
    assert len(ended.message) <= 2000


async def test_a_command_that_is_canceled_may_give_what_it_has() -> None:
    async with executing(shell("trap 'echo [1,2]; exit 0' TERM; while :; do sleep 0.02; done")) as executor:
        running = await executor.start(work(), lambda _: None)
        await asyncio.sleep(0.2)
        started = time.monotonic()
        running.cancel()
        assert await running.wait() == Canceled("[1,2]")
        assert time.monotonic() - started < 1


async def test_a_command_that_minds_no_signal_is_killed_with_all_that_it_made() -> None:
    mark = new_mark()
    script = f"trap '' TERM; cp /bin/sleep /tmp/{mark}; for n in 1 2 3; do setsid /tmp/{mark} 600 & done; wait"
    async with executing(shell(script)) as executor:
        running = await executor.start(work(), lambda _: None)
        await until(mark, count=3, seconds=5)
        started = time.monotonic()
        running.cancel()
        assert await running.wait() == Canceled()
        assert time.monotonic() - started < 2
        assert marked(mark) == []


async def test_a_child_that_holds_its_output_does_not_keep_it_from_ending() -> None:
    mark = new_mark()
    started = time.monotonic()
    ended = await outcome(shell(f"cp /bin/sleep /tmp/{mark}; /tmp/{mark} 600 & echo 1"), work())
    assert ended == Completed("1", "run")
    assert time.monotonic() - started < 5
    assert marked(mark) == []


async def test_a_command_that_closes_all_its_output_runs_on_to_its_end() -> None:
    script = 'echo 1; exec 1>&- 2>&-; eval "exec $JOBPASS_PROGRESS_FD>&-"; sleep 0.5'
    started = time.monotonic()
    assert await outcome(shell(script), work()) == Completed("1", "run")
    assert time.monotonic() - started >= 0.5


async def test_its_commands_are_those_that_it_was_told() -> None:
    async with executing(shell("cat", commands=("probs", "samples"))) as executor:
        assert executor.description.specs == {"available_commands": ["probs", "samples"]}
