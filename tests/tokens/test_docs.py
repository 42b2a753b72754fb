"""The code blocks of docs/tokens.md run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jobpass.tokens.caveats import read_all
from jobpass.tokens.keyring import Keyring

TEXT = (Path(__file__).parents[2] / "docs" / "tokens.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL))
def test_a_block_runs(block: str) -> None:
    exec(compile(block, "docs/tokens.md", "exec"), {"__name__": "docs"})


def test_the_keyring_is_one() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert [key.state for key in Keyring.parse(block).keys] == ["active", "retired"]


def test_the_table_of_caveats_is_readable_but_for_the_shortened_uuid() -> None:
    caveats = re.findall(r"^\| `(\[.*?\])` \|", TEXT, re.MULTILINE)
    assert len(read_all([caveat.encode() for caveat in caveats])) == 7
