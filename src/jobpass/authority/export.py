"""Jobs and pipelines as documents of the seed system's catalogue: MongoDB's extended JSON, one document a line.

No secrets: salts do not come back, and tokens are in no record. What a document has no place for (who authorised an
event, idempotency keys) stays here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import Raw

from jobpass.authority.catalogue import NAMES, SHOWN_AS_IT_IS, written
from jobpass.authority.history import PAGE, all_events
from jobpass.records import Details, Event, Job, Pipeline

if TYPE_CHECKING:
    from jobpass.ports import Store

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_admin = msgspec.json.Decoder(dict[str, Any]).decode
_names = msgspec.json.Decoder(dict[str, str]).decode
T = TypeVar("T")


async def documents(store: Store) -> AsyncIterator[bytes]:
    """Every pipeline, then every job, in order of creation; each is one line without its end."""
    owners: dict[int, str] = {}
    after = None
    while True:
        pipelines = await store.list_pipelines(after=after, limit=PAGE)
        for pipeline in pipelines.items:
            yield pipeline_document(pipeline, await _owner(store, pipeline.owner, owners))
        after = pipelines.next
        if after is None:
            break
    while True:
        jobs = await store.list_jobs(owner=None, state=None, pipeline_uuid=None, after=after, limit=PAGE)
        for job in jobs.items:
            details = await store.find_details(job.uuid)
            # The row may be older than its history: of that, what the row knows.
            events = (await all_events(store, job.uuid))[: job.sequence]
            if details is not None and events:  # else it was deleted since the page was read
                yield job_document(job, details, events, await _owner(store, job.owner, owners))
        after = jobs.next
        if after is None:
            return


async def _owner(store: Store, number: int, owners: dict[int, str]) -> str:
    if number not in owners:
        principal = await store.find_principal(number)
        owners[number] = principal.email if principal is not None else ""
    return owners[number]


def pipeline_document(pipeline: Pipeline, owner: str) -> bytes:
    """The line of a pipeline whose owner has this address."""
    members = _members(pipeline.body)
    document: dict[str, Any] = {"uuid": pipeline.uuid} | {name: as_line(raw) for name, raw in members.items()}
    document["_admin"] = _owned(members.get("_admin"), owner)
    document["_properties"] = _properties(members.get("_properties"), pipeline.created_at, pipeline.updated_at)
    return _encode(document)


def job_document(job: Job, details: Details, events: Sequence[Event], owner: str) -> bytes:
    """The line of a job, likewise, with its whole history."""
    attributes = _members(details.attributes)
    sent = _kept(attributes.pop(NAMES, None), _names)
    source = attributes.pop("source", None)
    properties = _properties(attributes.pop("_properties", None), job.created_at, job.updated_at)
    properties.setdefault("revision", job.sequence - 1)
    if source is not None:
        properties["source"] = source
    shown: dict[str, Any] = {name: as_line(attributes.pop(name)) for name in SHOWN_AS_IT_IS if name in attributes}
    document: dict[str, Any] = {
        "uuid": job.uuid,
        "pipeline_uuid": job.pipeline_uuid,
        "state": job.state,
        "last_event": job.last_event,
        "updated": written(job.updated_at),
        "data": as_line(events[0].data),
        "session": job.session,
        "archive_path": job.archive_path,
        "archive_system": job.archive_system,
        "archive_patterns": as_line(details.archive_patterns),
        "product_patterns": as_line(details.product_patterns),
        "child_of": job.child_of,
        "generated_by": details.generated_by,
        "acted_on": details.acted_on,
        "acted_using": details.acted_using,
        "history": [_entry(event, sent) for event in events],
        "_visible": True,
        **shown,
        "_admin": _owned(attributes.pop("_admin", None), owner),
        "_properties": properties,
    }
    if job.lifecycle != "pipeline":
        document["lifecycle"] = job.lifecycle
    if attributes:
        document["attributes"] = {name: as_line(raw) for name, raw in attributes.items()}
    return _encode(document)


def _entry(event: Event, sent: Mapping[str, str]) -> dict[str, Any]:
    name = sent.get(str(event.sequence), event.name)
    name = name if name.lower() == event.name else event.name
    return {"date": written(event.at), "data": as_line(event.data), "name": name, "uuid": event.uuid}


def _properties(given: Raw | None, created_at: datetime, updated_at: datetime) -> dict[str, Any]:
    kept: dict[str, Any] = {name: as_line(raw) for name, raw in _kept(given, _members).items()}
    return kept | {"created_date": written(created_at), "modified_date": written(updated_at)}


def _owned(given: Raw | None, owner: str) -> dict[str, Any]:
    """Whose it is, in the words that it came with if they tell of this account: anybody may have written them."""
    admin = _kept(given, _admin)
    if admin.get("owner") in (owner, owner.partition("@")[0]):
        return admin
    return admin | {"owner": owner}


def _kept(given: Raw | None, read: Callable[[Raw], dict[str, T]]) -> dict[str, T]:
    """What an attribute holds if it is as an import leaves it, else nothing."""
    try:
        return {} if given is None else read(given)
    except msgspec.MsgspecError:
        return {}


def as_line(text: Raw | bytes) -> Raw:
    """JSON text without line ends between its values; the text itself if it has none."""
    found = bytes(text)
    return Raw(msgspec.json.format(found, indent=-1) if b"\n" in found or b"\r" in found else found)
