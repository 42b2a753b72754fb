"""The operations about pipelines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobpass.client.asking import Asking, Stream, pages, path_of, to_json
from jobpass.client.exchange import Operation
from jobpass.errors import UnknownPipeline
from jobpass.wire import paths
from jobpass.wire.messages import PipelineList


class Pipelines(Asking):
    """Registering pipelines, and seeing them."""

    def create_pipeline(self, members: Mapping[str, Any]) -> Operation[dict[str, Any]]:
        """Register a pipeline, or change one's own; its uuid follows from ``id`` and ``components``.

        ``id``, ``name``, ``components`` and ``processing_levels`` are needed. Returns its members with ``uuid``.
        """
        body = to_json(dict(members), "json")
        return (yield from self._ask("POST", paths.PIPELINES, dict[str, Any], body=body))

    def pipeline(self, uuid: str) -> Operation[dict[str, Any]]:
        """The members of a pipeline, with ``uuid``."""
        path = path_of(paths.PIPELINE, uuid, UnknownPipeline, "pipeline", by="uuid")
        return (yield from self._ask("GET", path, dict[str, Any]))

    def pipelines(self, *, after: str | None = None, limit: int | None = None) -> Operation[PipelineList]:
        """One page of pipelines, in order of creation; ``next`` of a page is the ``after`` of the one that follows."""
        return (yield from self._ask("GET", paths.PIPELINES, PipelineList, after=after, limit=limit))

    def iter_pipelines(self, *, limit: int | None = None) -> Stream[dict[str, Any]]:
        """All pipelines, ``limit`` a request."""
        return pages(lambda after: self.pipelines(after=after, limit=limit), lambda page: page.pipelines)
