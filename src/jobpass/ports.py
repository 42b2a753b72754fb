"""What the authority asks of a store. Stores keep; they do not judge.

Every method raises ``StoreUnavailable`` when the record cannot be read or written now; then nothing was half-written.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from jobpass.records import Change, Credential, Event, Job, Login, Page, Pipeline, Principal, Replayed, Role, Session

Judge = Callable[[Job | None, Event | None], Change | Replayed]
"""Pure: (the job or None, the event that stands under the same idempotency key or None) → what to write.

It refuses by raising an error of ``jobpass.errors``, which reaches the caller of ``apply`` as it is. It may be called
several times for one ``apply``, each time with a later state of the job; only the last answer counts.
"""


Randomness = Callable[[int], bytes]
"""n → n random bytes, fit for keys."""


class JobStore(Protocol):
    """Jobs, their histories, and the pipelines that they belong to."""

    async def apply(self, uuid: str, judge: Judge, key: str | None = None) -> Change | Replayed:
        """Write what ``judge`` says about the job, durably, in one piece; return it once it is on the disk.

        Calls for one job are judged one after the other, each on the result of the one before. ``key`` is the
        idempotency key under which the second argument of ``judge`` is looked up.
        """
        ...

    async def find_job(self, uuid: str) -> Job | None:
        """The job as last committed."""
        ...

    async def list_jobs(
        self, *, owner: int | None, state: str | None, pipeline_uuid: str | None, after: str | None, limit: int
    ) -> Page[Job]:
        """Jobs in order of creation; ``after`` is the ``next`` of the page before. A cursor that was never given
        out raises ``InvalidInput`` on ``query.after``."""
        ...

    async def history(self, uuid: str, after: int, limit: int) -> list[Event]:
        """The events with a sequence above ``after``, in order, at most ``limit``; empty for an unknown job."""
        ...

    async def put_pipeline(self, pipeline: Pipeline) -> None:
        """Add the pipeline, or replace the one of the same uuid keeping its owner and ``created_at``."""
        ...

    async def find_pipeline(self, uuid: str) -> Pipeline | None:
        """The pipeline of this uuid."""
        ...

    async def list_pipelines(self, *, after: str | None, limit: int) -> Page[Pipeline]:
        """Pipelines in order of creation; ``after`` as in ``list_jobs``."""
        ...


class AccountStore(Protocol):
    """Principals and the credentials that were issued to them."""

    async def add_principal(self, email: str, role: Role, password_hash: str, at: datetime) -> Principal:
        """A new active principal; ``AlreadyExists`` when the address is taken."""
        ...

    async def find_login(self, email: str) -> Login | None:
        """The principal of this address (lower case) with the hash of the password."""
        ...

    async def add_credential(self, credential: Credential) -> Credential:
        """Record a credential durably; returns it with its ``number``."""
        ...

    async def find_session(self, credential_id: str) -> Session | None:
        """The credential and its principal. May be answered from memory, but never later than one second after a
        change committed by another process, and at once after one of this process."""
        ...

    async def revoke_credential(self, credential_id: str, at: datetime) -> bool:
        """Set ``revoked_at`` if it is not set; True if this call did it. Holds before it returns."""
        ...


class Store(JobStore, AccountStore, Protocol):
    """All of it, with its own beginning and end."""

    async def check(self) -> None:
        """Return if the store can take a write now; else raise ``StoreUnavailable`` with the reason."""
        ...

    async def tend(self) -> None:
        """Periodic upkeep (checkpoint, flush); a chore of the server calls it about once a second."""
        ...

    async def close(self) -> None:
        """Answer what was accepted, then let go of everything; further calls raise ``StoreUnavailable``."""
        ...
