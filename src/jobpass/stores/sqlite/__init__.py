"""The embedded store: one SQLite file."""

from jobpass.stores.sqlite.backup import restore_database as restore_database
from jobpass.stores.sqlite.store import SqliteStore as SqliteStore
