"""One job, by its uuid, for who has a token of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from datacatalog.linkedstores.pipelinejob.document import JobDocument
from datacatalog.linkedstores.pipelinejob.events import EventMethods
from datacatalog.linkedstores.pipelinejob.refusals import need_admin, no_job
from datacatalog.managers.pipelinejobs.indexer import Indexer
from datacatalog.tokens.classes import Token


class ManagedPipelineJobInstance(Indexer, EventMethods):
    """The job ``uuid``, and no other: every event method and ``handle`` act on it, with ``token`` unless told.

    Raises ``ValueError`` where there is no such job for the token, or, without one, for the connection. Errors of
    events are those of the store: ``MachineError``, ``UnknownJob``, ``KeyError``, ``InvalidToken``.
    """

    PARAMS = (
        "state",
        "archive_path",
        "archive_system",
        "archive_patterns",
        "product_patterns",
        "generated_by",
        "child_of",
        "acted_on",
        "acted_using",
        "pipeline_uuid",
        "last_event",
    )

    state: str
    last_event: str
    archive_path: str | None
    archive_system: str | None
    pipeline_uuid: str

    def __init__(self, mongodb: Any, uuid: str, agave: Any = None, *, token: str | None = None, **kwargs: Any) -> None:
        super().__init__(mongodb, agave)
        self.uuid = uuid
        self.token = None if token is None else Token(token)
        job = self.stores.pipelinejob.find_one_by_uuid(uuid, self.token)
        if job is None:
            raise ValueError(f"Failed to instantiate instance of job {uuid}")
        self.job = job.come_from(self)
        for name in self.PARAMS:
            setattr(self, name, job.get(name))

    def handle(self, event_doc: Mapping[str, Any], token: str | None = None) -> JobDocument:
        """Send an event: ``{'name', 'data'?, 'uuid'?, 'token'?}``.

        The token is the argument, else the document's, else the instance's own. A ``uuid`` must be that of this job.
        """
        if event_doc.get("uuid", self.uuid) != self.uuid:
            raise no_job(event_doc["uuid"])
        presented = event_doc.get("token") if token is None else token
        document = {"uuid": self.uuid, "name": event_doc["name"], "data": event_doc.get("data")}
        return self._took(self.stores.pipelinejob.handle(document, self.token if presented is None else presented))

    def index(  # type: ignore[override]  # the order of the arguments is that of the original
        self,
        token: str | None = None,
        transition: bool = False,
        level: str = "1",
        fixity: bool = False,
        filters: Sequence[Mapping[str, Any]] | None = None,
        permissive: bool = False,
        **kwargs: Any,
    ) -> list[str] | JobDocument:
        """Have the job's archive path indexed by ``filters``, else by the job's own patterns; which paths fit.

        Without ``filters`` the files are read for their digests; with them, if ``fixity`` is asked for. With
        ``transition`` the job then says that it is done, and is the answer.
        """
        presented = self.token if token is None else token
        found = self._index(
            filters or None,
            presented,
            fixity=fixity if filters else True,
            transition=False,
            permissive=permissive,
            level=level,
        )
        if transition:
            return self.indexed(presented)
        job = self.stores.pipelinejob.find_one_by_uuid(self.uuid, presented)
        if job is not None:
            self._took(job)
        return found

    def indexed(  # type: ignore[override]
        self, token: str | None = None, data: Any = None, **kwargs: Any
    ) -> JobDocument:
        """Say that indexing is done."""
        return self._send("indexed", data, token)

    def ready(self, data: Any = None, token: str | None = None) -> JobDocument:
        """End a reset that is not finished. Needs an administrative token: given here, or the instance's own."""
        return self._send("ready", data, need_admin(self.token if token is None else token))

    def __repr__(self) -> str:
        return f"ManagedPipelineJobInstance({self.uuid!r}, state={self.state!r})"

    def _send(self, name: str, data: Any, token: str | None) -> JobDocument:
        return self.handle({"name": name, "data": {} if data is None else data}, token)

    def _reset(self, data: Any, token: str | None, *, no_clear_path: bool, permissive: bool) -> JobDocument:
        presented = need_admin(self.token if token is None else token)
        answer = self.stores.pipelinejob.reset(
            self.uuid, data, presented, no_clear_path=no_clear_path, permissive=permissive
        )
        return self._took(answer)

    def _took(self, job: JobDocument) -> JobDocument:
        self.job = job.come_from(self)
        self.state, self.last_event = job["state"], job["last_event"]
        return job
