"""The part of the table of routes that is about compute jobs and the workers that do them."""

from __future__ import annotations

from typing import Any, Final

from jobpass import errors
from jobpass.server import compute, platforms, workers
from jobpass.server.route import PAGE, Alias, Handler, Route, of_cloud, with_aliases
from jobpass.tokens.token import Kind
from jobpass.wire import compute as wire
from jobpass.wire import paths
from jobpass.wire.credentials import DefaultResponse

OF_JOB: Final[tuple[Kind, ...]] = ("login", "job", "document")
"""The job's own document token opens what is about that job alone."""


def _worker(path: str, handler: Handler, does: str, answer: Any, **more: Any) -> Route:
    members: dict[str, Any] = {"kinds": workers.LEASE_KINDS} | more
    return Route("POST", path, handler, does, answer, **members)


_SENDS: Final = (errors.UnknownPlatform, errors.UnknownJob, errors.Conflict, errors.LimitExceeded)
_REPORTS: Final = (errors.UnknownJob, errors.IllegalTransition, errors.Conflict)
_OF_ONE: Final = (errors.UnknownJob,)

_JOBS: Final = (
    of_cloud(
        "POST",
        paths.COMPUTE_JOBS,
        compute.create,
        "puts a job into the queue of a platform",
        wire.JobId,
        body=wire.JobCreate,
        refuses=_SENDS,
    ),
    of_cloud(
        "GET",
        paths.COMPUTE_JOBS,
        compute.list_jobs,
        "lists one's compute jobs",
        wire.ComputeJobList,
        query=("status", "platform_name", "job_group_name", "since", "until", "user_id", *PAGE),
    ),
    of_cloud(
        "GET",
        paths.COMPUTE_AVAILABILITY,
        compute.availability,
        "tells how many jobs one may have, and has",
        wire.JobAvailability,
    ),
    of_cloud(
        "GET",
        paths.COMPUTE_STATUS,
        compute.status,
        "tells how a job stands; the answer may be held until it has ended",
        wire.JobStatus,
        kinds=OF_JOB,
        refuses=(*_OF_ONE, errors.TooMany),
    ),
    of_cloud(
        "GET",
        paths.COMPUTE_RESULT,
        compute.result,
        "gives the results of a job",
        wire.JobResult,
        kinds=OF_JOB,
        refuses=_OF_ONE,
    ),
    of_cloud("GET", paths.COMPUTE_DATA, compute.data, "shows what was sent", wire.JobData, refuses=_OF_ONE),
    of_cloud(
        "POST",
        paths.COMPUTE_CANCEL,
        compute.cancel,
        "asks for a job to be stopped",
        DefaultResponse,
        kinds=OF_JOB,
        refuses=(*_OF_ONE, errors.Conflict),
    ),
    of_cloud(
        "POST",
        paths.COMPUTE_RERUN,
        compute.rerun,
        "puts a job like this one into the queue",
        wire.JobId,
        body=wire.RerunJob,
        refuses=_SENDS,
    ),
    Route(
        "GET",
        paths.COMPUTE_EVENTS,
        compute.events,
        "tells the events of a job as they happen (server-sent events)",
        dict[str, Any],
        media_type="text/event-stream",
        query=("wait",),
        kinds=OF_JOB,
        refuses=(*_OF_ONE, errors.TooMany),
    ),
    of_cloud(
        "GET",
        paths.PLATFORM_PROCESSOR,
        platforms.processor,
        "tells what a client needs to know of a platform",
        wire.Processor,
        refuses=(errors.UnknownPlatform,),
    ),
)

_ALIASES: Final = (
    Alias(paths.COMPUTE_JOBS, paths.OLD_COMPUTE_JOB, ("POST",)),
    Alias(paths.COMPUTE_STATUS, paths.OLD_COMPUTE_STATUS, ("GET",)),
    Alias(paths.COMPUTE_RESULT, paths.OLD_COMPUTE_RESULT, ("GET",)),
    Alias(paths.COMPUTE_CANCEL, paths.OLD_COMPUTE_CANCEL, ("POST",)),
    Alias(paths.COMPUTE_RERUN, paths.OLD_COMPUTE_RERUN, ("POST",)),
    Alias(paths.PLATFORM_PROCESSOR, paths.OLD_PLATFORM, ("GET",)),
)

_WORKERS: Final = (
    _worker(
        paths.WORKER_HEARTBEAT,
        workers.heartbeat,
        "says that a worker is there, and what its platform can do",
        wire.HeartbeatAnswer,
        kinds=("apikey",),
        body=wire.Heartbeat,
        refuses=(errors.UnknownPlatform,),
    ),
    _worker(
        paths.WORKER_NEXT,
        workers.next_job,
        "gives a worker the next job, or waits for one",
        wire.NextAnswer,
        kinds=("apikey",),
        body=wire.NextRequest,
        refuses=(errors.UnknownPlatform, errors.TooMany, *_REPORTS),
    ),
    _worker(
        paths.WORKER_PROGRESS,
        workers.progress,
        "tells how far a job is, and renews its lease",
        wire.ReportAnswer,
        body=wire.ProgressReport,
        refuses=_REPORTS,
    ),
    _worker(
        paths.WORKER_COMPLETE,
        workers.complete,
        "brings the results of a job",
        wire.ReportAnswer,
        body=dict[str, Any],
        query=("results_type", "shots"),
        refuses=_REPORTS,
    ),
    _worker(
        paths.WORKER_FAIL,
        workers.fail,
        "tells that a job ended without success",
        wire.ReportAnswer,
        body=wire.FailReport,
        refuses=_REPORTS,
    ),
    _worker(
        paths.WORKER_CANCELED,
        workers.canceled,
        "tells that a job was stopped, as was asked for",
        wire.ReportAnswer,
        body=dict[str, Any],
        query=("results_type",),
        refuses=_REPORTS,
    ),
    _worker(
        paths.WORKER_REQUEUE,
        workers.requeue,
        "gives a job back to the queue",
        wire.ReportAnswer,
        body=wire.RequeueReport,
        refuses=_REPORTS,
    ),
)

COMPUTE: Final = (*with_aliases(_JOBS, _ALIASES), *_WORKERS)
