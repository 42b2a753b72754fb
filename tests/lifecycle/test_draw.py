"""Pictures: well-formed, complete, readable, with one job's way marked."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import combinations, pairwise

import pytest

from jobpass.errors import InvalidInput
from jobpass.lifecycle.draft import ANY, draft, event
from jobpass.lifecycle.draw import draw
from jobpass.lifecycle.layout import LANE, SEPARATION, layout
from jobpass.lifecycle.marks import marks
from jobpass.lifecycle.model import Lifecycle
from jobpass.lifecycle.sound import build
from jobpass.lifecycle.standard import COMPUTE, PIPELINE, STANDARD

SVG = "{http://www.w3.org/2000/svg}"
PATH = [("create", "CREATED"), ("run", "RUNNING"), ("finish", "FINISHED"), ("index", "INDEXING"), ("fail", "FAILED")]
NOW, BEFORE = "#2563eb", "#dbe9ff"
Box = tuple[float, float, float, float]


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


@pytest.mark.parametrize("lifecycle", STANDARD, ids=lambda lifecycle: lifecycle.name)
def test_svg_holds_each_state_once_and_no_box_covers_another(lifecycle: Lifecycle) -> None:
    picture = draw(lifecycle, "svg")
    found = boxes(picture)
    assert set(found) - {"any state"} == set(lifecycle.state)
    assert all(apart(one, other) for (_, one), (_, other) in combinations(found.values(), 2))
    root = ET.fromstring(picture)
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    assert all(x >= 0 and y >= 0 and x + w <= width and y + h <= height for _, (x, y, w, h) in found.values())


@pytest.mark.parametrize("lifecycle", STANDARD, ids=lambda lifecycle: lifecycle.name)
def test_svg_labels_cover_neither_each_other_nor_a_state(lifecycle: Lifecycle) -> None:
    root = ET.fromstring(draw(lifecycle, "svg"))
    labels = [
        tuple(float(rect.get(key, "")) for key in ("x", "y", "width", "height"))
        for rect in root.findall(f"{SVG}rect")
        if rect.get("width") != "100%"
    ]
    states = [box for _, box in boxes(draw(lifecycle, "svg")).values()]
    assert len(labels) > 10
    # A tenth of a pixel is lost in the rounding.
    slim = [(x + 0.1, y + 0.1, w - 0.2, h - 0.2) for x, y, w, h in labels]
    assert all(apart(one, other) for one, other in combinations(slim, 2))
    assert all(apart(one, other) for one in slim for other in states)


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
    taken = [
        path for path in ET.fromstring(draw(PIPELINE, "svg", path=PATH)).iter(f"{SVG}path") if path.get("stroke") == NOW
    ]
    assert len(taken) == 4


def test_svg_has_nothing_that_runs_loads_or_collides() -> None:
    """It may stand in a page under a strict content security policy, and two may stand in one page."""
    for element in ET.fromstring(draw(PIPELINE, "svg", path=PATH)).iter():
        assert element.tag.removeprefix(SVG) in {
            "svg", "title", "desc", "rect", "path", "polygon", "circle", "text", "g",
        }  # fmt: skip
        assert not {"id", "style", "class", "href"} & set(element.keys())
        assert not any(key.startswith("on") for key in element.attrib)


def test_svg_escapes_what_users_write() -> None:
    hostile = """</title><script>alert("1")</script>&'"""
    states = tuple(replace(state, description=hostile) for state in COMPUTE.states)
    root = ET.fromstring(draw(replace(COMPUTE, states=states, description=hostile), "svg"))
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert titles.count(hostile) == len(states)
    assert root.findtext(f"{SVG}desc") == hostile
    assert not list(root.iter(f"{SVG}script"))


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


@pytest.mark.parametrize("form", ["text", "mermaid", "svg"])
def test_an_unknown_state_is_invalid_input(form: str) -> None:
    for marked in ({"current": "running"}, {"path": [("run", "GONE")]}):
        with pytest.raises(InvalidInput):
            draw(PIPELINE, form, **marked)  # type: ignore[arg-type]


def test_marks_follow_the_history() -> None:
    seen = marks(PIPELINE, path=PATH)
    assert seen.current == "FAILED"
    assert seen.visited == {"CREATED", "RUNNING", "FINISHED", "INDEXING", "FAILED"}
    assert seen.taken == {
        ("CREATED", "create"),
        ("CREATED", "run"),
        ("RUNNING", "finish"),
        ("FINISHED", "index"),
        ("INDEXING", "fail"),
    }
    # A step from before a change of the lifecycle: the state was there, the way is not.
    assert marks(PIPELINE, path=[("run", "RUNNING"), ("update", "FAILED")]).taken == {("CREATED", "run")}
    assert marks(PIPELINE, "RUNNING").visited == {"CREATED", "RUNNING"}
    assert marks(PIPELINE) == marks(PIPELINE, None, [])


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
