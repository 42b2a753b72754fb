"""The files that indexing found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from jobpass.records import FileKind, IndexedFile, IndexRun, Job, Page


class FileStore(Protocol):
    """The files that indexing found, by job; they go with their job.

    A job is given as its record, and is that very one: a job that was made anew under its uuid is ``UnknownJob``.
    """

    async def put_files(
        self, job: Job, run: IndexRun, files: Sequence[IndexedFile] = (), seen: Collection[str] = ()
    ) -> None:
        """Write durably, in one piece, how far the run is, and ``files``, which replace those of the same paths.

        The sources of a run are those that it first came with. A file without ``digest`` keeps the one that was
        recorded before, if its size and ``modified_at`` are the same. ``seen`` are paths of others that are there:
        what is recorded of them stays.
        """
        ...

    async def sweep_files(self, job: Job, run: int, after: int, limit: int) -> int | None:
        """Look at the next ``limit`` files after a place (0 at first), and forget those that the run has not seen.

        Returns the next place; None at the end, when runs are forgotten of which no file is left.
        """
        ...

    async def find_run(self, uuid: str, number: int | None = None) -> IndexRun | None:
        """A run of a job; the last one if no number is given."""
        ...

    async def list_files(
        self, uuid: str, *, kind: FileKind | None, level: str | None, after: str | None, limit: int
    ) -> Page[IndexedFile]:
        """The files of a job in the order in which they were first recorded; ``after`` as in ``list_jobs``."""
        ...
