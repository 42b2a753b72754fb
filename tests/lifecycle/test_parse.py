"""TOML in, a lifecycle or every problem with its line out."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass.errors import InvalidLifecycle
from jobpass.lifecycle.dump import dump
from jobpass.lifecycle.lines import lines
from jobpass.lifecycle.parse import MAX_TEXT, parse
from jobpass.lifecycle.sound import MAX_DESCRIPTION, MAX_EVENTS, MAX_STATES
from jobpass.lifecycle.standard import STANDARD

BROKEN = sorted((Path(__file__).parent / "broken").glob("*.toml"))
EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "lifecycles").glob("*.toml"))
REVIEW = (Path(__file__).parents[2] / "examples" / "lifecycles" / "review.toml").read_text()


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(InvalidLifecycle) as caught:
        parse(text)
    return [(each["line"], each["problem"]) for each in caught.value.detail["problems"]]


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_every_problem_is_told_with_its_line(path: Path) -> None:
    """The files say themselves what is wrong: after each ``#!`` stands the beginning of a problem of that line."""
    text = path.read_text()
    expected = [
        (number, said.strip())
        for number, line in enumerate(text.splitlines(), start=1)
        for said in line.split("#!")[1:]
    ]
    found = problems(text)
    assert [line for line, _ in found] == [line for line, _ in expected]
    for line, said in expected:
        assert any(at == line and problem.startswith(said) for at, problem in found), (line, said, found)


def test_there_are_enough_broken_files() -> None:
    assert len(BROKEN) >= 10


def test_the_message_names_the_source_and_the_first_line() -> None:
    with pytest.raises(InvalidLifecycle, match=r"^mine\.toml, line 2: the initial state nowhere is .* \(2 more\)\.$"):
        parse('name = "mine"\ninitial = "nowhere"\n[states]\na = "A"\n[events.go]\nfrom = "a"\nto = "b"\n', "mine.toml")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_sound(path: Path) -> None:
    assert parse(path.read_text()).name == path.stem


@pytest.mark.parametrize("name", ["pipeline", "compute"])
def test_the_standard_lifecycles_can_be_written_as_toml(name: str) -> None:
    text = (Path(__file__).parents[2] / "examples" / "lifecycles" / f"{name}.toml").read_text()
    assert parse(text) == STANDARD.get(name)
    assert parse(dump(STANDARD.get(name))) == STANDARD.get(name)


def test_the_forms_of_a_move_mean_what_they_say() -> None:
    review = parse(REVIEW)
    assert {state: review.table.get((state, "note")) for state in review.state} == {
        "draft": "draft",
        "review": "review",
        "published": None,
    }
    assert {state: review.table[state, "reset"] for state in review.state} == dict.fromkeys(review.state, "draft")
    assert review.final == {"published"}
    assert review.admin_only == {"reset", "delete"}
    moves = REVIEW.replace('from = ["draft", "review"]\nto = "="', 'moves = [{from = "draft", to = "="}]')
    tables = REVIEW.replace(
        'from = ["draft", "review"]\nto = "="', '[[events.note.moves]]\nfrom = "draft"\nto = "draft"'
    )
    assert parse(moves) == parse(tables) != review


def test_line_ends_of_other_systems_count_the_same() -> None:
    text = next(path for path in BROKEN if path.stem == "unreachable").read_text()
    assert problems(text.replace("\n", "\r\n")) == problems(text)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a = " + "[" * 99_000, 1, "nested too deeply"),
        ("a = " + "9" * 5_000, 1, "a number is too long"),
        ("a = 1\n" * 20_000, 1, "the text is longer than"),
        ('name = "x"\ninitial = """', 2, "the text is not TOML"),
        ('name = "\0"', 1, "the text is not TOML"),
        ("name = '\ud800'", 1, "must be 1 to 64"),
        ("", 1, "initial is missing"),
    ],
)
def test_hostile_texts_are_refused_like_others(text: str, line: int, said: str) -> None:
    assert any(at == line and said in problem for at, problem in problems(text))


def test_sizes_are_bounded() -> None:
    head = 'name = "big"\ninitial = "a"\n[states]\n'
    names = [f"s_{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(MAX_STATES + 1)]
    states = "".join(f'{name} = ""\n' for name in names)
    assert problems(head + states) == [(3 + MAX_STATES + 1, f"there are more than {MAX_STATES} states")]
    events = "".join(f'[events.{name}]\nfrom = "*"\nto = "="\n' for name in names)
    assert problems(head + 'a = ""\n' + events) == [
        (4 + 3 * MAX_EVENTS + 1, f"there are more than {MAX_EVENTS} events")
    ]
    assert problems(REVIEW.replace("Being written", "x" * (MAX_DESCRIPTION + 1)))[0][0] == 9
    assert len(REVIEW) < MAX_TEXT


def test_descriptions_cannot_hold_control_characters() -> None:
    for bad in (r"\u001b[31m", r"\n", r"\u202e", r"\u0000"):
        assert [line for line, _ in problems(REVIEW.replace("Ask for a review", bad))] == [19]


@given(st.text())
def test_no_text_raises_another_error(text: str) -> None:
    with pytest.raises(InvalidLifecycle):
        parse(text)


MARKS = ["", "\n", "[", "]", "{", "}", "=", ".", ",", '"', "'", "#", '"""', "'''", "[[", "]]", "*", "\\", " ", "é", "1"]


@given(st.integers(0, len(REVIEW)), st.integers(0, 30), st.sampled_from(MARKS), st.integers(0, len(REVIEW)))
def test_a_damaged_text_is_read_or_refused_with_lines(at: int, length: int, mark: str, other: int) -> None:
    text = REVIEW[:at] + mark + REVIEW[at + length :]
    text = text[:other] + mark + text[other:]
    found: list[dict[str, int]] = [{"line": 1}]
    try:
        parse(text)
    except InvalidLifecycle as error:
        found = error.detail["problems"]
    assert found
    assert all(1 <= each["line"] <= text.count("\n") + 1 for each in found)


HARD = '''
top.dotted . "key" = 1 # [not.a.table]
'literal # key' = 'a # b'
float = 3.14e+2
date = 1979-05-27 07:32:00Z
multi = """
[no.table]
x = "\\"""
y = 2"""""
literal = \'\'\'
[no] = \'\'\'
[a.b]
list = [ # [
  1, [2,
  3], { x = 1, "y.z" = [4] },
]
[[a.many]]
x = 1
[a.many.sub]
y = 1
[[a.many]]
x = 2
[[a.many.deep]]
z = "}"
[[a.many.deep]]
z = 3
'''


def paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [found for key, below in items for found in [(*path, key), *paths(below, (*path, key))]]


def test_lines_of_a_text_that_is_hard_to_scan() -> None:
    found = lines(HARD)
    assert found.keys() == set(paths(tomllib.loads(HARD)))
    for path, line in {
        ("top",): 2,
        ("top", "dotted", "key"): 2,
        ("literal # key",): 3,
        ("date",): 5,
        ("multi",): 6,
        ("literal",): 10,
        ("a",): 12,
        ("a", "b", "list", 0): 14,
        ("a", "b", "list", 1, 1): 15,
        ("a", "b", "list", 2, "y.z", 0): 15,
        ("a", "many"): 17,
        ("a", "many", 0, "sub", "y"): 20,
        ("a", "many", 1): 21,
        ("a", "many", 1, "deep", 1, "z"): 26,
    }.items():
        assert found[path] == line, path


@given(st.integers(0, len(HARD)), st.integers(0, 12), st.sampled_from(MARKS), st.integers(0, len(HARD)))
def test_lines_finds_all_that_tomllib_reads(at: int, length: int, mark: str, other: int) -> None:
    text = HARD[:at] + mark + HARD[at + length :]
    text = text[:other] + mark + text[other:]
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert lines(text).keys() == set(paths(data))
