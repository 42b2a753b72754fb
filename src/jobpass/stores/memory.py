"""The store in memory: the reference of what every store does, and nothing durable."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from jobpass.errors import AlreadyExists, UnknownPrincipal
from jobpass.ports import Judge
from jobpass.records import Change, Credential, Event, Job, Login, Page, Pipeline, Principal, Replayed, Role, Session
from jobpass.stores.rules import check_answer, closed, read_cursor

T = TypeVar("T")


class MemoryStore:
    """Everything in dictionaries, gone with the process. No method awaits, so each is atomic on its event loop."""

    def __init__(self) -> None:
        self._jobs: dict[str, tuple[int, Job]] = {}
        self._histories: dict[str, list[Event]] = {}
        self._pipelines: dict[str, tuple[int, Pipeline]] = {}
        self._logins: dict[str, Login] = {}
        self._credentials: dict[str, Credential] = {}
        self._jobs_made = 0
        self._closed = False

    async def apply(self, uuid: str, judge: Judge, key: str | None = None) -> Change | Replayed:
        """As ``ports.JobStore``."""
        self._check_open()
        job = self._jobs[uuid][1] if uuid in self._jobs else None
        history = self._histories.get(uuid, [])
        standing = None if key is None else next((event for event in history if event.key == key), None)
        answer = judge(job, standing)
        check_answer(answer, uuid, job, standing, key)
        if isinstance(answer, Change):
            self._write(uuid, answer)
        return answer

    def _write(self, uuid: str, change: Change) -> None:
        if change.after is None:
            del self._jobs[uuid], self._histories[uuid]
            return
        if change.before is None:
            self._jobs_made += 1
            self._jobs[uuid] = self._jobs_made, change.after
            self._histories[uuid] = []
        else:
            self._jobs[uuid] = self._jobs[uuid][0], change.after
        if change.event is not None:
            self._histories[uuid].append(change.event)

    async def find_job(self, uuid: str) -> Job | None:
        """As ``ports.JobStore``."""
        self._check_open()
        return self._jobs[uuid][1] if uuid in self._jobs else None

    async def list_jobs(
        self, *, owner: int | None, state: str | None, pipeline_uuid: str | None, after: str | None, limit: int
    ) -> Page[Job]:
        """As ``ports.JobStore``."""
        self._check_open()
        wanted = (
            (number, job)
            for number, job in self._jobs.values()
            if (owner is None or job.owner == owner)
            and (state is None or job.state == state)
            and (pipeline_uuid is None or job.pipeline_uuid == pipeline_uuid)
        )
        return _page(wanted, read_cursor(after, self._jobs_made), limit)

    async def history(self, uuid: str, after: int, limit: int) -> list[Event]:
        """As ``ports.JobStore``."""
        self._check_open()
        return [event for event in self._histories.get(uuid, []) if event.sequence > after][:limit]

    async def put_pipeline(self, pipeline: Pipeline) -> None:
        """As ``ports.JobStore``."""
        self._check_open()
        number, old = self._pipelines.get(pipeline.uuid, (len(self._pipelines) + 1, pipeline))
        kept = replace(pipeline, owner=old.owner, created_at=old.created_at)
        self._pipelines[pipeline.uuid] = number, kept

    async def find_pipeline(self, uuid: str) -> Pipeline | None:
        """As ``ports.JobStore``."""
        self._check_open()
        return self._pipelines[uuid][1] if uuid in self._pipelines else None

    async def list_pipelines(self, *, after: str | None, limit: int) -> Page[Pipeline]:
        """As ``ports.JobStore``."""
        self._check_open()
        return _page(self._pipelines.values(), read_cursor(after, len(self._pipelines)), limit)

    async def add_principal(self, email: str, role: Role, password_hash: str, at: datetime) -> Principal:
        """As ``ports.AccountStore``."""
        self._check_open()
        if email in self._logins:
            raise AlreadyExists("This address has an account already.")
        principal = Principal(len(self._logins) + 1, email, role, True, at)
        self._logins[email] = Login(principal, password_hash)
        return principal

    async def find_login(self, email: str) -> Login | None:
        """As ``ports.AccountStore``."""
        self._check_open()
        return self._logins.get(email)

    async def add_credential(self, credential: Credential) -> Credential:
        """As ``ports.AccountStore``."""
        self._check_open()
        if self._principal(credential.owner) is None:
            raise UnknownPrincipal("There is no such principal.", id=credential.owner)
        if credential.id in self._credentials:
            raise AlreadyExists("A credential of this id is recorded already.")
        recorded = replace(credential, number=len(self._credentials) + 1)
        self._credentials[credential.id] = recorded
        return recorded

    async def find_session(self, credential_id: str) -> Session | None:
        """As ``ports.AccountStore``."""
        self._check_open()
        credential = self._credentials.get(credential_id)
        principal = None if credential is None else self._principal(credential.owner)
        return None if credential is None or principal is None else Session(credential, principal)

    async def revoke_credential(self, credential_id: str, at: datetime) -> bool:
        """As ``ports.AccountStore``."""
        self._check_open()
        credential = self._credentials.get(credential_id)
        if credential is None or credential.revoked_at is not None:
            return False
        self._credentials[credential_id] = replace(credential, revoked_at=at)
        return True

    async def check(self) -> None:
        """As ``ports.Store``."""
        self._check_open()

    async def tend(self) -> None:
        """As ``ports.Store``; there is nothing to do."""
        self._check_open()

    async def close(self) -> None:
        """As ``ports.Store``."""
        self._closed = True

    def _principal(self, number: int) -> Principal | None:
        return next((login.principal for login in self._logins.values() if login.principal.id == number), None)

    def _check_open(self) -> None:
        if self._closed:
            raise closed()


def _page(rows: Iterable[tuple[int, T]], after: int, limit: int) -> Page[T]:
    """The ``limit`` rows above ``after`` in order of their numbers."""
    later = sorted((row for row in rows if row[0] > after), key=lambda row: row[0])
    shown = later[:limit]
    return Page([record for _, record in shown], str(shown[-1][0]) if len(later) > len(shown) > 0 else None)
