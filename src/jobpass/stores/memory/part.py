"""What the parts of the memory store share: the dictionaries that more than one of them reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from jobpass.ports import Note, Placement
from jobpass.records import (
    NO_LINK,
    AuditEntry,
    Credential,
    Details,
    Event,
    Job,
    Login,
    Page,
    Pipeline,
    Principal,
    Webhook,
)
from jobpass.stores.rules import check_placed, closed, unknown_principal

T = TypeVar("T")


class Part:
    """The base of each part."""

    def __init__(self) -> None:
        self._jobs: dict[str, tuple[int, Job]] = {}
        self._jobs_made = 0
        self._histories: dict[str, list[Event]] = {}
        self._details: dict[str, Details] = {}
        self._pipelines: dict[str, tuple[int, Pipeline]] = {}
        self._news: list[tuple[str, Event | None]] = []
        self._webhooks: dict[str, Webhook] = {}
        self._logins: dict[int, Login] = {}
        self._credentials: dict[str, Credential] = {}
        self._audit: list[AuditEntry] = []
        self._closed = False

    def _check_open(self) -> None:
        if self._closed:
            raise closed()

    def _append(self, placement: Placement | None) -> None:
        """Append what is placed at the end of its node's chain; nothing for None."""
        if placement is None:
            return
        last = next((entry for entry in reversed(self._audit) if entry.node == placement.node), None)
        sequence, link = (0, NO_LINK) if last is None else (last.sequence, last.link)
        entries = placement.place(sequence, link)
        check_placed(entries, placement.node, sequence)
        self._audit.extend(entries)

    def _note(self, note: Note[T] | None, answer: T) -> T:
        """``answer``, of which the audit was told; called before anything changes, since a note may raise."""
        if note is not None:
            self._append(note(answer))
        return answer

    def _principal(self, number: int) -> Principal:
        """The principal of this id; ``UnknownPrincipal`` if there is none."""
        if number not in self._logins:
            raise unknown_principal(number)
        return self._logins[number].principal


def page(rows: Iterable[tuple[int, T]], after: int, limit: int) -> Page[T]:
    """The ``limit`` rows above ``after`` in order of their numbers."""
    later = sorted((row for row in rows if row[0] > after), key=lambda row: row[0])
    shown = later[:limit]
    return Page([record for _, record in shown], str(shown[-1][0]) if len(later) > len(shown) > 0 else None)
