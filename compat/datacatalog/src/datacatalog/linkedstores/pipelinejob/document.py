"""What the store answers: a job as a dictionary, and its history, both read when they are needed."""

from __future__ import annotations

import copy
from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from datetime import UTC, datetime
from typing import Any, NoReturn, overload

from datacatalog.linkedstores.pipelinejob.events import EventMethods
from datacatalog.linkedstores.pipelinejob.refusals import refusal
from datacatalog.tokens.classes import Token
from jobpass import Client, errors

PAGE = 64
"""Events of a history asked for at a time."""


def naive(at: datetime) -> datetime:
    """``at`` as the original has times: UTC, without a zone, whole seconds."""
    return at.astimezone(UTC).replace(tzinfo=None, microsecond=0)


class JobHistory(Sequence[dict[str, Any]]):
    """The events of a job, the oldest first: ``{date, data, name, uuid}`` each, read by pages.

    It ends where it ended when the job was looked at: what happens later is in the history of a later answer.
    """

    def __init__(self, client: Client, uuid: str, length: int) -> None:
        self._client = client
        self._uuid = uuid
        self._length = length
        self._pages: dict[int, list[dict[str, Any]]] = {}

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._length))]
        number = index + self._length if index < 0 else index
        if not 0 <= number < self._length:
            raise IndexError("history index out of range")
        return self._page(number // PAGE)[number % PAGE]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list | JobHistory):
            return NotImplemented
        return len(other) == self._length and all(mine == its for mine, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # as that of a list

    def __deepcopy__(self, memo: dict[int, Any]) -> list[dict[str, Any]]:
        return copy.deepcopy(list(self), memo)

    def __repr__(self) -> str:
        return f"JobHistory({self._uuid!r}, {self._length} events)"

    def _page(self, number: int) -> list[dict[str, Any]]:
        page = self._pages.get(number)
        if page is None:
            try:
                found = self._client.history(self._uuid, after=number * PAGE, limit=PAGE).events
            except errors.Error as error:
                raise refusal(error, self._uuid) from error
            page = [
                {"date": naive(event.at), "data": event.data, "name": event.name, "uuid": event.event_uuid}
                for event in found
            ]
            self._pages[number] = page
        return page


class JobDocument(EventMethods, dict[str, Any]):  # type: ignore[misc]  # update is the event, as it says below
    """A job, as a store, a manager or an instance answers it.

    It holds ``uuid``, ``state``, ``last_event``, ``updated`` and ``token`` of the moment it was made. All else is read
    on first need, once: so that an event costs one request, and what nobody looks at costs nothing.

    The documentation of the original chains events, ``mpj.run().update()``, and reads answers as dictionaries,
    ``resp.get('token')``. Both work: the events are methods, sent by whoever made this answer with the token of that
    event. So ``update`` sends an event here, and ``dict(resp)`` is a plain dictionary, as all copies are. It is not
    pickled, since it holds a token.
    """

    __slots__ = ("_forms", "_presented", "_rest")

    def __init__(
        self,
        now: Mapping[str, Any],
        rest: Callable[[], Mapping[str, Any]] | None,
        forms: EventMethods,
        presented: str | None = None,
    ) -> None:
        dict.__init__(self, now)
        self._rest = rest
        self._forms = forms
        self._presented = presented

    def come_from(self, forms: EventMethods) -> JobDocument:
        """This answer, whose further events ``forms`` sends."""
        self._forms = forms
        return self

    def _send(self, name: str, data: Any, token: str | None) -> JobDocument:
        return self._forms._send(name, data, self._presented if token is None else token)

    def _reset(self, data: Any, token: str | None, *, no_clear_path: bool, permissive: bool) -> JobDocument:
        presented = self._presented if token is None else token
        return self._forms._reset(data, presented, no_clear_path=no_clear_path, permissive=permissive)

    def ready(self, data: Any = None, token: str | None = None) -> JobDocument:
        """End a reset that is not finished. Needs an administrative token."""
        return self._forms.ready(data, self._presented if token is None else token)

    def _fill(self) -> None:
        """Read what is not there yet; what is there stays, also if it was changed."""
        if self._rest is not None:
            rest = self._rest()
            self._rest = None
            for name, value in rest.items():
                dict.setdefault(self, name, value)

    def __missing__(self, name: str) -> Any:
        if self._rest is None:
            raise KeyError(name)
        self._fill()
        return dict.__getitem__(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """The member ``name``, or ``default``."""
        return dict.get(self, name, default) if name in self else default

    def __contains__(self, name: object) -> bool:
        if dict.__contains__(self, name):
            return True
        self._fill()
        return dict.__contains__(self, name)

    def __iter__(self) -> Iterator[str]:
        self._fill()
        return dict.__iter__(self)

    def __reversed__(self) -> Iterator[str]:
        self._fill()
        return dict.__reversed__(self)

    def __len__(self) -> int:
        self._fill()
        return dict.__len__(self)

    def __bool__(self) -> bool:
        return True

    def keys(self) -> KeysView[str]:  # type: ignore[override]  # a dictionary's own views are of private classes
        """All names."""
        self._fill()
        return dict.keys(self)

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """All values."""
        self._fill()
        return dict.values(self)

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """All members."""
        self._fill()
        return dict.items(self)

    def pop(self, name: str, *default: Any) -> Any:
        """Take a member out."""
        self._fill()
        return dict.pop(self, name, *default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The member ``name``, which is ``default`` if there was none."""
        self._fill()
        return dict.setdefault(self, name, default)

    def __delitem__(self, name: str) -> None:
        self._fill()
        dict.__delitem__(self, name)

    def popitem(self) -> tuple[str, Any]:
        """Take the last member out."""
        self._fill()
        return dict.popitem(self)

    def clear(self) -> None:
        """Take everything out."""
        self._rest = None
        dict.clear(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, dict):
            return NotImplemented
        self._fill()
        if isinstance(other, JobDocument):
            other._fill()
        return dict.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # as that of any dictionary

    def __or__(self, other: Any) -> Any:
        return dict(self) | dict(other) if isinstance(other, dict) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return dict(other) | dict(self) if isinstance(other, dict) else NotImplemented

    def copy(self) -> dict[str, Any]:
        """A plain dictionary of the same members."""
        return dict(self)

    __copy__ = copy

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[str, Any]:
        return {name: value if isinstance(value, Token) else copy.deepcopy(value, memo) for name, value in self.items()}

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={dict.get(self, name)!r}" for name in ("uuid", "state", "last_event"))
        return f"JobDocument({shown})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("An answer holds a token and is not pickled; pickle the members that are needed.")
