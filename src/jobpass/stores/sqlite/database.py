"""Opening the file: created private, recognised as ours, brought to the present schema; and what its errors mean."""

from __future__ import annotations

import errno
import os
import time
from contextlib import closing, suppress
from pathlib import Path
from weakref import WeakSet

import apsw

from jobpass.errors import SchemaTooNew, SetupError, StoreUnavailable
from jobpass.stores.sqlite.queries import MIGRATIONS

APPLICATION_ID = 0x4A504153
"""``PRAGMA application_id`` of our files: "JPAS"."""

OPEN_SECONDS = 5.0
"""How long opening waits for other processes that open, migrate or close the same file."""

CACHE_KIB = 32 * 1024
"""Pages of the writing connection kept in memory."""

WAL_PAGES = 16_384
"""Pages of 4 KiB in the write-ahead log from which a commit copies them into the database itself (64 MiB)."""

CULPRITS = (apsw.ConstraintError, apsw.TooBigError, apsw.MismatchError, apsw.RangeError)
"""Errors that lie in what one caller wants written, not in the database."""


_connections: WeakSet[apsw.Connection] = WeakSet()
_unsafe: set[str] = set()
"""Files that this process was forked off with while something was under way in them."""


def connect(path: Path, flags: int) -> apsw.Connection:
    """A connection of this process's own; ``StoreUnavailable`` if it can have none to that file."""
    connection = apsw.Connection(str(path), flags=flags)
    if connection.filename in _unsafe:
        connection.close()
        message = "This process was forked off while the database was at work, and cannot use it: start a new one."
        raise StoreUnavailable(message, reason="forked")
    _connections.add(connection)
    return connection


def _let_go() -> None:
    """In a child: close the parent's connections.

    With one of them open SQLite believes that it has the parent's locks, and has none: the last other process would
    take the write-ahead log away, and with it all that the child goes on to write.
    """
    for connection in list(_connections):
        try:
            if connection.in_transaction:  # to undo it would be to meddle with the parent's
                _unsafe.add(connection.filename)
            else:
                connection.close()
        except apsw.ConnectionClosedError:
            continue
        except apsw.Error:  # another thread was at it
            _unsafe.add(connection.filename)
    _connections.clear()


os.register_at_fork(after_in_child=_let_go)


def unavailable(error: apsw.Error, doing: str) -> StoreUnavailable:
    """The error for the callers; ``detail["reason"]`` is SQLite's name of it, such as ``SQLITE_FULL``."""
    code = getattr(error, "extendedresult", 0) or getattr(error, "result", 0)
    names = apsw.mapping_extended_result_codes | apsw.mapping_result_codes
    reason = names.get(code) or names.get(code & 0xFF) or type(error).__name__
    return StoreUnavailable(f"The database cannot {doing}: {error}.", reason=str(reason))


def open_both(path: Path) -> tuple[apsw.Connection, apsw.Connection]:
    """The connection that writes, and one that reads what is committed; creates and migrates the file.

    Raises ``SetupError`` for a file that is not ours, ``SchemaTooNew``, and ``StoreUnavailable`` if the file or its
    folder cannot be used.
    """
    writer = None
    try:
        # Only if it is new: closing any descriptor of a file ends all locks that this process has on it (POSIX).
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        writer = connect(path, apsw.SQLITE_OPEN_READWRITE)
        if writer.readonly("main"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        _prepare(writer)
        reader = open_reader(path)
    except (OSError, apsw.Error, SetupError) as error:
        if writer is not None:
            writer.close()
        if isinstance(error, OSError):
            message = f"The database cannot be opened: {error.strerror}."
            raise StoreUnavailable(message, reason="SQLITE_CANTOPEN") from error
        if isinstance(error, apsw.NotADBError):
            raise SetupError("The file is not a database.") from error
        if isinstance(error, apsw.Error):
            raise unavailable(error, "be opened") from error
        raise
    return writer, reader


def open_reader(path: Path) -> apsw.Connection:
    """A connection that only reads, and sees what is committed."""
    connection = connect(path, apsw.SQLITE_OPEN_READONLY)
    connection.set_busy_timeout(250)
    connection.pragma("trusted_schema", False)
    return connection


def checkpoint(path: Path) -> None:
    """Copy the write-ahead log into the database, as far as readers allow, while others read and write.

    The connection is this call's own: its thread may outlive a caller that was cancelled.
    """
    with closing(connect(path, apsw.SQLITE_OPEN_READWRITE)) as connection:
        connection.pragma("synchronous", "FULL")
        with suppress(apsw.BusyError):  # somebody else is at it
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)


def _prepare(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(round(OPEN_SECONDS * 1000))
    recognise(connection)
    _use_wal(connection)
    for name, value in (
        ("trusted_schema", False),
        ("synchronous", "FULL"),
        ("fullfsync", True),  # a Mac's fsync alone does not reach the disk
        ("foreign_keys", True),
        ("cache_size", -CACHE_KIB),
        ("wal_autocheckpoint", WAL_PAGES),
    ):
        connection.pragma(name, value)
    _migrate(connection)
    connection.set_busy_timeout(0)


def recognise(connection: apsw.Connection) -> None:
    """Refuse a file that somebody else made, before anything is written to it."""
    # One statement, so that another process's first migration is seen whole or not at all.
    query = "SELECT application_id, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id"
    application, tables = connection.execute(query).get
    if application != APPLICATION_ID and (application, tables) != (0, 0):
        raise SetupError("The file is a database of another program.")


def _use_wal(connection: apsw.Connection) -> None:
    """Set the journal mode; SQLite's busy timeout does not cover two processes that do it at once."""
    deadline = time.monotonic() + OPEN_SECONDS
    while True:
        try:
            if connection.pragma("journal_mode", "wal") != "wal":
                raise SetupError("The database cannot use a write-ahead log here.")
            return
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _migrate(connection: apsw.Connection) -> None:
    """Bring the schema to the last migration in one transaction, which of several processes one does."""
    refuse_newer(connection)
    if connection.pragma("user_version") == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        recognise(connection)
        refuse_newer(connection)
        for migration in MIGRATIONS[connection.pragma("user_version") :]:
            connection.execute(migration)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", len(MIGRATIONS))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def refuse_newer(connection: apsw.Connection) -> None:
    """Raise ``SchemaTooNew`` if the file was written by a later Jobpass."""
    found = connection.pragma("user_version")
    if found > len(MIGRATIONS):
        raise SchemaTooNew(
            f"The database has schema {found}, and this Jobpass knows schemas up to {len(MIGRATIONS)}: "
            "it was written by a newer Jobpass. Use that one, or restore a backup made before it.",
            found=found,
            known=len(MIGRATIONS),
        )
