"""The store of jobs."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Final

import jobpass
from datacatalog import settings
from datacatalog.identifiers.typeduuid import catalog_uuid
from datacatalog.linkedstores.basestore.exceptions import CatalogError
from datacatalog.linkedstores.pipelinejob.document import JobDocument, JobHistory, naive
from datacatalog.linkedstores.pipelinejob.events import ADMIN_EVENTS, EventMethods
from datacatalog.linkedstores.pipelinejob.exceptions import JobError, UnknownJob, UnknownPipeline
from datacatalog.linkedstores.pipelinejob.records import json_text, members, patterns, plain
from datacatalog.linkedstores.pipelinejob.refusals import need_admin, no_job, refusal, refused_token
from datacatalog.mongo import db_connection
from datacatalog.tokens.classes import Token
from jobpass import Client, errors

DEFAULT_LINK_FIELDS: Final = ["child_of", "acted_on", "acted_using", "generated_by"]


class PipelineJobStore:
    """Jobs, by uuid; ``mongodb`` says where they are (``datacatalog.mongo.db_connection``).

    Reading and making jobs is done for whoever the connection speaks for. Every event needs a token of its own: the one
    that is given, and no other, decides.
    """

    LINK_FIELDS = DEFAULT_LINK_FIELDS

    def __init__(self, mongodb: Any, config: Any = None, session: Any = None, agave: Any = None, **kwargs: Any) -> None:
        self._connection = db_connection(mongodb)

    def create(self, job_document: Mapping[str, Any], *, make_archive_path: bool = False, **kwargs: Any) -> JobDocument:
        """Make the job that ``job_document`` describes; its ``token`` is the job's document token.

        One's own job of the same description is found again, as it stands. Raises ``DuplicateJobError`` for somebody
        else's, or if anything but pipeline, parents and data differs, and for a directory that is somebody else's. With
        ``make_archive_path`` the server makes the job's directory, if it can.
        """
        if not hasattr(job_document.get("data"), "items"):
            raise AttributeError("Document lacks 'data', which must be a mapping")
        if "child_of" not in job_document:
            raise KeyError("Document lacks identifying field 'child_of'")
        job_uuid = self.uuid_from_properties(job_document)
        client = self._connection.own()
        try:
            job = client.create_job(**_arguments(job_document), make_archive_path=make_archive_path)
        except errors.Error as error:
            raise refusal(error, job_uuid, "create") from error
        return self._full(client, job, job.token)

    def handle(
        self, event_document: Mapping[str, Any], token: str | None = None, data: Any = None, **kwargs: Any
    ) -> JobDocument:
        """Send an event: ``{'uuid', 'name', 'data'?, 'token'?}``. The argument ``token`` counts before the document's.

        Raises ``UnknownJob``, ``KeyError`` for a name that is no event, ``MachineError`` for one that is not legal now,
        ``InvalidToken`` (``InvalidAdminToken`` for reset and ready), and ``TypeError`` for data that JSON cannot hold.
        """
        job_uuid = event_document.get("uuid")
        if type(job_uuid) is not str:
            raise no_job(job_uuid)
        name = event_document["name"]
        if not isinstance(name, str) or not name.isascii():
            raise KeyError(name)
        name = name.lower()
        presented = event_document.get("token") if token is None else token
        client = self._bearing(presented, name)
        payload = event_document.get("data", data)
        try:
            answer = client.send(job_uuid, name, payload)
        except errors.InvalidInput as error:
            if "json.data" not in error.detail["fields"] or "request_id" in error.detail:
                raise refusal(error, job_uuid, name) from error
            answer = self._send_plain(client, job_uuid, name, payload)
        except errors.Error as error:
            raise refusal(error, job_uuid, name) from error
        return self._answer(client, answer, presented)

    def delete(self, job_uuid: str, token: str | None, force: bool = True) -> None:
        """Delete a job with its history. Needs an admin token."""
        if not force:
            raise ValueError("A job is deleted for good, or retired: there is no invisible one")
        self._act("delete", job_uuid, need_admin(token))

    def cancel(self, job_uuid: str, token: str | None) -> None:
        """Take a job away to which nothing has happened since it was made. Its document token is enough."""
        self._act("cancel", job_uuid, token)

    def reset(
        self, job_uuid: Any, data: Any, token: str | None, *, no_clear_path: bool = False, permissive: bool = False
    ) -> JobDocument:
        """Reset a job and make it ready; see ``EventMethods.reset``. Needs an admin token."""
        if type(job_uuid) is not str:
            raise no_job(job_uuid)
        client = self._bearing(need_admin(token), "reset")
        payload = {} if data is None else plain(data)
        try:
            try:
                answer = client.reset_job(job_uuid, payload, no_clear_path=no_clear_path)
            except errors.ArchiveFailed:
                if not permissive:
                    raise
                answer = client.reset_job(job_uuid, payload, no_clear_path=True)
        except errors.Error as error:
            raise refusal(error, job_uuid, "reset") from error
        return self._answer(client, answer, token)

    def history(
        self, job_uuid: str, limit: int | None = None, skip: int | None = None, token: str | None = None
    ) -> JobHistory | list[dict[str, Any]]:
        """The events of a job; with ``limit`` or ``skip`` some of them, as a list."""
        job = self.find_one_by_uuid(job_uuid, token)
        if job is None:
            raise no_job(job_uuid)
        events: JobHistory = job["history"]
        if limit is None and skip is None:
            return events
        first = skip or 0
        return events[first : None if limit is None else first + limit]

    def list_job_archive_path(
        self, job_uuid: str, recurse: bool = True, directories: bool = False, token: str | None = None, **kwargs: Any
    ) -> Iterator[str]:
        """The paths of the files that indexing found in a job's archive path, one after the other as they are read.

        Without ``recurse`` only those right in it. Directories are never among them.
        """
        job = self.find_one_by_uuid(job_uuid, token)
        if job is None:
            raise no_job(job_uuid)
        client = self._connection.own() if token is None else self._connection.bearing(token)
        above = f"{(job.get('archive_path') or '').rstrip('/')}/"
        files = client.iter_files(job_uuid)
        return (file.path for file in files if recurse or "/" not in file.path.removeprefix(above))

    def find_one_by_uuid(self, uuid: str, token: str | None = None) -> JobDocument | None:
        """The job as it stands, read for the connection or, if it is given, with ``token``; None if there is none."""
        if type(uuid) is not str:
            raise CatalogError("A uuid is a text")
        client = self._connection.own() if token is None else self._connection.bearing(token)
        try:
            job = client.job(uuid)
        except (errors.UnknownJob, errors.InvalidInput):
            return None
        except errors.Error as error:
            raise refusal(error, uuid) from error
        return self._full(client, job, token)

    def fsm_state_png(self, uuid: str, token: str | None = None) -> bytes:
        """A picture of the state machine with the job's state and its way so far marked, in base64.

        It is a PNG where graphviz is installed, else an SVG. The job is read for the connection, or with ``token``.
        Raises ``JobError`` with the reason as its second argument.
        """
        try:
            if type(uuid) is not str:
                raise no_job(uuid)
            client = self._connection.own() if token is None else self._connection.bearing(token)
            return base64.b64encode(_picture(client, uuid))
        except errors.UnknownJob as error:
            raise JobError("Failed to get_graph", ValueError(f"Unable to retrieve job {uuid}")) from error
        except (errors.Error, UnknownJob) as error:
            raise JobError("Failed to get_graph", error) from error

    def token_of(self, uuid: str) -> Token | None:
        """The job's document token, if the connection speaks for its owner; else None."""
        try:
            return Token(self._connection.own().job_token(uuid))
        except (errors.NotFound, errors.Denied, errors.InvalidToken):
            return None

    def uuid_from_properties(self, job_document: Mapping[str, Any], **kwargs: Any) -> str:
        """The uuid that ``job_document`` has or gets; ``Exception`` with ``UnknownPipeline`` if that is unknown."""
        self.validate_pipeline_uuid(job_document.get("pipeline_uuid"))
        given = job_document.get("uuid")
        return self.get_typeduuid(job_document) if given is None else str(given)

    def validate_pipeline_uuid(self, pipeline_uuid: Any) -> bool:
        """True if the pipeline is known."""
        try:
            if not isinstance(pipeline_uuid, str):
                raise UnknownPipeline("A pipeline's uuid is a text")
            self._connection.own().pipeline(pipeline_uuid)
        except (UnknownPipeline, errors.Error) as error:
            reason = error if isinstance(error, UnknownPipeline) else refusal(error)
            raise Exception("Failed to validate pipeline UUID", reason) from error
        return True

    def get_typeduuid(self, payload: Mapping[str, Any] | str) -> str:
        """The uuid that follows from a job's pipeline, parents and data, or from a text."""
        if isinstance(payload, str):
            return catalog_uuid(payload, "pipelinejob")
        fields = [payload[name] for name in ("pipeline_uuid", "child_of", "data") if name in payload]
        texts = sorted(json_text(field) if isinstance(field, dict) else str(field) for field in fields)
        return catalog_uuid(":".join(texts), "pipelinejob")

    def _act(self, action: str, job_uuid: Any, token: str | None) -> None:
        if type(job_uuid) is not str:
            raise no_job(job_uuid)
        client = self._bearing(token, action)
        try:
            client.delete_job(job_uuid) if action == "delete" else client.cancel_job(job_uuid)
        except errors.Error as error:
            raise refusal(error, job_uuid, action) from error

    def _bearing(self, token: str | None, name: str) -> Client:
        """A client that presents ``token``, if it can open ``name`` at all."""
        if not isinstance(token, str):
            raise refused_token(name)
        if name in ADMIN_EVENTS:
            need_admin(token)
        try:
            return self._connection.bearing(token)
        except errors.InvalidToken as error:
            raise refused_token(name) from error

    def _send_plain(self, client: Client, job_uuid: str, name: str, data: Any) -> Any:
        """Send data that JSON does not hold as they are: sets as arrays, times as texts."""
        try:
            return client.send(job_uuid, name, plain(data))
        except errors.Error as error:
            raise refusal(error, job_uuid, name) from error

    def _answer(self, client: Client, answer: Any, presented: str | None) -> JobDocument:
        uuid = answer.uuid
        now = {
            "uuid": uuid,
            "state": answer.state,
            "last_event": answer.last_event,
            "updated": naive(answer.at),
            "token": None if answer.token is None else Token(answer.token),
        }
        sequence = answer.sequence
        return JobDocument(now, lambda: self._read(client, uuid, sequence), StoredJob(self, uuid), presented)

    def _full(self, client: Client, job: Any, token: str | None) -> JobDocument:
        uuid = job.uuid
        now = {"uuid": uuid, "state": job.state, "last_event": job.last_event, "updated": naive(job.updated_at)}
        now["token"] = Token(token) if token is not None and token.startswith("jp_doc_") else None
        sequence = job.sequence
        return JobDocument(now, lambda: self._read(client, uuid, sequence), StoredJob(self, uuid), token)

    def _read(self, client: Client, uuid: str, sequence: int) -> Mapping[str, Any]:
        try:
            job = client.job(uuid)
        except errors.Error as error:
            raise refusal(error, uuid) from error
        return {**members(job, sequence), "history": JobHistory(client, uuid, sequence)}


class StoredJob(EventMethods):
    """The events of one job, straight to its store."""

    __slots__ = ("_store", "_uuid")

    def __init__(self, store: PipelineJobStore, uuid: str) -> None:
        self._store = store
        self._uuid = uuid

    def _send(self, name: str, data: Any, token: str | None) -> JobDocument:
        return self._store.handle({"uuid": self._uuid, "name": name, "data": {} if data is None else data}, token)

    def _reset(self, data: Any, token: str | None, *, no_clear_path: bool, permissive: bool) -> JobDocument:
        return self._store.reset(self._uuid, data, token, no_clear_path=no_clear_path, permissive=permissive)


def _picture(client: Client, uuid: str) -> bytes:
    job = client.job(uuid)
    lifecycle = next((one for one in client.lifecycles() if one.name == job.lifecycle), None)
    if lifecycle is None:
        raise errors.SetupError(f"There is no lifecycle {job.lifecycle} any more.")
    try:
        return jobpass.draw_job(lifecycle, client.iter_history(uuid), job.state, "png", job=uuid)
    except errors.SetupError:  # no graphviz, or one that draws no pixels
        return jobpass.draw_job(lifecycle, client.iter_history(uuid), job.state, "svg", job=uuid)


def _arguments(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the SDK makes the job from."""
    attributes = {name: document[name] for name in ("agent", "task") if document.get(name) is not None}
    attributes["_admin"] = {
        "owner": _owner(),
        "project": settings.TACC_PROJECT_NAME,
        "tenant": settings.TACC_TENANT,
    }
    attributes["source"] = settings.RECORDS_SOURCE
    given: dict[str, Any] = {
        "pipeline_uuid": document["pipeline_uuid"],
        "data": dict(document["data"]),
        "child_of": list(document["child_of"]),
        "archive_path": document.get("archive_path"),
        "archive_system": document.get("archive_system"),
        "session": document.get("session"),
        "acted_on": list(document.get("acted_on") or ()),
        "acted_using": list(document.get("acted_using") or ()),
        "archive_patterns": patterns(document.get("archive_patterns")),
        "product_patterns": patterns(document.get("product_patterns")),
        "attributes": attributes,
    }
    if document.get("generated_by"):
        given["generated_by"] = list(document["generated_by"])
    if document.get("uuid") is not None:
        given["uuid"] = document["uuid"]
    return given


def _owner() -> str | None:
    try:
        return settings.username()
    except ValueError:  # over HTTP the server knows who asks; in process nobody comes this far without a name
        return None


class StoreInterface(PipelineJobStore):
    """The name under which the original's packages looked for their store."""


__all__ = ["DEFAULT_LINK_FIELDS", "PipelineJobStore", "StoreInterface", "StoredJob", "UnknownJob"]
