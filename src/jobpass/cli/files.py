"""Files that the commands make for what must not be shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobpass.errors import InvalidInput


@contextmanager
def new_file(path: Path) -> Iterator[int]:
    """A new private file, taken away again if it is not filled."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidInput(f"--out: {path} cannot be made: {error.strerror}.") from None
    try:
        yield descriptor
        os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
