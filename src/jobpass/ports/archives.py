"""The file systems where jobs put what they made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from jobpass.records import FileFound


class Archives(Protocol):
    """The file systems where jobs put what they made, by the name of the archive system.

    A *system* is configured with a base URL and the roots below which jobs' directories may lie. Paths are absolute
    within the system, as jobs name them (``/products/v2/…``).
    """

    def resolve(self, system: str | None) -> str | None:
        """The system that a job names, or the default one if it names none; None if there is no default.

        A job's row keeps the answer, so that another default moves nobody's directory.
        """
        ...

    def check(self, system: str | None, path: str) -> str:
        """``path`` normalised, if a job may have it: absolute, without ``.``, ``..`` or control characters, and
        strictly below a root.

        ``system`` is resolved first. One that is not configured allows every sound path, since nothing is ever done
        there. Raises ``InvalidInput`` on ``json.archive_path``.
        """
        ...

    async def make(self, system: str | None, path: str) -> None:
        """Make the directory ``path`` and those that lead to it, where they are not there yet.

        Nothing is made where there is no system, or one that is not configured: nothing is ever done there. Links are
        not followed, and roots are not made. Raises ``ArchiveFailed`` as ``clear`` does, also for a file in the way.
        """
        ...

    async def clear(self, system: str | None, path: str) -> int:
        """Remove all that is in the directory ``path``, but not the directory; how many files those were.

        Both are as a job's record has them: None is no system, and the path is checked once more. A directory that is
        not there has nothing in it. Links are removed, never followed. Raises ``ArchiveFailed``, whose message says why
        without naming anything of this machine; what was removed by then stays removed. Whoever cancels this waits
        until nothing is removed any more.
        """
        ...

    def walk(self, system: str | None, path: str) -> AsyncIterator[list[FileFound]]:
        """The files in the directory ``path`` and below it, in batches; none if it is not there.

        Names are in the order of their code points; the files of a directory come before its directories, each with all
        that is in it. Links, pipes and the like are left out. Close it (``contextlib.aclosing``). Raises
        ``ArchiveFailed`` as ``clear`` does, also for a name that is not UTF-8: nothing is left out unsaid.
        """
        ...

    async def digest(self, system: str | None, file: FileFound) -> str:
        """The SHA-256 in hex of a file that ``walk`` found; ``ArchiveFailed`` if it is another one by now."""
        ...
