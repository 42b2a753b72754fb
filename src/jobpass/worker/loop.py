"""A worker's loop: takes jobs for one platform, has an executor run them, and reports on each with the token of its
lease. An HTTP client of the server and no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from jobpass.errors import (
    Conflict,
    Error,
    InvalidInput,
    InvalidToken,
    NotFound,
    ServerUnavailable,
    SetupError,
    StoreUnavailable,
    TooLarge,
    TooMany,
)
from jobpass.worker.lease import Lease
from jobpass.worker.work import Canceled, Completed, Failed, Outcome, Work

if TYPE_CHECKING:
    from jobpass.client.aio import AsyncClient
    from jobpass.client.workers import Leased
    from jobpass.worker.executor import Executor

POLL_SECONDS: Final = 5.0
"""How long the server is asked to wait for a job: as long as a worker that is to end may have to."""
PAUSE_SECONDS: Final = 1.0
"""Before the server is asked again after it could not be, or the executor could not start anything."""
LONGEST_SECONDS: Final = 864_000
"""A job that names no longest duration has this one."""
REPORT_SECONDS: Final = 300.0
"""So long an outcome is told again to a server that cannot be reached; by then the lease has long ended."""
TOGETHER_BYTES: Final = 64 * 1024
"""Larger results have a request of their own, which takes them as they come."""
INTERRUPTED: Final = 3
"""A job that was taken so often and interrupts this worker as well has failed: perhaps it is what ends the process."""
PASSING: Final = (ServerUnavailable, StoreUnavailable, TooMany)
"""What may be over in a moment."""

log = logging.getLogger("jobpass.worker")


class Loop:
    """Takes jobs into ``slots`` and sees them through. ``worker_id`` names this worker in the record."""

    def __init__(self, client: AsyncClient, executor: Executor, platform: str, worker_id: str, slots: int = 1) -> None:
        self._client = client
        self._executor = executor
        self._platform = platform
        self._worker_id = worker_id
        self._slots = slots
        self._draining = asyncio.Event()
        self._leases: set[Lease] = set()

    def drain(self) -> None:
        """Take no more jobs; ``run`` returns when those that run have ended. A second time ends these, too, which
        others then may have."""
        if self._draining.is_set():
            for lease in self._leases:
                lease.abandon()
        self._draining.set()

    async def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Work until it is drained. Raises what the server says of the API key or the platform, which does not pass."""
        await self._beat()
        on_ready()
        tasks = [asyncio.create_task(self._heartbeats())]
        tasks += [asyncio.create_task(self._slot()) for _ in range(self._slots)]
        try:
            done, _ = await asyncio.wait(tasks[1:], return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for lease in self._leases:
                lease.abandon()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _beat(self) -> float:
        told = self._executor.description
        return await self._client.heartbeat(self._worker_id, self._platform, specs=told.specs, perfs=told.perfs)

    async def _heartbeats(self) -> None:
        seconds = 10.0
        while True:
            await asyncio.sleep(seconds)
            try:
                seconds = await self._beat()
            except Error as error:  # what does not pass is told to whoever asks for a job
                log.warning("no heartbeat: %s", error.message)
                seconds = PAUSE_SECONDS

    async def _slot(self) -> None:
        job: Leased | None = None
        while not self._draining.is_set():
            job = await (self._ask() if job is None else self._see_through(job))
        if job is not None:
            await self._give_back(job, "the worker ends")

    async def _ask(self) -> Leased | None:
        try:
            return await self._client.next_job(self._worker_id, [self._platform], wait_seconds=POLL_SECONDS)
        except PASSING as error:
            log.warning("no job could be asked for: %s", error.message)
            await self._pause()
            return None

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._draining.wait(), PAUSE_SECONDS)

    async def _see_through(self, job: Leased) -> Leased | None:
        """Run a job and tell what became of it, unless it is somebody else's by then; the next one if it came along."""
        log.info("job %s begins", job.job_id, extra={"attempt": job.attempt, "command": job.command})
        lease = Lease(self._client, job)
        self._leases.add(lease)
        try:
            running = await self._executor.start(_work(job), lease.note)
        except SetupError as error:
            self._leases.discard(lease)
            log.error("job %s cannot be started: %s", job.job_id, error.message)
            await self._give_back(job, "the worker cannot start it")
            await self._pause()
            return None
        try:
            outcome = await lease.keep(running)
        finally:
            self._leases.discard(lease)
        if lease.lost:
            log.warning("job %s is not this worker's any more: what it brought is thrown away", job.job_id)
        elif lease.abandoned and isinstance(outcome, Canceled):
            await self._give_back(job, "the worker was stopped")
        elif isinstance(outcome, Completed):
            return await self._complete(job, outcome)
        else:
            await self._tell(job, lambda: self._report(job, outcome))
        return None

    async def _complete(self, job: Leased, outcome: Completed) -> Leased | None:
        """Tell the results, and take what waits next with the same request; if that fails, tell them alone."""
        results = as_object(outcome.results)
        if len(results) <= TOGETHER_BYTES and not self._draining.is_set():
            try:
                following = await self._client.complete_and_next(
                    job,
                    results,
                    self._worker_id,
                    [self._platform],
                    results_type=outcome.results_type,
                    shots=outcome.shots,
                )
            except Error as error:
                log.info("job %s: its results are told again: %s", job.job_id, error.message)
            else:
                log.info("job %s ends", job.job_id)
                return following
        await self._tell(job, lambda: self._report(job, outcome))
        return None

    async def _report(self, job: Leased, outcome: Outcome) -> object:
        if isinstance(outcome, Completed):
            try:
                results = as_object(outcome.results)
                return await self._client.complete_job(
                    job, results, results_type=outcome.results_type, shots=outcome.shots
                )
            except (InvalidInput, TooLarge) as error:
                return await self._client.fail_job(job, "result", f"The result is refused: {error.message}")
        if isinstance(outcome, Failed):
            if outcome.failure_code == "interrupted" and job.attempt < INTERRUPTED:
                return await self._client.requeue_job(job, outcome.message)
            return await self._client.fail_job(job, outcome.failure_code, outcome.message)
        partial = None if outcome.results is None else as_object(outcome.results)
        return await self._client.canceled_job(job, partial)

    async def _give_back(self, job: Leased, reason: str) -> None:
        """Give it back for a reason that is not the job's."""
        await self._tell(job, lambda: self._client.requeue_job(job, reason, counts=False))

    async def _tell(self, job: Leased, tell: Callable[[], Awaitable[object]]) -> None:
        """Tell it, again while the server cannot hear it; a lease that ended meanwhile ends the telling."""
        loop = asyncio.get_running_loop()
        until = loop.time() + REPORT_SECONDS
        while True:
            try:
                await tell()
                log.info("job %s ends", job.job_id)
                return
            except PASSING as error:
                if loop.time() > until:
                    log.error("job %s: its end could not be told: %s", job.job_id, error.message)
                    return
                await asyncio.sleep(PAUSE_SECONDS)
            except (InvalidToken, Conflict, NotFound) as error:
                # Told already, by an answer that was lost; or another worker has the job by now.
                log.warning("job %s: its end was not taken: %s", job.job_id, error.message)
                return


def _work(job: Leased) -> Work:
    return Work(
        job_id=job.job_id,
        command=job.command,
        payload=bytes(job.payload),
        max_duration_seconds=job.max_duration or LONGEST_SECONDS,
        max_shots=job.max_shots,
        max_samples=job.max_samples,
    )


def as_object(text: str) -> bytes:
    """A result as the server takes it: an object as it is, any other JSON value as the member ``results`` of one."""
    body = text.strip().encode()
    return body if body.startswith(b"{") else b'{"results":%b}' % body
