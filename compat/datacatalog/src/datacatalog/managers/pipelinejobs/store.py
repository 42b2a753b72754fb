"""A manager that makes a job."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

from datacatalog import settings
from datacatalog.dicthelpers import data_merge
from datacatalog.identifiers import interestinganimal
from datacatalog.identifiers.typeduuid import catalog_uuid, uuid_to_hashid
from datacatalog.linkedstores.pipelinejob.document import JobDocument
from datacatalog.linkedstores.pipelinejob.exceptions import DuplicateJobError
from datacatalog.linkedstores.pipelinejob.records import json_text
from datacatalog.managers import resolve
from datacatalog.managers.pipelinejobs.callbacks import Callbacks
from datacatalog.managers.pipelinejobs.config import DEFAULT_ARCHIVE_SYSTEM, PipelineJobsConfig
from datacatalog.managers.pipelinejobs.exceptions import ManagedPipelineJobError, managed
from datacatalog.managers.pipelinejobs.jobmanager import JobManager, Params
from datacatalog.settings import environment

_APP_ID: Final = re.compile(r"[a-zA-Z0-9_.-]+-(0|[1-9]+\d*)[.\d]+(u[0-9]+)?")
_MAX_APP_ID: Final = 64
_MIN_SESSION: Final = 4
_DESCRIPTION: Final = (
    "pipeline_uuid",
    "archive_path",
    "archive_system",
    "archive_patterns",
    "product_patterns",
    "data",
    "session",
    "agent",
    "task",
    "generated_by",
    "child_of",
    "acted_on",
    "acted_using",
)


class ManagedPipelineJob(Callbacks, JobManager):
    """Makes the job that a pipeline, parents and data describe, and manages it. The same description is the same job.

    ``pipelines`` holds ``pipeline_uuid``, which the keyword of that name overrides. Keywords: ``agent``, ``task``,
    ``session``, ``data``, ``inputs``, ``level_store``, ``archive_path`` (computed unless given), ``archive_system``,
    ``archive_patterns``, ``product_patterns``, ``token``, and the first of ``experiment_design_id``, ``experiment_id``,
    ``sample_id``, ``measurement_id`` that is given, one or a list, as the job's parents. With ``instanced`` the archive
    path ends with session and time. ``setup`` has the server make that directory, if it can, unless
    ``setup_archive_path`` is false. Others are not looked at.
    """

    PARAMS: ClassVar[Params] = (
        ("agent", False, "agent", None),
        ("task", False, "task", None),
        ("session", False, "session", None),
        ("data", False, "data", None),
        ("level_store", False, "level_store", "product"),
        ("archive_path", False, "archive_path", None),
        ("setup_archive_path", False, "setup_archive_path", True),
        ("archive_system", False, "archive_system", DEFAULT_ARCHIVE_SYSTEM),
        ("archive_patterns", False, "archive_patterns", ()),
        ("product_patterns", False, "product_patterns", ()),
        ("uuid", False, "uuid", None),
    )
    METADATA_ARG_NAMES = tuple(resolve.IDENTIFIERS)

    data: dict[str, Any]
    setup_archive_path: bool
    session: str | None
    agent: str | None
    task: str | None

    def __init__(
        self,
        mongodb: Any,
        pipelines: Mapping[str, Any],
        instanced: bool = False,
        agave: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(mongodb, agave, **kwargs)
        self.uuid = None  # it follows from the rest
        self.state = self.last_event = self.callback = None
        self.data = dict(self.data or {})
        self.cancelable = True
        self.config = PipelineJobsConfig(**pipelines)
        if self.session is None:
            self.session = interestinganimal.generate(timestamp=False)
        self._name_agent_and_task()
        self.pipeline_uuid = self._known_pipeline(kwargs.get("pipeline_uuid") or self.config.get("pipeline_uuid"))
        self.generated_by = [self.pipeline_uuid]
        self.child_of: list[str] = []
        for name, kind in resolve.IDENTIFIERS.items():
            if kwargs.get(name) is not None:
                self.child_of = resolve.parents(kwargs[name], kind)
                break
        self._inputs = kwargs.get("inputs")
        self._given_path = "archive_path" in kwargs
        self._setup_archive_path = bool(self.setup_archive_path)  # a job that is read has none, and would reset it
        self._instance = f"/{self._instance_name()}" if instanced else ""
        self._follow_data()

    def setup(self, data: Mapping[str, Any] | None = None) -> ManagedPipelineJob:
        """Make the job, or take it as it stands; ``data`` is merged into that of the beginning, and wins.

        ``token`` is then the job's document token if this was its owner's doing, else the one that was given, or None;
        ``callback`` is a URL for who reports without a token, or None.
        """
        if data:
            self.data = data_merge(self.data, data)
            self._follow_data()
        description = {name: getattr(self, name) for name in _DESCRIPTION}
        store = self.stores.pipelinejob
        try:
            job = store.create(description, make_archive_path=self._setup_archive_path)
        except DuplicateJobError as error:
            job = self._standing(description, error)
        token = job["token"] or store.token_of(job["uuid"])
        self.token = token or self.token
        self.job = job.come_from(self)
        self._take_job(job)
        self.set_callbacks()
        return self

    def canonicalize_actor(self, actor_id: str) -> str:
        """The address of an actor."""
        return f"{self.api_server}/actors/v2/{actor_id}"

    def canonicalize_execution(self, actor_id: str | None, exec_id: str) -> str:
        """The address of an actor's execution."""
        return f"{self.canonicalize_actor(str(actor_id))}/executions/{exec_id}"

    def canonicalize_app(self, app_id: str) -> str:
        """The address of an app."""
        return f"{self.api_server}/apps/v2/{app_id}"

    def canonicalize_job(self, job_id: str) -> str:
        """The address of an Agave job."""
        return f"{self.api_server}/jobs/v2/{job_id}"

    def get_archive_path(self) -> str:
        """The path that follows from pipeline, parents and data."""
        parents = uuid_to_hashid(catalog_uuid(":".join(self.child_of), "generic"))
        data = uuid_to_hashid(catalog_uuid(json_text(self.data), "generic"))
        # Only the deterministic part loses its dashes; the instance's name keeps them.
        return posixpath.join("/products/v2", str(self.pipeline_uuid), parents, data).replace("-", "") + self._instance

    def __repr__(self) -> str:
        names = ("uuid", "pipeline_uuid", "data", "child_of", "generated_by", "acted_on", "acted_using")
        lines = [f"{name} : {getattr(self, name, None)}" for name in names]
        return "\n".join([*lines, f"archive_uri: {self.archive_uri()}"])

    def _follow_data(self) -> None:
        """Links and archive path of the data as they are now, so that other data have another path."""
        self.acted_on = resolve.acted_on(self._inputs, self.data)
        self.acted_using = resolve.acted_using(self.data)
        if not self._given_path:
            self.archive_path = self.get_archive_path()

    def _known_pipeline(self, uuid: Any) -> str:
        if uuid is None:
            raise ManagedPipelineJobError('Parameter "pipeline_uuid" is required')
        with managed():
            known = isinstance(uuid, str) and self.stores.pipeline.find_one_by_uuid(uuid) is not None
        if not known:
            raise ManagedPipelineJobError(f"Failed to verify pipeline_uuid:{uuid} exists in store pipeline")
        return str(uuid)

    def _standing(self, description: Mapping[str, Any], error: DuplicateJobError) -> JobDocument:
        """The job of this uuid as it stands, for its owner or for who has a token of it."""
        store = self.stores.pipelinejob
        uuid = store.get_typeduuid(description)
        job = store.find_one_by_uuid(uuid)
        if job is None and self.token is not None:
            job = store.find_one_by_uuid(uuid, self.token)
        if job is None:
            raise ManagedPipelineJobError(error) from error
        return job

    def _instance_name(self) -> str:
        if self.session is None or len(self.session) < _MIN_SESSION:
            return interestinganimal.generate()
        session = self.session if self.session.endswith("-") else f"{self.session}-"
        return f"{session}{environment.now():%Y%m%dT%H%M%S}Z"

    def _name_agent_and_task(self) -> None:
        """Make addresses of the agent (an app or an actor) and of the task (its job or execution)."""
        agent = self.agent or settings.actor_id()
        task = self.task or settings.execution_id()
        if agent is not None:
            app = len(agent) <= _MAX_APP_ID and _APP_ID.fullmatch(agent)
            self.agent = self.canonicalize_app(agent) if app else self.canonicalize_actor(agent)
        if task is not None:
            job = task.endswith("-007")
            self.task = self.canonicalize_job(task) if job else self.canonicalize_execution(agent, task)
