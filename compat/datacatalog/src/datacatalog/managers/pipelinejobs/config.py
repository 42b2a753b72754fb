"""The configuration of a pipeline's jobs."""

from __future__ import annotations

from typing import Any, Final

DEFAULT_ARCHIVE_SYSTEM: Final = "data-sd2e-community"
_REQUIRED: Final = ("job_manager_id", "job_indexer_id", "pipeline_uuid")
_OPTIONAL: Final = ("job_manager_nonce", "job_indexer_nonce", "api_server", "callback_url")


class PipelineJobsConfig(dict[str, Any]):
    """The known members of what was given. ``ValueError`` for a required one that is there and None."""

    def __init__(self, **kwargs: Any) -> None:
        for name in _REQUIRED:
            if name in kwargs and kwargs[name] is None:
                raise ValueError(f"{name} is required to initialize {type(self).__name__}")
        super().__init__({name: kwargs[name] for name in (*_REQUIRED, *_OPTIONAL) if name in kwargs})

    def __repr__(self) -> str:
        return f"PipelineJobsConfig(pipeline_uuid={self.get('pipeline_uuid')!r})"
