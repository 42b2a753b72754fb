"""The files of jobs: have them indexed, and list them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from jobpass.authority.indexing import Asked, links_of
from jobpass.authority.jobs import Accepted
from jobpass.errors import InvalidInput
from jobpass.server import present
from jobpass.server.body import read_body
from jobpass.server.call import Call
from jobpass.server.jobs import PAGE_BYTES, job_uuid
from jobpass.server.query import integer, limit
from jobpass.wire.files import WAIT_SECONDS, FileAnswer, FilePage, IndexAnswer, IndexRequest
from jobpass.wire.messages import EventAnswer
from jobpass.wire.strict import decode

if TYPE_CHECKING:
    from jobpass.authority.indexing import Files, Progress

LINK_BYTES: Final = 40
"""Of one link in an answer."""

_index = msgspec.json.Decoder(IndexRequest)


async def index(call: Call) -> EventAnswer:
    """``POST /api/pipelinejobs/{uuid}/index``: the body may be absent."""
    uuid, body = job_uuid(call), await read_body(call)
    wanted = decode(body, _index) if body else IndexRequest()
    filters = None if wanted.filters is msgspec.UNSET else bytes(wanted.filters)
    asked = Asked(filters, wanted.level, wanted.fixity, wanted.transition)
    event = await call.authority.indexing.begin(call.bearer, uuid, asked)
    call.counters.accepted(event.name)
    return present.accepted(uuid, Accepted(event, None), None)


async def progress(call: Call) -> IndexAnswer:
    """``GET /api/pipelinejobs/{uuid}/index``; with ``wait`` the answer comes when it has ended, or so much later."""
    seconds = integer(call.query, "wait", 0, 0, WAIT_SECONDS)
    return _progress(await call.authority.indexing.progress(call.bearer, job_uuid(call), seconds))


async def list_files(call: Call) -> FilePage:
    """``GET /api/pipelinejobs/{uuid}/files``; with very many links a page is shorter than it was asked to be."""
    uuid, query, count, kind = job_uuid(call), call.query, limit(call.query), _kind(call.query.get("kind"))
    while True:
        found = await call.authority.indexing.files(
            call.bearer, uuid, kind=kind, level=query.get("level"), after=query.get("after"), limit=count
        )
        shown = _whole(found)
        if shown == len(found.page.items):
            return FilePage(_answers(found), found.page.next)
        count = shown


def _kind(text: str | None) -> Literal["archive", "product"] | None:
    match text:
        case None | "archive" | "product":
            return text
    raise InvalidInput.at("query.kind", "must be archive or product")


def _whole(found: Files) -> int:
    """How many of the files fit into a page, one at least."""
    size = 0
    for number, file in enumerate(found.page.items):
        links = links_of(file, found.sources[file.run])
        size += LINK_BYTES * (len(links.generated_by) + len(links.derived_from) + len(links.derived_using))
        if size > PAGE_BYTES:
            return max(1, number)
    return len(found.page.items)


def _answers(found: Files) -> list[FileAnswer]:
    answers = []
    for file in found.page.items:
        links = links_of(file, found.sources[file.run])
        answers.append(
            FileAnswer(
                path=file.path,
                uuid=file.uuid,
                kind=file.kind,
                level=file.level,
                size=file.size,
                modified_at=file.modified_at,
                sha256=file.digest,
                run=file.run,
                indexed_at=file.indexed_at,
                generated_by=list(links.generated_by),
                derived_from=list(links.derived_from),
                derived_using=list(links.derived_using),
            )
        )
    return answers


def _progress(found: Progress) -> IndexAnswer:
    job, run = found.job, found.run
    if run is None:
        return IndexAnswer(job.uuid, job.state, running=False)
    return IndexAnswer(
        uuid=job.uuid,
        state=job.state,
        running=found.running,
        run=run.number,
        begun_at=run.begun_at,
        ended_at=run.ended_at,
        total_files=run.total_files,
        total_bytes=run.total_bytes,
        files=run.files,
        bytes=run.bytes,
        error=run.error,
    )
