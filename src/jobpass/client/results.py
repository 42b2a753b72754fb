"""What the SDK gives back where the wire's own messages would leave JSON unread.

What is absent from an answer is None here, never the wire's UNSET.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from jobpass.errors import UnexpectedAnswer
from jobpass.wire.credentials import Stopped, Traced
from jobpass.wire.messages import HistoryEntry, JobSummary
from jobpass.wire.platforms import PublicPlatform
from jobpass.wire.power import AuditAnswer

T = TypeVar("T")


class Job(JobSummary, frozen=True, kw_only=True):
    """A job; ``data`` and what follows it are None in a list, ``token`` (its document token) is there only where one is
    given out.

    ``final``: out of its state only events of administrators lead.
    """

    data: Any = None
    generated_by: list[str] | None = None
    acted_on: list[str] | None = None
    acted_using: list[str] | None = None
    archive_patterns: list[Any] | None = None
    product_patterns: list[Any] | None = None
    attributes: dict[str, Any] | None = None
    token: str | None = None


class Event(HistoryEntry, frozen=True):
    """One event of a history, in its place; ``state`` is the job's after it, ``hash`` its link in hex."""

    data: Any


class JobPage(Struct, frozen=True):
    """Some jobs; ``next`` is the ``after`` of the next page, None at the end."""

    jobs: list[Job]
    next: str | None


class EventPage(Struct, frozen=True):
    """Some events of a history; ``next`` is the ``after`` of the next page, None at the end."""

    events: list[Event]
    next: int | None


class AuditEntry(AuditAnswer, frozen=True):
    """One entry of a node's audit chain: who did what, from where, about what; ``hash`` is its link in hex."""

    data: Any


class AuditEntryPage(Struct, frozen=True):
    """Some entries; ``next`` is the ``after`` to go on from, None only if nothing was found."""

    entries: list[AuditEntry]
    next: str | None


class Introspection(Struct, frozen=True, kw_only=True):
    """What a token is; ``exp`` and ``iat`` are epoch seconds. Of one that is not active, only ``active`` is told."""

    active: bool
    token_type: str | None = None
    kind: str | None = None
    sub: str | None = None
    exp: int | None = None
    iat: int | None = None
    job: str | None = None
    scope: str | None = None


class Containment(Traced, frozen=True, kw_only=True):
    """What is known of a leaked token; ``stopped`` is what its end stopped, None if it was not ended by this.

    ``living`` says whether it opened anything until now. ``jobs`` sum up ``counted`` events, of which ``events`` are
    the first; ``more`` says that there are others. ``addresses`` says from where, with the number of times.
    """

    stopped: Stopped | None = None


class Platform(PublicPlatform, frozen=True, kw_only=True):
    """A platform, for who may use it. ``specs`` are its workers', with the operator's ``constraints`` before them."""

    max_shots: int | None
    max_duration: int | None
    constraints: dict[str, Any]
    specs: dict[str, Any]
    perfs: dict[str, Any]
    last_seen: datetime | None
    retired_date: datetime | None


class PlatformPage(Struct, frozen=True):
    """The platforms that one may use."""

    platforms: list[Platform]


class ComputeStatus(Struct, frozen=True, kw_only=True):
    """How a compute job stands: times are seconds since the epoch, ``progress`` goes from 0 to 1."""

    status: str
    status_message: str
    progress: float
    progress_message: str
    creation_datetime: float
    start_time: float | None
    duration: int
    shots: int | None
    failure_code: str | None
    last_intermediate_results: dict[str, Any] | None


class ComputeResult(Struct, frozen=True, kw_only=True):
    """What a compute job brought; ``results`` is the text of a JSON object, None if there are none (yet)."""

    job_id: str
    results: str | None
    results_type: str | None
    intermediate_results: list[dict[str, Any]]
    duration: int
    shots: int | None


class ComputeData(Struct, frozen=True, kw_only=True):
    """What was sent, and by which token."""

    job_id: str
    job_name: str
    job_group_name: str | None
    status: str
    created_date: datetime
    start_time: datetime | None
    duration: int
    command: str
    platform_name: str
    payload: dict[str, Any]
    max_duration: int | None
    attempts: int
    process_id: str | None = None
    rerun_from: str | None = None
    token_label: str | None = None


class PlatformDetails(Struct, frozen=True, kw_only=True):
    """What a platform can do, as its workers and its operator say."""

    id: str
    name: str
    type: str
    status: str
    description: str
    specs: dict[str, Any]
    perfs: dict[str, Any]


def read(body: bytes, kind: type[T]) -> T:
    """The answer ``body`` as a ``kind``; UnexpectedAnswer if it is not JSON of that shape.

    Numbers too long for an int become Decimal, and half a surrogate pair stays: a history holds what was sent to it.
    """
    found = _read(body, kind) or _read_slowly(body, kind)
    if found is None:
        raise UnexpectedAnswer("The answer is not one of Jobpass's.", status=200)
    return found[0]


def _read(body: bytes, kind: type[T]) -> tuple[T] | None:
    try:
        return (msgspec.json.decode(body, type=kind),)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _read_slowly(body: bytes, kind: type[T]) -> tuple[T] | None:
    """As ``_read``, with the standard library's reader, which takes what the faster one does not."""
    try:
        return (msgspec.convert(json.loads(body, parse_int=_integer), kind),)
    except (ValueError, RecursionError):  # msgspec's errors and those of json and Unicode are ValueErrors
        return None


def _integer(digits: str) -> int | Decimal:
    try:
        return int(digits)
    except ValueError:  # Python reads no int of more than 4,300 digits
        return Decimal(digits)
