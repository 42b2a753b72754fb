"""Pictures of jobs, from what a server tells about them: laid out by graphviz if it is here, else by Jobpass itself."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal, NamedTuple, Protocol

from jobpass.client import graphviz
from jobpass.errors import InvalidInput, InvalidLifecycle, SetupError, UnexpectedAnswer
from jobpass.lifecycle.dot import dot, notes
from jobpass.lifecycle.draft import Draft, DraftEvent, DraftState, Move, Word
from jobpass.lifecycle.marks import Marks, Step, marks
from jobpass.lifecycle.model import Lifecycle
from jobpass.lifecycle.sound import build
from jobpass.lifecycle.svg import svg
from jobpass.wire.power import LifecycleAnswer

Format = Literal["svg", "png"]
LayoutBy = Literal["auto", "graphviz", "jobpass"]

NO_GRAPHVIZ: Final = "graphviz is not on this machine: install it (its program is named dot)"


class Happened(Protocol):
    """An event of a history."""

    @property
    def name(self) -> str:
        """What happened."""

    @property
    def state(self) -> str:
        """The job's state after it."""

    @property
    def at(self) -> datetime:
        """When."""


class Picture(NamedTuple):
    """A picture, and who laid it out."""

    content: bytes
    layout: Literal["graphviz", "jobpass"]


def draw_job(
    lifecycle: LifecycleAnswer,
    events: Iterable[Happened],
    state: str | None = None,
    format: Format = "svg",  # noqa: A002 - the word that everybody knows
    *,
    job: str = "",
    layout: LayoutBy = "auto",
) -> bytes:
    """The machine of ``lifecycle`` with a job's state and its way so far marked, as a whole file.

    ``lifecycle`` is one of ``Client.lifecycles()``, ``events`` is a history such as ``Client.iter_history()`` yields,
    read once and not kept. ``state`` is the last event's unless given; ``job`` is a name for the heading. ``auto``
    takes graphviz if its program ``dot`` is here, else Jobpass's own layout; only graphviz draws PNG. Raises
    ``SetupError`` if it is needed and cannot, ``InvalidInput`` for a state that the lifecycle does not have,
    ``UnexpectedAnswer`` for a lifecycle that is not sound.
    """
    return picture(lifecycle_of(lifecycle), events, state, format, job=job, layout=layout).content


def picture(
    lifecycle: Lifecycle,
    events: Iterable[Happened],
    state: str | None = None,
    form: Format = "svg",
    *,
    job: str = "",
    layout: LayoutBy = "auto",
) -> Picture:
    """As ``draw_job``, for a lifecycle at hand, telling who laid it out."""
    if form not in ("svg", "png"):
        raise InvalidInput.at("format", "must be svg or png")
    if layout not in ("auto", "graphviz", "jobpass"):
        raise InvalidInput.at("layout", "must be auto, graphviz or jobpass")
    if form == "png" and layout == "jobpass":
        raise InvalidInput.at("layout", "only graphviz draws png; ask for svg")
    program = None if layout == "jobpass" else graphviz.find()
    if program is None and form == "png":
        raise SetupError(f"No PNG can be drawn, since {NO_GRAPHVIZ}, or ask for svg.")
    if program is None and layout == "graphviz":
        raise SetupError(f"The picture cannot be laid out: {NO_GRAPHVIZ}.")
    seen = marks(lifecycle, state, (Step(event.name, event.state, event.at) for event in events), job)
    if program is not None and form == "png":
        return Picture(graphviz.png(program, dot(lifecycle, seen)), "graphviz")
    if program is not None:
        try:
            return Picture(graphviz.svg(program, dot(lifecycle, seen), notes(lifecycle, seen)), "graphviz")
        except SetupError:
            if layout == "graphviz":
                raise
    return Picture(_own(lifecycle, seen), "jobpass")


def _own(lifecycle: Lifecycle, seen: Marks) -> bytes:
    return svg(lifecycle, seen).encode()


def lifecycle_of(told: LifecycleAnswer) -> Lifecycle:
    """The lifecycle that a server told; ``UnexpectedAnswer`` if it is not sound."""
    moves: dict[str, list[Move]] = {}
    for state, row in told.table.items():
        for event, after in row.items():
            moves.setdefault(event, []).append(Move((Word(state),), Word(after)))
    events = [
        DraftEvent(Word(one.name), Word(one.description), tuple(moves.pop(one.name, ())), one.admin_only)
        for one in told.events
    ]
    if moves:
        raise UnexpectedAnswer("The server told a lifecycle with events that it does not name.", status=200)
    draft = Draft(
        Word(told.name),
        Word(told.initial),
        tuple(DraftState(Word(one.name), Word(one.description)) for one in told.states),
        tuple(events),
        tuple(Word(one.name) for one in told.states if one.final),
        Word(told.description),
    )
    try:
        return build(draft)
    except InvalidLifecycle as error:
        raise UnexpectedAnswer(f"The server told a lifecycle that is not sound: {error.message}", status=200) from None
