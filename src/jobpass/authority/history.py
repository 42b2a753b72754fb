"""Does the record hold: walk stored histories and check every link, and the texts whose hashes they tell."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from jobpass.authority.audit import follows
from jobpass.authority.chain import ChainKeys, first_break
from jobpass.errors import UnknownJob
from jobpass.records import NO_LINK, Blob, Event, Job, Work

if TYPE_CHECKING:
    from jobpass.ports import AuditStore, JobStore, Store

PAGE = 1000
"""Events or jobs that are read at once."""

LOOKS = 5
"""How often a job that moves while it is read is read again."""


class Checked(Struct, frozen=True):
    """One job's answer; ``broken_at`` is the sequence of its first bad or missing link, None if all hold."""

    uuid: str
    events: int
    broken_at: int | None


class Text(Struct, frozen=True):
    """What an event tells of a payload, or of results."""

    bytes: int
    sha256: str


async def verify_job(store: JobStore, uuid: str, keys: ChainKeys) -> tuple[Job, int | None]:
    """The job, and the sequence of the first bad or missing link (None: the history holds).

    Raises ``UnknownJob``. A job that moves while it is read is read again, so that row and history belong together.
    """
    job = await _job(store, uuid)
    for _ in range(LOOKS):
        events = await all_events(store, uuid)
        after = await _job(store, uuid)
        if after.head == job.head:
            break
        job = after
    else:
        events = events[: job.sequence]
    return job, first_break(job, events, keys)


async def verify_all(store: Store, keys: ChainKeys) -> AsyncIterator[Checked]:
    """Check the history of every job, in order of creation, and the payload and results of those that have work: if one
    of these is another one than its event tells, the history is broken at that event.
    """
    after = None
    while True:
        page = await store.list_jobs(owner=None, state=None, pipeline_uuid=None, after=after, limit=PAGE)
        for job in page.items:
            try:
                checked, broken_at = await verify_job(store, job.uuid, keys)
                if broken_at is None and checked.work is not None:
                    broken_at = await _first_wrong_text(store, checked, checked.work)
            except UnknownJob:
                continue  # deleted since the page was read
            yield Checked(job.uuid, checked.sequence, broken_at)
        after = page.next
        if after is None:
            return


async def _first_wrong_text(store: Store, job: Job, work: Work) -> int | None:
    """The sequence of the event whose text is not the one that it tells; the first tells the payload, and of a job that
    has ended the last one the results."""
    for sequence, member, blob in ((1, "payload", work.payload), (job.sequence, "results", work.results)):
        for event in await store.history(job.uuid, sequence - 1, 1):
            if _told(event.data, member) != (None if blob is None else await _kept(store, blob)):
                await _job(store, job.uuid)  # or it was deleted meanwhile
                return sequence
    return None


def _told(data: bytes, member: str) -> Text | None:
    found = msgspec.json.decode(data)
    text = found.get(member) if isinstance(found, dict) else None
    return None if text is None else msgspec.convert(text, Text)


async def _kept(store: Store, blob: Blob) -> Text:
    digest, size, place = hashlib.sha256(), 0, 0
    while (chunk := await store.read_blob(blob.number, place)) is not None:
        digest.update(chunk)
        place, size = place + 1, size + len(chunk)
    return Text(size, digest.hexdigest())


async def verify_audit(store: AuditStore, keys: ChainKeys) -> AsyncIterator[Checked]:
    """Check the audit chain of every node; ``Checked.uuid`` is the node's name."""
    for node in await store.audit_nodes():
        yield await _verify_node(store, node, keys)


async def _verify_node(store: AuditStore, node: str, keys: ChainKeys) -> Checked:
    sequence, previous, after = 0, NO_LINK, None
    while True:
        page = await store.list_audit(node=node, after=after, limit=PAGE)
        for entry in page.items:
            if not follows(entry, sequence, previous, keys):
                return Checked(node, sequence, sequence + 1)
            sequence, previous = entry.sequence, entry.link
        after = page.next
        if not page.items or after is None:
            return Checked(node, sequence, None)


async def all_events(store: JobStore, uuid: str) -> list[Event]:
    """The whole history of a job as it stands now."""
    events: list[Event] = []
    while True:
        page = await store.history(uuid, events[-1].sequence if events else 0, PAGE)
        events += page
        if len(page) < PAGE:
            return events


async def _job(store: JobStore, uuid: str) -> Job:
    job = await store.find_job(uuid)
    if job is None:
        raise UnknownJob(uuid)
    return job
