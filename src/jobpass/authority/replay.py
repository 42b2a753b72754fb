"""From documents of the seed system to the jobs and pipelines that they tell of: read and replayed, or refused.

What only this installation can add, owners' accounts, serials and chains, is not here: this part needs no key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Raw, Struct

from jobpass import ids
from jobpass.authority import catalogue
from jobpass.authority.catalogue import Kind
from jobpass.authority.profiles import read_address
from jobpass.errors import IllegalTransition, InvalidInput, UnknownEvent
from jobpass.lifecycle.step import step
from jobpass.records import NO_LINK, Details, Job, Pipeline

if TYPE_CHECKING:
    from jobpass.clock import Clock
    from jobpass.lifecycle.registry import Lifecycles
    from jobpass.ports import Archives

OWNER_DOMAIN: Final = "imported.invalid"
NOBODY: Final = "unknown"
"""The name of the owner where a document tells none."""


class Document(Struct, frozen=True):
    """One document of a dump: the line on which it begins, its text, and why it cannot be read, if so."""

    line: int
    text: bytes
    flaw: str | None = None


class Past(Struct, frozen=True, array_like=True, gc=False):
    """An entry of a history, with the state that it leads to."""

    uuid: str
    name: str
    data: bytes
    at: datetime
    state: str


class JobRead(Struct, frozen=True):
    """A job as its document tells it; ``owner`` is an address, ``old`` its salt and the text that was hashed with it.

    The job has no owner, serial, key and head yet.
    """

    line: int
    owner: str
    job: Job
    details: Details
    history: tuple[Past, ...]
    old: tuple[str, str] | None

    def __repr__(self) -> str:
        return f"JobRead(line={self.line}, uuid={self.job.uuid!r})"  # what makes the old token is not shown


class PipelineRead(Struct, frozen=True):
    """A pipeline, likewise."""

    line: int
    owner: str
    pipeline: Pipeline


class Refused(Struct, frozen=True):
    """A document that is not imported, and why."""

    line: int
    kind: Kind
    uuid: str | None
    reason: str


class Read(Struct, frozen=True):
    """What the documents of a batch tell of."""

    jobs: list[JobRead] = []
    pipelines: list[PipelineRead] = []
    refused: list[Refused] = []


class Replay:
    """Reads documents; with ``old_tokens`` also what the old tokens are checked with."""

    def __init__(
        self,
        lifecycles: Lifecycles,
        archives: Archives,
        clock: Clock,
        *,
        owner_domain: str = OWNER_DOMAIN,
        old_tokens: bool = False,
    ) -> None:
        self._lifecycles = lifecycles
        self._archives = archives
        self._clock = clock
        self._owner_domain = owner_domain
        self._old_tokens = old_tokens

    def read(self, documents: Iterable[Document]) -> Read:
        """What the documents tell of, each whole, or why it is refused."""
        found = Read([], [], [])
        for document in documents:
            self._read(document, found)
        return found

    def _read(self, document: Document, found: Read) -> None:
        kind: Kind = "others"
        uuid = None
        try:
            if document.flaw is not None:
                raise InvalidInput(document.flaw)
            members = catalogue.members_of(document.text)
            kind, uuid = catalogue.kind_of(members), catalogue.shown_uuid(members)
            if kind == "jobs":
                found.jobs.append(self._job(document, members))
            elif kind == "pipelines":
                found.pipelines.append(self._pipeline(document, members))
            else:
                raise InvalidInput("is neither a job nor a pipeline")
        except InvalidInput as error:
            found.refused.append(Refused(document.line, kind, uuid, error.message))

    def _job(self, document: Document, members: Mapping[str, Raw]) -> JobRead:
        found = catalogue.read_job(document.text)
        _typed(found.uuid, "uuid", "pipelinejob")
        _typed(found.pipeline_uuid, "pipeline_uuid", "pipeline")
        history = self._history(found)
        last = history[-1]
        _expect("state", found.state, last.state)
        _expect("last_event", found.last_event.lower(), last.name)
        path, system = found.archive_path, found.archive_system
        if path is not None:
            path, system = self._archives.check(system, path), self._archives.resolve(system)
        job = Job(
            uuid=found.uuid,
            lifecycle=found.lifecycle,
            state=last.state,
            last_event=last.name,
            sequence=len(history),
            head=NO_LINK,
            kid="",
            serial=0,
            owner=0,
            pipeline_uuid=found.pipeline_uuid,
            created_at=_date(found.properties, "created_date", history[0].at),
            updated_at=last.at if found.updated is None else catalogue.moment(found.updated, "updated"),
            child_of=tuple(found.child_of or ()),
            archive_path=path,
            session=found.session,
            archive_system=system,
        )
        details, owner = catalogue.details_of(found, members), self._owner(found.admin)
        return JobRead(document.line, owner, job, details, tuple(history), self._old(found))

    def _pipeline(self, document: Document, members: Mapping[str, Raw]) -> PipelineRead:
        """The pipeline of a document; it keeps its uuid, to which jobs refer, also if another one would follow."""
        found = catalogue.read_pipeline(document.text)
        _typed(found.uuid, "uuid", "pipeline")
        if not found.name:
            raise InvalidInput.at("name", "must not be empty")
        created_at = _date(found.properties, "created_date", self._clock.now())
        updated_at = _date(found.properties, "modified_date", created_at)
        pipeline = Pipeline(found.uuid, found.name, catalogue.body_of(members), 0, created_at, updated_at)
        return PipelineRead(document.line, self._owner(found.admin), pipeline)

    def _history(self, document: catalogue.JobDocument) -> list[Past]:
        """The history, where each entry follows on the one before."""
        lifecycle = self._lifecycles.get(document.lifecycle, "lifecycle")
        if not document.history:
            raise InvalidInput.at("history", "is empty: nothing tells how the job came to its state")
        if document.history[0].name.lower() != "create":
            raise InvalidInput.at("history[0].name", "is not create, with which a history begins")
        state, seen = lifecycle.initial, set[str]()
        history = []
        for number, entry in enumerate(document.history):
            place = f"history[{number}]"
            _typed(entry.uuid, f"{place}.uuid", "pipelinejob_event")
            if entry.uuid in seen:
                raise InvalidInput.at(f"{place}.uuid", "comes twice in this history")
            seen.add(entry.uuid)
            name = entry.name.lower()
            try:
                state = step(lifecycle, state, name)
            except (IllegalTransition, UnknownEvent) as error:
                raise InvalidInput.at(f"{place}.name", error.message) from None
            data = bytes(entry.data) if number else catalogue.data_of(document)
            history.append(Past(entry.uuid, name, data, catalogue.moment(entry.date, f"{place}.date"), state))
        return history

    def _owner(self, admin: object) -> str:
        """The address of a document's owner."""
        name = catalogue.owner_of(admin) or NOBODY
        try:
            return read_address(name if "@" in name else f"{name}@{self._owner_domain}")
        except InvalidInput:
            raise InvalidInput.at("_admin.owner", "cannot be the name of an account") from None

    def _old(self, document: catalogue.JobDocument) -> tuple[str, str] | None:
        fields = catalogue.token_fields(document) if self._old_tokens else None
        return None if document.salt is None or fields is None else (document.salt, fields)


def _typed(uuid: str, field: str, kind: str) -> None:
    found = ids.uuid_type(uuid, field)
    if found != kind:
        raise InvalidInput.at(field, f"is the uuid of a {found}, not of a {kind}")


def _expect(field: str, given: str, found: str) -> None:
    if given != found:
        raise InvalidInput.at(field, f"is {given[:64]!r}, but the history leads to {found!r}")


def _date(properties: Mapping[str, object] | None, name: str, otherwise: datetime) -> datetime:
    value = (properties or {}).get(name)
    return otherwise if value is None else catalogue.moment(value, f"_properties.{name}")
