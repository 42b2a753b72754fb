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
from datacatalog.linkedstores.pipelinejob.store import DEFAULT_LINK_FIELDS, PipelineJobStore, StoreInterface

__all__ = [
    "DEFAULT_LINK_FIELDS",
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
]
