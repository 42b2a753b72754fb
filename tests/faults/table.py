"""The table of verdicts, as Markdown, and its place in a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from faults.trial import Verdict

BEGIN = "<!-- begin: printed by `make faults` -->"
END = "<!-- end -->"
HEAD = ("fault", "times", "acknowledged", "no answer", "lost", "doubled", "illegal", "else wrong", "back after", "note")


def row(verdict: Verdict) -> tuple[str, ...]:
    """One verdict as cells; seconds are the median, and the longest."""
    lost, doubled, illegal = verdict.count("lost"), verdict.count("doubled"), verdict.count("state")
    rest = len(verdict.violations) - lost - doubled - illegal
    back = f"{verdict.back_median:.2f} s, at most {max(verdict.back_seconds):.2f} s" if verdict.back_seconds else ""
    counts = (verdict.times, verdict.acknowledged, verdict.unanswered, lost, doubled, illegal, rest)
    return (verdict.fault, *(f"{count:,}" for count in counts), back, verdict.note)


def table(verdicts: Sequence[Verdict]) -> str:
    """All of them."""
    lines = [HEAD, ("---",) * len(HEAD), *map(row, verdicts)]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


def replace(page: Path, text: str) -> None:
    """Put the table where the page has it; ``ValueError`` if it has no place for it."""
    old = page.read_text("utf-8")
    found = re.subn(f"({BEGIN}\n).*?({END})", lambda place: place[1] + text + place[2], old, flags=re.DOTALL)
    if found[1] != 1:
        raise ValueError(f"{page} has {found[1]} places for the table")
    page.write_text(found[0], "utf-8")
