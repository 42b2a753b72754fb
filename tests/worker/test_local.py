"""Jobs as processes of this machine: what they get, tell and give, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jobpass.errors import SetupError
from jobpass.worker.local import LocalExecutor
from jobpass.worker.sandbox.isolation import NAMES
from jobpass.worker.work import ENVIRONMENT, Canceled, Completed, Failed, Progress, Setup
from support.jobs import FOLDER, executing, function, marked, new_mark, outcome, until, work


async def test_a_job_gets_its_payload_and_gives_its_result() -> None:
    payload = {"text": "äöü ☃", "numbers": [1, 2.5, None, True], "nested": {"a": []}}
    ended = await outcome(function("plain.echo"), work(payload, command="probs"))
    assert isinstance(ended, Completed)
    assert json.loads(ended.results) == {"payload": payload}
    assert ended.results_type == "probs"


async def test_a_payload_of_four_mebibytes_comes_whole() -> None:
    text = "x" * (4 * 2**20)
    ended = await outcome(function("plain.echo", limits=Setup(runner="").limits), work(text))
    assert isinstance(ended, Completed)
    assert json.loads(ended.results) == {"payload": text}


async def test_progress_and_what_there_is_so_far_are_told() -> None:
    told: list[Progress] = []
    ended = await outcome(function("plain.steps"), work({"steps": 20, "seconds": 0.02}), told.append)
    assert ended == Completed('"all"', "run")
    assert len(told) > 3
    assert [one.fraction for one in told] == sorted(one.fraction for one in told)
    assert told[-1].message.startswith("step ")
    assert json.loads(told[-1].partial or "") == {"done": int(told[-1].message.removeprefix("step "))}


async def test_a_job_that_is_canceled_gives_what_it_has() -> None:
    async with executing(function("plain.gives_what_it_has")) as executor:
        running = await executor.start(work(), lambda _: None)
        await asyncio.sleep(0.2)
        started = time.monotonic()
        running.cancel()
        assert await running.wait() == Canceled('{"done":true}')
        assert time.monotonic() - started < 0.5
        running.cancel()  # again, and when it is over
        running.kill()
        assert await running.wait() == Canceled('{"done":true}')


async def test_a_job_that_is_canceled_and_gives_nothing_leaves_the_last_that_it_told() -> None:
    async with executing(function("plain.steps")) as executor:
        told: list[Progress] = []
        running = await executor.start(work({"steps": 1000, "seconds": 0.02}), told.append)
        await asyncio.sleep(0.3)
        running.cancel()
        ended = await running.wait()
    assert isinstance(ended, Canceled)
    assert json.loads(ended.results or "")["done"] >= json.loads(told[-1].partial or "")["done"]


@pytest.mark.parametrize(
    ("name", "payload", "failure"),
    [
        ("plain.raises", "äh", Failed("runner", "ValueError: äh")),
        ("plain.raises", "x" * 10_000, Failed("runner", ("ValueError: " + "x" * 2000)[:2000])),
        ("plain.echo", b"{", "payload"),
        ("plain.echo", b"[" * 100_000, "payload"),
        ("plain.echo", b"\xff", "payload"),
        ("plain.returns_an_object", None, "result"),
    ],
)
async def test_a_job_that_fails_says_why(name: str, payload: Any, failure: Failed | str) -> None:
    ended = await outcome(function(name), work(payload))
    assert isinstance(ended, Failed)
    assert failure in (ended, ended.failure_code)


async def test_what_a_job_is_and_sees() -> None:
    ended = await outcome(function("plain.looks_around"), work())
    assert isinstance(ended, Completed), ended
    seen = json.loads(ended.results)
    assert seen["pid"] == 1
    assert seen["processes"] == ["1"]
    assert seen["uid"] != 0
    assert seen["environment"] == ENVIRONMENT
    assert not {"home", "var", "run", "srv", "sys", "boot", "opt", "mnt"} & set(seen["root"])
    assert not {"shadow", "ssh", "hosts", "ssl", "jobpass"} & set(seen["etc"])
    assert seen["descriptors"] == 4  # three standard ones, and its socket to the worker
    assert seen["interfaces"] == ["lo"]
    status = seen["status"]
    assert {status[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
    assert (status["NoNewPrivs"], status["Seccomp"], status["Threads"]) == ("1", "2", "1")


async def test_jobs_draw_different_numbers_and_see_nothing_of_each_other() -> None:
    async with executing(function("plain.draws")) as executor:
        runs = await asyncio.gather(*(executor.start(work(), lambda _: None) for _ in range(8)))
        drawn = {await running.wait() for running in runs}
    assert len(drawn) == 8


async def test_many_jobs_one_after_another_leave_nothing_open() -> None:
    async with executing(function("plain.echo")) as executor:
        await (await executor.start(work(), lambda _: None)).wait()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(50):
            runs = await asyncio.gather(*(executor.start(work(), lambda _: None) for _ in range(4)))
            assert {await running.wait() for running in runs} == {Completed('{"payload":null}', "run")}
        assert len(os.listdir("/proc/self/fd")) == before


async def test_as_many_at_once_as_somebody_likes_all_end() -> None:
    async with executing(function("plain.echo")) as executor:
        runs = [await executor.start(work(number), lambda _: None) for number in range(100)]
        ended = [await running.wait() for running in runs]
    assert ended == [Completed(f'{{"payload":{number}}}', "run") for number in range(100)]


async def test_another_process_that_starts_jobs_takes_the_place_of_one_that_ended() -> None:
    mark = new_mark()
    async with executing(function("attacks.stay_with_daemons")) as executor:
        running = await executor.start(work(mark), lambda _: None)
        await until(mark, count=5, seconds=5)
        os.kill(executor.starter_pid, signal.SIGKILL)
        ended = await running.wait()
        assert isinstance(ended, Failed)
        assert ended.failure_code == "interrupted"
        await until(mark, count=0, seconds=2)
        running = await executor.start(work(new_mark()), lambda _: None)
        await asyncio.sleep(0.5)
        running.kill()
        assert await running.wait() == Canceled()


async def test_nothing_is_started_when_it_is_closed() -> None:
    executor = await LocalExecutor.open(function("plain.echo"))
    await executor.close()
    await executor.close()
    with pytest.raises(SetupError, match="closed"):
        await executor.start(work(), lambda _: None)


@pytest.mark.parametrize(
    ("setup", "says"),
    [
        (Setup(runner="ruby"), "no runner 'ruby'"),
        (Setup(runner="python:no_such_module:f"), "no module no_such_module"),
        (Setup(runner="python:plain:missing", paths=(str(FOLDER),)), "no function missing"),
        (Setup(runner="command"), "needs the executable"),
        (Setup(runner="command", arguments=("/no/such/file",)), "no executable"),
        (function("plain.echo", hidden=(f"{FOLDER}/apikey",)), "keep it in a directory of its own"),
        (function("plain.echo", hidden=(str(FOLDER.parent),)), "keep it in a directory of its own"),
    ],
)
async def test_what_cannot_be_run_is_refused_at_the_start(setup: Setup, says: str) -> None:
    with pytest.raises(SetupError) as refused:
        await LocalExecutor.open(setup)
    assert says in refused.value.message


THREADED = "import threading, time\nthreading.Thread(target=time.sleep, args=(9,)).start()\ndef f(*_): pass\n"


async def test_what_an_import_raises_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "broken.py").write_text("raise RuntimeError('no luck')\n")
    (tmp_path / "threaded.py").write_text(THREADED)
    (tmp_path / "needs.py").write_text("import no_such_thing\n")
    for module, says in (("broken", "no luck"), ("threaded", "threads"), ("needs", "no_such_thing")):
        with pytest.raises(SetupError) as refused:
            await LocalExecutor.open(Setup(runner=f"python:{module}:f", paths=(str(tmp_path),)))
        assert says in refused.value.message


async def test_all_of_isolation_is_in_force_here() -> None:
    async with executing(function("plain.echo", require_isolation=True)) as executor:
        assert [item.name for item in executor.isolation.items] == list(NAMES)
        assert executor.isolation.complete, executor.isolation.missing


SCRIPT = Path(__file__).with_name("alone.py")


async def script(*arguments: str, before: tuple[str, ...] = ()) -> asyncio.subprocess.Process:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return await asyncio.create_subprocess_exec(
        *before,
        sys.executable,
        str(SCRIPT),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )


async def told(*arguments: str, before: tuple[str, ...] = ()) -> Any:
    process = await script(*arguments, before=before)
    text, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(text)


async def test_when_the_worker_is_killed_its_jobs_end() -> None:
    mark = new_mark()
    process = await script("stay", mark)
    await until(mark, count=5, seconds=10)
    process.kill()
    await process.wait()
    await until(mark, count=0, seconds=2)
    assert process.stdout is not None
    await process.stdout.read()


async def test_it_works_without_privileges() -> None:
    """In a namespace with one user, where this process has no power over anything outside."""
    said = await told("look", before=("unshare", "-U", "-r"))
    assert said["missing"] == ""
    assert said["seen"]["uid"] != 0
    assert said["seen"]["pid"] == 1
    assert not {"home", "var", "run"} & set(said["seen"]["root"])


async def test_where_namespaces_are_refused_jobs_still_end() -> None:
    mark = new_mark()
    said = await told("refused", mark, before=("unshare", "-U", "--map-user=1000", "--map-group=1000"))
    assert "users: unshare" in said["missing"]
    assert said["complete"] is False
    assert "read whatever this worker's user can" in said["warning"]
    assert said["seen"]["uid"] == 1000
    assert said["seen"]["status"]["Seccomp"] == "2"
    assert said["daemons"] == "Canceled(results=None)"
    assert said["seconds"] < 2
    assert said["left"] == []
    assert "PermissionError" in said["connect"]
    assert marked(mark) == []


async def test_where_namespaces_are_refused_isolation_can_be_required() -> None:
    said = await told("required")
    assert said.startswith("Isolation is required, and not complete on this machine: users: unshare")


@pytest.mark.skipif(os.getuid() != 0, reason="this process is not root")
async def test_where_namespaces_are_refused_root_runs_jobs_as_nobody_or_not_at_all() -> None:
    said = await told("from-root")
    assert said == 65534 or "Jobs run as nobody here, who cannot read /" in said


@pytest.mark.skipif(os.getuid() != 0, reason="this process is not root")
async def test_where_namespaces_are_refused_and_there_is_only_root_nothing_runs() -> None:
    said = await told("only-root", before=("unshare", "-U", "-r"))
    assert said.startswith("Jobs never run as root, and there is no isolation here: users: unshare")


async def test_the_memory_of_the_worker_is_its_own() -> None:
    said = await told("dumpable")
    assert said == {"before": 1, "after": 0}


def test_outcomes_can_be_kept() -> None:
    for one in (Completed("1", "run", 3), Failed("runner", "m"), Canceled("2")):
        assert pickle.loads(pickle.dumps(one)) == one
