"""Jobs that mean harm: each is run for real, harms nothing, and ends as failed."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import platform
import secrets
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from jobpass.worker.local import LocalExecutor
from jobpass.worker.sandbox import seccomp
from jobpass.worker.work import Canceled, Completed, Failed, Progress
from support.jobs import SMALL, executing, function, marked, new_mark, outcome, until, work


def attack(name: str, **others: Any) -> Any:
    return function(f"attacks.{name}", **others)


@pytest.mark.parametrize("name", ["endless_loop", "fork_bomb"])
async def test_it_ends_when_its_time_is_over_and_nothing_of_it_is_left(name: str) -> None:
    mark = new_mark()
    async with executing(attack(name)) as executor:
        started = time.monotonic()
        running = await executor.start(work(mark, seconds=1), lambda _: None)
        await until(mark, count=1 if name == "endless_loop" else 10, seconds=1)
        assert len(marked(mark)) <= SMALL.processes
        ended = await running.wait()
        assert ended == Failed("time_limit", "It took longer than the 1 s that it may.")
        assert marked(mark) == []
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("name", "payload", "code", "says"),
    [
        ("fork_until_refused", None, "runner", "BlockingIOError"),
        ("thread_bomb", None, "runner", "can't start new thread"),
        ("huge_memory", 10 * 2**30, "memory_limit", "memory"),
        ("growing_memory", None, "memory_limit", "memory"),
        ("full_disk", None, "runner", "No space left on device"),
        ("large_file", 2**30, "runner", "OSError"),
        ("many_files", None, "runner", "Too many open files"),
        ("huge_result", 3 * 2**20, "result", "bytes; 1048576 are allowed"),
        ("deep_result", None, "result", "not JSON"),
        ("exit_hard", 0, "runner", "said nothing"),
        ("exit_hard", 3, "runner", "left with 3"),
        ("exit_soft", 0, "runner", "SystemExit"),
        ("crash", None, "killed", "SIGSEGV"),
        ("raise_unspeakable", None, "runner", "Unspeakable"),
        ("say_huge", [4, 4_000_000_000], "result", "too large"),
        ("say_huge", [4_000_000_000, 4], "result", "too large"),
        ("say_garbage", None, "result", ""),
        ("say", ['{"type":"sudo"}', ""], "result", "cannot be read"),
        ("say", ['{"type":"told","fraction":1e9,"message":""}', ""], "result", "cannot be read"),
        ("say", ['{"type":"done","shots":-1}', "1"], "result", "cannot be read"),
        ("say", ['{"type":"done"}', "{"], "result", "not JSON"),
        ("say", ['{"type":"broke","failure_code":"interrupted; drop","message":"m"}', ""], "runner", "m"),
        ("say", ['{"type":"stopped"}', ""], "runner", "nobody asked"),
        ("lease_file", None, "runner", "Operation not permitted"),
        ("new_namespaces", None, "runner", "CalledProcessError"),
    ],
)
async def test_it_fails(name: str, payload: Any, code: str, says: str) -> None:
    ended = await outcome(attack(name), work(payload))
    assert isinstance(ended, Failed), ended
    assert ended.failure_code == code, ended
    assert says in ended.message, ended


async def test_what_it_tells_without_end_neither_fills_the_memory_nor_stops_the_others() -> None:
    told: list[Progress] = []
    async with executing(attack("huge_progress")) as executor:
        running = await executor.start(work(seconds=1.5), told.append)
        latest = 0.0
        for _ in range(100):
            before = time.monotonic()
            await asyncio.sleep(0.01)
            latest = max(latest, time.monotonic() - before)
        assert isinstance(await running.wait(), Failed)
    assert latest < 0.3
    assert 0 < len(told) <= 80  # of thousands


async def test_it_can_read_neither_the_key_nor_the_environment_of_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"canary-{secrets.token_hex(16)}"
    monkeypatch.setenv("JOBPASS_APIKEY", secret)
    key, data = tmp_path / "keys" / "apikey", Path.home() / f"jobpass-test-{secrets.token_hex(4)}"
    key.parent.mkdir()
    key.write_text(secret)
    data.write_text(secret)
    os.chmod(data, 0o644)
    try:
        setup = {"hidden": (str(key),)}
        ended = await outcome(attack("scavenge", **setup), work(secret[::-1]))
        assert isinstance(ended, Completed), ended
        seen = json.loads(ended.results)
        assert seen["found"] == []
        assert seen["read"] > 10
        for path in (key, data, Path(f"/proc/{os.getpid()}/environ"), Path(f"/proc/{os.getpid()}/root{key}")):
            ended = await outcome(attack("read_file", **setup), work(str(path)))
            assert isinstance(ended, Failed)
            assert "FileNotFoundError" in ended.message, path
        for path in ("/proc/1/environ", "/proc/1/mem", "/proc/1/root/etc/shadow"):
            ended = await outcome(attack("read_file", **setup), work(path))
            assert isinstance(ended, Failed), path
            assert "PermissionError" in ended.message or "FileNotFoundError" in ended.message, path
    finally:
        data.unlink()


async def test_what_is_hidden_is_hidden_also_where_jobs_look(tmp_path: Path) -> None:
    folder = tmp_path / "shown"
    (folder / "keys").mkdir(parents=True)
    for path in (tmp_path, folder, folder / "keys"):
        path.chmod(0o755)
    key = folder / "keys" / "apikey"
    key.write_text("the key")
    (folder / "other").write_text("no key")
    shown = {"visible": (str(folder),), "hidden": (str(key),)}
    assert await outcome(attack("read_file", **shown), work(str(folder / "other"))) == Completed('"no key"', "run")
    ended = await outcome(attack("read_file", **shown), work(str(key)))
    assert isinstance(ended, Failed)
    assert "FileNotFoundError" in ended.message


@pytest.mark.parametrize("place", ["/", "/usr", "/etc", "/proc/sys/kernel", "/dev", "/home", "/var", "modules"])
async def test_it_can_write_nowhere_but_in_its_own_folder(place: str) -> None:
    setup = attack("write_file")
    target = f"{setup.paths[0] if place == 'modules' else place}/jobpass-was-here"
    ended = await outcome(setup, work(target))
    assert isinstance(ended, Failed)
    assert "Read-only" in ended.message or "PermissionError" in ended.message or "FileNotFound" in ended.message
    assert not Path(target).exists()
    ended = await outcome(setup, work("/tmp/jobpass-was-here"))
    assert ended == Completed("7", "run")
    assert not Path("/tmp/jobpass-was-here").exists()


async def test_it_can_reach_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        ended = await outcome(attack("connect"), work(port))
        assert isinstance(ended, Failed)
        assert "PermissionError" in ended.message
        with pytest.raises(TimeoutError):
            listener.accept()
    assert await outcome(attack("make_sockets"), work()) == Completed("[]", "run")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="other machines have one table of system calls")
async def test_other_numbers_of_a_system_call_do_not_help() -> None:
    ended = await outcome(attack("connect_by_other_numbers"), work())
    assert isinstance(ended, Failed)
    assert "Operation not permitted" in ended.message


async def test_every_refused_system_call_is_refused() -> None:
    column = {"x86_64": 0, "aarch64": 1}[platform.machine()]
    refused = seccomp.REFUSED | seccomp.REFUSED_TO_JOBS
    calls: list[Any] = [[name, numbers[column]] for name, numbers in refused.items() if numbers[column] is not None]
    clone = {"x86_64": 56, "aarch64": 220}[platform.machine()]
    # With SIGCHLD and no stack, as fork(2): it would succeed, were the flag not refused.
    calls += [[f"clone {bit}", clone, (1 << bit) | 17] for bit in (17, 25, 26, 27, 28, 29, 30)]
    calls += [["socketpair", {"x86_64": 53, "aarch64": 199}[platform.machine()], 2, 1, 0, 0]]
    calls += [["TIOCSTI", {"x86_64": 16, "aarch64": 29}[platform.machine()], 0, 0x5412, 0]]
    ended = await outcome(attack("call", limits=SMALL), work(calls))
    assert isinstance(ended, Completed), ended
    assert json.loads(ended.results) == dict.fromkeys((call[0] for call in calls), errno.EPERM)
    assert len(calls) > 60


async def test_the_kernel_gives_it_no_memory_that_nobody_counts() -> None:
    assert await outcome(attack("take_kernel_memory"), work()) == Completed("[]", "run")


async def test_it_cannot_trace_its_parent() -> None:
    assert await outcome(attack("trace_parent"), work()) == Completed("1", "run")


async def test_daemons_end_with_the_job_that_left_them() -> None:
    mark = new_mark()
    assert await outcome(attack("leave_daemons"), work(mark)) == Completed('"gone"', "run")
    assert marked(mark) == []


async def _daemons(executor: LocalExecutor, mark: str, seconds: float = 30) -> Any:
    running = await executor.start(work(mark, seconds=seconds), lambda _: None)
    await until(mark, count=5, seconds=5)
    return running


async def test_it_is_canceled_within_two_seconds_with_all_that_it_made() -> None:
    mark = new_mark()
    async with executing(attack("stay_with_daemons")) as executor:
        running = await _daemons(executor, mark)
        started = time.monotonic()
        running.cancel()
        assert await running.wait() == Canceled()
        assert time.monotonic() - started < 2
        assert marked(mark) == []


async def test_it_is_killed_at_once_with_all_that_it_made() -> None:
    mark = new_mark()
    async with executing(attack("stay_with_daemons")) as executor:
        running = await _daemons(executor, mark)
        started = time.monotonic()
        running.kill()
        assert await running.wait() == Canceled()
        assert time.monotonic() - started < 0.5
        assert marked(mark) == []


async def test_closing_the_executor_leaves_nothing() -> None:
    mark = new_mark()
    async with executing(attack("stay_with_daemons")) as executor:
        running = await _daemons(executor, mark)
    ended = await running.wait()
    assert isinstance(ended, Failed)
    assert ended.failure_code == "interrupted"
    await until(mark, count=0, seconds=2)
