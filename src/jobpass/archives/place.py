"""A directory of a job, or a file in it, on some file system."""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from jobpass.archives.threads import Stop
from jobpass.records import FileFound


class Place(Protocol):
    """What ``ports.Archives`` asks, of one place and without a loop; all raise ``ArchiveFailed``."""

    def make(self, stop: Stop) -> None:
        """Make the directory and those between the root and it, where they are not there."""
        ...

    def clear(self, stop: Stop) -> int:
        """Remove all that is in the directory; how many files those were, 0 if it is not there."""
        ...

    def walk(self, stop: Stop) -> Generator[FileFound, None, None]:
        """The files below the directory, in order."""
        ...

    def digest(self, expected: FileFound, stop: Stop) -> str:
        """The SHA-256 in hex of the file, which must be the one that was found."""
        ...
