"""Pictures: well-formed, complete, readable, with one job's way marked."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from pathlib import Path

import pytest

from jobpass.errors import InvalidInput
from jobpass.lifecycle.dot import dot
from jobpass.lifecycle.draft import ANY, draft, event
from jobpass.lifecycle.draw import draw
from jobpass.lifecycle.layout import LANE, SEPARATION, layout
from jobpass.lifecycle.marks import Marks, Step, Taken, marks
from jobpass.lifecycle.model import Event, Lifecycle, State
from jobpass.lifecycle.parse import parse
from jobpass.lifecycle.sound import build
from jobpass.lifecycle.standard import COMPUTE, PIPELINE, STANDARD
from jobpass.lifecycle.svg import svg

SVG = "{http://www.w3.org/2000/svg}"
PATH = [("create", "CREATED"), ("run", "RUNNING"), ("finish", "FINISHED"), ("index", "INDEXING"), ("fail", "FAILED")]
NOW, BEFORE = "#2563eb", "#dbe9ff"
Box = tuple[float, float, float, float]
REVIEW = parse((Path(__file__).parents[2] / "examples" / "lifecycles" / "review.toml").read_text())
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOSTILE = """</title></text><script>alert("1")</script>&amp;'\"; evil -> x [label=\\N];<b>\\\x00\x1b[2J\u202e\ud800\n"""


def life(lifecycle: Lifecycle, events: str) -> list[Step]:
    """The steps of these events, a minute after each other; ``update*3`` stands for three."""
    state, steps = lifecycle.initial, []
    for word in events.split():
        name, _, times = word.partition("*")
        for _ in range(int(times or 1)):
            state = lifecycle.table.get((state, name), state)
            steps.append(Step(name, state, NOON + timedelta(minutes=len(steps))))
    return steps


LONG = (
    "create run update*312 resource*2 finish index update*9 indexed validate fail reset ready "
    "run finish validate validated"
)
PICTURES = {
    **{one.name: (one, Marks()) for one in [*STANDARD, REVIEW]},
    "pipeline job": (PIPELINE, marks(PIPELINE, path=life(PIPELINE, LONG), job="1071269f-b251-5a5f-bec1-6d7f77131f3f")),
    "compute job": (COMPUTE, marks(COMPUTE, path=life(COMPUTE, "create lease requeue lease update*41 cancel"))),
    "review job": (REVIEW, marks(REVIEW, path=life(REVIEW, "note*1234567 submit answer submit publish reset"))),
}


def boxes(picture: str) -> dict[str, tuple[str, Box]]:
    """State -> fill and rectangle of its box."""
    found = {}
    for group in ET.fromstring(picture).iter(f"{SVG}g"):
        rect, name = group.find(f"{SVG}rect"), group.find(f"{SVG}text")
        assert rect is not None
        assert name is not None
        assert name.text is not None
        x, y, width, height = (float(rect.get(key, "")) for key in ("x", "y", "width", "height"))
        found[name.text] = (rect.get("fill", ""), (x, y, width, height))
    return found


def apart(one: Box, other: Box) -> bool:
    return (
        one[0] + one[2] <= other[0]
        or other[0] + other[2] <= one[0]
        or one[1] + one[3] <= other[1]
        or other[1] + other[3] <= one[1]
    )


@pytest.mark.parametrize("name", PICTURES)
def test_svg_holds_each_state_once_and_no_box_covers_another(name: str) -> None:
    lifecycle, seen = PICTURES[name]
    picture = svg(lifecycle, seen)
    found = boxes(picture)
    assert set(found) - {"any state"} == set(lifecycle.state)
    assert all(apart(one, other) for (_, one), (_, other) in combinations(found.values(), 2))
    root = ET.fromstring(picture)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for _, (x, y, w, h) in found.values())


@pytest.mark.parametrize("name", PICTURES)
def test_svg_labels_cover_neither_each_other_nor_a_state(name: str) -> None:
    lifecycle, seen = PICTURES[name]
    root = ET.fromstring(svg(lifecycle, seen))
    labels = [
        tuple(float(rect.get(key, "")) for key in ("x", "y", "width", "height"))
        for rect in root.findall(f"{SVG}rect")
        if rect.get("width") != "100%" and rect.get("fill") == "#ffffff"
    ]
    states = [box for _, box in boxes(svg(lifecycle, seen)).values()]
    assert len(labels) >= 4
    # A tenth of a pixel is lost in the rounding.
    slim = [(x + 0.1, y + 0.1, w - 0.2, h - 0.2) for x, y, w, h in labels]
    assert all(apart(one, other) for one, other in combinations(slim, 2))
    assert all(apart(one, other) for one in slim for other in states)


@pytest.mark.parametrize("name", PICTURES)
def test_svg_words_fit_into_their_boxes_and_the_picture(name: str) -> None:
    root = ET.fromstring(svg(*PICTURES[name]))
    for group in root.iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        assert rect is not None
        for text in group.iter(f"{SVG}text"):
            said = "".join(part for part in text.itertext() if "\n" not in part and ":" not in part)
            assert len(said) * float(text.get("font-size", "")) * 0.602 < float(rect.get("width", "")), said
    for text in root.findall(f"{SVG}text"):
        if text.get("text-anchor") == "start":
            end = float(text.get("x", "")) + len(text.text or "") * float(text.get("font-size", "")) * 0.602
            assert end < float(root.get("width", "")), text.text


def test_svg_starts_at_the_left_with_the_initial_state() -> None:
    found = boxes(draw(PIPELINE, "svg"))
    assert min(found, key=lambda name: found[name][1][0]) == "CREATED"


def test_svg_marks_the_way_of_a_job() -> None:
    fills = {name: fill for name, (fill, _) in boxes(draw(PIPELINE, "svg", path=PATH)).items()}
    assert [name for name, fill in fills.items() if fill == NOW] == ["FAILED"]
    assert {name for name, fill in fills.items() if fill == BEFORE} == {"CREATED", "RUNNING", "FINISHED", "INDEXING"}
    plain = draw(PIPELINE, "svg")
    assert NOW not in plain
    assert BEFORE not in plain
    taken = [path for path in lines(draw(PIPELINE, "svg", path=PATH)) if path.get("stroke") == NOW]
    assert len(taken) == 4


def lines(picture: str) -> list[ET.Element]:
    """The lines between states."""
    return [path for path in ET.fromstring(picture).findall(f"{SVG}path") if path.get("fill") == "none"]


def texts(picture: str) -> list[str]:
    """All that can be read, without what shows when one points at it."""
    found = []
    for text in ET.fromstring(picture).iter(f"{SVG}text"):
        for title in text.findall(f"{SVG}title"):
            title.text = ""
        found.append("".join(text.itertext()))
    return found


def test_svg_tells_how_often_and_when_last() -> None:
    steps = life(PIPELINE, LONG)
    picture = draw(PIPELINE, "svg", path=steps, job="1071269f")
    read = texts(picture)
    assert "Job 1071269f, lifecycle pipeline, now VALIDATED since 2026-11-22 17:35:00Z" in read
    assert {"run ×2", "finish ×2", "validate ×2", "validated", "reset", "↻ update ×9, index"} <= set(read)
    assert any(words.startswith("↻ run, update ×312") for words in read)
    assert not any("create ×" in words for words in read)
    notes = [title.text or "" for title in ET.fromstring(picture).iter(f"{SVG}title")]
    assert 'run: Mark the job as "running"\n2 times, last at 2026-11-22 17:32:00Z' in notes
    assert any("(admin only)\nonce, at 2026-11-22 17:30:00Z" in note for note in notes)
    # The same way from other states is another way.
    assert read.count("fail") == 4
    fails = [path for path in lines(picture) if (path.findtext(f"{SVG}title") or "").startswith("fail")]
    assert [path.get("stroke") == NOW for path in fails].count(True) == 1


def test_svg_explains_the_signs_that_it_uses() -> None:
    plain, marked = texts(draw(REVIEW, "svg")), texts(draw(REVIEW, "svg", path=[("submit", "review")]))
    assert {"admin only", "final state", "keeps the state"} <= set(plain)
    assert not {"now", "visited"} & set(plain)
    assert {"now", "visited", "taken, ×times"} <= set(marked)


def test_svg_has_nothing_that_runs_loads_or_collides() -> None:
    """It may stand in a page under a strict content security policy, and two may stand in one page."""
    for element in ET.fromstring(draw(PIPELINE, "svg", path=PATH)).iter():
        assert element.tag.removeprefix(SVG) in {
            "svg", "title", "desc", "rect", "path", "polygon", "circle", "text", "tspan", "g",
        }  # fmt: skip
        assert not {"id", "style", "class", "href"} & set(element.keys())
        assert not any(key.startswith("on") for key in element.attrib)


def hostile() -> tuple[Lifecycle, Marks]:
    """A lifecycle that no check would let pass, with a job that was everywhere."""
    name = HOSTILE + "1"
    one, two = State(HOSTILE, HOSTILE), State(name, HOSTILE, True)
    events = (Event(HOSTILE, HOSTILE), Event(name, HOSTILE, True))
    table = {(HOSTILE, HOSTILE): name, (HOSTILE, name): HOSTILE}
    lifecycle = Lifecycle(HOSTILE, (one, two), HOSTILE, events, table, HOSTILE)
    return lifecycle, marks(lifecycle, path=[(name, HOSTILE), (HOSTILE, name)], job=HOSTILE)


def test_svg_escapes_what_users_write() -> None:
    states = tuple(replace(state, description="""</title><script>"&'""") for state in COMPUTE.states)
    root = ET.fromstring(draw(replace(COMPUTE, states=states, description="</desc>&lt;"), "svg"))
    assert [title.text for title in root.iter(f"{SVG}title")].count("""</title><script>"&'""") == len(states)
    assert root.findtext(f"{SVG}desc") == "</desc>&lt;"
    picture = svg(*hostile())
    assert {element.tag.removeprefix(SVG) for element in ET.fromstring(picture).iter()} <= {
        "svg", "title", "desc", "rect", "path", "polygon", "circle", "text", "tspan", "g",
    }  # fmt: skip
    assert all(character.isprintable() or character == "\n" for character in picture)


def test_dot_escapes_what_users_write() -> None:
    graph = dot(*hostile())
    assert all(character.isprintable() or character == "\n" for character in graph)
    assert "<script" not in graph
    # Outside of labels there is nothing that a user wrote: those of boxes end with ">]", that of the heading with ">>".
    rest = re.sub(r"label=<.*?>\]|label=<.*>>", "", graph)
    assert "evil" not in rest
    for label in re.findall(r"label=<(.*?)>\]", graph):
        ET.fromstring(f"<label>{label}</label>")


def test_dot_names_nothing_after_its_own_words() -> None:
    words = build(draft("digraph", "node", {"node": "", "edge": ""}, [event("graph", "", ("node", "edge"))], ["edge"]))
    graph = dot(words, marks(words, path=[("graph", "edge")]))
    assert "  s0 -> s1 [" in graph
    assert graph.startswith("digraph lifecycle {\n")


def test_text_names_everything_and_marks_the_way() -> None:
    text = draw(PIPELINE, path=PATH)
    lines = text.splitlines()
    assert lines[0].startswith("pipeline: ")
    assert any(line.startswith(">  FAILED ") for line in lines)
    assert any(line.startswith("*  INDEXING ") for line in lines)
    assert any(line.split() == ["reset", "any", "RESET", "admin", "only"] for line in lines)
    assert lines[-1] == "Legal in FAILED: retire reset"
    assert all(line == line.rstrip() for line in lines)
    assert not any(line.startswith((">", "*")) for line in draw(PIPELINE).splitlines())


def test_mermaid_gives_states_ids_of_their_own() -> None:
    """``end`` and ``note`` are words of Mermaid's; as plain ids they would break the picture."""
    words = build(draft("words", "note", {"note": "", "end": ""}, [event("state", "", ("note", "end"))], final=["end"]))
    assert draw(words, "mermaid") == (
        "stateDiagram-v2\n"
        '    state "note" as s0\n'
        '    state "end" as s1\n'
        "    [*] --> s0\n"
        "    s0 --> s1 : state\n"
        "    s1 --> [*]\n"
    )
    marked = draw(words, "mermaid", path=[("create", "note"), ("state", "end")])
    assert marked.endswith("    class s0 visited\n    class s1 current\n")


@pytest.mark.parametrize("form", ["png", "", "SVG"])
def test_an_unknown_form_is_invalid_input(form: str) -> None:
    with pytest.raises(InvalidInput):
        draw(PIPELINE, form)


@pytest.mark.parametrize("form", ["text", "mermaid", "dot", "svg"])
def test_an_unknown_present_state_is_invalid_input(form: str) -> None:
    for marked in ({"current": "running"}, {"path": [("run", "GONE")]}):
        with pytest.raises(InvalidInput):
            draw(PIPELINE, form, **marked)  # type: ignore[arg-type]


def test_marks_follow_the_history() -> None:
    seen = marks(PIPELINE, path=PATH)
    assert seen.current == "FAILED"
    assert seen.visited == {"CREATED", "RUNNING", "FINISHED", "INDEXING", "FAILED"}
    assert set(seen.taken) == {
        ("CREATED", "create"),
        ("CREATED", "run"),
        ("RUNNING", "finish"),
        ("FINISHED", "index"),
        ("INDEXING", "fail"),
    }
    assert set(seen.taken.values()) == {Taken(1)}
    assert marks(PIPELINE, "RUNNING").visited == {"CREATED", "RUNNING"}
    assert marks(PIPELINE) == marks(PIPELINE, None, [])


def test_marks_pass_over_what_the_lifecycle_has_no_more() -> None:
    assert set(marks(PIPELINE, path=[("run", "RUNNING"), ("update", "FAILED")]).taken) == {("CREATED", "run")}
    seen = marks(PIPELINE, path=[("run", "RUNNING"), ("pause", "PAUSED"), ("go", "RUNNING"), ("finish", "FINISHED")])
    assert seen.visited == {"CREATED", "RUNNING", "FINISHED"}
    assert set(seen.taken) == {("CREATED", "run"), ("RUNNING", "finish")}


def test_marks_count_and_keep_the_last_time() -> None:
    seen = marks(PIPELINE, path=iter(life(PIPELINE, "create run update*3")), job="j")
    assert seen.taken["RUNNING", "update"] == Taken(3, NOON + timedelta(minutes=4))
    assert (seen.current, seen.since, seen.job) == ("RUNNING", NOON + timedelta(minutes=1), "j")
    # Where the job is said to be elsewhere than its history ends, nobody knows since when.
    assert marks(PIPELINE, "FAILED", life(PIPELINE, "create run")).since is None


def test_layout_keeps_its_distances() -> None:
    heights = {"a": 30.0, "b": 50.0, "c": 70.0, "d": 30.0, "e": 30.0}
    edges = [("a", "b"), ("a", "c"), ("a", "d"), ("b", "e"), ("c", "e"), ("e", "a"), ("a", "e"), ("d", "b")]
    plan = layout(["a"], heights, edges)
    assert plan.turned == {("e", "a")}
    assert [sorted(cell.node for cell in layer if cell.node) for layer in plan.layers] == [
        ["a"],
        ["c", "d"],
        ["b"],
        ["e"],
    ]
    assert plan.tall == heights | {"a": LANE * 6, "e": LANE * 5}
    for chain in plan.chains.values():
        assert [cell.layer for cell in chain] == list(range(chain[0].layer, chain[-1].layer + 1))
    for layer in plan.layers:
        ends = [
            (plan.middle[c] - plan.tall[c.node] / 2, plan.middle[c] + plan.tall[c.node] / 2) for c in layer if c.node
        ]
        ends.sort()
        assert all(later[0] - earlier[1] >= SEPARATION - 1e-6 for earlier, later in pairwise(ends))


def test_a_crowded_lifecycle_is_drawn_in_reasonable_time() -> None:
    names = [chr(97 + n // 26) + chr(97 + n % 26) for n in range(20)]
    events = [event("back", "", (ANY, names[0]))]
    events += [event(f"to_{name}", "", (" ".join(each for each in names if each != name), name)) for name in names[1:]]
    picture = draw(build(draft("crowded", names[0], dict.fromkeys(names, ""), events)), "svg")
    assert len(boxes(picture)) == 21
