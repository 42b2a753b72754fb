"""What the parts of the memory store share: the dictionaries that more than one of them reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from jobpass.records import Credential, Details, Event, Job, Login, Page, Pipeline, Principal, Webhook
from jobpass.stores.rules import closed, unknown_principal

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
        self._closed = False

    def _check_open(self) -> None:
        if self._closed:
            raise closed()

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
