"""What comes in beside what stands already: the same, an earlier state of it, or something else."""

from __future__ import annotations

from typing import Final, Literal

from msgspec.structs import replace

from jobpass.authority.catalogue import body_of, details_of, members_of, read_job
from jobpass.authority.export import as_line, job_document, pipeline_document
from jobpass.errors import InvalidInput
from jobpass.records import Details, Event, Imported, Pipeline, Standing

_SAME: Final = ("lifecycle", "pipeline_uuid", "created_at", "child_of", "archive_path", "archive_system", "session")

Stands = Literal["unchanged", "moved_on"]


def compare_jobs(new: Imported, old: Standing, owner: str, *, dry_run: bool) -> Stands:
    """What becomes of a job that stands; ``InvalidInput`` if that is another one. ``owner`` is the document's."""
    pairs = zip(new.events, old.events, strict=False)
    if not all(_same_event(one, other) for one, other in pairs):
        raise InvalidInput.at("history", "is not that of the job of this uuid which stands here")
    if len(new.events) > len(old.events):
        raise InvalidInput.at("history", "is longer than that of this job here, which came from an earlier dump")
    for field in _SAME if dry_run else (*_SAME, "owner"):
        if getattr(new.job, field) != getattr(old.job, field):
            raise InvalidInput.at(field, "is not that of the job of this uuid which stands here")
    if old.details != new.details != _brought_in(new, old, owner):
        raise InvalidInput("The job of this uuid which stands here has other links, patterns or attributes.")
    return "unchanged" if old.job.sequence == len(new.events) else "moved_on"


def compare_pipelines(new: Pipeline, old: Pipeline, owner: str) -> Stands:
    """The same of a pipeline."""
    if new.name == old.name and new.body in (old.body, body_of(members_of(pipeline_document(old, owner)))):
        return "unchanged"
    if new.created_at != old.created_at:
        raise InvalidInput.at("uuid", "is that of another pipeline which stands here")
    return "moved_on"


def _brought_in(new: Imported, old: Standing, owner: str) -> Details:
    """What an import makes of the job that stands, had it been exported when its history was as long as the new one:
    an export writes owner and dates into attributes, which a job that was made here does not have."""
    then = replace(old.job, sequence=len(new.events), updated_at=new.job.updated_at)
    text = job_document(then, old.details, old.events[: len(new.events)], owner)
    return details_of(read_job(text), members_of(text))


def _same_event(one: Event, other: Event) -> bool:
    return (one.uuid, one.name, one.at, one.state) == (other.uuid, other.name, other.at, other.state) and (
        one.data == other.data or one.data == bytes(as_line(other.data))
    )
