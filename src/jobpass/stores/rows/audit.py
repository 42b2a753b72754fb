"""Rows of the audit chains."""

from __future__ import annotations

from jobpass.clock import from_microseconds, to_microseconds
from jobpass.records import AuditEntry
from jobpass.stores.rows.columns import Row


def audit_from(row: Row) -> AuditEntry:
    """A row of ``list_audit`` without its number."""
    node, sequence, at, name, principal, credential, address, subject, data, kid, link = row
    written_at = from_microseconds(at)
    return AuditEntry(node, sequence, written_at, name, principal, credential, address, subject, data, kid, link)


def audit_row(entry: AuditEntry) -> Row:
    """The bindings of ``insert_audit``."""
    return (
        entry.node,
        entry.sequence,
        to_microseconds(entry.at),
        entry.name,
        entry.principal,
        entry.credential,
        entry.address,
        entry.subject,
        entry.data,
        entry.kid,
        entry.link,
    )
