"""A manager of a job that exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from datacatalog.linkedstores.pipelinejob.document import JobDocument
from datacatalog.linkedstores.pipelinejob.events import ADMIN_EVENTS, EventMethods
from datacatalog.linkedstores.pipelinejob.records import json_text
from datacatalog.linkedstores.pipelinejob.refusals import need_admin
from datacatalog.managers.common import Manager
from datacatalog.managers.pipelinejobs.config import DEFAULT_ARCHIVE_SYSTEM
from datacatalog.managers.pipelinejobs.exceptions import ManagedPipelineJobError, managed
from datacatalog.tokens.classes import Token
from datacatalog.tokens.exceptions import InvalidAdminToken

Params = tuple[tuple[str, bool, str, Any], ...]
"""Name, whether it is required, attribute and default of each."""

_CANNOT_CANCEL = 'Cannot cancel a job once it is running. Send a "fail" event instead.'


class JobManager(Manager, EventMethods):
    """Sends events to the job ``uuid`` with ``token``, or with the one that a call is given.

    ``state`` and ``last_event`` follow the events; what else a job has is read with the first of them, or by ``load``.
    Whatever goes wrong is a ``ManagedPipelineJobError``; only a missing administrative token is ``InvalidAdminToken``
    itself where one is needed.
    """

    PARAMS: ClassVar[Params] = (
        ("archive_path", False, "archive_path", None),
        ("archive_patterns", False, "archive_patterns", ()),
        ("archive_system", False, "archive_system", DEFAULT_ARCHIVE_SYSTEM),
        ("pipeline_uuid", False, "pipeline_uuid", None),
        ("token", False, "token", None),
        ("uuid", False, "uuid", None),
        ("state", False, "state", None),
        ("last_event", False, "last_event", None),
    )
    ADMIN_EVENTS: ClassVar[list[str]] = sorted(ADMIN_EVENTS)

    uuid: str | None
    token: Token | None
    state: str | None
    last_event: str | None
    archive_path: str | None
    archive_system: str | None
    pipeline_uuid: str | None

    def __init__(self, mongodb: Any, agave: Any = None, *args: Any, **kwargs: Any) -> None:
        Manager.__init__(self, mongodb, agave)
        self.cancelable = False
        self.job: JobDocument | None = None
        self._loaded = False
        self._take_params(kwargs)
        self.token = _token(kwargs.get("token"))

    def setup(self, data: Mapping[str, Any] | None = None) -> JobManager:
        """Nothing is to be done for a job that exists."""
        return self

    def attach(self, token: str | None = None) -> JobManager:
        """Read the job again; ``token`` becomes the manager's own."""
        return self.load(token=token)

    def load(self, job_uuid: str | None = None, token: str | None = None) -> JobManager:
        """Read the job ``job_uuid``, which becomes the manager's; ``token`` becomes its own."""
        wanted = self.uuid if job_uuid is None else job_uuid
        if wanted is None:
            raise ManagedPipelineJobError("Unable to load job contents")
        if wanted != self.uuid:
            self.token = None  # it was another job's
        if token is not None:
            self.token = _token(token)
        job = self._find(wanted)
        if job is None:
            raise ManagedPipelineJobError(f"No job {wanted} was found")
        self.job = job.come_from(self)
        self._take_job(job)
        return self

    def handle(self, event_name: str, data: Any = None, token: str | None = None, **kwargs: Any) -> JobDocument:
        """Send the event ``event_name``, in whatever case it is written, with ``token`` or the manager's own."""
        with managed():
            return self._event(event_name, data, token)

    def cancel(self, token: str | None = None) -> None:
        """Take away a job to which nothing has happened since it was made; its own token is enough."""
        with managed():
            if self.uuid is None:
                raise ValueError("Job UUID cannot be empty")
            if not self.cancelable:
                raise ManagedPipelineJobError(_CANNOT_CANCEL)
            self.stores.pipelinejob.cancel(self.uuid, self.token if token is None else token)
            self.job = None

    def delete(self, token: str | None = None) -> JobManager:
        """Delete the job with its history, in any state. Needs an administrative token; the archive stays."""
        with managed():
            if self.uuid is None:
                raise ValueError("Job UUID cannot be empty")
            self.stores.pipelinejob.delete(self.uuid, self.token if token is None else token)
            self.job = None
            for _, _, name, _ in self.PARAMS:
                setattr(self, name, None)
            self.token = None
            return self

    def ready(self, data: Any = None, token: str | None = None) -> JobDocument:
        """End a reset that is not finished. Needs an administrative token, given here."""
        with managed(InvalidAdminToken):
            return self._event("ready", data, need_admin(token))

    def serialize_data(self) -> str:
        """The job's data, minified."""
        return json_text(getattr(self, "data", {}))

    def archive_uri(self) -> str:
        """Where the job's outputs are."""
        return f"agave://{self.archive_system}{self.archive_path}"

    def __repr__(self) -> str:
        return f"uuid: {self.uuid}\npipeline: {self.pipeline_uuid}\narchive_uri: {self.archive_uri()}"

    def _send(self, name: str, data: Any, token: str | None) -> JobDocument:
        return self.handle(name, data, token)

    def _reset(self, data: Any, token: str | None, *, no_clear_path: bool, permissive: bool) -> JobDocument:
        with managed(InvalidAdminToken):
            presented = need_admin(token)
            if self.uuid is None:
                self.setup()
            answer = self.stores.pipelinejob.reset(
                self.uuid, data, presented, no_clear_path=no_clear_path, permissive=permissive
            )
            return self._took(answer)

    def _event(self, name: str, data: Any, token: str | None) -> JobDocument:
        if str(name).lower() in ADMIN_EVENTS:
            need_admin(self.token if token is None else token)
        if self.uuid is None:
            self.setup()
        document = {"uuid": self.uuid, "name": name, "data": {} if data is None else data}
        return self._took(self.stores.pipelinejob.handle(document, self.token if token is None else token))

    def _find(self, uuid: str) -> JobDocument | None:
        """The job, read for the connection, or with the manager's own token where that says nothing."""
        store = self.stores.pipelinejob
        with managed():
            if self.token is not None:
                return store.find_one_by_uuid(uuid, self.token)
            return store.find_one_by_uuid(uuid)

    def _took(self, job: JobDocument) -> JobDocument:
        """An event's answer, after the manager has taken note of it."""
        self.job = job.come_from(self)
        self.cancelable = False
        if not self._loaded:
            self._take_job(job)
        self.state, self.last_event = job["state"], job["last_event"]
        return job

    def _take_job(self, job: JobDocument) -> None:
        self._take_params(job)
        self._loaded = True
        self.state, self.last_event = job["state"], job["last_event"]

    def _take_params(self, given: Any) -> None:
        """Take over the PARAMS of a job or of keyword arguments; the token is not among what a job tells."""
        for name, _, attribute, default in self.PARAMS:
            if name != "token":
                value = given.get(name)
                present = list(default) if isinstance(default, tuple) else default
                setattr(self, attribute, present if value is None else value)


def _token(given: object) -> Token | None:
    return None if given is None else Token(given)
