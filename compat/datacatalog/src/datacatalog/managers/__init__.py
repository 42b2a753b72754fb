"""Managers: what works on several stores at once."""

from __future__ import annotations

from datacatalog.managers.common import Manager, ManagerError
from datacatalog.managers.pipelinejobs import (
    ManagedPipelineJob,
    ManagedPipelineJobError,
    ManagedPipelineJobInstance,
    ReactorManagedPipelineJob,
)

__all__ = [
    "ManagedPipelineJob",
    "ManagedPipelineJobError",
    "ManagedPipelineJobInstance",
    "Manager",
    "ManagerError",
    "ReactorManagedPipelineJob",
]
