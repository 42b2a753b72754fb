"""``job show --svg`` and ``--png``."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

import jobpass

with_graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not on this machine")


@pytest.fixture
def running(operator: jobpass.Client, job: dict[str, Any]) -> str:
    uuid: str = job["uuid"]
    operator.send(uuid, "run")
    operator.send(uuid, "update")
    operator.send(uuid, "update")
    return uuid


def titles(picture: bytes) -> list[str]:
    return [title.text or "" for title in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}title")]


@pytest.mark.usefixtures("logged_in")
def test_a_picture_goes_into_a_file_beside_what_is_shown(here: Any, running: str, tmp_path: Path) -> None:
    done = here("job", "show", running, "--svg", tmp_path / "job.svg", "--json")
    assert done.returncode == 0
    assert f'"uuid": "{running}"' in done.stdout
    by = "graphviz" if shutil.which("dot") else "Jobpass"
    assert done.stderr == f"{tmp_path / 'job.svg'}: laid out by {by}\n"
    found = titles((tmp_path / "job.svg").read_bytes())
    assert any(one.startswith(f"Job {running}, lifecycle pipeline, now RUNNING since ") for one in found)
    # Events that keep the state share one loop, and so one title.
    assert any("update: " in one and "\n2 times, last at " in one for one in found) or by == "graphviz"


def test_a_picture_on_stdout_is_alone_there_and_needs_no_graphviz(logged_in: Any, running: str, tmp_path: Path) -> None:
    logged_in.variables["PATH"] = str(tmp_path)
    done = logged_in("job", "show", running, "--svg", "-")
    assert (done.returncode, done.stderr) == (0, "stdout: laid out by Jobpass\n")
    assert titles(done.stdout.encode())
    refused = logged_in("job", "show", running, "--png", tmp_path / "job.png")
    assert refused.returncode == 7
    assert "install it" in refused.stderr
    assert not (tmp_path / "job.png").exists()


@with_graphviz
@pytest.mark.usefixtures("logged_in")
def test_pixels_by_graphviz(here: Any, running: str, tmp_path: Path) -> None:
    here.good("job", "show", running, "--png", tmp_path / "job.png", "--svg", tmp_path / "job.svg")
    assert (tmp_path / "job.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert titles((tmp_path / "job.svg").read_bytes())


@pytest.mark.usefixtures("logged_in")
def test_what_cannot_be_drawn_is_said(here: Any, running: str, tmp_path: Path) -> None:
    both = here("job", "show", running, "--svg", "-", "--png", "-")
    assert (both.returncode, both.stdout) == (2, "")
    nowhere = here("job", "show", running, "--svg", tmp_path / "absent" / "job.svg")
    assert (nowhere.returncode, nowhere.stdout) == (7, "")
    assert nowhere.stderr.count("\n") == 1
    unknown = here("job", "show", "1071269f-b251-5a5f-bec1-6d7f77131f3f", "--svg", tmp_path / "job.svg")
    assert unknown.returncode == 4
    assert not (tmp_path / "job.svg").exists()
