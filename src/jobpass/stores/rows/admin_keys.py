"""Rows of requests for administrative power."""

from __future__ import annotations

from jobpass.clock import from_microseconds, to_microseconds
from jobpass.records import AdminKey
from jobpass.stores.rows.columns import Row, micro, moment


def admin_key_from(row: Row) -> AdminKey:
    """A row of ``find_admin_key`` without its number."""
    (identity, state, requester, use_case, storage, lifetime_seconds, scope, request_hash, requested_at, reviewer,
     reviewed_at, reason, collected_at, revoked_at) = row  # fmt: skip
    return AdminKey(
        identity,
        state,
        requester,
        use_case,
        storage,
        lifetime_seconds,
        scope,
        request_hash,
        from_microseconds(requested_at),
        reviewer,
        moment(reviewed_at),
        reason,
        moment(collected_at),
        moment(revoked_at),
    )


def admin_key_row(key: AdminKey) -> Row:
    """The bindings of ``add_admin_key``; without the first, those of ``change_admin_key``."""
    return (
        key.id,
        key.state,
        key.requester,
        key.use_case,
        key.storage,
        key.lifetime_seconds,
        key.scope,
        key.request_hash,
        to_microseconds(key.requested_at),
        key.reviewer,
        micro(key.reviewed_at),
        key.reason,
        micro(key.collected_at),
        micro(key.revoked_at),
    )
