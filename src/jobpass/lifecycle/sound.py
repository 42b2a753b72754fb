"""Is a lifecycle sound? Every problem is found, each with its line; only a sound draft becomes a ``Lifecycle``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from jobpass.errors import InvalidLifecycle
from jobpass.lifecycle.draft import ANY, SAME, Draft, DraftEvent, Move, Word
from jobpass.lifecycle.model import ADMIN_ONLY_ACTIONS, Event, Lifecycle, State

MAX_STATES: Final = 128
MAX_EVENTS: Final = 128
MAX_DESCRIPTION: Final = 500
"""Characters."""

ALWAYS_ADMIN_ONLY: Final = frozenset({"reset", "ready"})
"""Events that are for administrators in every lifecycle that has them: they undo what a job has done."""

_LOWER: Final = re.compile(r"[a-z][a-z_]{0,63}")
_UPPER: Final = re.compile(r"[A-Z][A-Z_]{0,63}")
_NAME_RULE: Final = "1 to 64 of a-z and _, a letter first"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """What is wrong, on which line of the text (0: in no text)."""

    line: int
    problem: str


def build(draft: Draft, source: str = "") -> Lifecycle:
    """The lifecycle of a sound draft; ``InvalidLifecycle`` with every problem otherwise. ``source`` names the text."""
    found = problems(draft)
    if found:
        raise refusal(found, source)
    final = {word.text for word in draft.final}
    return Lifecycle(
        name=draft.name.text,
        states=tuple(State(s.name.text, s.description.text, s.name.text in final) for s in draft.states),
        initial=draft.initial.text,
        events=tuple(Event(e.name.text, e.description.text, e.admin_only) for e in draft.events),
        table={pair: target for pair, target, _ in _moves(draft)},
        description=draft.description.text,
    )


def refusal(found: Iterable[Problem], source: str = "") -> InvalidLifecycle:
    """The error for these problems; its message tells the first, its detail all."""
    ordered = sorted(set(found))
    first = ordered[0]
    where = ", ".join(part for part in (source, f"line {first.line}" if first.line else "") if part)
    more = f" ({len(ordered) - 1} more)" if len(ordered) > 1 else ""
    return InvalidLifecycle(
        (f"{where}: " if where else "") + f"{first.problem}{more}.",
        problems=[{"line": each.line, "problem": each.problem} for each in ordered],
    )


def problems(draft: Draft, partial: bool = False) -> list[Problem]:
    """All that makes the draft unsound, by line; an empty list if it is sound.

    Of a ``partial`` draft, one with holes, only the parts are judged, not how they hang together.
    """
    too_many = [*_bounds(draft)]
    if too_many:
        return too_many  # the other checks take time that grows with states times events
    checks = [_names(draft), _states(draft), _events(draft), _targets(draft)]
    if not partial:
        checks += [_create(draft), _ends(draft), _reachable(draft)]
    return sorted({problem for check in checks for problem in check})


def _bounds(draft: Draft) -> Iterator[Problem]:
    if len(draft.states) > MAX_STATES:
        yield Problem(draft.states[MAX_STATES].name.line, f"there are more than {MAX_STATES} states")
    if len(draft.events) > MAX_EVENTS:
        yield Problem(draft.events[MAX_EVENTS].name.line, f"there are more than {MAX_EVENTS} events")


def _names(draft: Draft) -> Iterator[Problem]:
    if not (draft.name.hole or _LOWER.fullmatch(draft.name.text)):
        yield Problem(draft.name.line, f"the name {_shown(draft.name)} must be {_NAME_RULE}")
    yield from _unreadable(draft.description, "")


def _states(draft: Draft) -> Iterator[Problem]:
    if not draft.states:
        yield Problem(draft.name.line, "there are no states")
    upper = bool(draft.states) and draft.states[0].name.text[:1].isupper()
    for state in draft.states:
        if not (_LOWER.fullmatch(state.name.text) or _UPPER.fullmatch(state.name.text)):
            rule = "1 to 64 of a-z and _ (or of A-Z and _), a letter first"
            yield Problem(state.name.line, f"the state {_shown(state.name)} must be {rule}")
        elif state.name.text.isupper() != upper:
            yield Problem(state.name.line, f"the state {state.name.text} is not in the same case as the first one")
        yield from _unreadable(state.description, f" of state {_shown(state.name)}")
    yield from _twice("state", (state.name for state in draft.states))
    yield from _twice("final state", draft.final)
    known = _known(draft)
    for what, word in [("initial", draft.initial), *(("final", word) for word in draft.final)]:
        if _strange(word, known):
            yield Problem(word.line, f"the {what} state {_shown(word)} is not one of the states")


def _events(draft: Draft) -> Iterator[Problem]:
    if not draft.events:
        yield Problem(draft.name.line, "there are no events")
    for event in draft.events:
        name = event.name.text
        if not _LOWER.fullmatch(name):
            yield Problem(event.name.line, f"the event {_shown(event.name)} must be {_NAME_RULE}")
        if name in ADMIN_ONLY_ACTIONS:
            yield Problem(event.name.line, f"{name} is an action on a whole job and cannot be an event")
        if name in ALWAYS_ADMIN_ONLY and not event.admin_only:
            yield Problem(event.name.line, f"the event {name} must be admin_only")
        yield from _unreadable(event.description, f" of event {_shown(event.name)}")
        if not (event.moves and all(move.sources for move in event.moves)):
            yield Problem(event.name.line, f"the event {_shown(event.name)} starts from no state")
    yield from _twice("event", (event.name for event in draft.events))


def _targets(draft: Draft) -> Iterator[Problem]:
    """Names that no state has, and pairs of state and event with more than one answer."""
    known = _known(draft)
    for event in draft.events:
        for move in event.moves:
            yield from _unknown(event, move, known)
    first: dict[tuple[str, str], str] = {}
    for (state, name), target, line in _moves(draft):
        before = first.setdefault((state, name), "")
        if before and before != target:
            yield Problem(line, f"the event {_shown(Word(name))} leads from {state} to {before} and to {target}")
        elif before:
            yield Problem(line, f"the event {_shown(Word(name))} starts from {state} twice")
        first[state, name] = target


def _create(draft: Draft) -> Iterator[Problem]:
    """Every history begins with ``create`` in the initial state, whether or not it is an event of the lifecycle."""
    for event in draft.events:
        if event.name.text == "create" and _pairs(draft, event) != {(draft.initial.text, draft.initial.text)}:
            yield Problem(event.name.line, "the event create must start from the initial state, and keep it")


def _unknown(event: DraftEvent, move: Move, known: frozenset[str]) -> Iterator[Problem]:
    where = f"event {_shown(event.name)}"
    for source in move.sources:
        if source.text == ANY and len(move.sources) > 1:
            yield Problem(source.line, f'{where}: "{ANY}" means every state and stands alone')
        elif source.text != ANY and _strange(source, known):
            yield Problem(source.line, f"{where}: from {_shown(source)}, which is not one of the states")
    if move.target.text != SAME and _strange(move.target, known):
        yield Problem(move.target.line, f"{where}: to {_shown(move.target)}, which is not one of the states")


def _ends(draft: Draft) -> Iterator[Problem]:
    """No event may leave a final state, unless it is admin-only; a state that nothing leaves must be final."""
    final = {word.text: word.line for word in draft.final}
    left: set[str] = set()
    left_by: dict[str, str] = {}
    for event in draft.events:
        for source, target in _pairs(draft, event):
            if source != target:
                left.add(source)
                if not event.admin_only:
                    left_by.setdefault(source, event.name.text)
    for state in draft.states:
        name = state.name.text
        if name in final and name in left_by:
            yield Problem(final[name], f"the state {name} is declared final, but the event {left_by[name]} leaves it")
        elif name not in final and name not in left:
            yield Problem(state.name.line, f"no event leaves the state {_shown(state.name)}: declare it final")


def _reachable(draft: Draft) -> Iterator[Problem]:
    if draft.initial.text not in _known(draft):
        return
    onward: dict[str, list[str]] = {}
    for (source, _), target, _ in _moves(draft):
        onward.setdefault(source, []).append(target)
    reached = {draft.initial.text}
    ahead = [draft.initial.text]
    while ahead:
        new = [state for state in onward.get(ahead.pop(), ()) if state not in reached]
        reached.update(new)
        ahead.extend(new)
    for state in draft.states:
        if state.name.text not in reached:
            yield Problem(state.name.line, f"the state {_shown(state.name)} cannot be reached")


def _moves(draft: Draft) -> Iterator[tuple[tuple[str, str], str, int]]:
    """((state, event), state after, line) for every move between known states, with ANY and SAME spelt out."""
    known = _known(draft)
    for event in draft.events:
        for move in event.moves:
            for source in move.sources:
                for state in [s.name.text for s in draft.states] if source.text == ANY else [source.text]:
                    target = state if move.target.text == SAME else move.target.text
                    if state in known and target in known:
                        yield (state, event.name.text), target, source.line


def _pairs(draft: Draft, event: DraftEvent) -> set[tuple[str, str]]:
    only = Draft(draft.name, draft.initial, draft.states, (event,))
    return {(state, target) for (state, _), target, _ in _moves(only)}


def _known(draft: Draft) -> frozenset[str]:
    return frozenset(state.name.text for state in draft.states)


def _strange(word: Word, known: frozenset[str]) -> bool:
    return word.text not in known and not word.hole


def _twice(what: str, words: Iterable[Word]) -> Iterator[Problem]:
    seen: set[str] = set()
    for word in words:
        if word.text in seen and not word.hole:
            yield Problem(word.line, f"the {what} {_shown(word)} stands there twice")
        seen.add(word.text)


def _shown(word: Word) -> str:
    """The name; one that breaks the rules is cut and quoted, so that it cannot look like something else."""
    text = word.text
    return text if _LOWER.fullmatch(text) or _UPPER.fullmatch(text) else ascii(text[:64])


def _unreadable(description: Word, of: str) -> Iterator[Problem]:
    if len(description.text) > MAX_DESCRIPTION or not description.text.isprintable():
        rule = f"one printable line of at most {MAX_DESCRIPTION} characters"
        yield Problem(description.line, f"the description{of} must be {rule}")
