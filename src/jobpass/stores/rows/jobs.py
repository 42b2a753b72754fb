"""Rows of jobs, their histories and pipelines."""

from __future__ import annotations

from typing import Any

import msgspec

from jobpass.clock import from_microseconds, to_microseconds
from jobpass.records import Details, Event, Job, Pipeline, Work
from jobpass.stores.rows.columns import WRAP, Row, decode_texts, encode_texts, micro, moment, signed, unsigned

_decode_work = msgspec.msgpack.Decoder(Work).decode
_encode_work = msgspec.msgpack.Encoder().encode


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
        serial if serial >= 0 else serial + WRAP,
        owner,
        pipeline_uuid,
        from_microseconds(created_at),
        from_microseconds(updated_at),
        () if child_of == "[]" else decode_texts(child_of),
        archive_path,
        session,
        unsigned(previous_serial),
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
        signed(job.serial),
        job.owner,
        job.pipeline_uuid,
        to_microseconds(job.created_at),
        to_microseconds(job.updated_at),
        encode_texts(job.child_of),
        job.archive_path,
        job.session,
        signed(job.previous_serial),
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
    links = decode_texts(generated_by), decode_texts(acted_on), decode_texts(acted_using)
    return Details(*links, archive_patterns, product_patterns, attributes)


def details_row(job: int, details: Details) -> Row:
    """The bindings of ``insert_details``; ``job`` is the number of the job's row."""
    return (
        job,
        encode_texts(details.generated_by),
        encode_texts(details.acted_on),
        encode_texts(details.acted_using),
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
