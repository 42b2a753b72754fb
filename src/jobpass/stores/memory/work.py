"""The queue, and the blobs beside it, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from jobpass.errors import LimitExceeded
from jobpass.ports import Tell
from jobpass.records import HELD, QUEUED, WAITING, Change, Job, Load, Page, Usage, Work
from jobpass.stores.listing import read_cursor
from jobpass.stores.memory.part import Part, page
from jobpass.stores.rules import seconds_of, swept

LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
"""When a blob was made, as far as a sweep goes, that is to be swept next."""


class _Stored(Struct):
    """A blob as it stands."""

    made_at: datetime
    chunks: list[bytes]
    going: bool = False
    """Nobody may name it any more: a part of it has been taken away, or is to be."""


def _sweeping_order(item: tuple[int, _Stored]) -> tuple[bool, datetime, int]:
    number, blob = item
    return not blob.going, blob.made_at, number


class Works(Part):
    """``ports.WorkStore`` but for ``apply_next``."""

    def __init__(self) -> None:
        super().__init__()
        self._blobs: dict[int, _Stored] = {}

    def _next_waiting(self, platforms: Collection[str]) -> str | None:
        """The uuid of the job that a worker of these platforms is to have next."""
        waiting = [
            (-work.priority, number, job.uuid)
            for number, job, work in self._works()
            if job.state == WAITING and work.platform in platforms and self._may_have_more(job.owner)
        ]
        return min(waiting)[2] if waiting else None

    def _may_have_more(self, owner: int) -> bool:
        login = self._logins.get(owner)
        if login is None or not login.principal.active:
            return False
        return self._load(owner).running < login.principal.profile.max_concurrent_jobs

    def _check_work(self, change: Change) -> None:
        """Raise ``LimitExceeded`` for a job that is one too many, ``Conflict`` if a blob that it names is gone."""
        job = change.after
        if job is None or job.work is None:
            return
        load = self._load(job.owner)
        if change.most is not None and load.waiting + load.running >= change.most:
            raise LimitExceeded.of_queue(change.most)
        named = (job.work.payload, job.work.results)
        if any(blob is not None and self._standing(blob.number) is None for blob in named):
            raise swept()

    async def list_work(
        self,
        *,
        owner: int | None = None,
        state: str | None = None,
        platform: str | None = None,
        group: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str | None,
        limit: int,
    ) -> Page[Job]:
        """As ``ports.WorkStore``."""
        self._check_open()
        wanted = (
            (number, job)
            for number, job, work in self._works()
            if owner in (None, job.owner)
            and state in (None, job.state)
            and platform in (None, work.platform)
            and group in (None, work.group)
            and (since is None or job.created_at >= since)
            and (until is None or job.created_at < until)
        )
        return page(wanted, read_cursor(after, self._jobs_made), limit)

    async def load_of(self, owner: int) -> Load:
        """As ``ports.WorkStore``."""
        self._check_open()
        return self._load(owner)

    async def waiting_on(self, platforms: Collection[str]) -> bool:
        """As ``ports.WorkStore``."""
        self._check_open()
        return any(job.state == WAITING and work.platform in platforms for _, job, work in self._works())

    async def lapsed(self, at: datetime, limit: int) -> list[str]:
        """As ``ports.WorkStore``."""
        self._check_open()
        ended = [
            (work.leased_until, number, job.uuid)
            for number, job, work in self._works()
            if job.state in HELD and work.leased_until is not None and work.leased_until <= at
        ]
        return [uuid for _, _, uuid in sorted(ended)[:limit]]

    async def process_owner(self, process_id: str) -> int | None:
        """As ``ports.WorkStore``."""
        self._check_open()
        found = [(number, job.owner) for number, job, work in self._works() if work.process_id == process_id]
        return min(found)[1] if found else None

    async def usage(self, tokens: Collection[int], since: datetime | None, until: datetime | None) -> list[Usage]:
        """As ``ports.WorkStore``."""
        self._check_open()
        jobs: Counter[tuple[int, str]] = Counter()
        seconds: Counter[tuple[int, str]] = Counter()
        for _, job, work in self._works():
            if work.token in tokens and (since is None or job.created_at >= since):
                if until is not None and job.created_at >= until:
                    continue
                assert work.token is not None
                jobs[work.token, work.platform] += 1
                seconds[work.token, work.platform] += seconds_of(work)
        return [Usage(*key, jobs[key], seconds[key]) for key in sorted(jobs)]

    async def add_blob(self, number: int, chunk: bytes, at: datetime) -> None:
        """As ``ports.WorkStore``."""
        self._check_open()
        if number in self._blobs:
            raise ValueError("the number of the blob is taken")
        self._blobs[number] = _Stored(at, [chunk])

    async def extend_blob(self, number: int, place: int, chunk: bytes) -> None:
        """As ``ports.WorkStore``."""
        self._check_open()
        blob = self._standing(number)
        if blob is None:
            raise swept()
        if place != len(blob.chunks):
            raise ValueError("the chunk is out of its place")
        blob.chunks.append(chunk)

    async def read_blob(self, number: int, place: int) -> bytes | None:
        """As ``ports.WorkStore``."""
        self._check_open()
        blob = self._blobs.get(number)
        return blob.chunks[place] if blob is not None and place < len(blob.chunks) else None

    async def drop_blob(self, number: int) -> None:
        """As ``ports.WorkStore``."""
        self._check_open()
        blob = self._blobs.get(number)
        if blob is not None and number not in self._named():
            blob.made_at, blob.going = LONG_AGO, True

    async def sweep_blobs(self, before: datetime, limit: int) -> int:
        """As ``ports.WorkStore``."""
        self._check_open()
        named = self._named()
        swept_now = 0
        for number, blob in sorted(self._blobs.items(), key=_sweeping_order):
            if number in named or blob.made_at >= before:
                continue
            taken = blob.chunks[: limit - swept_now]
            del blob.chunks[: len(taken)]
            swept_now += len(taken)
            blob.going = blob.going or bool(taken)
            if not blob.chunks:
                del self._blobs[number]
        return swept_now

    def _named(self) -> set[int]:
        """The numbers of blobs that works name."""
        return {blob.number for _, _, work in self._works() for blob in (work.payload, work.results) if blob}

    def _standing(self, number: int) -> _Stored | None:
        blob = self._blobs.get(number)
        return None if blob is None or blob.going else blob

    def commits_elsewhere(self) -> int:
        """As ``ports.WorkStore``; nobody else has this store."""
        return 0

    def subscribe(self, tell: Tell) -> Callable[[], None]:
        """As ``ports.WorkStore``; nobody is ever told."""
        del tell
        return lambda: None

    def _load(self, owner: int) -> Load:
        states = Counter(job.state for _, job, _ in self._works() if job.owner == owner and job.state in QUEUED)
        return Load(states[WAITING], sum(states[state] for state in HELD))

    def _works(self) -> Iterator[tuple[int, Job, Work]]:
        return ((number, job, job.work) for number, job in self._jobs.values() if job.work is not None)
