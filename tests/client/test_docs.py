"""The Python of docs/sdk.md runs as it stands, and its tables name what there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from jobpass import errors
from jobpass.client.base import BaseClient
from jobpass.client.sync import Client

TEXT = (Path(__file__).parents[2] / "docs" / "sdk.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_every_block_runs(served: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("JOBPASS_URL", "JOBPASS_JOB", "JOBPASS_TOKEN"):
        monkeypatch.setenv(name, "")  # so that what the blocks set is taken back
    names = {"url": served.url, "email": served.author, "password": served.password}
    for number, block in enumerate(BLOCKS):
        exec(compile(block, f"docs/sdk.md block {number}", "exec"), names)
    shown = capsys.readouterr().out
    assert "Legal now: ['finish'" in shown
    assert "a job's token opens that job alone" in shown
    assert len(BLOCKS) >= 9


def test_the_table_of_operations_is_whole() -> None:
    named = set(re.findall(r"`(\w+)\(", TEXT))
    operations = {name for kind in (BaseClient, Client) for name in vars(kind) if name[0] != "_" and name != "close"}
    assert operations - {"url", "token", "public_url"} <= named


def test_the_errors_that_are_named_exist() -> None:
    table = TEXT.partition("| class | what happened |")[2].partition("\n## ")[0]
    for name in re.findall(r"`([A-Z]\w+)`", table.replace("`Retry-After`", "")):
        assert issubclass(getattr(errors, name), errors.Error)
