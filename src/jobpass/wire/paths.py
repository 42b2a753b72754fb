"""Every path of the HTTP contract, once, as templates that server and client share."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

LOGIN: Final = "/api/login"
LOGOUT: Final = "/api/logout"
ME: Final = "/api/me"
PIPELINES: Final = "/api/pipelines"
PIPELINE: Final = "/api/pipelines/{uuid}"
JOBS: Final = "/api/pipelinejobs"
JOB: Final = "/api/pipelinejobs/{uuid}"
JOB_HISTORY: Final = "/api/pipelinejobs/{uuid}/history"
JOB_VERIFY: Final = "/api/pipelinejobs/{uuid}/verify"
JOB_EVENTS: Final = "/api/pipelinejobs/{uuid}/events"
HEALTH: Final = "/health"
READY: Final = "/ready"


def fill(template: str, **values: str) -> str:
    """The path of a template: ``fill(JOB, uuid=…)``. Each value is one segment, whatever it contains.

    A lone surrogate is sent as three bytes that are not UTF-8, which no server knows.
    """
    escaped = {name: quote(value, safe="", errors="surrogatepass") for name, value in values.items()}
    return template.format_map(escaped)
