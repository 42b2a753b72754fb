"""The error of the managers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class ManagedPipelineJobError(Exception):
    """What a manager was asked cannot be done; the error that says why is ``args[0]`` and ``__context__``."""


@contextmanager
def managed(*plain: type[Exception]) -> Iterator[None]:
    """Raise as ``ManagedPipelineJobError`` whatever is raised inside, but for the ``plain`` errors."""
    try:
        yield
    except ManagedPipelineJobError:
        raise
    except plain:
        raise
    except Exception as error:  # each one goes on, in the one class that users of managers catch
        raise ManagedPipelineJobError(error) from error
