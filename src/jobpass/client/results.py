"""What the SDK gives back where the wire's own messages would leave JSON unread."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from jobpass.errors import UnexpectedAnswer

T = TypeVar("T")


class Job(Struct, frozen=True, kw_only=True):
    """A job; ``data`` is None in a list, ``token`` (its document token) is there only where one is given out."""

    uuid: str
    lifecycle: str
    state: str
    last_event: str
    sequence: int
    pipeline_uuid: str
    child_of: list[str]
    archive_path: str | None
    session: str | None
    owner: int
    created_at: datetime
    updated_at: datetime
    data: Any = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"Job(uuid={self.uuid!r}, state={self.state!r}, sequence={self.sequence})"


class Event(Struct, frozen=True, kw_only=True):
    """One event of a history, in its place; ``state`` is the job's after it, ``hash`` its link in hex."""

    sequence: int
    event_uuid: str
    name: str
    data: Any
    at: datetime
    state: str
    credential: str
    hash: str


class JobPage(Struct, frozen=True):
    """Some jobs; ``next`` is the ``after`` of the next page, None at the end."""

    jobs: list[Job]
    next: str | None


class EventPage(Struct, frozen=True):
    """Some events of a history; ``next`` is the ``after`` of the next page, None at the end."""

    events: list[Event]
    next: int | None


class Verification(Struct, frozen=True, kw_only=True):
    """Whether a history holds; ``broken_at`` is the sequence of the first bad or missing link, or None."""

    uuid: str
    events: int
    intact: bool
    broken_at: int | None


class IdentityCredential(Struct, frozen=True, kw_only=True):
    """The credential behind a token; its ``id`` may be shown."""

    id: str
    kind: str
    expires_at: datetime | None


class Identity(Struct, frozen=True, kw_only=True):
    """Who a token speaks for."""

    user_id: int
    email: str
    is_admin: bool
    role: str
    credential: IdentityCredential


def read(body: bytes, kind: type[T]) -> T:
    """The answer ``body`` as a ``kind``; UnexpectedAnswer if it is not JSON of that shape.

    Numbers too long for an int become Decimal, and half a surrogate pair stays: a history holds what was sent to it.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Either it is not Jobpass's, or it holds what only the slower reader takes.
        return _read_slowly(body, kind)
    except RecursionError:
        raise _unexpected() from None


def _read_slowly(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.convert(json.loads(body, parse_int=_integer), kind)
    except (ValueError, RecursionError):  # msgspec's errors and those of json and Unicode are ValueErrors
        raise _unexpected() from None


def _unexpected() -> UnexpectedAnswer:
    return UnexpectedAnswer("The answer is not one of Jobpass's.", status=200)


def _integer(digits: str) -> int | Decimal:
    try:
        return int(digits)
    except ValueError:  # Python reads no int of more than 4,300 digits
        return Decimal(digits)
