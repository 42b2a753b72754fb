"""The page of the seed system on tokens, as scripts in processes of their own; and the page for its users."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from datacatalog.linkedstores.pipelinejob import PipelineJobStore
from datacatalog.mongo import encode_connection_string
from support.catalog import Place

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/seed1.md"
EXAMPLES = ROOT / "examples/seed1"
TESTS = Path(__file__).parent


def run(script: str, **variables: str) -> list[str]:
    """The lines that a script of the examples prints; the variables are added to this environment."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / script], capture_output=True, text=True, timeout=60, env=os.environ | variables
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_two_processes_manage_one_job(place: Place) -> None:
    [line] = run("make_job.py", CATALOG_MONGODB=json.dumps(place.mongodb))
    token, uuid = line.split()
    assert re.fullmatch(r"jp_doc_[A-Za-z0-9_-]+", token)
    assert re.fullmatch(r"107[0-9a-f]{5}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", uuid)
    elsewhere = {name: value for name, value in place.mongodb.items() if name != "token"}
    there = {"CATALOG_MONGODB": json.dumps(elsewhere), "JOB_UUID": uuid}
    assert run("update_job.py", JOB_TOKEN=token, **there) == [token]
    assert run("reset_job.py", CATALOG_ADMIN_TOKEN_KEY=place.admin_key, **there) == ["RESET", "CREATED"]
    names = [event["name"] for event in PipelineJobStore(place.mongodb).history(uuid)]
    assert names == ["create", "run", "update", "update", "reset", "ready"]


def test_an_administrative_token_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_SECRET", "a secret that is long enough")
    monkeypatch.setenv("CATALOG_ADMIN_TOKEN_KEY", "STbmczGuxqvQSN6YCaA2CmHbpet2tZHc")
    assert run("validate_token.py", CATALOG_ADMIN_TOKEN_LIFETIME="1") == ["True", "False", "True"]


def test_the_page_for_users_runs(tmp_path: Path) -> None:
    """Its Python runs in one go, in an environment that its first lines describe; shown results are compared."""
    tmp_path.joinpath("archive/products").mkdir(parents=True)
    environ = {
        "CATALOG_ADMIN_TOKEN_SECRET": "IAOxeTtH3g0BRXU5yL4n4e0UL4Sjyoav",
        "CATALOG_ADMIN_TOKEN_KEY": "STbmczGuxqvQSN6YCaA2CmHbpet2tZHc",
        "TACC_USERNAME": "ann",
        "AUTHN": encode_connection_string(f"sqlite://{tmp_path}/jobs"),
    }
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 5
    names: dict[str, object] = {}
    compared = 0
    with patch.dict(os.environ, environ):
        for block in blocks:
            for statement, shown in re.findall(r"(.*?)(?:  # → ([^\n]+)\n|\Z)", block, re.DOTALL):
                *before, last = statement.rsplit("\n", 1) if shown else (statement, "")
                exec("\n".join(before), names)
                if shown:
                    compared += 1
                    assert str(eval(last, names)) == shown, last
    assert compared >= 8


def rows() -> list[list[str]]:
    """The rows of the table of differences: number, what was, what is, tests."""
    lines = [line for line in PAGE.read_text().splitlines() if re.match(r"\| [WB]\d+ ", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_difference_of_the_table_has_its_test() -> None:
    sources = "\n".join(path.read_text() for path in TESTS.glob("test_*.py"))
    table = rows()
    assert len(table) >= 30
    for number, _was, _now, tests in table:
        named = re.findall(r"`(test_\w+)`", tests)
        assert named or tests == "no such code", number
        for name in named:
            assert f"def {name}" in sources, (number, name)


def test_each_test_of_a_difference_is_in_the_table() -> None:
    written = {name for row in rows() for name in re.findall(r"`(test_\w+)`", row[3])}
    source = "\n".join(path.read_text() for path in TESTS.glob("test_*.py"))
    assert set(re.findall(r"def (test_[wb]\d\d_\w+)", source)) <= written
