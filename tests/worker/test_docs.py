"""docs/runners.md and docs/isolation.md: their programs run, their tables are those of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from jobpass.worker.sandbox import seccomp
from jobpass.worker.work import (
    CANCEL_GRACE_SECONDS,
    FAILURE_CODES,
    GIBIBYTE,
    MEBIBYTE,
    Canceled,
    Completed,
    Limits,
    Setup,
)
from support.jobs import SMALL, executing, outcome, work

DOCS = Path(__file__).parents[2] / "docs"
RUNNERS, ISOLATION = (DOCS / "runners.md").read_text(), (DOCS / "isolation.md").read_text()
BLOCKS = re.findall(r"^```(\w+)[ ]?(\S*)\n(.*?)^```$", RUNNERS, re.MULTILINE | re.DOTALL)


def write(folder: Path) -> None:
    folder.chmod(0o755)
    for _, name, text in BLOCKS:
        if name:
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)


def test_the_function_runs_without_a_server(tmp_path: Path) -> None:
    write(tmp_path)
    (program,) = (text for language, name, text in BLOCKS if language == "python" and not name)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "isolated: True" in done.stdout
    assert done.stdout.endswith("Completed 40 rows\n")


async def test_the_command_runs_and_is_canceled(tmp_path: Path) -> None:
    write(tmp_path)
    setup = Setup(runner="command", arguments=(str(tmp_path / "count.sh"),), limits=SMALL)
    assert await outcome(setup, work(30)) == Completed("30", "run")
    async with executing(setup) as executor:
        running = await executor.start(work(10**9), lambda _: running.cancel())
        ended = await running.wait()
    assert isinstance(ended, Canceled)
    assert int(ended.results or 0) > 0


def test_the_failure_codes_are_those_of_the_code() -> None:
    table = RUNNERS.partition("| failure code |")[2]
    assert dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)) == FAILURE_CODES


def test_the_limits_are_those_of_the_code() -> None:
    limits = Limits()
    for row in (
        f"| memory | {limits.memory_bytes // GIBIBYTE} GiB of address space",
        f"| processes and threads | {limits.processes} |",
        f"| `/tmp` | {limits.tmp_bytes // MEBIBYTE} MiB |",
        f"| open files | {limits.files} for",
        f"| result, output of a command | {limits.result_bytes // MEBIBYTE} MiB |",
    ):
        assert row in ISOLATION
    assert CANCEL_GRACE_SECONDS == 1


def test_the_system_calls_that_are_named_are_refused() -> None:
    refused = seccomp.REFUSED | seccomp.REFUSED_TO_JOBS
    (row,) = re.findall(r"^\| system calls .*$", ISOLATION, re.MULTILINE)
    named = [name for name in re.findall(r"`([a-z_*]+)`", row) if not name.endswith(".py")]
    assert len(named) > 7
    for name in named:
        assert any(call.startswith(name.rstrip("*")) for call in refused), name


def test_the_tests_that_are_named_exist() -> None:
    for name in re.findall(r"`(?:tests/worker/)?(test_\w+\.py)`", ISOLATION):
        assert os.path.exists(Path(__file__).with_name(name))
