"""Managers of jobs: one that makes a job, one for a job that exists, one that is bound to a job's token."""

from __future__ import annotations

from datacatalog.managers.common import Manager
from datacatalog.managers.pipelinejobs.config import PipelineJobsConfig
from datacatalog.managers.pipelinejobs.exceptions import ManagedPipelineJobError
from datacatalog.managers.pipelinejobs.indexer import Indexer
from datacatalog.managers.pipelinejobs.indexrequest import (
    ArchiveIndexRequest,
    IndexingError,
    InvalidIndexingRequest,
    ProductIndexRequest,
)
from datacatalog.managers.pipelinejobs.instanced import ManagedPipelineJobInstance
from datacatalog.managers.pipelinejobs.jobmanager import JobManager
from datacatalog.managers.pipelinejobs.reactor import ReactorManagedPipelineJob
from datacatalog.managers.pipelinejobs.store import ManagedPipelineJob

__all__ = [
    "ArchiveIndexRequest",
    "Indexer",
    "IndexingError",
    "InvalidIndexingRequest",
    "JobManager",
    "ManagedPipelineJob",
    "ManagedPipelineJobError",
    "ManagedPipelineJobInstance",
    "Manager",
    "PipelineJobsConfig",
    "ProductIndexRequest",
    "ReactorManagedPipelineJob",
]
