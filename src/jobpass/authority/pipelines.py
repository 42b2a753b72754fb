"""Pipelines: named series of components, whose uuid follows from id and components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jobpass import ids
from jobpass.errors import AlreadyExists, InvalidInput, RevokedToken, UnknownPipeline
from jobpass.records import Page, Pipeline
from jobpass.tokens.access import Access

if TYPE_CHECKING:
    from jobpass.authority.bearer import Bearer
    from jobpass.authority.gate import Gate
    from jobpass.clock import Clock
    from jobpass.ports import JobStore

REQUIRED = {"id": str, "name": str, "components": list, "processing_levels": list}
"""Members that a pipeline must have, with their type."""


class Pipelines:
    """What can be done with pipelines."""

    def __init__(self, store: JobStore, gate: Gate, clock: Clock, namespace: str) -> None:
        self._store = store
        self._gate = gate
        self._clock = clock
        self._namespace = namespace

    async def put(self, bearer: Bearer, body: bytes, members: dict[str, Any]) -> Pipeline:
        """Register the pipeline, or change one's own of the same uuid. ``members`` is ``body`` decoded.

        Raises ``InvalidInput`` for missing members, ``AlreadyExists`` for a different one of somebody else.
        """
        at = self._clock.now()
        self._gate.admit(bearer, Access("pipelines.create", at, address=bearer.address))
        if bearer.session is None:
            raise RevokedToken("The token has no record.")
        _check(members)
        uuid = ids.pipeline_uuid(members["id"], members["components"], self._namespace)
        if members.get("uuid", uuid) != uuid:
            raise InvalidInput.at("json.uuid", f"is not the one that follows from id and components ({uuid})")
        present = await self._store.find_pipeline(uuid)
        owner = bearer.session.principal.id
        if present is not None:
            if present.body == body:
                return present
            if present.owner != owner:
                raise AlreadyExists("This pipeline exists already and belongs to somebody else.", uuid=uuid)
        pipeline = Pipeline(uuid, members["name"], body, owner, present.created_at if present else at, at)
        await self._store.put_pipeline(pipeline)
        return pipeline

    async def read(self, bearer: Bearer, uuid: str) -> Pipeline:
        """The pipeline of this uuid; ``UnknownPipeline`` if there is none."""
        self._gate.admit(bearer, Access("pipelines.read", self._clock.now(), address=bearer.address))
        pipeline = await self._store.find_pipeline(uuid)
        if pipeline is None:
            raise UnknownPipeline("There is no such pipeline.", uuid=uuid)
        return pipeline

    async def list(self, bearer: Bearer, *, after: str | None, limit: int) -> Page[Pipeline]:
        """Pipelines in order of creation."""
        self._gate.admit(bearer, Access("pipelines.read", self._clock.now(), address=bearer.address))
        return await self._store.list_pipelines(after=after, limit=limit)


def _check(members: dict[str, Any]) -> None:
    words = {str: "a text", list: "an array"}
    fields = {}
    for name, kind in REQUIRED.items():
        if name not in members:
            fields[f"json.{name}"] = ["is required"]
        elif not isinstance(members[name], kind) or members[name] == "":
            fields[f"json.{name}"] = [f"must be {words[kind]}"]
    if not fields and not all(isinstance(component, dict) for component in members["components"]):
        fields["json.components"] = ["must be an array of objects"]
    if fields:
        raise InvalidInput("The pipeline is not complete.", fields)
