"""The embedded store: one SQLite file."""

from jobpass.stores.sqlite.store import SqliteStore as SqliteStore
