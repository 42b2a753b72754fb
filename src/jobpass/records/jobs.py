"""Jobs, their histories, and the pipelines that they belong to."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from jobpass.records.work import Work

NO_LINK = bytes(32)
"""The link before the first one of a chain: 32 zero bytes."""


class Job(Struct, frozen=True, gc=False):
    """One unit of work with a lifecycle, as its row stands.

    ``sequence`` is that of the last event (the first event, ``create``, is 1), ``head`` the link of that event.
    ``serial`` (64 random bits) is named by the document token; ``previous_serial`` lives until ``previous_until``.
    ``kid`` and ``previous_kid`` are the root keys that sign them. ``owner`` is a principal's id. ``work`` is there for
    a job that waits in a queue for a worker, and for no other.
    """

    uuid: str
    lifecycle: str
    state: str
    last_event: str
    sequence: int
    head: bytes
    kid: str
    serial: int
    owner: int
    pipeline_uuid: str
    created_at: datetime
    updated_at: datetime
    child_of: tuple[str, ...] = ()
    archive_path: str | None = None
    session: str | None = None
    previous_serial: int | None = None
    previous_until: datetime | None = None
    previous_kid: str | None = None
    archive_system: str | None = None
    work: Work | None = None


class Details(Struct, frozen=True):
    """What a job says of itself beside what its events need; given at its making, read with it, seen by no judge.

    The links are uuids in the order given; ``archive_patterns`` and ``product_patterns`` are JSON arrays,
    ``attributes`` a JSON object that means nothing to Jobpass.
    """

    generated_by: tuple[str, ...] = ()
    acted_on: tuple[str, ...] = ()
    acted_using: tuple[str, ...] = ()
    archive_patterns: bytes = b"[]"
    product_patterns: bytes = b"[]"
    attributes: bytes = b"{}"


Relation = Literal["child_of", "generated_by", "acted_on", "acted_using"]
RELATIONS: tuple[Relation, ...] = ("child_of", "generated_by", "acted_on", "acted_using")


class Linked(Struct, frozen=True):
    """A condition on jobs: linked by ``relation`` to at least one of ``targets`` (uuids)."""

    relation: Relation
    targets: tuple[str, ...]


class Event(Struct, frozen=True, gc=False):
    """One entry of a job's history.

    ``data`` is JSON text as it came, ``state`` the state after the event, ``credential`` the public name of what
    authorised it, ``key`` the idempotency key, ``kid`` the root key whose chain key made ``link`` (32 bytes).
    ``address`` is where the event came from, as far as that is known; it is no part of the chain.
    """

    sequence: int
    uuid: str
    name: str
    data: bytes
    at: datetime
    state: str
    credential: str
    key: str | None
    kid: str
    link: bytes
    address: str | None = None


class Change(Struct, frozen=True, gc=False):
    """What a judge wants written for one job, all of it or nothing.

    ``before`` None makes the job, ``after`` None deletes it with its history; ``event`` None changes the row only.
    ``details`` come with a job that is made, and only then; so does ``most``: of the owner's jobs with work which wait
    or run there are at most so many, this one included.
    """

    before: Job | None
    after: Job | None
    event: Event | None
    details: Details | None = None
    most: int | None = None


class Replayed(Struct, frozen=True, gc=False):
    """The event stands in the history already, under the same idempotency key; nothing is written."""

    job: Job
    event: Event


class Pipeline(Struct, frozen=True):
    """A named series of components; ``body`` is its JSON object without ``uuid``, as it is shown."""

    uuid: str
    name: str
    body: bytes
    owner: int
    created_at: datetime
    updated_at: datetime
