"""``jobpass job index`` and ``jobpass job files``, as real processes against a real server and directory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import jobpass
from support.terminal import on_terminal


class Made(NamedTuple):
    """A job that has finished, its directory with three files, and a shell whose log-in is its owner's."""

    shell: Any
    uuid: str
    folder: Path


@pytest.fixture
def made(shell: Any, serve: Callable[..., Any], tmp_path: Path, password: str) -> Made:
    folder = tmp_path / "archive/jobs/one"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.csv", "b.txt", "sub/c.csv"):
        (folder / name).write_text(name)
    archives = {"here": {"url": (tmp_path / "archive").as_uri(), "roots": ["/jobs"]}}
    (tmp_path / "password").write_text(password)
    shell.good("init", "--data", tmp_path / "data", "--admin-password-file", tmp_path / "password")
    shell.variables["JOBPASS_ARCHIVES"] = json.dumps(archives)
    url = serve(tmp_path / "data").url
    del shell.variables["JOBPASS_ARCHIVES"]
    with jobpass.Client(url) as client:
        token = client.login("operator@localhost", password).token
        pipeline = client.create_pipeline({"id": "t", "name": "T", "components": [], "processing_levels": []})
        job = client.create_job(pipeline["uuid"], archive_path="/jobs/one", archive_system="here")
        for event in ("run", "finish"):
            client.send(job.uuid, event)
    shell.variables |= {"JOBPASS_URL": url, "JOBPASS_TOKEN": token}
    return Made(shell, job.uuid, folder)


def test_index_and_files(made: Made) -> None:
    shell, uuid, folder = made
    told = shell.json("job", "index", uuid)
    assert (told["state"], told["files"], told["bytes"], told["error"]) == ("FINISHED", 3, 19, None)
    lines = [line.split("\t") for line in shell.good("job", "files", uuid).splitlines()]
    digest = hashlib.sha256(b"a.csv").hexdigest()
    assert lines[0] == ["1", "archive", "5", digest, "/jobs/one/a.csv"]
    assert [line[4] for line in lines] == ["/jobs/one/a.csv", "/jobs/one/b.txt", "/jobs/one/sub/c.csv"]
    (folder / "b.txt").unlink()
    asked = [{"patterns": ["^c"], "derived_from": ["./a.csv"]}]
    text = shell.good("job", "index", uuid, "--filters", json.dumps(asked), "--no-fixity", "--no-indexed")
    assert text.splitlines() == [f"uuid: {uuid}", "state: INDEXING", "files: 1", "bytes: 9"]
    objects = shell.good("job", "files", uuid, "--kind", "product", "--json").splitlines()
    assert [json.loads(line)["path"] for line in objects] == ["/jobs/one/sub/c.csv"]
    shell.good("job", "index", uuid, "--pattern", "csv", "--level", "7")
    assert len(shell.good("job", "files", uuid, "--level", "7", "--limit", "1").splitlines()) == 1
    assert len(shell.good("job", "files", uuid, "--level", "7").splitlines()) == 2


def test_what_goes_wrong_is_told(made: Made) -> None:
    shell, uuid, folder = made
    done = shell("job", "index", uuid, "--filters", '[{"patterns": [], "derived_from": ["./none"]}]')
    assert done.returncode == 1
    assert "error: A file that others are derived from is not there: '/jobs/one/none'." in done.stdout
    for wrong in (["--pattern", "("], ["--filters", "{}"], ["--filters", "no"]):
        assert shell("job", "index", uuid, *wrong).returncode == 2, wrong
    for name in ("a.csv", "b.txt", "sub/c.csv"):
        (folder / name).unlink()
    assert shell.json("job", "index", uuid)["files"] == 0
    assert shell.good("job", "files", uuid) == ""


def test_on_a_terminal(made: Made) -> None:
    shell, uuid, _ = made
    shown = "\n".join(on_terminal(shell, 100, "job", "index", uuid))
    assert "state: FINISHED" in shown
    assert "files" in shown
    table = on_terminal(shell, 100, "job", "files", uuid)
    assert any(line.rstrip().endswith("/jobs/one/a.csv") for line in table)
