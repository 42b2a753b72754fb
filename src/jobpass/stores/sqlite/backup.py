"""Copies of the database: made while it is written, whole or not at all, checked before they count."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Final

import apsw

from jobpass.errors import AlreadyExists, SetupError, StoreUnavailable
from jobpass.stores.sqlite.database import APPLICATION_ID, open_reader, refuse_newer, unavailable

STEP_PAGES: Final = 1024
"""Pages copied between two looks at whether the copy is still wanted."""

STEP_INSTRUCTIONS: Final = 100_000
"""Instructions of SQLite's machine between two such looks while the copy is checked."""

SIDE_FILES: Final = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps beside a database, and would read into one of the same name."""


def copy_database(source: Path, path: Path, stop: Event) -> None:
    """Copy the database to a new file as it stands now; processes that write meanwhile are not held up.

    ``stop`` ends it early. Raises ``AlreadyExists`` and ``StoreUnavailable``; then nothing is left at ``path``.
    """
    with _new_file(path) as unfinished, closing(open_reader(source)) as reader:
        _copy(reader, unfinished, stop)


def restore_database(copy: Path, path: Path) -> None:
    """Make the database at ``path``, where there must be none, from a copy that ``copy_database`` made.

    Raises ``SetupError`` for a file that is no such copy, ``SchemaTooNew`` for one of a later Jobpass,
    ``AlreadyExists`` if there is something at ``path``, ``StoreUnavailable``; then nothing is left at ``path``.
    """
    for ending in SIDE_FILES:
        if os.path.lexists(f"{path}{ending}"):
            raise AlreadyExists(f"There is {path.name}{ending} already, which belongs to another database.")
    with _new_file(path) as unfinished, closing(open_reader(copy)) as reader:
        try:
            ours = reader.pragma("application_id") == APPLICATION_ID
        except apsw.NotADBError:
            ours = False
        if not ours:
            raise SetupError("The file to restore is not a Jobpass database.")
        refuse_newer(reader)
        _copy(reader, unfinished, Event())


def _copy(reader: apsw.Connection, path: Path, stop: Event) -> None:
    """Copy what the reader sees into the empty file and check the result."""
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)) as made:
        # What is not finished is thrown away, and what is finished is synced once.
        made.pragma("journal_mode", "off")
        made.pragma("synchronous", "off")
        # One read transaction around all steps: else each commit of another process would begin the copy again.
        reader.execute("BEGIN")
        reader.pragma("user_version")
        with made.backup("main", reader, "main") as copying:
            while not copying.step(STEP_PAGES):
                _go_on(stop)
        reader.execute("COMMIT")
        made.pragma("journal_mode", "delete")  # one file that needs nothing beside it
        made.set_progress_handler(stop.is_set, STEP_INSTRUCTIONS)
        found = made.pragma("integrity_check")
        if found != "ok":
            problem = found if isinstance(found, str) else "several places are damaged"
            raise StoreUnavailable(f"The database does not hold together: {problem}.", reason="SQLITE_CORRUPT")


def _go_on(stop: Event) -> None:
    if stop.is_set():
        raise StoreUnavailable("The copy was given up.", reason="stopped")


@contextmanager
def _new_file(path: Path) -> Iterator[Path]:
    """A private file to fill, which takes its place at ``path`` at the end; what stands there is never replaced."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))  # holds the name
    except FileExistsError:
        raise AlreadyExists(f"There is something at {path} already; nothing was changed.") from None
    except OSError as error:
        raise _unwritable(error) from error
    unfinished = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        unfinished = Path(name)
        try:
            yield unfinished
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        unfinished.replace(path)
        _sync(path.parent)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if unfinished is not None:
            for ending in ("", *SIDE_FILES):
                Path(f"{unfinished}{ending}").unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritable(error) from error
        if isinstance(error, apsw.Error):
            raise unavailable(error, "be copied") from error
        raise


def _unwritable(error: OSError) -> StoreUnavailable:
    return StoreUnavailable(f"The copy cannot be written: {error.strerror}.", reason="SQLITE_CANTOPEN")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
