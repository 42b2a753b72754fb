"""From a document of the seed system to the job or pipeline that it becomes: replayed and chained, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final

from msgspec import Raw

from jobpass import ids
from jobpass.authority import catalogue
from jobpass.authority.chain import link
from jobpass.errors import IllegalTransition, InvalidInput, UnknownEvent
from jobpass.lifecycle.step import step
from jobpass.records import NO_LINK, Event, Imported, Job, LegacyToken, Pipeline

if TYPE_CHECKING:
    from jobpass.clock import Clock
    from jobpass.lifecycle.registry import Lifecycles
    from jobpass.ports import Archives, Randomness
    from jobpass.tokens.keyring import Keyring

CREDENTIAL: Final = "import:datacatalog"
"""What an imported event names as what authorised it."""


class Replay:
    """Makes records of documents, all of them without an owner (0). Every refusal is an ``InvalidInput``."""

    def __init__(
        self, keyring: Keyring, lifecycles: Lifecycles, archives: Archives, clock: Clock, randomness: Randomness
    ) -> None:
        self._keyring = keyring
        self._lifecycles = lifecycles
        self._archives = archives
        self._clock = clock
        self._randomness = randomness

    def job(
        self, document: catalogue.JobDocument, members: Mapping[str, Raw], legacy_until: datetime | None
    ) -> Imported:
        """The job of a document; ``members`` are those of its text."""
        _typed(document.uuid, "uuid", "pipelinejob")
        _typed(document.pipeline_uuid, "pipeline_uuid", "pipeline")
        events = self._events(document)
        first, last = events[0], events[-1]
        _expect("state", document.state, last.state)
        _expect("last_event", document.last_event.lower(), last.name)
        path, system = document.archive_path, document.archive_system
        if path is not None:
            path, system = self._archives.check(system, path), self._archives.resolve(system)
        job = Job(
            uuid=document.uuid,
            lifecycle=document.lifecycle,
            state=last.state,
            last_event=last.name,
            sequence=last.sequence,
            head=last.link,
            kid=self._keyring.signing_kid,
            serial=ids.serial(self._randomness(8)),
            owner=0,
            pipeline_uuid=document.pipeline_uuid,
            created_at=_date(document.properties, "created_date", first.at),
            updated_at=last.at if document.updated is None else catalogue.moment(document.updated, "updated"),
            child_of=tuple(document.child_of or ()),
            archive_path=path,
            session=document.session,
            archive_system=system,
        )
        legacy = None if legacy_until is None else _legacy(document, job, legacy_until)
        return Imported(job, catalogue.details_of(document, members), tuple(events), legacy)

    def pipeline(self, document: catalogue.PipelineDocument, members: Mapping[str, Raw]) -> Pipeline:
        """The pipeline of a document; it keeps its uuid, to which jobs refer, also if another one would follow."""
        _typed(document.uuid, "uuid", "pipeline")
        if not document.name:
            raise InvalidInput.at("name", "must not be empty")
        created_at = _date(document.properties, "created_date", self._clock.now())
        updated_at = _date(document.properties, "modified_date", created_at)
        return Pipeline(document.uuid, document.name, catalogue.body_of(members), 0, created_at, updated_at)

    def _events(self, document: catalogue.JobDocument) -> list[Event]:
        """The history as this installation would have recorded it."""
        lifecycle = self._lifecycles.get(document.lifecycle, "lifecycle")
        if not document.history:
            raise InvalidInput.at("history", "is empty: nothing tells how the job came to its state")
        if document.history[0].name.lower() != "create":
            raise InvalidInput.at("history[0].name", "is not create, with which a history begins")
        kid = self._keyring.signing_kid
        key = self._keyring.chain_key(kid)
        state, head, seen = lifecycle.initial, NO_LINK, set[str]()
        events = []
        for number, entry in enumerate(document.history):
            _typed(entry.uuid, f"history[{number}].uuid", "pipelinejob_event")
            if entry.uuid in seen:
                raise InvalidInput.at(f"history[{number}].uuid", "comes twice in this history")
            seen.add(entry.uuid)
            name = entry.name.lower()
            try:
                state = step(lifecycle, state, name)
            except (IllegalTransition, UnknownEvent) as error:
                raise InvalidInput.at(f"history[{number}].name", error.message) from None
            data = bytes(entry.data) if number else catalogue.data_of(document)
            at = catalogue.moment(entry.date, f"history[{number}].date")
            told = (number + 1, entry.uuid, name, data, at, state, CREDENTIAL, None, kid)
            head = link(key, head, document.uuid, Event(*told, NO_LINK))
            events.append(Event(*told, head))
        return events


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


def _legacy(document: catalogue.JobDocument, job: Job, until: datetime) -> LegacyToken | None:
    fields = catalogue.token_fields(document)
    if document.salt is None or fields is None:
        return None
    return LegacyToken(job.serial, job.kid, document.salt, fields, until)
