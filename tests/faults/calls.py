"""What clients asked and were answered, and what the record holds afterwards: the two sides that are compared.

Times are seconds of one monotonic clock, that of the process in which all clients live.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

Kind = Literal["send", "read", "page"]
Outcome = Literal["ok", "refused", "unknown"]


class Entry(Struct, frozen=True):
    """An event as a history shows it; ``data`` is canonical JSON, ``link`` its place in the hash chain, in hex."""

    sequence: int
    uuid: str
    name: str
    data: str
    state: str
    link: str = ""


class Call(Struct, frozen=True, kw_only=True):
    """One call of one client.

    ``send`` is an event (also the ``create`` of a job's making), ``read`` the job as it stands, ``page`` a part of its
    history. ``outcome`` is ``unknown`` if no answer came, or one that promises nothing; ``returned_at`` is None then.
    ``resent`` says that the client may have sent the same request several times within the call.
    """

    client: str
    job: str
    kind: Kind
    invoked_at: float
    returned_at: float | None
    outcome: Outcome
    node: str = ""
    """The one that was asked, or the last one of several."""
    name: str = ""
    data: str = ""
    key: str | None = None
    resent: bool = False
    code: str = ""
    """Of a refusal."""
    sequence: int = 0
    """That was answered; for a page, of its last event."""
    state: str = ""
    """That was answered; for a refusal, the state in which the event was judged."""
    event_uuid: str = ""
    """That was answered; empty where the answer does not tell it."""
    seen: tuple[Entry, ...] = ()
    """The events of a page."""
    whole: bool = True
    """Whether a page went to the end of the history."""

    @property
    def ended(self) -> float:
        """When the answer was there; infinite if none came."""
        return math.inf if self.returned_at is None else self.returned_at


def canonical(value: Any) -> str:
    """JSON of which equal values have one text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


class Log:
    """The calls of a run, in the order of their answers, each a line of a file at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls: list[Call] = []
        self._file = path.open("ab")
        self._encoder = msgspec.json.Encoder()

    def add(self, call: Call) -> None:
        """Note a call that has ended."""
        self.calls.append(call)
        self._file.write(self._encoder.encode(call) + b"\n")

    def close(self) -> None:
        """Everything is in the file."""
        self._file.close()


def read_log(path: Path) -> list[Call]:
    """The calls of a file."""
    decoder = msgspec.json.Decoder(Call)
    return [decoder.decode(line) for line in path.read_bytes().splitlines()]


def write_histories(path: Path, histories: Iterable[tuple[str, Iterable[Entry]]]) -> None:
    """Keep stored histories beside the log, so that a verdict can be repeated."""
    encoder = msgspec.json.Encoder()
    with path.open("wb") as file:
        for job, entries in histories:
            file.writelines(encoder.encode((job, entry)) + b"\n" for entry in entries)


def read_histories(path: Path) -> Iterator[tuple[str, Entry]]:
    """The entries of such a file, each with its job."""
    decoder = msgspec.json.Decoder(tuple[str, Entry])
    for line in path.read_bytes().splitlines():
        yield decoder.decode(line)
