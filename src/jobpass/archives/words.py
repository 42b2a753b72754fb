"""What can go wrong with an archive, in sentences that name nothing of this machine."""

from __future__ import annotations

import os
from collections import Counter
from typing import Final

from jobpass.errors import ArchiveFailed

NOT_THERE: Final = "The archive system's directory is not there."
LINKED: Final = "The path leads through a link, or through something else that is no directory."
MOUNTED: Final = "Another file system is mounted there"
MOVED: Final = "Directories were moved while they were worked on."
CHANGING: Final = "Something is still writing there: the directory does not become empty."
CHANGED: Final = "The file is another one than before, or was changed meanwhile."


def words(error: OSError) -> str:
    """What went wrong, without where and without a full stop."""
    if isinstance(error, PermissionError):
        return "Permission was denied"
    return os.strerror(error.errno) if error.errno else "The file system failed"


def summed(failures: Counter[str]) -> ArchiveFailed:
    """One error for what went wrong with several files."""
    return ArchiveFailed(" ".join(f"{why} ({_counted(number)})." for why, number in sorted(failures.items())))


def _counted(number: int) -> str:
    return f"{number} files or directories" if number > 1 else "1 file or directory"
