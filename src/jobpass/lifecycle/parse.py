"""TOML text -> ``Lifecycle``; whatever is wrong is told with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from typing import Any, Final

from jobpass.lifecycle import sound
from jobpass.lifecycle.draft import Draft, DraftEvent, DraftState, Move, Word
from jobpass.lifecycle.lines import Path, lines
from jobpass.lifecycle.model import Lifecycle
from jobpass.lifecycle.sound import Problem

MAX_TEXT: Final = 100_000
"""Characters."""

_WHOLE: Final = frozenset({"name", "description", "initial", "final", "states", "events"})
_EVENT: Final = frozenset({"description", "from", "to", "moves", "admin_only"})
_MOVE: Final = frozenset({"from", "to"})
_POSITION: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_TWICE: Final = re.compile(r"Cannot overwrite a value|Cannot declare .* twice|Duplicate inline table key .*")


def parse(text: str, source: str = "") -> Lifecycle:
    """The lifecycle that ``text`` describes; ``source`` (a file's name) is for the message only.

    Raises ``InvalidLifecycle``; ``detail["problems"]`` is ``[{"line": 7, "problem": "…"}, …]``, by line.
    """
    if len(text) > MAX_TEXT:
        raise sound.refusal([Problem(1, f"the text is longer than {MAX_TEXT} characters")], source)
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise sound.refusal([Problem(1, "the text is nested too deeply")], source) from None
    except ValueError as error:  # TOMLDecodeError, and an integer of more digits than Python reads
        raise sound.refusal([_syntax(str(error), text)], source) from None
    reader = _Reader(lines(text.replace("\r\n", "\n")))
    draft = reader.draft(data)
    if reader.problems:
        raise sound.refusal([*reader.problems, *sound.problems(draft, partial=True)], source)
    return sound.build(draft, source)


def _syntax(message: str, text: str) -> Problem:
    position = _POSITION.search(message)
    if position is None:
        return Problem(1, "the text is not TOML: a number is too long")
    line = int(position[1] or text.count("\n") + (not text.endswith("\n")))
    said = message[: position.start()]
    return Problem(line, "this name stands there twice" if _TWICE.match(said) else f"the text is not TOML: {said}")


class _Reader:
    """Turns what ``tomllib`` read into a draft, and collects what does not have the right shape."""

    def __init__(self, where: Mapping[Path, int]) -> None:
        self.where = where
        self.problems: list[Problem] = []

    def draft(self, data: dict[str, Any]) -> Draft:
        self._only(data, (), _WHOLE)
        states = self._table(data, ("states",))
        events = self._table(data, ("events",))
        return Draft(
            name=self._word(data, (), "name"),
            initial=self._word(data, (), "initial"),
            states=tuple(
                DraftState(Word(name, self._line(("states", name))), self._text(states, ("states",), name))
                for name in states
            ),
            events=tuple(self._event(events, name) for name in events),
            final=self._words(data, (), "final") if "final" in data else (),
            description=self._text(data, (), "description"),
        )

    def _event(self, events: dict[str, Any], name: str) -> DraftEvent:
        path: Path = ("events", name)
        event = self._table(events, path)
        self._only(event, path, _EVENT)
        if not isinstance(events[name], dict):
            moves = [self._no_move(path)]
        elif "moves" not in event:
            moves = [self._move(event, path)]
        elif "from" in event or "to" in event:
            self._wrong(path, "has moves, and from or to beside them: write one or the other")
            moves = [self._no_move(path)]
        else:
            moves = self._moves(event, path)
        admin_only = event.get("admin_only", False)
        if not isinstance(admin_only, bool):
            self._wrong((*path, "admin_only"), "must be true or false")
        return DraftEvent(
            Word(name, self._line(path)), self._text(event, path, "description"), tuple(moves), admin_only is True
        )

    def _moves(self, event: dict[str, Any], path: Path) -> list[Move]:
        moves = event["moves"]
        path = (*path, "moves")
        if not isinstance(moves, list) or not all(isinstance(move, dict) for move in moves):
            self._wrong(path, 'must be an array of tables such as { from = "a", to = "b" }')
            return [self._no_move(path)]
        for index, move in enumerate(moves):
            self._only(move, (*path, index), _MOVE)
        return [self._move(move, (*path, index)) for index, move in enumerate(moves)]

    def _no_move(self, path: Path) -> Move:
        return Move((self._hole(path),), self._hole(path))

    def _hole(self, path: Path) -> Word:
        return Word("", self._line(path), hole=True)

    def _move(self, table: dict[str, Any], path: Path) -> Move:
        return Move(self._words(table, path, "from"), self._word(table, path, "to"))

    def _table(self, parent: dict[str, Any], path: Path) -> dict[str, Any]:
        value = parent.get(str(path[-1]), {})
        if isinstance(value, dict):
            return value
        self._wrong(path, "must be a table")
        return {}

    def _text(self, table: dict[str, Any], path: Path, key: str) -> Word:
        """A text that may be missing."""
        value = table.get(key, "")
        if not isinstance(value, str):
            self._wrong((*path, key), "must be a text")
            value = ""
        return Word(value, self._line((*path, key)))

    def _word(self, table: dict[str, Any], path: Path, key: str) -> Word:
        value = table.get(key)
        if not isinstance(value, str):
            self._wrong((*path, key), "is missing" if key not in table else "must be a text")
            return self._hole((*path, key))
        return Word(value, self._line((*path, key)))

    def _words(self, table: dict[str, Any], path: Path, key: str) -> tuple[Word, ...]:
        value = table.get(key)
        path = (*path, key)
        if isinstance(value, str):
            return (Word(value, self._line(path)),)
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(Word(each, self._line((*path, index))) for index, each in enumerate(value))
        self._wrong(path, "is missing" if key not in table else "must be a text or an array of texts")
        return (self._hole(path),)

    def _only(self, table: dict[str, Any], path: Path, known: Collection[str]) -> None:
        for key in table.keys() - known:
            self._wrong((*path, key), f"is not known here ({', '.join(sorted(known))})")

    def _wrong(self, path: Path, problem: str) -> None:
        shown = ".".join(str(part) if str(part).isidentifier() else ascii(part) for part in path)
        self.problems.append(Problem(self._line(path), f"{shown} {problem}"))

    def _line(self, path: Path) -> int:
        """Of the value, or of the nearest table around it; 1 at worst."""
        while path and path not in self.where:
            path = path[:-1]
        return self.where.get(path, 1)
