"""What holds for every lifecycle, not only for those that ship."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from jobpass.errors import IllegalTransition, InvalidLifecycle, UnknownEvent
from jobpass.lifecycle.draft import ANY, SAME, Draft, DraftEvent, DraftState, Move, Word, draft
from jobpass.lifecycle.draw import FORMS, draw
from jobpass.lifecycle.dump import dump
from jobpass.lifecycle.model import Lifecycle
from jobpass.lifecycle.parse import parse
from jobpass.lifecycle.sound import build, problems
from jobpass.lifecycle.step import step

LOWER = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)
DESCRIPTIONS = st.text(st.characters(exclude_categories=["C", "Z"], include_characters=" "), max_size=20)
RESERVED = {"create", "delete", "reset", "ready"}


@st.composite
def sound_drafts(draw_: st.DrawFn) -> Draft:
    """Sound by construction: a tree from the first state, further moves wherever a pair is free, the ends declared."""
    names = draw_(st.lists(LOWER, min_size=1, max_size=7, unique=True))
    if draw_(st.booleans()):
        names = [name.upper() for name in names]
    events = draw_(st.lists(LOWER.filter(lambda name: name not in RESERVED), min_size=1, max_size=5, unique=True))
    table: dict[tuple[str, str], str] = {}
    for at, name in enumerate(names[1:], start=1):
        free = [(state, event) for state in names[:at] for event in events if (state, event) not in table]
        table[draw_(st.sampled_from(free))] = name
    for event in events:
        used = {pair[1] for pair in table}
        pairs = [(state, event) for state in names if (state, event) not in table]
        least = 0 if event in used else 1
        for pair in draw_(st.lists(st.sampled_from(pairs), min_size=least, unique=True)) if pairs else []:
            table[pair] = draw_(st.sampled_from(names))
    admin = draw_(st.sets(st.sampled_from(events)))
    stuck = {state for state in names if all(to == state for (at, _), to in table.items() if at == state)}
    ordinary = {at for (at, event), to in table.items() if at != to and event not in admin}
    may_end = [state for state in names if state not in ordinary and state not in stuck]
    final = stuck | (draw_(st.sets(st.sampled_from(may_end))) if may_end else set())
    described = {name: draw_(DESCRIPTIONS) for name in names}
    moves = {
        event: tuple(Move((Word(at),), Word(to)) for (at, name), to in table.items() if name == event)
        for event in events
    }
    rows = [DraftEvent(Word(event), Word(draw_(DESCRIPTIONS)), moves[event], event in admin) for event in events]
    return draft(draw_(LOWER), names[0], described, rows, sorted(final), draw_(DESCRIPTIONS))


FEW = st.sampled_from(["a", "b", "c", "A", "b_", "", "1", "create", "reset", "delete", ANY, SAME])
WORDS = st.builds(Word, FEW, st.integers(0, 9))


@st.composite
def wild_drafts(draw_: st.DrawFn) -> Draft:
    """Anything at all, from few names, so that some of it is sound by chance."""
    moves = st.builds(Move, st.lists(WORDS, max_size=3).map(tuple), WORDS)
    events = st.builds(
        DraftEvent, WORDS, st.builds(Word, DESCRIPTIONS), st.lists(moves, max_size=3).map(tuple), st.booleans()
    )
    states = st.builds(DraftState, WORDS, st.builds(Word, DESCRIPTIONS))
    return Draft(
        draw_(WORDS),
        draw_(WORDS),
        draw_(st.lists(states, max_size=4).map(tuple)),
        draw_(st.lists(events, max_size=4).map(tuple)),
        draw_(st.lists(WORDS, max_size=2).map(tuple)),
    )


def reached(lifecycle: Lifecycle) -> set[str]:
    found = {lifecycle.initial}
    for _ in lifecycle.states:
        found |= {to for (at, _), to in lifecycle.table.items() if at in found}
    return found


def assert_sound(lifecycle: Lifecycle) -> None:
    assert reached(lifecycle) == set(lifecycle.state)
    for state in lifecycle.states:
        exits = {event for event in lifecycle.legal(state.name) if lifecycle.table[state.name, event] != state.name}
        assert not state.final or exits <= lifecycle.admin_only
        assert state.final or exits
    assert "delete" not in lifecycle.event
    assert ({"reset", "ready"} & lifecycle.event.keys()) <= lifecycle.admin_only


@given(sound_drafts())
def test_what_is_sound_is_accepted_and_says_what_was_written(written: Draft) -> None:
    assert problems(written) == []
    lifecycle = build(written)
    assert_sound(lifecycle)
    assert lifecycle.table == {
        (move.sources[0].text, event.name.text): move.target.text for event in written.events for move in event.moves
    }
    assert lifecycle.final == {word.text for word in written.final}


@given(wild_drafts())
def test_what_is_accepted_is_sound(written: Draft) -> None:
    found = problems(written)
    if not found:
        assert_sound(build(written))
        return
    with pytest.raises(InvalidLifecycle) as caught:
        build(written)
    told = [(each["line"], each["problem"]) for each in caught.value.detail["problems"]]
    assert told == [(each.line, each.problem) for each in found]
    assert told == sorted(told)


@given(sound_drafts(), st.lists(st.integers(0, 1_000), max_size=30))
def test_steps_never_leave_the_states(written: Draft, choices: list[int]) -> None:
    lifecycle = build(written)
    state = lifecycle.initial
    names = [*lifecycle.event, "nothing_of_this_name"]
    for choice in choices:
        event = names[choice % len(names)]
        if event in lifecycle.legal(state):
            state = step(lifecycle, state, event)
            assert state in lifecycle.state
        else:
            with pytest.raises(IllegalTransition if event in lifecycle.event else UnknownEvent):
                step(lifecycle, state, event)


@given(sound_drafts())
def test_dump_and_parse_are_inverse(written: Draft) -> None:
    lifecycle = build(written)
    text = dump(lifecycle)
    again = parse(text)
    assert again == lifecycle
    assert dump(again) == text


@given(sound_drafts(), st.data())
def test_one_fault_is_found(written: Draft, data: st.DataObject) -> None:
    """Put one fault into what is sound: exactly that is told, on its line."""
    event = data.draw(st.sampled_from(written.events))
    move = data.draw(st.sampled_from(event.moves))
    states = [state.name.text for state in written.states]
    other = data.draw(st.sampled_from(states))
    again = Move((Word(move.sources[0].text, 7),), Word(other, 7))
    rest = tuple(each for each in written.events if each is not event)
    twice = DraftEvent(event.name, event.description, (*event.moves, again), event.admin_only)
    broken = Draft(written.name, written.initial, written.states, (twice, *rest), written.final)
    assert 7 in [each.line for each in problems(broken)]

    lost = DraftState(Word("lost" if states[0].islower() else "LOST", 9), Word(""))
    assume(lost.name.text not in states)
    final = (*written.final, Word(lost.name.text, 8))
    broken = Draft(written.name, written.initial, (*written.states, lost), written.events, final)
    starred = any(source.text == ANY for each in written.events for move in each.moves for source in move.sources)
    assert not starred
    assert [(each.line, each.problem) for each in problems(broken)] == [
        (9, f"the state {lost.name.text} cannot be reached")
    ]


@given(sound_drafts(), st.sampled_from(sorted(FORMS)), st.lists(st.integers(0, 1_000), max_size=8))
def test_every_sound_lifecycle_can_be_drawn(written: Draft, form: str, choices: list[int]) -> None:
    lifecycle = build(written)
    path = [("create", lifecycle.initial)]
    for choice in choices:
        legal = lifecycle.legal(path[-1][1])
        if legal:
            event = legal[choice % len(legal)]
            path.append((event, step(lifecycle, path[-1][1], event)))
    picture = draw(lifecycle, form, path=path)
    assert all(name in picture for name in (*lifecycle.state, *lifecycle.event))
    if form == "svg":
        ET.fromstring(picture)
