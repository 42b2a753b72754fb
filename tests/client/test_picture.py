"""Pictures of jobs from what a server tells: by graphviz where it is, by Jobpass itself elsewhere."""

from __future__ import annotations

import shutil
import stat
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

import jobpass
from jobpass.client import graphviz
from jobpass.client.picture import lifecycle_of, picture
from jobpass.errors import InvalidInput, SetupError, UnexpectedAnswer
from jobpass.lifecycle.parse import parse
from jobpass.lifecycle.standard import COMPUTE, PIPELINE, STANDARD
from jobpass.server import present
from jobpass.wire.power import LifecycleAnswer

SVG = "{http://www.w3.org/2000/svg}"
NOW = "#2563eb"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)

with_graphviz = pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not on this machine")


@dataclass
class Happened:
    name: str
    state: str
    at: datetime


def events(*steps: tuple[str, str]) -> list[Happened]:
    return [Happened(name, state, NOON + timedelta(minutes=n)) for n, (name, state) in enumerate(steps)]


RUN = events(("create", "CREATED"), ("run", "RUNNING"), ("update", "RUNNING"), ("update", "RUNNING"))
TOLD: LifecycleAnswer = present.lifecycle(PIPELINE)


@pytest.fixture
def no_graphviz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a program named ``dot`` in graphviz's place."""

    def put(script: str) -> None:
        (tmp_path / "dot").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "dot").chmod(stat.S_IRWXU)
        monkeypatch.setenv("PATH", str(tmp_path))

    return put


@pytest.mark.parametrize("lifecycle", STANDARD, ids=lambda lifecycle: lifecycle.name)
def test_what_a_server_tells_is_the_lifecycle(lifecycle: Any) -> None:
    assert lifecycle_of(present.lifecycle(lifecycle)) == lifecycle


@pytest.mark.parametrize(
    "change",
    [
        {"initial": "GONE"},
        {"name": 'x"; evil'},
        {"states": []},
        {"table": {**TOLD.table, "CREATED": {"\x1b[2J": "CREATED"}}},
        {"table": {**TOLD.table, "CREATED": {"run": "</svg>"}}},
    ],
    ids=str,
)
def test_an_unsound_lifecycle_is_not_drawn(change: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        jobpass.draw_job(msgspec.structs.replace(TOLD, **change), RUN)
    assert caught.value.message.isprintable()


def test_a_job_of_a_real_server_is_drawn(make: Any, served: Any) -> None:
    client = make(served.url)
    client.login(served.author, served.password)
    made = client.create_job(client.create_pipeline(served.members)["uuid"], {"picture": str(make)})
    worker = make(served.url, made.token)  # a document token may do it too
    worker.send(made.uuid, "run")
    told = {one.name: one for one in worker.lifecycles()}[made.lifecycle]
    history = list(worker.iter_history(made.uuid))
    drawn = jobpass.draw_job(told, iter(history), job=made.uuid, layout="jobpass")
    root = ET.fromstring(drawn)
    assert root.findtext(f"{SVG}title", "").startswith(f"Job {made.uuid}, lifecycle pipeline, now RUNNING since 2")
    assert made.token.encode() not in drawn


@pytest.mark.usefixtures("no_graphviz")
def test_without_graphviz_jobpass_draws_svg_and_says_what_png_needs() -> None:
    assert picture(PIPELINE, RUN).layout == "jobpass"
    assert jobpass.draw_job(TOLD, RUN) == picture(PIPELINE, RUN).content
    for needs in ({"form": "png"}, {"layout": "graphviz"}):
        with pytest.raises(SetupError, match="install it"):
            picture(PIPELINE, RUN, **needs)  # type: ignore[arg-type]


def test_what_cannot_be_drawn_is_refused() -> None:
    for wrong in ({"format": "gif"}, {"layout": "neato"}, {"format": "png", "layout": "jobpass"}, {"state": "GONE"}):
        with pytest.raises(InvalidInput):
            jobpass.draw_job(TOLD, RUN, **wrong)  # type: ignore[arg-type]


def test_a_given_state_wins_over_the_history() -> None:
    title = ET.fromstring(picture(PIPELINE, RUN, "FAILED", layout="jobpass").content).findtext(f"{SVG}title")
    assert title == "Lifecycle pipeline, now FAILED"


BARE = parse("""
name = "bare"
initial = "off"
[states]
off = ""
on = ""
[events.switch]
moves = [{ from = "off", to = "on" }, { from = "on", to = "off" }]
""")
REVIEW = parse((Path(__file__).parents[2] / "examples" / "lifecycles" / "review.toml").read_text())


@with_graphviz
@pytest.mark.parametrize("lifecycle", [*STANDARD, REVIEW, BARE], ids=lambda lifecycle: lifecycle.name)
def test_graphviz_lays_all_of_it_out(lifecycle: Any) -> None:
    drawn = picture(lifecycle, [])
    assert drawn.layout == "graphviz"
    root = ET.fromstring(drawn.content)
    read = "\n".join(text.text or "" for text in root.iter(f"{SVG}text"))
    for name in [*lifecycle.state, *(one.name for one in lifecycle.events)]:
        assert name in read


@with_graphviz
def test_graphviz_marks_the_way_and_leaves_nothing_that_collides() -> None:
    root = ET.fromstring(jobpass.draw_job(TOLD, RUN, job="1071269f"))
    (now,) = [
        group for group in root.iter(f"{SVG}g") if any(one.get("fill") == NOW for one in group.findall(f"{SVG}path"))
    ]
    assert "RUNNING" in [text.text for text in now.iter(f"{SVG}text")]
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "update ×2" in texts
    titles = [title.text or "" for title in root.iter(f"{SVG}title")]
    assert "Job 1071269f, lifecycle pipeline, now RUNNING since 2026-11-22 12:01:00Z" in titles
    assert 'run: Mark the job as "running"\nonce, at 2026-11-22 12:01:00Z' in titles
    assert not [title for title in titles if title in ("s0", "start", "lifecycle") or "->" in title]
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in {"svg", "g", "title", "polygon", "path", "ellipse", "text"}
        assert not {"id", "class", "style", "href"} & set(element.keys())
        assert not any(name.startswith(("{", "on")) for name in element.attrib)


@with_graphviz
def test_graphviz_draws_png() -> None:
    drawn = jobpass.draw_job(TOLD, RUN, format="png", job='"]; x [label=<')
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    assert drawn.endswith(b"IEND\xaeB`\x82")
    assert int.from_bytes(drawn[16:20]) > 800


@pytest.mark.parametrize("script", ["exit 1", "exit 0", "echo '<svg'", "kill -9 $$", "exec sleep 60"])
def test_a_graphviz_that_fails_is_not_needed_for_svg(script: str, fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphviz, "TIME_LIMIT_SECONDS", 0.3)
    fake(script)
    assert picture(PIPELINE, RUN).layout == "jobpass"
    with pytest.raises(SetupError):
        picture(PIPELINE, RUN, layout="graphviz")
    if script != "echo '<svg'":
        with pytest.raises(SetupError):
            picture(PIPELINE, RUN, form="png")


def test_graphviz_gets_nothing_of_the_environment(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBPASS_TOKEN", "jp_doc_canary")
    fake('/usr/bin/env; echo "$@"; cat')
    said = picture(PIPELINE, RUN, form="png").content
    assert said.count(b"digraph") == 1
    assert b"-Tpng\n" in said
    assert b"canary" not in said


def test_a_program_on_a_relative_path_is_not_run(fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake("exit 1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", ".")
    assert graphviz.find() is None


def test_the_events_are_not_kept() -> None:
    def many() -> Any:
        yield from RUN
        for n in range(100_000):
            yield Happened("update", "RUNNING", NOON + timedelta(seconds=n))

    texts = [
        text.text for text in ET.fromstring(picture(PIPELINE, many(), layout="jobpass").content).iter(f"{SVG}tspan")
    ]
    assert "update ×100002" in texts


def test_another_lifecycle_may_be_drawn() -> None:
    drawn = picture(COMPUTE, events(("create", "waiting"), ("lease", "running")), layout="jobpass")
    assert b"now running since 2026-11-22 12:01:00Z" in drawn.content
