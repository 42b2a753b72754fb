"""The bodies of the HTTP contract that are about compute jobs and workers.

On the cloud's routes requests may have members that are not known here; on those of workers they may not.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType, field

from jobpass.wire.messages import NULL, Object
from jobpass.wire.platforms import PlatformName

Words = Annotated[str, Meta(max_length=256)]
Group = Annotated[str, Meta(min_length=1, max_length=256)]
Identity = Annotated[str, Meta(min_length=1, max_length=64)]
Version = Annotated[str, Meta(max_length=64)]
Duration = Annotated[int, Meta(ge=1, le=864_000)]
Shots = Annotated[int, Meta(ge=0, le=2**53)]
Worker = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$")]
Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Kind = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Sentence = Annotated[str, Meta(max_length=2000)]
Status = Literal["waiting", "running", "suspended", "cancel_requested", "completed", "canceled", "error"]
"""The only words that a client knows."""

WAIT_SECONDS = 25
"""A worker may wait so long for a job in one request."""


class JobCreate(Struct, frozen=True):
    """``POST /api/jobs``. ``payload`` is a JSON object of which little is read; ``max_duration`` is in seconds."""

    job_name: Words
    payload: Object
    platform_name: Annotated[str, Meta(max_length=100)] | None = None
    platform_id: Identity | None = None
    job_group_name: Group | None = None
    process_id: Identity | None = None
    pcvl_version: Version | None = None
    max_duration: Duration | None = None


class RerunJob(Struct, frozen=True):
    """``POST …/rerun``: what is to be another one than before. The body may be absent."""

    job_name: Words | None = None
    payload: Object | UnsetType = UNSET
    platform_id: Identity | None = None


class JobId(Struct, frozen=True):
    """A new job."""

    job_id: str


class JobStatus(Struct, frozen=True, kw_only=True):
    """``GET …/status``. ``progress`` goes from 0 to 1, times are seconds since the epoch, ``duration`` is in whole
    seconds."""

    status: Status
    status_message: str
    progress: float
    progress_message: str
    creation_datetime: float
    start_time: float | None
    duration: int
    shots: int | None
    failure_code: str | None
    last_intermediate_results: Raw | None
    msg: str = "ok"


class JobResult(Struct, frozen=True, kw_only=True):
    """``GET …/result``. ``results`` is the text of a JSON object; null for a job that has none (yet)."""

    job_id: str
    results_type: str | None
    intermediate_results: list[Raw]
    duration: int
    shots: int | None
    results: str | UnsetType | None = None


class JobData(Struct, frozen=True, kw_only=True):
    """``GET …/data``: what was sent, and by which token."""

    job_id: str
    job_name: str
    job_group_name: str | None
    status: Status
    created_date: datetime
    start_time: datetime | None
    duration: int
    command: str
    shots: int | None
    failure_code: str | None
    pcvl_version: str | None
    platform_id: str
    platform_name: str
    process_id: str | None
    rerun_from: str | None
    token_id: int | None
    token_label: str | None
    max_duration: int | None
    attempts: int
    payload: Raw | UnsetType = UNSET


class JobListed(Struct, frozen=True, kw_only=True):
    """A job, as a list shows it. ``user_id`` is its owner."""

    job_id: str
    job_name: str
    job_group_name: str | None
    status: Status
    status_message: str
    progress: float
    created_date: datetime
    start_time: datetime | None
    end_time: datetime | None
    duration: int
    command: str
    platform_name: str
    priority: int
    failure_code: str | None
    rerun_from: str | None
    token_id: int | None
    token_label: str | None
    user_id: int


class ComputeJobList(Struct, frozen=True):
    """``GET /api/jobs``; ``next`` is the ``after`` of the next page, null at the end."""

    jobs: list[JobListed]
    next: str | None


class JobAvailability(Struct, frozen=True):
    """``GET /api/jobs/availability``: never more than there may be."""

    max_jobs_in_queue: int
    num_jobs_in_queue: int
    max_concurrent_jobs: int
    num_concurrent_jobs: int
    max_running_qt_jobs: int = 0
    num_running_qt_jobs: int = 0


class Processor(Struct, frozen=True, kw_only=True):
    """``GET /api/platforms/{name}/processor``: what a client needs to know before it sends anything."""

    id: str
    name: str
    type: str
    status: str
    description: str
    specs: dict[str, Any]
    perfs: Raw


class Heartbeat(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/workers/heartbeat``: a worker is there; ``specs`` and ``perfs``, if given, replace those before."""

    worker_id: Worker
    platform: PlatformName
    specs: Object | UnsetType = UNSET
    perfs: Object | UnsetType = UNSET


class HeartbeatAnswer(Struct, frozen=True):
    """When the next one is due."""

    heartbeat_s: int


class CompletedJob(Struct, frozen=True, forbid_unknown_fields=True):
    """A job whose results come along with the wish for another one; ``token`` is that of its lease."""

    job_id: str
    token: str
    results: Object
    results_type: Kind | None = None
    shots: Shots | None = None

    def __repr__(self) -> str:
        return f"CompletedJob(job_id={self.job_id!r}, token=…)"


class NextRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/workers/jobs/next``: the next job for one of these platforms, waited for ``wait_s`` seconds.

    With ``completed`` that is taken first; only if it was is there an answer of 200.
    """

    worker_id: Worker
    platforms: Annotated[list[PlatformName], Meta(min_length=1, max_length=64)]
    wait_s: Annotated[float, Meta(ge=0, le=WAIT_SECONDS)] = 0.0
    completed: CompletedJob | None = None


class LeasedJob(Struct, frozen=True, kw_only=True):
    """A job that is the worker's; ``token`` opens the routes on which it reports, as long as ``lease_s`` seconds are
    not over since the last report."""

    job_id: str
    token: str
    attempt: int
    lease_s: int
    platform: str
    command: str
    job_name: str
    pcvl_version: str | None
    max_shots: int | None
    max_samples: int | None
    iterations: int | None
    max_duration: int | None
    payload: Raw | UnsetType = UNSET

    def __repr__(self) -> str:
        return f"LeasedJob(job_id={self.job_id!r}, token=…)"


class NextAnswer(Struct, frozen=True):
    """The job, null if none came."""

    job: LeasedJob | None


class ProgressReport(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST …/progress``: renews the lease; what is absent stays as it was."""

    progress: Annotated[float, Meta(ge=0, le=1)] | None = None
    progress_message: Annotated[str, Meta(max_length=512)] | None = None
    intermediate_result: Raw = field(default_factory=lambda: NULL)


class FailReport(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST …/fail``."""

    failure_code: Code = "failed"
    message: Sentence = ""


class RequeueReport(Struct, frozen=True, forbid_unknown_fields=True):
    """``POST …/requeue``: the worker gives the job back. With ``counts`` false that is no fault of the job's: it was
    none of its three attempts, up to a hundred times."""

    reason: Sentence = ""
    counts: bool = True


class ReportAnswer(Struct, frozen=True):
    """What became of a report. ``cancel_requested``: the worker is to stop."""

    status: Status
    cancel_requested: bool
    lease_s: int
