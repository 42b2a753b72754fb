"""Labels of credentials: which must be their owner's only ones, and the numbers behind those that are taken."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final

from msgspec.structs import replace

from jobpass.errors import AlreadyExists
from jobpass.records import Credential

LABELLED: Final = ("job", "apikey")
"""Kinds of credential whose labels are their owner's only ones."""
NUMBERS_KEPT: Final = 10_000
"""Labels of which the last number is remembered."""


def exclusive(credential: Credential) -> bool:
    """Whether no other credential of its owner and kind may have the label of this one."""
    return credential.kind in LABELLED and credential.ended_by != "deleted"


class LastNumbers:
    """The numbers last put behind labels, so that the next ones are found at once; they may be forgotten."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[int, str, str], int] = {}

    def hint(self, credential: Credential) -> int:
        """The number last put behind this label, 1 if none is known: for ``numbered`` and ``numbering``."""
        return self._numbers.get(_place(credential), 1)

    def put(self, credential: Credential, number: int) -> Credential:
        """The credential with this number behind its label."""
        if len(self._numbers) >= NUMBERS_KEPT:
            self._numbers.clear()
        self._numbers[_place(credential)] = number
        return replace(credential, label=with_number(credential.label, number))


def _place(credential: Credential) -> tuple[int, str, str]:
    return credential.owner, credential.kind, credential.label


def numbered(taken: Callable[[int], bool], hint: int = 1) -> int:
    """A number from 1 on that is free, after few questions however many are taken; ``hint`` is one given of late."""
    asking = numbering(hint)
    number = next(asking)
    try:
        while True:
            number = asking.send(taken(number))
    except StopIteration as found:
        return int(found.value)


def numbering(hint: int = 1) -> Generator[int, bool, int]:
    """The questions of ``numbered``: each is a number, of which is to be told whether it is taken."""
    if not (yield 1):
        return 1
    if hint > 1 and not (yield hint + 1):
        return hint + 1
    low, high = 1, 2
    while (yield high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if (yield middle):
            low = middle
        else:
            high = middle
    return high


def with_number(label: str, number: int) -> str:
    """The ``number``-th credential's label, where the first one's is ``label``."""
    return label if number == 1 else f"{label}-{number}"


def label_taken(label: str) -> AlreadyExists:
    """The error of every call that wants a label which another living credential of its owner has."""
    return AlreadyExists(f"There is a credential with the label {label!r} already.", label=label)
