"""The operations of workers: say that one is there, take jobs with an API key, report with the token of the lease."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from jobpass.client.asking import Asking, of_job, sendable, to_body, to_json
from jobpass.client.exchange import Operation
from jobpass.client.narrow import texts
from jobpass.errors import InvalidInput
from jobpass.wire import paths
from jobpass.wire.compute import (
    CompletedJob,
    FailReport,
    Heartbeat,
    HeartbeatAnswer,
    LeasedJob,
    NextRequest,
    ProgressReport,
    ReportAnswer,
    RequeueReport,
)
from jobpass.wire.messages import NULL


class Leased(LeasedJob, frozen=True, kw_only=True):
    """A job that is the worker's, with what it needs to do it; ``payload`` is JSON text.

    ``token`` is for the reports on it, as long as ``lease_s`` seconds are not over since the last one.
    """

    payload: Raw

    def __repr__(self) -> str:
        return f"Leased(job_id={self.job_id!r}, attempt={self.attempt}, token=…)"


class NextJob(Struct, frozen=True):
    """The next job, if there was one."""

    job: Leased | None


class Workers(Asking):
    """What a worker asks for with its API key, and reports with the token of a lease."""

    def heartbeat(
        self,
        worker_id: str,
        platform: str,
        *,
        specs: Mapping[str, Any] | None = None,
        perfs: Mapping[str, Any] | None = None,
    ) -> Operation[int]:
        """A worker of the platform is there; the seconds until it is to say so again.

        ``specs`` and ``perfs`` are what the platform can do, and replace what was said of that before.
        """
        told = Heartbeat(
            worker_id,
            platform,
            UNSET if specs is None else Raw(to_json(dict(specs), "json.specs")),
            UNSET if perfs is None else Raw(to_json(dict(perfs), "json.perfs")),
        )
        answer = yield from self._ask("POST", paths.WORKER_HEARTBEAT, HeartbeatAnswer, body=to_body(told))
        return answer.heartbeat_s

    def next_job(
        self, worker_id: str, platforms: Collection[str], *, wait_seconds: float = 25
    ) -> Operation[Leased | None]:
        """The job that waits first for one of the platforms; None if none came within ``wait_seconds`` (0 to 25).

        Not tried again once it was sent: a job whose answer was lost comes back when its lease ends.
        """
        body = to_body(NextRequest(worker_id, list(texts(platforms, "json.platforms")), wait_seconds))
        patience = self._timeout_seconds + wait_seconds
        answer = yield from self._ask(
            "POST", paths.WORKER_NEXT, NextJob, body=body, again="unsent", timeout_seconds=patience
        )
        return answer.job

    def complete_and_next(
        self,
        job: Leased,
        results: bytes,
        worker_id: str,
        platforms: Collection[str],
        *,
        results_type: str | None = None,
        shots: int | None = None,
    ) -> Operation[Leased | None]:
        """``complete_job``, and at once ``next_job`` without a wait, in one request; for results that are small.

        Whatever is raised says nothing of the results: ``complete_job`` then does. Not tried again once it was sent.
        """
        try:
            msgspec.json.decode(results, type=Raw)
        except msgspec.DecodeError:
            raise InvalidInput.at("json.results", "must be the text of a JSON object") from None
        done = CompletedJob(job.job_id, sendable(job.token), Raw(results), results_type, shots)
        body = to_body(NextRequest(worker_id, list(texts(platforms, "json.platforms")), completed=done))
        return (yield from self._ask("POST", paths.WORKER_NEXT, NextJob, body=body, again="unsent")).job

    def report_progress(
        self,
        job: Leased,
        *,
        progress: float | None = None,
        message: str | None = None,
        intermediate: Mapping[str, Any] | None = None,
    ) -> Operation[ReportAnswer]:
        """Renew the lease and tell how far the job is (0 to 1); ``cancel_requested`` of the answer says to stop.

        ``RevokedToken`` (as ``InvalidToken``): the job is somebody else's by now, or its owner's again.
        """
        told = NULL if intermediate is None else Raw(to_json(dict(intermediate), "json.intermediate_result"))
        body = to_body(ProgressReport(progress, message, told))
        return (yield from self._report(paths.WORKER_PROGRESS, job, body))

    def complete_job(
        self, job: Leased, results: bytes, *, results_type: str | None = None, shots: int | None = None
    ) -> Operation[ReportAnswer]:
        """The results, the UTF-8 text of a JSON object without ``job_context``; ``InvalidInput`` if it is none.

        An answer that was lost is asked for again: ``IllegalTransition`` then says that the job has ended already.
        """
        return (yield from self._report(paths.WORKER_COMPLETE, job, results, results_type=results_type, shots=shots))

    def fail_job(self, job: Leased, code: str = "failed", message: str = "") -> Operation[ReportAnswer]:
        """The job ended without success; ``code`` is a word of lower-case letters, digits and ``_``."""
        return (yield from self._report(paths.WORKER_FAIL, job, to_body(FailReport(code, message))))

    def canceled_job(
        self, job: Leased, results: bytes | None = None, *, results_type: str | None = None
    ) -> Operation[ReportAnswer]:
        """The job was stopped, as was asked for; ``results`` are what there was by then."""
        return (yield from self._report(paths.WORKER_CANCELED, job, results, results_type=results_type))

    def requeue_job(self, job: Leased, reason: str = "", *, counts: bool = True) -> Operation[ReportAnswer]:
        """Give the job back to the queue; with ``counts`` False for a reason that is not the job's: no attempt of it.

        The third attempt that counts ends the job: ``status`` of the answer is ``error`` then.
        """
        return (yield from self._report(paths.WORKER_REQUEUE, job, to_body(RequeueReport(reason, counts))))

    def _report(
        self,
        template: str,
        job: Leased,
        body: bytes | None,
        *,
        results_type: str | None = None,
        shots: int | None = None,
    ) -> Operation[ReportAnswer]:
        path = of_job(template, job.job_id)
        headers = {"authorization": f"Bearer {sendable(job.token)}"}
        return (
            yield from self._ask(
                "POST",
                path,
                ReportAnswer,
                body=body,
                headers=headers,
                bearer=False,
                results_type=results_type,
                shots=shots,
            )
        )
