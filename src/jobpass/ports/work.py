"""The queue of work, and the blobs beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

from jobpass.ports.jobs import Judge
from jobpass.ports.signals import Tell
from jobpass.records import Change, Job, Load, Page, Usage


class WorkStore(Protocol):
    """The queue: jobs with ``work``, which ``apply`` keeps in their places here."""

    async def apply_next(self, platforms: Collection[str], judge: Judge) -> Change | None:
        """As ``apply``, to the job that a worker of these platforms is to have next; None if there is none.

        That is the waiting job of the highest priority, and of these the first that was made, among those whose owner
        is active and has fewer jobs with workers than ``max_concurrent_jobs`` of the profile says.
        """
        ...

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
        """Jobs with work in order of creation which meet every condition; made from ``since`` on and before ``until``.
        ``after`` as in ``list_jobs``."""
        ...

    async def load_of(self, owner: int) -> Load:
        """How many jobs of a principal wait and are with workers."""
        ...

    async def waiting_on(self, platforms: Collection[str]) -> bool:
        """Whether any job waits for one of these platforms, whoever may have it."""
        ...

    async def lapsed(self, at: datetime, limit: int) -> list[str]:
        """The uuids of jobs whose lease ended by ``at``, longest ago first."""
        ...

    async def process_owner(self, process_id: str) -> int | None:
        """Whose the first job with this process id is; None if there is none."""
        ...

    async def usage(self, tokens: Collection[int], since: datetime | None, until: datetime | None) -> list[Usage]:
        """What was done with these credentials (by number): jobs made from ``since`` on and before ``until``, by
        platform in the order of their names; nothing for one that was not used."""
        ...

    async def add_blob(self, number: int, chunk: bytes, at: datetime) -> None:
        """A new blob that begins with this chunk; ``number`` is drawn at random, 1 to 2**63 - 1. Nothing names it yet.

        An ``apply`` whose change names it may be asked for in the same tick of the loop, after this.
        """
        ...

    async def extend_blob(self, number: int, place: int, chunk: bytes) -> None:
        """Add the chunk of a place (1, 2, …) to a blob. ``Conflict`` if it was swept meanwhile."""
        ...

    async def read_blob(self, number: int, place: int) -> bytes | None:
        """The chunk of a place (0, 1, …); None behind the last one, or if there is no such blob."""
        ...

    async def drop_blob(self, number: int) -> None:
        """Have a blob that no job's work names swept next: from now on nobody may name it. One that is named stays; so
        may one that somebody is about to name."""
        ...

    async def sweep_blobs(self, before: datetime, limit: int) -> int:
        """Take away at most ``limit`` chunks of blobs that were made before ``before`` and that no job's work names
        (any more); how many were taken away. A blob of which a part is gone is gone."""
        ...

    def commits_elsewhere(self) -> int:
        """A number that is another one once somebody else has committed to the store since it was asked for before, if
        ``subscribe`` does not tell of that."""
        ...

    def subscribe(self, tell: Tell) -> Callable[[], None]:
        """Have ``tell`` called on the loop, soon after others have committed to the store something that is waited for.

        Returns what ends that. Nobody is called where ``commits_elsewhere`` says it.
        """
        ...
