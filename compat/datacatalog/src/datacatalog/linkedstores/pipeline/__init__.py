"""Pipelines: the store and its errors."""

from __future__ import annotations

from datacatalog.linkedstores.pipeline.exceptions import (
    DuplicatePipelineError,
    PipelineCreateFailure,
    PipelineUpdateFailure,
)
from datacatalog.linkedstores.pipeline.store import PipelineStore, StoreInterface

__all__ = [
    "DuplicatePipelineError",
    "PipelineCreateFailure",
    "PipelineStore",
    "PipelineUpdateFailure",
    "StoreInterface",
]
