"""What makes a job one for a queue, and what is counted of that."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct


class Blob(Struct, frozen=True, gc=False):
    """A large text that lies beside the jobs, in chunks: its number, its size in bytes, its SHA-256 in hex."""

    number: int
    size: int
    digest: str


class Work(Struct, frozen=True, omit_defaults=True, gc=False):
    """What makes a job one that a worker takes from a queue: what was asked for, who has it, what came of it.

    ``platform`` is a name, ``platform_id`` its uuid; ``token`` is the number of the credential that it was submitted
    with, ``token_label`` its label then. ``payload`` and ``results`` are JSON texts of which Jobpass reads little;
    ``intermediate`` is the last of the results on the way, a small JSON object. Of the payload are ``command``,
    ``max_shots``, ``max_samples`` and ``iterations`` (how many its iterator has). ``asked`` is the hex SHA-256 of a
    submission that may be repeated. ``progress`` goes from 0 to 1.

    ``lease`` (64 random bits) is named by the token of the worker that has the job, until ``leased_until`` unless it
    renews that, and never beyond ``lease_ends_by``; ``worker`` is what it calls itself, ``worker_key`` the id of its
    API key. ``attempts`` counts the leases but for those that were given back for no reason of the job's, which
    ``given_back`` counts.
    """

    platform: str
    platform_id: str
    payload: Blob
    name: str = ""
    command: str = ""
    priority: int = 0
    token: int | None = None
    token_label: str | None = None
    group: str | None = None
    process_id: str | None = None
    pcvl_version: str | None = None
    max_shots: int | None = None
    max_samples: int | None = None
    iterations: int | None = None
    max_duration_seconds: int | None = None
    rerun_from: str | None = None
    asked: str | None = None
    attempts: int = 0
    given_back: int = 0
    worker: str | None = None
    worker_key: str | None = None
    lease: int | None = None
    leased_until: datetime | None = None
    lease_ends_by: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    progress: float = 0.0
    progress_message: str = ""
    status_message: str = ""
    failure_code: str | None = None
    shots: int | None = None
    results: Blob | None = None
    results_type: str | None = None
    intermediate: bytes | None = None


Queued = Literal["waiting", "running", "suspended", "cancel_requested"]
"""The states of the lifecycle ``compute`` that are not final."""
WAITING: Queued = "waiting"
"""In this state a worker may take the job."""
HELD: tuple[Queued, ...] = ("running", "cancel_requested")
"""In these states a worker has it."""
QUEUED: tuple[Queued, ...] = (WAITING, *HELD)
"""What counts against the most jobs that somebody may have in the queue."""


class Load(Struct, frozen=True):
    """How many jobs of somebody wait, and how many a worker has."""

    waiting: int
    running: int


class Usage(Struct, frozen=True):
    """What was done on a platform with a credential: how many jobs, and the whole seconds that workers had them."""

    token: int
    platform: str
    jobs: int
    seconds: int
