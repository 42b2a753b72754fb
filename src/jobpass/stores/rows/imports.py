"""Rows of what is kept of old tokens."""

from __future__ import annotations

from jobpass.clock import from_microseconds, to_microseconds
from jobpass.records import LegacyToken
from jobpass.stores.rows.columns import WRAP, Row, signed


def legacy_from(row: Row) -> LegacyToken:
    """A row of ``find_legacy``."""
    serial, kid, salt, fields, until = row
    return LegacyToken(serial if serial >= 0 else serial + WRAP, kid, salt, fields, from_microseconds(until))


def legacy_row(job: int, legacy: LegacyToken) -> Row:
    """The bindings of ``insert_legacy``; ``job`` is the number of the job's row."""
    return job, signed(legacy.serial), legacy.kid, legacy.salt, legacy.fields, to_microseconds(legacy.until)
