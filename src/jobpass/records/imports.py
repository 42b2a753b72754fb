"""What comes from elsewhere with its history."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from jobpass.records.jobs import Details, Event, Job, Pipeline


class LegacyToken(Struct, frozen=True):
    """What the old token of an imported job is checked with, kept apart from all that is shown.

    ``fields`` is the text that the old algorithm hashed after ``salt``; it stands for the job's token of ``serial`` and
    ``kid``, and ends with it, at ``until`` at the latest.
    """

    serial: int
    kid: str
    salt: str
    fields: str
    until: datetime

    def __repr__(self) -> str:
        return f"LegacyToken(until={self.until!r}, …)"


class Imported(Struct, frozen=True):
    """A job with its whole history, as an import brings it."""

    job: Job
    details: Details
    events: tuple[Event, ...]
    legacy: LegacyToken | None = None


class Standing(Struct, frozen=True):
    """A job that stands already where one is imported, with the first events of its history."""

    job: Job
    details: Details
    events: tuple[Event, ...]


class Progress(Struct, frozen=True):
    """How far the import of the file ``source`` came: its first ``documents``, whose SHA-256 is ``digest``, are done.

    ``counts`` is a JSON object of what became of them.
    """

    source: str
    documents: int
    digest: bytes
    counts: bytes


class ImportBatch(Struct, frozen=True):
    """What an import writes in one piece: new jobs and pipelines, and how far it came with them."""

    jobs: tuple[Imported, ...]
    pipelines: tuple[Pipeline, ...]
    progress: Progress
