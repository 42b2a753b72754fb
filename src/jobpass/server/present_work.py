"""From jobs with work to the messages of the cloud's contract."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from jobpass.errors import Error
from jobpass.lifecycle.standard import COMPUTE
from jobpass.server.present import history_entry
from jobpass.wire.compute import (
    JobAvailability,
    JobData,
    JobListed,
    JobResult,
    JobStatus,
    LeasedJob,
    ReportAnswer,
)
from jobpass.wire.problems import status_of

if TYPE_CHECKING:
    from jobpass.authority.compute import Availability
    from jobpass.authority.workers import Leased
    from jobpass.records import Event, Job, Work

_encode = msgspec.json.Encoder().encode


def status(job: Job, at: datetime) -> JobStatus:
    """How a job stands; what is not known yet is empty, never missing."""
    work = work_of(job)
    return JobStatus(
        status=_word(job),
        status_message=work.status_message,
        progress=work.progress,
        progress_message=work.progress_message,
        creation_datetime=job.created_at.timestamp(),
        start_time=None if work.started_at is None else work.started_at.timestamp(),
        duration=_duration(work, at),
        shots=work.shots,
        failure_code=work.failure_code,
        last_intermediate_results=None if work.intermediate is None else Raw(work.intermediate),
    )


def result(job: Job, at: datetime) -> JobResult:
    """What a job brought, but for the results themselves."""
    work = work_of(job)
    return JobResult(
        job_id=job.uuid,
        results_type=work.results_type,
        intermediate_results=[] if work.intermediate is None else [Raw(work.intermediate)],
        duration=_duration(work, at),
        shots=work.shots,
        results=None if work.results is None else msgspec.UNSET,
    )


def data(job: Job, at: datetime) -> JobData:
    """What was sent, but for the payload itself."""
    work = work_of(job)
    return JobData(
        job_id=job.uuid,
        job_name=work.name,
        job_group_name=work.group,
        status=_word(job),
        created_date=job.created_at,
        start_time=work.started_at,
        duration=_duration(work, at),
        command=work.command,
        shots=work.shots,
        failure_code=work.failure_code,
        pcvl_version=work.pcvl_version,
        platform_id=work.platform_id,
        platform_name=work.platform,
        process_id=work.process_id,
        rerun_from=work.rerun_from,
        token_id=work.token,
        token_label=work.token_label,
        max_duration=work.max_duration_seconds,
        attempts=work.attempts,
    )


def listed(job: Job, at: datetime) -> JobListed:
    """A job, as a list shows it."""
    work = work_of(job)
    return JobListed(
        job_id=job.uuid,
        job_name=work.name,
        job_group_name=work.group,
        status=_word(job),
        status_message=work.status_message,
        progress=work.progress,
        created_date=job.created_at,
        start_time=work.started_at,
        end_time=work.ended_at,
        duration=_duration(work, at),
        command=work.command,
        platform_name=work.platform,
        priority=work.priority,
        failure_code=work.failure_code,
        rerun_from=work.rerun_from,
        token_id=work.token,
        token_label=work.token_label,
        user_id=job.owner,
    )


def availability(found: Availability) -> JobAvailability:
    """What somebody may still send."""
    return JobAvailability(
        found.max_jobs_in_queue, found.num_jobs_in_queue, found.max_concurrent_jobs, found.num_concurrent_jobs
    )


def leased(found: Leased, lease_seconds: int) -> LeasedJob:
    """A job for its worker, but for the payload."""
    work = found.work
    return LeasedJob(
        job_id=found.job.uuid,
        token=found.token,
        attempt=work.attempts,
        lease_s=lease_seconds,
        platform=work.platform,
        command=work.command,
        job_name=work.name,
        pcvl_version=work.pcvl_version,
        max_shots=work.max_shots,
        max_samples=work.max_samples,
        iterations=work.iterations,
        max_duration=work.max_duration_seconds,
    )


def reported(job: Job, lease_seconds: int) -> ReportAnswer:
    """What became of a worker's report."""
    return ReportAnswer(_word(job), job.state == "cancel_requested", lease_seconds)


async def event_stream(events: AsyncIterator[Event | None], *, live: bool) -> AsyncGenerator[bytes, None]:
    """Events as server-sent events (HTML Living Standard §9.2): each with its sequence as its id; ``end`` is the last
    once the job has ended. What ends the stream before is an event ``problem``; one that is not ``live`` just ends."""
    yield b": events of a job\n\n"
    try:
        async for event in events:
            if event is None:
                yield b": still there\n\n"
                continue
            entry = _encode(history_entry(event))
            yield b"id: %d\nevent: %b\ndata: %b\n\n" % (event.sequence, event.name.encode(), entry)
        if live:
            yield b"event: end\ndata: {}\n\n"
    except Error as error:  # the head is out by now
        yield b'event: problem\ndata: {"code":"%b"}\n\n' % status_of(error)[1].encode()


def work_of(job: Job) -> Work:
    """The work of a job that was found as one that has some."""
    if job.work is None:
        raise ValueError("the job has no work")
    return job.work


def _word(job: Job) -> Any:
    """The state, which is one of the words that a client knows: any other would have it wait for ever."""
    if job.state not in COMPUTE.state:
        raise ValueError("the job is in a state that no client knows")
    return job.state


def _duration(work: Work, at: datetime) -> int:
    """The whole seconds since the start, or from there to the end."""
    if work.started_at is None:
        return 0
    return max(0, int(((work.ended_at or at) - work.started_at).total_seconds()))
