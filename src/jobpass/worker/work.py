"""What a worker is given to do, what it tells meanwhile, how it ends, and within which bounds: plain values."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct

MEBIBYTE: Final = 1024 * 1024
GIBIBYTE: Final = 1024 * MEBIBYTE

CANCEL_GRACE_SECONDS: Final = 1.0
"""How long a job that is to be canceled may still take to give what it has."""
MESSAGE_CHARACTERS: Final = 2000
"""A longer message of a job is cut."""


ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/tmp",  # noqa: S108 - the job's own
    "TMPDIR": "/tmp",  # noqa: S108
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OPENBLAS_NUM_THREADS": "1",  # libraries that make threads when they are imported make none, so that one can fork
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}
"""All of a job's environment, but for what its runner adds."""


class Work(Struct, frozen=True, kw_only=True):
    """One job, as far as who runs it needs to know it. The payload is JSON, and never read by the worker itself."""

    job_id: str
    command: str
    payload: bytes
    max_duration_seconds: Annotated[float, Meta(gt=0)]
    max_shots: int | None = None
    max_samples: int | None = None


class Progress(Struct, frozen=True):
    """How far a job is: a fraction of 1, a sentence, and what it has so far as JSON text if it tells."""

    fraction: float
    message: str = ""
    partial: str | None = None


class Completed(Struct, frozen=True):
    """The job's result as JSON text, and the kind of it: the name of the command."""

    results: str
    results_type: str
    shots: int | None = None


class Failed(Struct, frozen=True):
    """A code of ``FAILURE_CODES`` for a program, and one sentence or a few lines for a person."""

    failure_code: str
    message: str


class Canceled(Struct, frozen=True):
    """It ended because that was asked for; what it had by then, as JSON text, if it told."""

    results: str | None = None


Outcome = Completed | Failed | Canceled

FAILURE_CODES: Final = {
    "payload": "the payload cannot be read, or asks for what this runner does not do",
    "runner": "what ran raised an error or left with another code than 0",
    "result": "the result is not what it should be, or is too large",
    "time_limit": "it took longer than its max_duration, or more CPU time than it may",
    "memory_limit": "it needed more memory than it may",
    "killed": "its process ended by a signal",
    "interrupted": "the worker lost the process that starts jobs, the third time; before that the job waits again",
}


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one job may use. Memory and files are counted for each process, so ``processes`` bounds both."""

    memory_bytes: Annotated[int, Meta(ge=64 * MEBIBYTE)] = 4 * GIBIBYTE
    """Address space of a process."""
    tmp_bytes: Annotated[int, Meta(ge=MEBIBYTE)] = 256 * MEBIBYTE
    """All of ``/tmp``, which is memory; without isolation only the size of one file is bounded."""
    files: Annotated[int, Meta(ge=16)] = 256
    """Open files of a process."""
    processes: Annotated[int, Meta(ge=2)] = 64
    """Processes and threads of a job."""
    result_bytes: Annotated[int, Meta(ge=1024)] = 64 * MEBIBYTE
    """The result, and what a command writes on its standard output."""


class Description(Struct, frozen=True):
    """What a runner says of itself: the ``specs`` and ``perfs`` that its worker reports of the platform."""

    specs: dict[str, Any] = {}
    perfs: dict[str, float] = {}


class Setup(Struct, frozen=True, kw_only=True):
    """What the process that starts jobs is told: which runner, its bounds, and which files jobs see and never see."""

    runner: str
    """``perceval``, ``command`` or ``python:MODULE:FUNCTION``."""
    arguments: tuple[str, ...] = ()
    """Of the runner ``command``: the executable and its arguments."""
    commands: tuple[str, ...] = ("run",)
    """The commands that the runners ``command`` and ``python`` are told to take."""
    options: dict[str, Any] = {}
    """Of the runner, by name; see there."""
    paths: tuple[str, ...] = ()
    """Absolute directories from which modules are imported as well."""
    visible: tuple[str, ...] = ()
    """Absolute paths that jobs may read beside the system's and Python's own."""
    hidden: tuple[str, ...] = ()
    """Absolute paths of keys and data: jobs see neither them nor the directories that hold them."""
    limits: Limits = Limits()
    require_isolation: bool = False
