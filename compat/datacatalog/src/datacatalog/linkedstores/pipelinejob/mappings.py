"""What the status of an Agave job means for a PipelineJob."""

from __future__ import annotations

from typing import ClassVar

import jobpass


class AgaveEvents:
    """The table; a server's callbacks use the same one."""

    agavejobs: ClassVar[dict[str, str]] = dict(jobpass.AGAVE_EVENTS)


def agave_status_to_event(status: str) -> str:
    """The event of a status. Raises ``KeyError`` for one that is not known, as one in lower case is not."""
    return jobpass.AGAVE_EVENTS[status]
