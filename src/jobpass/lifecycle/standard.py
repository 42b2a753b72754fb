"""The lifecycles that every installation has: ``pipeline`` and ``compute``."""

from __future__ import annotations

from typing import Final

from jobpass.lifecycle.draft import ANY, SAME, draft, event
from jobpass.lifecycle.registry import Lifecycles
from jobpass.lifecycle.sound import build

PIPELINE: Final = build(
    draft(
        "pipeline",
        initial="CREATED",
        description="A job of a data pipeline, from its creation to the use of its outputs",
        states={
            "CREATED": "Job inputs and configuration has been defined",
            "RUNNING": "Job is actively processing data",
            "FAILED": "Job did not complete successfully",
            "FINISHED": "Job has completed processing and outputs are archived",
            "INDEXING": "Job outputs are being associated with project metadata",
            "VALIDATING": "Job outputs are being assessed for correctness",
            "VALIDATED": "Job outputs were determined to be correct",
            "REJECTED": "Job outputs are invalid and should not be used",
            "FINALIZED": "Job outputs are validated and ready for general use",
            "RETIRED": "Job and outputs should no longer be used",
            "RESET": "Job and outputs are being reset for another run",
        },
        final=["RETIRED"],
        events=[
            event("create", "Create a new job", ("CREATED", "CREATED")),
            event("run", 'Mark the job as "running"', ("CREATED RUNNING", "RUNNING")),
            event(
                "update", "Append an information item to the job history", ("CREATED RUNNING VALIDATING INDEXING", SAME)
            ),
            event("resource", "Note resource marshalling activity in the job history", ("CREATED RUNNING", SAME)),
            event("fail", "Permanently mark the job as failed", ("CREATED RUNNING VALIDATING INDEXING", "FAILED")),
            event("finish", "Mark the job as complete", ("RUNNING FINISHED", "FINISHED")),
            event("index", "Index the job outputs", ("INDEXING FINISHED", "INDEXING")),
            event("indexed", "Mark that the indexing task is complete", ("FINISHED INDEXING", "FINISHED")),
            event("validate", "Mark the job as under validation", ("FINISHED VALIDATED", "VALIDATING")),
            event("validated", "Mark that validation has completed", ("VALIDATED VALIDATING", "VALIDATED")),
            event("finalize", "Mark the job and its outputs as suitable for use", ("VALIDATED", "FINALIZED")),
            event("reject", "Mark the job and its outputs as unsuitable for use", ("VALIDATING", "REJECTED")),
            event(
                "retire",
                "Mark job and its outputs as retired/deprecated",
                ("FAILED FINALIZED FINISHED REJECTED VALIDATING VALIDATED", "RETIRED"),
            ),
            event("reset", "Begin to reset the job, erasing archive_path contents", (ANY, "RESET"), admin_only=True),
            event(
                "ready", "Complete the reset process, allowing job to be re-run", ("RESET", "CREATED"), admin_only=True
            ),
        ],
    )
)

COMPUTE: Final = build(
    draft(
        "compute",
        initial="waiting",
        description="A job that waits in a queue until a worker takes it",
        states={
            "waiting": "The job is in the queue",
            "running": "A worker holds the job's lease and works on it",
            "suspended": "The job is set aside: no worker may take it",
            "cancel_requested": "A worker still runs the job, and has been asked to stop",
            "completed": "The job ended with its results",
            "canceled": "The job was stopped on request",
            "error": "The job ended without success",
        },
        final=["completed", "canceled", "error"],
        events=[
            event("create", "Put a new job into the queue", ("waiting", "waiting")),
            event("lease", "Give the job to a worker", ("waiting", "running")),
            event("update", "Note progress, and renew the lease", ("running cancel_requested", SAME)),
            event("requeue", "Take the job back from a worker that gave it up or fell silent", ("running", "waiting")),
            event("suspend", "Set the job aside", ("waiting running", "suspended")),
            event("resume", "Put a suspended job back into the queue", ("suspended", "waiting")),
            event(
                "cancel",
                "Ask for the job to be stopped; one that no worker holds stops at once",
                ("waiting suspended", "canceled"),
                ("running cancel_requested", "cancel_requested"),
            ),
            event("canceled", "Mark that the worker has stopped, or is gone", ("cancel_requested", "canceled")),
            event("complete", "Mark the job as done", ("running cancel_requested", "completed")),
            event(
                "fail", "Mark the job as ended without success", ("waiting running suspended cancel_requested", "error")
            ),
        ],
    )
)

STANDARD: Final = Lifecycles([PIPELINE, COMPUTE])
"""What every installation knows; a user's own lifecycles are added to it."""
