"""``jobpass job timeline``: a job's history as time, in the terminal."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from jobpass.cli import connect, exits, options, output
from jobpass.cli.spans import FOLD, Line, Stays, bar, fold, span

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from jobpass.client.results import Event, Job

COLOURS: Final = ("blue", "cyan", "magenta", "green", "yellow", "bright_blue", "bright_cyan", "bright_magenta")
"""Of the states, in order of their first time."""
BAD: Final = "red"
NO_TERMINAL: Final = (100, 24)
"""Columns and lines, if the output is no terminal and ``COLUMNS`` says nothing."""
MIN_WITH_BARS, MIN_WITH_GAPS = 64, 36
"""Columns of a terminal below which the bars, and then the gaps, are left out."""


def timeline(
    uuid: options.Uuid,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Each event in a line of its own, also in long runs.")] = False,
    url: connect.Url = None,
    token_file: connect.TokenFile = None,
    as_json: output.Json = False,
) -> None:
    """Show a job's history as time: the gaps to scale, and how long it was in each state."""
    stays = Stays()
    with connect.connect(url, token_file) as client:
        job = client.job(uuid)
        events = stays.follow(client.iter_history(uuid))
        if as_json:
            _lines_of_json(job, events, stays)
        else:
            _View.of(job).show(fold(events, 0x7FFFFFFF if all_ else FOLD), stays)


def _lines_of_json(job: Job, events: Iterable[Event], stays: Stays) -> None:
    before: datetime | None = None
    for event in events:
        gap = None if before is None else (event.at - before).total_seconds()
        before = event.at
        output.json_line(
            {"sequence": event.sequence, "at": event.at, "name": event.name, "state": event.state, "seconds": gap}
        )
    states = [{"state": name, "visits": stays.visits[name], "seconds": time} for name, time in stays.times.items()]
    output.json_line(
        {
            "uuid": job.uuid,
            "lifecycle": job.lifecycle,
            "state": stays.last and stays.last.state,
            "since": stays.since,
            "events": stays.events,
            "seconds": stays.seconds,
            "states": states,
        }
    )


@dataclass(slots=True)
class _View:
    """What the lines need to know: the job's whole time, and how much room there is."""

    job: Job
    console: Console
    width: int
    colours: dict[str, str] = field(default_factory=dict)
    day: date | None = None

    @classmethod
    def of(cls, job: Job) -> _View:
        from rich.console import Console

        width = shutil.get_terminal_size(NO_TERMINAL).columns
        return cls(job, Console(highlight=False, markup=False, emoji=False, width=width), width)

    @property
    def cells(self) -> int:
        """How wide a whole bar is; 0 on a narrow terminal."""
        return 0 if self.width < MIN_WITH_BARS else min(14 + (self.width - MIN_WITH_BARS) // 2, 40)

    def show(self, lines: Iterable[Line], stays: Stays) -> None:
        """All of it, each line as soon as its events are there."""
        whole = span((self.job.updated_at - self.job.created_at).total_seconds())
        many = f"{self.job.sequence:,} event{'s' if self.job.sequence != 1 else ''}"
        self._print((f"{self.job.uuid}  {output.printable(self.job.lifecycle)}", "bold"))
        self._print((f"{many} in {whole}", "bold"))
        for line in lines:
            self._line(line)
        self._print()
        self._states(stays)
        if stays.last is not None and stays.since is not None:
            state = stays.last.state
            self._print((output.printable(state), self._colour(state)), (f" since {self._since(stays.since)}", ""))

    def _line(self, line: Line) -> None:
        if line.event.at.date() != self.day:
            self.day = line.event.at.date()
            self._print((f"{self.day}", "dim"))
        wide = self.cells > 0
        parts = [(f"{line.event.at:%H:%M:%S}" + (f".{line.event.at.microsecond // 1000:03}" if wide else ""), "")]
        if self.width >= MIN_WITH_GAPS:
            parts.append((f"  {'' if line.gap is None else span(line.gap.total_seconds()):>9}", "dim"))
        if wide:
            colour = self._colour(line.before or line.event.state)
            parts.append((f"  {bar(self._part(line.start), self._part(line.event.at), self.cells)}", colour))
        self._print(*parts, ("  ", ""), *self._event(line))

    def _event(self, line: Line) -> list[tuple[str, str]]:
        event = line.event
        if line.names.total() > 1:
            counted = ", ".join(f"{count:,} × {output.printable(name)}" for name, count in line.names.items())
            return [(f"… {counted}", "dim")]
        parts = [(f"{output.printable(event.name):<10}", "")]
        if line.before != event.state:
            parts += [(" → ", "dim"), (output.printable(event.state), self._colour(event.state))]
        if event.data is not None:
            parts.append((f"  {output.compact(event.data, self.width)}", "dim"))
        return parts

    def _states(self, stays: Stays) -> None:
        longest = max((len(output.printable(name)) for name in stays.times), default=0)
        for name, seconds in stays.times.items():
            if not seconds:  # where it has only just come to
                continue
            part = seconds / stays.seconds if stays.seconds > 0 else 0.0
            visits = f"{stays.visits[name]:,}×" if stays.visits[name] > 1 else ""
            parts = [(f"{output.printable(name):<{longest}}", self._colour(name)), (f"  {visits:>5}", "dim")]
            parts.append((f"  {span(seconds):>9}", ""))
            if self.cells:
                parts.append((f"  {bar(0, part, self.cells)} {part:>4.0%}", self._colour(name)))
            self._print(*parts)

    def _since(self, at: datetime) -> str:
        from jobpass.clock import SystemClock

        shown = f"{at:%Y-%m-%d %H:%M:%S}Z"
        if self.job.final:
            return shown
        return f"{shown}, {span(max((SystemClock().now() - at).total_seconds(), 0.0))} ago"

    def _part(self, at: datetime) -> float:
        """How far into the job's whole time a moment is."""
        whole = (self.job.updated_at - self.job.created_at).total_seconds()
        return (at - self.job.created_at).total_seconds() / whole if whole > 0 else 0.0

    def _colour(self, state: str) -> str:
        if state in exits.BAD_ENDS:
            return BAD
        return self.colours.setdefault(state, COLOURS[len(self.colours) % len(COLOURS)])

    def _print(self, *parts: tuple[str, str]) -> None:
        text = _text(parts)
        text.truncate(self.width, overflow="ellipsis")
        text.rstrip()
        self.console.print(text, soft_wrap=True)


def _text(parts: Iterable[tuple[str, Any]]) -> Text:
    from rich.text import Text

    return Text.assemble(*parts)
