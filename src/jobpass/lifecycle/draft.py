"""A lifecycle as somebody wrote it, with the lines; nothing here is checked yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

ANY: Final = "*"
"""Written as the only state that a move starts from: every state."""

SAME: Final = "="
"""Written as the state that a move leads to: the state stays as it is."""


@dataclass(frozen=True, slots=True)
class Word:
    """A text as written; line 0 means that it stands in no file, ``hole`` that it is missing or no text at all."""

    text: str
    line: int = 0
    hole: bool = False


NONE: Final = Word("")
"""No text."""


@dataclass(frozen=True, slots=True)
class Move:
    """From any of ``sources`` to ``target``; ``ANY`` and ``SAME`` may stand in their place."""

    sources: tuple[Word, ...]
    target: Word


@dataclass(frozen=True, slots=True)
class DraftState:
    """A state as written."""

    name: Word
    description: Word


@dataclass(frozen=True, slots=True)
class DraftEvent:
    """An event as written."""

    name: Word
    description: Word
    moves: tuple[Move, ...]
    admin_only: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A whole lifecycle as written."""

    name: Word
    initial: Word
    states: tuple[DraftState, ...]
    events: tuple[DraftEvent, ...]
    final: tuple[Word, ...] = ()
    description: Word = NONE


def event(name: str, description: str, *moves: tuple[str, str], admin_only: bool = False) -> DraftEvent:
    """An event in Python; each move is (states with spaces between them, the state after)."""
    return DraftEvent(
        Word(name),
        Word(description),
        tuple(Move(tuple(Word(source) for source in sources.split()), Word(to)) for sources, to in moves),
        admin_only,
    )


def draft(
    name: str,
    initial: str,
    states: Mapping[str, str],
    events: Iterable[DraftEvent],
    final: Iterable[str] = (),
    description: str = "",
) -> Draft:
    """A lifecycle in Python: ``states`` maps names to descriptions, ``events`` come from ``event``."""
    return Draft(
        Word(name),
        Word(initial),
        tuple(DraftState(Word(state), Word(text)) for state, text in states.items()),
        tuple(events),
        tuple(Word(state) for state in final),
        Word(description),
    )
