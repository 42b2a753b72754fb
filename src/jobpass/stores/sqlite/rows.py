"""Rows and records: the one place that knows in which form a value lies in a column."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from jobpass.clock import from_microseconds, to_microseconds
from jobpass.records import (
    AdminKey,
    AuditEntry,
    Credential,
    Details,
    Event,
    Job,
    LegacyToken,
    Pipeline,
    Platform,
    Principal,
    Profile,
    Session,
    Terms,
    Work,
)

Row = tuple[Any, ...]

_SIGN = 1 << 63
_WRAP = 1 << 64

_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
_decode_profile = msgspec.json.Decoder(Profile).decode
_decode_terms = msgspec.json.Decoder(Terms).decode
_decode_work = msgspec.msgpack.Decoder(Work).decode
_encode_work = msgspec.msgpack.Encoder().encode
_PLAIN_PROFILE, _PLAIN_TERMS = Profile(), Terms()


def _signed(serial: int | None) -> int | None:
    """64 unsigned bits as SQLite's signed integer."""
    return serial - _WRAP if serial is not None and serial >= _SIGN else serial


def _unsigned(serial: int | None) -> int | None:
    return serial + _WRAP if serial is not None and serial < 0 else serial


def micro(at: datetime | None) -> int | None:
    """A time as it lies in a column, also one that may be missing."""
    return None if at is None else to_microseconds(at)


def moment(microseconds: int | None) -> datetime | None:
    """Inverse of ``micro``."""
    return None if microseconds is None else from_microseconds(microseconds)


def _texts(texts: tuple[str, ...]) -> str:
    return msgspec.json.encode(texts).decode()


def job_from(row: Row) -> Job:
    """A row of ``find_job`` without its number."""
    (uuid, lifecycle, state, last_event, sequence, head, kid, serial, owner, pipeline_uuid, created_at, updated_at,
     child_of, archive_path, session, previous_serial, previous_until, previous_kid, archive_system,
     work) = row  # fmt: skip
    return Job(
        uuid,
        lifecycle,
        state,
        last_event,
        sequence,
        head,
        kid,
        serial if serial >= 0 else serial + _WRAP,
        owner,
        pipeline_uuid,
        from_microseconds(created_at),
        from_microseconds(updated_at),
        () if child_of == "[]" else _decode_texts(child_of),
        archive_path,
        session,
        _unsigned(previous_serial),
        moment(previous_until),
        previous_kid,
        archive_system,
        None if work is None else _decode_work(work),
    )


def job_row(job: Job) -> Row:
    """The bindings of ``insert_job``; without the first, those of ``rewrite_job``."""
    return (
        job.uuid,
        job.lifecycle,
        job.state,
        job.last_event,
        job.sequence,
        job.head,
        job.kid,
        _signed(job.serial),
        job.owner,
        job.pipeline_uuid,
        to_microseconds(job.created_at),
        to_microseconds(job.updated_at),
        _texts(job.child_of),
        job.archive_path,
        job.session,
        _signed(job.previous_serial),
        micro(job.previous_until),
        job.previous_kid,
        job.archive_system,
        work_text(job.work),
    )


def work_text(work: Work | None) -> bytes | None:
    """The column ``work``."""
    return None if work is None else _encode_work(work)


def same_but_progress(old: Job, new: Job) -> bool:
    """Whether only state, last event, sequence, head, ``updated_at`` and ``work`` may differ.

    Compares identity: a copy keeps the very objects it does not change, and a false no costs a longer write only.
    """
    return (
        old.serial is new.serial
        and old.kid is new.kid
        and old.previous_serial is new.previous_serial
        and old.previous_until is new.previous_until
        and old.previous_kid is new.previous_kid
        and old.owner is new.owner
        and old.lifecycle is new.lifecycle
        and old.pipeline_uuid is new.pipeline_uuid
        and old.created_at is new.created_at
        and old.child_of is new.child_of
        and old.archive_path is new.archive_path
        and old.session is new.session
        and old.archive_system is new.archive_system
    )


def details_from(row: Row) -> Details:
    """A row of ``find_details``."""
    generated_by, acted_on, acted_using, archive_patterns, product_patterns, attributes = row
    links = _decode_texts(generated_by), _decode_texts(acted_on), _decode_texts(acted_using)
    return Details(*links, archive_patterns, product_patterns, attributes)


def details_row(job: int, details: Details) -> Row:
    """The bindings of ``insert_details``; ``job`` is the number of the job's row."""
    return (
        job,
        _texts(details.generated_by),
        _texts(details.acted_on),
        _texts(details.acted_using),
        details.archive_patterns,
        details.product_patterns,
        details.attributes,
    )


def event_from(row: Row) -> Event:
    """A row of ``history`` or ``find_key``."""
    sequence, uuid, name, data, at, state, credential, key, kid, link, address = row
    return Event(sequence, uuid, name, data, from_microseconds(at), state, credential, key, kid, link, address)


def event_row(job: int, event: Event) -> Row:
    """The bindings of ``insert_event``; ``job`` is the number of the job's row."""
    return (
        job,
        event.sequence,
        event.uuid,
        event.name,
        event.data,
        to_microseconds(event.at),
        event.state,
        event.credential,
        event.key,
        event.kid,
        event.link,
        event.address,
    )


def pipeline_from(row: Row) -> Pipeline:
    """A row of ``find_pipeline`` without its number."""
    uuid, name, body, owner, created_at, updated_at = row
    return Pipeline(uuid, name, body, owner, from_microseconds(created_at), from_microseconds(updated_at))


def pipeline_row(pipeline: Pipeline) -> dict[str, Any]:
    """The bindings of ``replace_pipeline`` and ``add_pipeline``."""
    return {
        "uuid": pipeline.uuid,
        "name": pipeline.name,
        "body": pipeline.body,
        "owner": pipeline.owner,
        "created_at": to_microseconds(pipeline.created_at),
        "updated_at": to_microseconds(pipeline.updated_at),
    }


def principal_from(row: Row) -> Principal:
    """The columns id, email, role, active, created_at, profile."""
    number, email, role, active, created_at, profile = row
    known = _PLAIN_PROFILE if profile == b"{}" else _decode_profile(profile)
    return Principal(number, email, role, bool(active), from_microseconds(created_at), known)


def profile_text(profile: Profile) -> bytes:
    """The column ``profile``."""
    return msgspec.json.encode(profile)


def principal_row(principal: Principal, password_hash: str | None) -> dict[str, Any]:
    """The bindings of ``change_principal``."""
    return {
        "id": principal.id,
        "email": principal.email,
        "role": principal.role,
        "active": principal.active,
        "created_at": to_microseconds(principal.created_at),
        "profile": profile_text(principal.profile),
        "password_hash": password_hash,
    }


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


def platform_from(row: Row) -> Platform:
    """A row of ``find_platform``."""
    (identity, name, description, kind, status, created_at, max_shots, max_duration_seconds, constraints, specs, perfs,
     start, end, seen_at, retired_at) = row  # fmt: skip
    return Platform(
        identity,
        name,
        description,
        kind,
        status,
        from_microseconds(created_at),
        max_shots,
        max_duration_seconds,
        constraints,
        specs,
        perfs,
        moment(start),
        moment(end),
        moment(seen_at),
        moment(retired_at),
    )


def platform_row(platform: Platform) -> dict[str, Any]:
    """The bindings of ``add_platform`` and ``change_platform``."""
    return {
        "id": platform.id,
        "name": platform.name,
        "description": platform.description,
        "type": platform.type,
        "status": platform.status,
        "created_at": to_microseconds(platform.created_at),
        "max_shots": platform.max_shots,
        "max_duration_seconds": platform.max_duration_seconds,
        "constraints": platform.constraints,
        "specs": platform.specs,
        "perfs": platform.perfs,
        "maintenance_start_at": micro(platform.maintenance_start_at),
        "maintenance_end_at": micro(platform.maintenance_end_at),
        "seen_at": micro(platform.seen_at),
        "retired_at": micro(platform.retired_at),
    }


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


def legacy_from(row: Row) -> LegacyToken:
    """A row of ``find_legacy``."""
    serial, kid, salt, fields, until = row
    return LegacyToken(serial if serial >= 0 else serial + _WRAP, kid, salt, fields, from_microseconds(until))


def legacy_row(job: int, legacy: LegacyToken) -> Row:
    """The bindings of ``insert_legacy``; ``job`` is the number of the job's row."""
    return job, _signed(legacy.serial), legacy.kid, legacy.salt, legacy.fields, to_microseconds(legacy.until)
