"""The harness finds what is really wrong with a record that real servers have kept, and says what it has found."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest

from faults.__main__ import main
from faults.checker import Violation
from faults.faults import FAULTS
from faults.nodes import TESTS, Node
from faults.table import BEGIN, END, replace, table
from faults.trial import Verdict, trial
from jobpass import compose

DATABASE = "jobpass.sqlite"


async def test_a_record_that_was_put_back_and_edited_is_found(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    node = Node(data, tmp_path / "node.log")
    async with trial(tmp_path, [node], jobs=2, each=2) as made:
        await made.begin()
        await compose.back_up(data, copy)
        acknowledged = len(made.log.calls)
        await made.load.until(lambda: len(made.log.calls) > acknowledged + 100)

        async def put_back() -> float:
            await node.kill()
            for ending in ("-wal", "-shm"):
                (data / f"{DATABASE}{ending}").unlink(missing_ok=True)
            copy.rename(data / DATABASE)
            connection = apsw.Connection(str(data / DATABASE))
            connection.execute("UPDATE event SET data = CAST('{}' AS BLOB) WHERE sequence = 2")
            connection.close()
            await node.start()
            return asyncio.get_running_loop().time()

        await made.hurt(put_back)
        verdict = await made.end("an old copy")
    kinds = {violation.wrong for violation in verdict.violations}
    assert {"lost", "chain", "fabricated"} <= kinds
    assert verdict.count("chain") == 2


async def test_a_server_that_does_not_start_is_told_with_its_words(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder should be")
    node = Node(tmp_path / "data", tmp_path / "node.log")
    with pytest.raises(RuntimeError, match="cannot be made"):
        await node.start()


def verdict(*violations: Violation) -> Verdict:
    return Verdict(
        fault="a fault",
        times=2,
        calls=3000,
        acknowledged=2000,
        unanswered=5,
        events=2000,
        violations=list(violations),
        back_seconds=[0.5, 2.0, 1.0],
        note="a note",
    )


def test_the_table_counts_what_is_wrong() -> None:
    found = [Violation(wrong, "j", "what") for wrong in ("lost", "lost", "doubled", "state", "stale", "chain")]
    lines = table([verdict(), verdict(*found)]).splitlines()
    assert lines[2] == "| a fault | 2 | 2,000 | 5 | 0 | 0 | 0 | 0 | 1.00 s, at most 2.00 s | a note |"
    assert lines[3] == "| a fault | 2 | 2,000 | 5 | 2 | 1 | 1 | 2 | 1.00 s, at most 2.00 s | a note |"
    assert {line.count("|") for line in lines} == {11}


def test_the_table_is_put_into_its_place(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    for _ in range(2):
        replace(page, table([verdict()]))
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| fault |")
    assert text.endswith(f"| a note |\n{END}\nafter\n")
    assert "old" not in text
    page.write_text("no place")
    with pytest.raises(ValueError, match="0 places"):
        replace(page, "")


def test_the_command_does_what_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(SystemExit):
        main(["flood"])
    assert "there is no fault flood" in capsys.readouterr().err
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    assert main(["kill", "--times", "1", "--write", str(page)]) == 0
    said = capsys.readouterr().out
    assert "| SIGKILL of the server, SQLite | 1 |" in said
    assert said.endswith("Every record holds.\n")
    assert "| SIGKILL of the server, SQLite | 1 |" in page.read_text()
    assert list(tmp_path.iterdir()) == [page]


def test_the_page_names_every_fault_and_has_a_place_for_the_table() -> None:
    page = (TESTS.parent / "docs" / "faults.md").read_text()
    assert [name for name in FAULTS if f"\n| `{name}` |" not in page] == []
    assert page.count(f"{BEGIN}\n") == page.count(f"{END}\n") == 1
