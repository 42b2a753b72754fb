"""The interface behind which jobs run: processes of this machine now, a cluster later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from jobpass.worker.work import CANCEL_GRACE_SECONDS, Description, Outcome, Progress, Work

Report = Callable[[Progress], None]
"""Is called on the loop's thread; what came in quick succession is told once, by the last of it."""


class Running(Protocol):
    """A job that was started."""

    async def wait(self) -> Outcome:
        """How it ended; once this is known nothing of it runs any more. May be waited for more than once."""
        ...

    def cancel(self, grace_seconds: float = CANCEL_GRACE_SECONDS) -> None:
        """Ask it to end with what it has, and kill it after the grace: its outcome is ``Canceled``."""
        ...

    def kill(self) -> None:
        """End it at once; its outcome is ``Canceled`` too, with the last of what it told."""
        ...


class Executor(Protocol):
    """Starts jobs. It is for whoever uses it to count how many run at once."""

    @property
    def description(self) -> Description:
        """What the runner says of itself."""
        ...

    async def start(self, work: Work, report: Report) -> Running:
        """Start a job. Raises ``SetupError`` if none can be started at present."""
        ...

    async def close(self) -> None:
        """Kill what runs, and leave nothing behind."""
        ...
