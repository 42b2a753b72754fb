"""Anchors: the heads of all chains, to be kept elsewhere; they alone show that a whole chain was rolled back.

An anchor is JSON lines: a first one that says so, one for each audit chain, one for each job, and a last one with their
numbers, so that an anchor that was cut short is no anchor.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from jobpass.authority.history import PAGE
from jobpass.errors import InvalidInput

if TYPE_CHECKING:
    from jobpass.ports import Store

VERSION: Final = 1


class Begin(Struct, frozen=True, tag_field="anchor", tag="begin", forbid_unknown_fields=True):
    """The first line."""

    version: int
    at: datetime


class AuditHead(Struct, frozen=True, tag_field="anchor", tag="audit", forbid_unknown_fields=True):
    """How far the audit chain of a node went; ``head`` is its last link in hex."""

    node: str
    sequence: int
    head: str


class JobHead(Struct, frozen=True, tag_field="anchor", tag="job", forbid_unknown_fields=True):
    """How far a job's history went; ``head`` is its last link in hex."""

    uuid: str
    sequence: int
    head: str


class End(Struct, frozen=True, tag_field="anchor", tag="end", forbid_unknown_fields=True):
    """The last line: how many lines of each kind stand before it."""

    audits: int
    jobs: int


Line = Begin | AuditHead | JobHead | End

_decode = msgspec.json.Decoder(Line).decode


class Missing(Struct, frozen=True):
    """What an anchor shows: the chain of ``what`` (a job's uuid, or ``audit:`` and a node) lacks link ``sequence``."""

    what: str
    sequence: int


async def heads(store: Store, at: datetime) -> AsyncIterator[Line]:
    """The lines of an anchor of what stands now."""
    yield Begin(VERSION, at)
    audits = jobs = 0
    # The audits come first: who deletes a job while its head is read has then an entry after the anchored one.
    for node in await store.audit_nodes():
        last = await _audit_head(store, node)
        if last is not None:
            audits += 1
            yield last
    after = None
    while True:
        page = await store.list_jobs(owner=None, state=None, pipeline_uuid=None, after=after, limit=PAGE)
        for job in page.items:
            jobs += 1
            yield JobHead(job.uuid, job.sequence, job.head.hex())
        after = page.next
        if after is None:
            break
    yield End(audits, jobs)


def write(line: Line) -> bytes:
    """One line of an anchor's file."""
    return msgspec.json.encode(line) + b"\n"


def read(text: Iterable[bytes]) -> list[AuditHead | JobHead]:
    """The heads in the lines of an anchor's file; ``InvalidInput`` if it is none, or not a whole one."""
    try:
        lines: list[Line] = [_decode(line) for line in text if line.strip()]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise InvalidInput("This is not an anchor.") from None
    first, last = (lines[0], lines[-1]) if lines else (None, None)
    found = [line for line in lines if isinstance(line, AuditHead | JobHead)]
    audits = sum(isinstance(line, AuditHead) for line in found)
    whole = isinstance(first, Begin) and last == End(audits, len(found) - audits) and len(lines) == len(found) + 2
    if not whole or (isinstance(first, Begin) and first.version != VERSION):
        raise InvalidInput("The anchor is not whole, or of another version.")
    return found


async def missing(store: Store, anchored: Iterable[AuditHead | JobHead]) -> AsyncIterator[Missing]:
    """What stood when the anchor was made and stands no more, though no entry of the audit says that it was deleted.

    Entries are believed: whoever asks has verified the chains first.
    """
    audited = {line.node: line.sequence for line in anchored if isinstance(line, AuditHead)}
    deleted = await _deletions(store)
    for line in anchored:
        if isinstance(line, AuditHead):
            if not await _audit_stands(store, line):
                yield Missing(f"audit:{line.node}", line.sequence)
        elif not (await _job_stands(store, line) or _was_deleted(line, deleted.get(line.uuid, []), audited)):
            yield Missing(line.uuid, line.sequence)


async def _audit_head(store: Store, node: str) -> AuditHead | None:
    head: AuditHead | None = None
    after = None
    while True:
        page = await store.list_audit(node=node, after=after, limit=PAGE)
        if not page.items:
            return head
        last = page.items[-1]
        head, after = AuditHead(node, last.sequence, last.link.hex()), page.next


async def _audit_stands(store: Store, line: AuditHead) -> bool:
    after = None
    while True:
        page = await store.list_audit(node=line.node, after=after, limit=PAGE)
        if not page.items:
            return False
        for entry in page.items:
            if entry.sequence == line.sequence:
                return entry.link.hex() == line.head
        after = page.next


async def _job_stands(store: Store, line: JobHead) -> bool:
    events = await store.history(line.uuid, line.sequence - 1, 1)
    return bool(events) and events[0].sequence == line.sequence and events[0].link.hex() == line.head


Deletion = tuple[str, int, dict[str, Any]]  # node, sequence of the audit entry, its data


async def _deletions(store: Store) -> dict[str, list[Deletion]]:
    found: dict[str, list[Deletion]] = {}
    for name in ("job.deleted", "job.canceled"):
        after = None
        while (page := await store.list_audit(name=name, after=after, limit=PAGE)).items:
            for entry in page.items:
                data = msgspec.json.decode(entry.data)
                found.setdefault(entry.subject or "", []).append((entry.node, entry.sequence, data))
            after = page.next
    return found


def _was_deleted(line: JobHead, deletions: Iterable[Deletion], audited: dict[str, int]) -> bool:
    """Whether the job was deleted after the anchor, or exactly as it is anchored."""
    return any(
        (sequence > audited.get(node, 0) and data.get("sequence", 0) >= line.sequence)
        or (data.get("sequence"), data.get("head")) == (line.sequence, line.head)
        for node, sequence, data in deletions
    )
