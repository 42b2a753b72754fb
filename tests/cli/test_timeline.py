"""A history as time: folded, measured, drawn to scale, and fit for any terminal."""

from __future__ import annotations

import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import jobpass
from jobpass.cli.spans import FOLD, Line, Stays, bar, fold, span
from jobpass.client.results import Event
from support.terminal import on_terminal

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def event(name: str, state: str, second: float, sequence: int = 1) -> Event:
    return Event(
        sequence=sequence, event_uuid="", name=name, data=None, at=NOON + timedelta(seconds=second), state=state,
        credential="", hash="",
    )  # fmt: skip


def history(*updates: str) -> list[Event]:
    """``create`` and ``run``, then these in RUNNING, then ``finish``; a second between them."""
    between = [(name, "RUNNING") for name in updates]
    steps = [("create", "CREATED"), ("run", "RUNNING"), *between, ("finish", "FINISHED")]
    return [event(name, state, second) for second, (name, state) in enumerate(steps)]


def told(lines: Iterator[Line]) -> list[tuple[str, float | None]]:
    return [
        (" ".join(f"{n}{name}" for name, n in line.names.items()), line.gap and line.gap.total_seconds())
        for line in lines
    ]


def test_long_runs_that_keep_the_state_are_one_line() -> None:
    assert told(fold(history(*["update"] * 300, "resource"))) == [
        ("1create", None),
        ("1run", 1.0),
        ("300update 1resource", 301.0),
        ("1finish", 1.0),
    ]
    short = history(*["update"] * (FOLD - 1))
    assert [names for names, _ in told(fold(short))] == ["1create", "1run", *["1update"] * (FOLD - 1), "1finish"]
    assert [names for names, _ in told(fold(history(*["update"] * FOLD)))] == [
        "1create",
        "1run",
        f"{FOLD}update",
        "1finish",
    ]
    assert [names for names, _ in told(fold(history(*["update"] * 9), 100))].count("1update") == 9
    assert list(fold([])) == []


def test_a_run_at_the_end_is_told_too() -> None:
    ends = history(*["update"] * 7)[:-1]
    assert told(fold(ends))[-1] == ("7update", 7.0)
    assert told(fold(ends[:5]))[-1] == ("1update", 1.0)


def test_every_event_is_in_one_line_and_the_gaps_add_up() -> None:
    for run in range(12):
        events = history(*["update", "resource"] * run, "run", *["update"] * run)
        lines = list(fold(events))
        assert sum((line.names for line in lines), Counter[str]()) == Counter(one.name for one in events)
        assert sum((line.gap for line in lines if line.gap), timedelta()) == events[-1].at - events[0].at
        assert [line.start for line in lines[1:]] == [line.event.at for line in lines[:-1]]


def test_folding_and_counting_keep_next_to_nothing() -> None:
    stays = Stays()
    many = (event("update", "RUNNING", n, n) for n in range(200_000))
    tracemalloc.start()
    lines = sum(1 for _ in fold(stays.follow(many)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (lines, stays.events) == (2, 200_000)
    assert peak < 200_000


def test_stays_count_each_visit() -> None:
    stays = Stays()
    steps = zip(["create", "run", "update", "reset", "ready", "run"], "ABBCAB", (0, 10, 15, 20, 21, 25), strict=True)
    for _ in stays.follow(event(name, state, second) for name, state, second in steps):
        pass
    assert stays.times == {"A": 14.0, "B": 10.0, "C": 1.0}
    assert list(stays.times) == ["A", "B", "C"]
    assert stays.visits == {"A": 2, "B": 2, "C": 1}
    assert (stays.seconds, stays.events, stays.since) == (25.0, 6, NOON + timedelta(seconds=25))


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 ms"), (0.0004, "0 ms"), (0.3401, "340 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (59.94, "59.9 s"),
        (59.96, "1 m 00 s"), (725, "12 m 05 s"), (3599.6, "1 h 00 m"), (7380, "2 h 03 m"), (86399.7, "1 d 00 h"),
        (100 * 86400 + 3600 * 23, "100 d 23 h"), (-1.25, "-1.2 s"),
    ],
)  # fmt: skip
def test_spans(seconds: float, shown: str) -> None:
    assert span(seconds) == shown


@pytest.mark.parametrize(
    ("start", "end", "drawn"),
    [
        (0, 1, "━━━━"), (0, 0.5, "━━  "), (0.5, 1, "  ━━"), (0, 0.125, "╸   "), (0.125, 0.25, "╺   "),
        (0.375, 0.625, " ╺╸ "), (0, 0, "·   "), (0.5, 0.501, "  · "), (1, 1, "   ·"), (0.9, 7.0, "   ╺"),
        (-3, 0.25, "━   "), (0.7, 0.2, "   ·"),
    ],
)  # fmt: skip
def test_bars(start: float, end: float, drawn: str) -> None:
    assert bar(start, end, 4) == drawn


@pytest.fixture
def lived(operator: jobpass.Client, job: dict[str, Any]) -> str:
    """A job with a long run of updates, a hostile text, and an end."""
    uuid: str = job["uuid"]
    operator.send(uuid, "run")
    for step in range(12):
        operator.send(uuid, "update", step)
    operator.send(uuid, "resource", {"text": "日本\x1b[2J\r\n" * 50})
    operator.send(uuid, "fail", {"exit_code": 1})
    return uuid


@pytest.mark.usefixtures("logged_in")
def test_a_timeline_in_a_pipe_is_plain_text(here: Any, lived: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = here.good("job", "timeline", lived)
    assert "\x1b" not in said
    lines = said.splitlines()
    assert lines[0] == f"{lived}  pipeline"
    assert re.fullmatch(r"16 events in \S+ m?s", lines[1])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", lines[2])
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} +[·╺━╸]+ +create +→ CREATED  \{\"test\":.*", lines[3])
    assert "… 12 × update, 1 × resource" in said
    totals = lines[lines.index("") + 1 :]
    assert [line.split()[0] for line in totals] == ["CREATED", "RUNNING", "FAILED"]
    assert re.fullmatch(r"FAILED since \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ, \S+ m?s ago", totals[-1])
    assert max(map(len, lines)) <= 100
    monkeypatch.setenv("COLUMNS", "160")  # how much is left for data depends on how long it took
    assert any(
        line.endswith('fail       → FAILED  {"exit_code":1}')
        for line in here.good("job", "timeline", lived).splitlines()
    )
    unfolded = here.good("job", "timeline", lived, "--all")
    assert len(re.findall(r" update {5}", unfolded)) == 12
    assert r"\u001b[2J" in unfolded
    assert "…" in unfolded


@pytest.mark.usefixtures("logged_in")
def test_a_timeline_as_json_adds_up(here: Any, operator: jobpass.Client, lived: str) -> None:
    *events, whole = map(json.loads, here.good("job", "timeline", lived, "--json").splitlines())
    known = list(operator.iter_history(lived))
    assert [(one["sequence"], one["name"], one["state"]) for one in events] == [
        (one.sequence, one.name, one.state) for one in known
    ]
    assert events[0]["seconds"] is None
    assert sum(one["seconds"] for one in events[1:]) == pytest.approx(whole["seconds"])
    assert whole["seconds"] == pytest.approx((known[-1].at - known[0].at).total_seconds())
    assert sum(one["seconds"] for one in whole["states"]) == pytest.approx(whole["seconds"])
    assert [(one["state"], one["visits"]) for one in whole["states"]] == [("CREATED", 1), ("RUNNING", 1), ("FAILED", 1)]
    assert (whole["uuid"], whole["state"], whole["events"]) == (lived, "FAILED", 16)
    assert datetime.fromisoformat(whole["since"]) == known[-1].at


@pytest.mark.parametrize("width", [120, 80, 64, 63, 40, 36, 20])
def test_a_timeline_fits_its_terminal(logged_in: Any, lived: str, width: int) -> None:
    lines = on_terminal(logged_in, width, "job", "timeline", lived)
    plain = [COLOUR.sub("", line) for line in lines]
    assert not any("\x1b" in line for line in plain)
    assert max(map(len, plain)) <= width
    assert any("… 12 ×" in line for line in plain) is (width >= 20)
    drawn = any("━" in line or "·" in line for line in plain)
    assert drawn is (width >= 64)
    assert any("\x1b[31m" in line for line in lines)  # a failure is red


def test_no_color_is_followed(logged_in: Any, lived: str) -> None:
    logged_in.variables["NO_COLOR"] = "1"
    said = "\n".join(on_terminal(logged_in, 100, "job", "timeline", lived))
    assert "→ FAILED" in COLOUR.sub("", said)
    assert not re.search(r"\x1b\[[0-9;]*3\dm", said)


def test_a_reader_that_leaves_early_is_no_error(logged_in: Any, lived: str) -> None:
    process = logged_in.start("job", "timeline", lived)
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait(20) in (0, 1, 141)
    process.stderr.close()
    assert said == ""


@pytest.mark.usefixtures("logged_in")
def test_a_job_to_which_nothing_happened_has_a_timeline(here: Any, job: dict[str, Any]) -> None:
    said = here.good("job", "timeline", job["uuid"])
    assert "1 event in 0 ms\n" in said
    assert "CREATED since" in said
    unknown = here("job", "timeline", "1071269f-b251-5a5f-bec1-6d7f77131f3f")
    assert (unknown.returncode, unknown.stdout) == (4, "")
