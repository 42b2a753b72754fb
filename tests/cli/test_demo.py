"""The main job, and the job process that it runs."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

import jobpass
from jobpass.cli import demo_crash, demo_job

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A small folder with a copy, an empty file, a link and strange names."""
    folder = tmp_path / "sources"
    (folder / "deep" / "__pycache__").mkdir(parents=True)
    (folder / "a.py").write_text("one\ntwo\n")
    (folder / "deep" / "b.py").write_text("one\ntwo\n")
    (folder / "empty.py").touch()
    (folder / "é \x1b.txt").write_text("three\n")
    (folder / "deep" / "__pycache__" / "c.py").write_text("no")
    (folder / "link.py").symlink_to(folder / "a.py")
    return folder


@pytest.mark.timeout(120)
def test_the_demo_holds_and_leaves_nothing(shell: Any, sources: Path, tmp_path: Path) -> None:
    shell.variables |= {"TMPDIR": str(tmp_path / "temporary"), "JOBPASS_TOKEN": "jp_log_x", "JOBPASS_URL": "http://x"}
    (tmp_path / "temporary").mkdir()
    done = shell("demo", "--input", sources)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("   ok ") >= 22
    assert "reset after the key was revoked: invalid_token" in done.stdout
    assert "FAILED" not in done.stdout
    for refused in ("401 forged_token", "404 unknown_job", "409 illegal_transition", "403 denied"):
        assert refused in done.stdout
    assert "Try next:" in done.stdout
    assert "jp_" not in done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.timeout(120)
def test_the_demo_keeps_its_data_and_tells_in_json(shell: Any, sources: Path, tmp_path: Path) -> None:
    shell.variables |= {"TMPDIR": str(tmp_path)}
    told = shell.json("demo", "--input", sources, "--keep")
    assert told["held"] is True
    assert told["seconds"] < 60
    (kept,) = tmp_path.glob("jobpass-demo-*")
    assert shell("verify", "--data", kept / "data").returncode == 0


def test_the_demo_of_no_folder(shell: Any) -> None:
    done = shell("demo", "--input", "absent")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_the_demo_tells_when_the_job_does_not_finish(shell: Any, sources: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import sys\nif 'jobpass.cli.demo_job' in sys.orig_argv: sys.exit('broken on purpose')\n"
    )
    shell.variables["PYTHONPATH"] = str(tmp_path / "site")
    done = shell("demo", "--input", sources)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED  the job finished" in done.stdout
    assert "NOT everything held" in done.stdout


def test_the_job_process_indexes_what_is_there(logged_in: Any, operator: jobpass.Client, sources: Path) -> None:
    example = ROOT / "examples" / "index_sources.py"
    result = logged_in.home / "result.jsonl"
    done = logged_in("run", "--", sys.executable, example, sources, result)
    assert done.returncode == 0, done.stderr
    entries = [json.loads(line) for line in result.read_text().splitlines()]
    assert [entry["path"] for entry in entries] == ["a.py", "deep/b.py", "empty.py", "é \x1b.txt"]
    assert entries[0] == {
        "path": "a.py",
        "bytes": 8,
        "lines": 2,
        "sha256": hashlib.sha256(b"one\ntwo\n").hexdigest(),
    }
    *_, job = operator.iter_jobs(limit=1000)
    *_, outcome, _end = operator.iter_history(job.uuid)
    assert outcome.data == {
        "files": 4,
        "lines": 5,
        "bytes": 22,
        "duplicates": 1,
        "largest": "a.py",
        "unreadable": 0,
        "left_out": 0,
        "result": "result.jsonl",
        "sha256": hashlib.sha256(result.read_bytes()).hexdigest(),
    }


def test_the_job_process_says_what_it_left_out(sources: Path) -> None:
    files = demo_job.find_files(sources, "*.py")
    assert demo_job.summarise(list(demo_job.index_all(files, sources, until=0.0)), len(files))["left_out"] == 3


def test_the_job_process_without_a_job(shell: Any) -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "jobpass.cli.demo_job", ".", "result"],
        capture_output=True,
        text=True,
        env=shell.environ,
        cwd=shell.home,
    )
    assert done.returncode == 1
    assert "JOBPASS_TOKEN" in done.stderr


def test_the_examples_are_what_the_demo_runs() -> None:
    package = Path(demo_job.__file__).parent
    pairs = (("index_sources.py", "demo_job.py"), ("pipeline.json", "demo_pipeline.json"))
    for example, original in pairs:
        assert (ROOT / "examples" / example).read_bytes() == (package / original).read_bytes()


def test_the_crash_s_comparison_sees_what_it_should() -> None:
    def sent(number: int) -> demo_crash.Sent:
        return demo_crash.Sent("job", 1, number)

    assert demo_crash._differences({sent(1): 3}, {sent(1): 3}) == []
    assert "gone" in demo_crash._differences({sent(1): 3}, {})[0]
    assert "never answered" in demo_crash._differences({}, {sent(1): 3})[0]
    assert "another sequence" in demo_crash._differences({sent(1): 3}, {sent(1): 4})[0]
