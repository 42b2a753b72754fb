"""Errors of the store of pipelines."""

from __future__ import annotations

from datacatalog.linkedstores.basestore.exceptions import CatalogError


class PipelineCreateFailure(CatalogError):  # noqa: N818 - the names are those that users of the original catch
    """The pipeline was not registered."""


class PipelineUpdateFailure(CatalogError):  # noqa: N818
    """The pipeline was not changed."""


class DuplicatePipelineError(CatalogError):
    """The pipeline belongs to somebody else."""
