"""Errors of the store of jobs."""

from __future__ import annotations

from datacatalog.mongo.exceptions import DuplicateKeyError


class JobError(Exception):
    """Something is wrong with a job."""


class JobCreateFailure(JobError):  # noqa: N818 - the names are those that users of the original catch
    """The job was not made."""


class JobUpdateFailure(JobError):  # noqa: N818
    """The job was not changed."""


class DuplicateJobError(DuplicateKeyError):
    """The job stands already, with another owner or other parameters."""


class UnknownPipeline(JobError):  # noqa: N818
    """There is no such pipeline."""


class UnknownJob(JobError):  # noqa: N818
    """There is no such job, or it is hidden from whoever asks."""
