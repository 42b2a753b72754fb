"""What a terminal shows, on a real one."""

from __future__ import annotations

import re
from typing import Any

import jobpass
from support.terminal import on_terminal


def test_a_table_is_cut_in_its_last_column_only(logged_in: Any, operator: jobpass.Client, job: dict[str, Any]) -> None:
    operator.send(job["uuid"], "update", {"text": "日本\x1b[2J" * 100})
    lines = on_terminal(logged_in, 120, "job", "history", job["uuid"])
    assert re.fullmatch(r"\x1b\[1msequence +at +event +state +credential +data\x1b\[0m", lines[0])
    assert len(lines) == 3
    for text in lines[1:]:
        assert "login:" in text
        assert "\x1b" not in text
        assert len(text) <= 120
    assert lines[2].endswith("…")
    narrow = on_terminal(logged_in, 20, "job", "list", "--pipeline", job["pipeline_uuid"])
    assert any(job["uuid"] in text for text in narrow)


def test_verify_shows_its_progress_on_a_terminal(logged_in: Any, installation: Any) -> None:
    lines = on_terminal(logged_in, 80, "verify", "--data", str(installation.data))
    assert any(re.search(r"\d histories", text) for text in lines[:-1])
    assert "histories hold" in lines[-1]
