"""docs/job-cloud.md runs: a server, a worker, and the example with its picture, by the real client."""

from __future__ import annotations

import importlib.util
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.test_docs import Terminal, blocks, calls, matches, terminal

__all__ = ["terminal"]

ROOT = Path(__file__).parents[2]
PAGE = "docs/job-cloud.md"
INSTALL = "python3 -m pip install '.[perceval]'"
ISOLATION = "isolation: users yes, files yes, network yes, processes yes, system calls yes"


class Workers:
    """Workers that go on beside the terminal."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._started: list[subprocess.Popen[str]] = []

    def start(self, line: str) -> str:
        """What it says when it is ready."""
        worker = self._terminal.start(f"exec {line}", stderr=subprocess.DEVNULL)
        self._started.append(worker)
        assert worker.stdout is not None
        return worker.stdout.readline()

    def close(self) -> None:
        for worker in self._started:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
            assert worker.stdout is not None
            worker.stdout.close()


@pytest.fixture
def workers(terminal: Terminal) -> Iterator[Workers]:
    workers = Workers(terminal)
    yield workers
    workers.close()


@pytest.mark.perceval
@pytest.mark.timeout(240)
@pytest.mark.skipif(importlib.util.find_spec("perceval") is None, reason="perceval-quandela is not installed")
def test_the_page_runs(terminal: Terminal, workers: Workers) -> None:
    (terminal.home / "examples").symlink_to(ROOT / "examples")
    for block in blocks(PAGE, terminal.port):
        assert block.language == "console"
        for call in calls(block.text):
            if call.line == INSTALL:  # what the tests run on is installed
                continue
            said = workers.start(call.line) if call.line.startswith("jobpass worker") else terminal.type(call.line)
            shown = [line.replace(ISOLATION, "isolation: …") for line in call.shown]  # as the machine has it
            assert matches(shown, said), (call.line, said)
            if "perceval_hom.py" in call.line:
                share = re.search(r"apart (0\.\d+)", said)
                assert share is not None
                assert 0.4 < float(share[1]) < 0.6  # of 1,000 samples
    picture = (terminal.home / "hom.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 5000


def test_the_page_names_what_is_not_run() -> None:
    text = (ROOT / PAGE).read_text()
    assert f"$ {INSTALL}" in text
    assert ISOLATION in text
    assert "examples/perceval_hom.py" in text
