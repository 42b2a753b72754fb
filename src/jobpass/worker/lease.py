"""One job's lease: kept while the job runs, by telling how far it is; and what the server answers to that."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Final

import msgspec

from jobpass.errors import Conflict, Error, InvalidInput, InvalidToken, NotFound
from jobpass.worker.work import Outcome, Progress

if TYPE_CHECKING:
    from jobpass.client.aio import AsyncClient
    from jobpass.client.workers import Leased
    from jobpass.worker.executor import Running

ASK_SECONDS: Final = 1.0
"""How often the server is told of a job that has nothing to tell: this renews the lease, and its answer says whether
the job is to be canceled."""
TELL_SECONDS: Final = 0.2
"""Between two tellings, however much a job has to tell."""
PARTIAL_BYTES: Final = 16 * 1024
"""More of an intermediate result is kept here, for the end."""
MESSAGE_CHARACTERS: Final = 500

log = logging.getLogger("jobpass.worker")


class Lease:
    """A job that is this worker's until the server says otherwise.

    ``lost``: it is somebody else's by now. ``abandoned``: it was ended here, and nobody asked for that there.
    """

    def __init__(self, client: AsyncClient, job: Leased) -> None:
        self._client = client
        self._job = job
        self._running: Running | None = None
        self._latest: Progress | None = None
        self._news = asyncio.Event()
        self.lost = False
        self.abandoned = False

    def note(self, progress: Progress) -> None:
        """How far the job is, as it says."""
        self._latest = progress
        self._news.set()

    def abandon(self) -> None:
        """End the job here."""
        self.abandoned = True
        if self._running is not None:
            self._running.kill()

    async def keep(self, running: Running) -> Outcome:
        """Renew the lease until the job has ended; how it did."""
        self._running = running
        if self.abandoned:
            running.kill()
        waiting = asyncio.ensure_future(running.wait())
        try:
            while True:
                news = asyncio.ensure_future(self._news.wait())
                done, _ = await asyncio.wait((waiting, news), timeout=ASK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
                if waiting in done:
                    return waiting.result()
                await self._tell(running)
                await asyncio.wait((waiting,), timeout=TELL_SECONDS)
        finally:
            running.kill()

    async def _tell(self, running: Running) -> None:
        self._news.clear()
        latest, self._latest = self._latest, None
        try:
            answer = await self._client.report_progress(self._job, **_told(latest))
        except (InvalidToken, NotFound, Conflict):
            self.lost = True
            running.kill()
        except InvalidInput as error:
            log.warning("job %s: its progress was not taken: %s", self._job.job_id, error.message)
        except Error as error:  # the lease ends if this lasts, and the next answer says so
            log.warning("job %s: the server was not told of it: %s", self._job.job_id, error.message)
        else:
            if answer.cancel_requested:
                running.cancel()


def _told(progress: Progress | None) -> dict[str, Any]:
    """The parameters of ``report_progress``."""
    if progress is None:
        return {}
    told: dict[str, Any] = {"progress": progress.fraction, "message": progress.message[:MESSAGE_CHARACTERS]}
    if progress.partial is not None and len(progress.partial) <= PARTIAL_BYTES:
        partial = msgspec.json.decode(progress.partial)
        if isinstance(partial, dict):
            told["intermediate"] = partial
    return told
