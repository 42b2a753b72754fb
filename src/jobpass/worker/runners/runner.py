"""What a runner is, and what it gets."""

from __future__ import annotations

from typing import Annotated, Protocol

from msgspec import Meta, Struct

from jobpass.worker.work import Description, Work


class Result(Struct, frozen=True):
    """What a job computed, as JSON text."""

    text: str
    shots: Annotated[int, Meta(ge=0)] | None = None


class CancelRequested(Exception):  # noqa: N818 - a wish, not an error
    """Raised by ``report`` when the job is to end; what there is so far may be given with it, as JSON text."""

    def __init__(self, results: str | None = None) -> None:
        super().__init__("The job is to be canceled.")
        self.results = results


class RunnerFailed(Exception):  # noqa: N818 - as the outcome is called
    """The job failed for a reason that has a code of ``FAILURE_CODES``."""

    def __init__(self, failure_code: str, message: str) -> None:
        super().__init__(message)
        self.failure_code = failure_code


class Report(Protocol):
    """Tells the worker how far a job is, and learns from it whether to go on."""

    def __call__(self, fraction: float, message: str = "", partial: str | None = None) -> None:
        """Tell a fraction of 1, a sentence, and what there is so far as JSON text.

        Raises ``CancelRequested`` if the job is to end; ``ValueError`` if the fraction is none.
        """
        ...

    def fileno(self) -> int:
        """A descriptor that can be read from as soon as the job is to end: for who waits for several things."""
        ...


class Runner(Protocol):
    """Made once, in the process that starts jobs; ``run`` is called in a job's own, at most once."""

    def describe(self) -> Description:
        """What a worker with this runner reports of its platform."""
        ...

    def run(self, work: Work, report: Report) -> Result:
        """Do the work. Raises ``RunnerFailed``, ``CancelRequested``, or whatever the code that it runs raises."""
        ...
