"""Rows of credentials, and what is read of several of them."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from jobpass.clock import from_microseconds, to_microseconds
from jobpass.records import Credential, Lineage, Session, Terms, Touch
from jobpass.stores.rows.accounts import principal_from
from jobpass.stores.rows.columns import Row, micro, moment
from jobpass.stores.rows.jobs import event_from

_decode_terms = msgspec.json.Decoder(Terms).decode
_PLAIN_TERMS = Terms()


def credential_row(credential: Credential) -> Row:
    """The bindings of ``add_credential``."""
    return (
        credential.id,
        credential.kind,
        credential.owner,
        credential.label,
        to_microseconds(credential.issued_at),
        micro(credential.expires_at),
        micro(credential.revoked_at),
        credential.parent,
        micro(credential.last_used_at),
        credential.uses,
        credential.kid,
        credential.priority,
        credential.issuer,
        credential.ended_by,
        msgspec.json.encode(credential.terms),
    )


def credential_change(credential: Credential) -> Row:
    """The bindings of ``change_credential``."""
    return (
        credential.label,
        micro(credential.expires_at),
        micro(credential.revoked_at),
        credential.priority,
        credential.ended_by,
        msgspec.json.encode(credential.terms),
        credential.id,
    )


CREDENTIAL_COLUMNS = 16
"""How many columns of a row of ``find_session`` are the credential's."""


def credential_from(row: Row) -> Credential:
    """A row of ``read_credential``."""
    (identity, kind, owner, label, issued_at, expires_at, revoked_at, parent, last_used_at, uses, number, kid, priority,
     issuer, ended_by, terms) = row  # fmt: skip
    return Credential(
        identity,
        kind,
        owner,
        label,
        from_microseconds(issued_at),
        moment(expires_at),
        moment(revoked_at),
        parent,
        moment(last_used_at),
        uses,
        number,
        kid,
        priority,
        issuer,
        ended_by,
        _PLAIN_TERMS if terms == b"{}" else _decode_terms(terms),
    )


def session_from(row: Row) -> Session:
    """A row of ``find_session``."""
    return Session(credential_from(row[:CREDENTIAL_COLUMNS]), principal_from(row[CREDENTIAL_COLUMNS:]))


def with_line(credential: Credential, line: Row) -> Credential:
    """The credential with the ends and the priority of its line, from ``find_line``."""
    expires_at, revoked_at, priority, _ = line
    return replace(credential, expires_at=moment(expires_at), revoked_at=moment(revoked_at), priority=priority)


def lineage_from(credential_id: str, above: list[Row], below: list[Row]) -> Lineage:
    """The lineage of a credential: rows of ``issuers``, and of ``by_issuer``, of which one is its own."""
    descendants = [credential_from(row) for row in below]
    return Lineage(
        tuple(credential_from(row) for row in above), tuple(one for one in descendants if one.id != credential_id)
    )


def touch_from(row: Row) -> Touch:
    """A row of ``touched`` without its place."""
    return Touch(row[0], row[1], event_from(row[2:]))
