"""A manager that finds its settings in a Reactor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datacatalog.managers.pipelinejobs.store import ManagedPipelineJob


class ReactorManagedPipelineJob(ManagedPipelineJob):
    """Takes connection and pipelines from ``reactor.settings``, and agent, task, session and client from the rest."""

    def __init__(self, reactor: Any, data: Mapping[str, Any] | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            reactor.settings.mongodb,
            reactor.settings.pipelines,
            data=data,
            agave=reactor.client,
            agent=reactor.uid,
            task=reactor.execid,
            session=reactor.nickname,
            **kwargs,
        )
