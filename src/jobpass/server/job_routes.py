"""The part of the table of routes that is about jobs, pipelines and lifecycles; the one whose speed counts first."""

from __future__ import annotations

from typing import Any, Final

from jobpass import errors
from jobpass.records import RELATIONS
from jobpass.server import jobs, lifecycles, pipelines
from jobpass.server.route import PAGE, Route
from jobpass.wire import messages, paths, power

MEETS_LIFECYCLE: Final = (errors.UnknownJob, errors.UnknownEvent, errors.IllegalTransition, errors.IdempotencyConflict)

JOBS: Final = (
    Route(
        "POST",
        paths.JOB_EVENTS,
        jobs.submit_event,
        "records an event",
        messages.EventAnswer,
        body=messages.NewEvent,
        refuses=(*MEETS_LIFECYCLE, errors.ArchiveFailed, errors.Conflict),
    ),
    Route(
        "GET",
        paths.JOB_HISTORY,
        jobs.history,
        "shows its events",
        messages.HistoryPage,
        query=PAGE,
        refuses=(errors.UnknownJob,),
    ),
    Route(
        "GET",
        paths.JOB_VERIFY,
        jobs.verify,
        "checks the chain of its history",
        messages.VerifyAnswer,
        refuses=(errors.UnknownJob,),
    ),
    Route("GET", paths.JOB, jobs.show, "shows a job", messages.JobAnswer, refuses=(errors.UnknownJob,)),
    Route(
        "DELETE",
        paths.JOB,
        jobs.delete,
        "deletes a job with its history",
        power.DeletedAnswer,
        refuses=(errors.UnknownJob,),
    ),
    Route(
        "POST",
        paths.JOB_CANCEL,
        jobs.cancel,
        "takes a job away to which nothing has happened yet",
        power.DeletedAnswer,
        refuses=(errors.UnknownJob, errors.Conflict),
    ),
    Route(
        "POST",
        paths.JOB_RESET,
        jobs.reset,
        "records reset, empties the archive path, records ready",
        messages.EventAnswer,
        body=messages.ResetRequest,
        refuses=(*MEETS_LIFECYCLE, errors.ArchiveFailed, errors.Conflict),
    ),
    Route(
        "POST",
        paths.JOB_TOKEN,
        jobs.token,
        "gives the job's document token again",
        power.TokenAnswer,
        refuses=(errors.UnknownJob,),
    ),
    Route(
        "POST",
        paths.JOB_ROTATE,
        jobs.rotate,
        "gives a new document token and ends the one before",
        power.TokenAnswer,
        body=power.RotateRequest,
        refuses=(errors.UnknownJob,),
    ),
    Route(
        "POST",
        paths.JOBS,
        jobs.create,
        "makes a job, or finds it again; gives its document token",
        messages.JobAnswer,
        body=messages.NewJob,
        refuses=(errors.JobExists,),
    ),
    Route(
        "GET",
        paths.JOBS,
        jobs.list_jobs,
        "lists the jobs that the token may see",
        messages.JobList,
        query=("state", "pipeline_uuid", *RELATIONS, *PAGE),
        refuses=(errors.UnknownJob,),
    ),
    Route(
        "POST",
        paths.PIPELINES,
        pipelines.put,
        "registers a pipeline, or changes one's own",
        dict[str, Any],
        body=dict[str, Any],
        refuses=(errors.AlreadyExists,),
    ),
    Route("GET", paths.PIPELINES, pipelines.list_pipelines, "lists pipelines", messages.PipelineList, query=PAGE),
    Route(
        "GET",
        paths.PIPELINE,
        pipelines.show,
        "shows a pipeline",
        dict[str, Any],
        refuses=(errors.UnknownPipeline,),
    ),
    Route("GET", paths.LIFECYCLES, lifecycles.list_lifecycles, "lists all lifecycles", power.LifecycleList),
)
