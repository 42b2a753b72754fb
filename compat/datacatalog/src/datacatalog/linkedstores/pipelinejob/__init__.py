"""Jobs: the store, what it answers, and its errors."""

from __future__ import annotations

from datacatalog.linkedstores.pipelinejob.document import JobDocument, JobHistory
from datacatalog.linkedstores.pipelinejob.exceptions import (
    DuplicateJobError,
    JobCreateFailure,
    JobError,
    JobUpdateFailure,
    UnknownJob,
    UnknownPipeline,
)
from datacatalog.linkedstores.pipelinejob.mappings import AgaveEvents, agave_status_to_event
from datacatalog.linkedstores.pipelinejob.store import DEFAULT_LINK_FIELDS, PipelineJobStore, StoreInterface

__all__ = [
    "DEFAULT_LINK_FIELDS",
    "AgaveEvents",
    "DuplicateJobError",
    "JobCreateFailure",
    "JobDocument",
    "JobError",
    "JobHistory",
    "JobUpdateFailure",
    "PipelineJobStore",
    "StoreInterface",
    "UnknownJob",
    "UnknownPipeline",
    "agave_status_to_event",
]
