"""A store as a whole."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from jobpass.ports.accounts import AccountStore
from jobpass.ports.admin_keys import AdminKeyStore
from jobpass.ports.audit import AuditStore
from jobpass.ports.files import FileStore
from jobpass.ports.imports import ImportStore
from jobpass.ports.jobs import JobStore
from jobpass.ports.platforms import PlatformStore
from jobpass.ports.webhooks import WebhookStore
from jobpass.ports.work import WorkStore


class Store(
    JobStore,
    FileStore,
    AccountStore,
    AdminKeyStore,
    PlatformStore,
    AuditStore,
    WebhookStore,
    ImportStore,
    WorkStore,
    Protocol,
):
    """All of it, with its own beginning and end."""

    async def check(self) -> None:
        """Return if the store can take a write now; else raise ``StoreUnavailable`` with the reason."""
        ...

    async def tend(self) -> None:
        """Periodic upkeep (checkpoint, flush); a chore of the server calls it about once a second."""
        ...

    def chore(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Whether this process is the one of several on the store that does the chore of this name now: until the
        context ends, or the process dies, nobody else is told so. Does not wait. Always, where there is one server."""
        ...

    def clock_offset(self) -> float | None:
        """How many seconds this process's clock is ahead of the store's; None if it is the same or not known."""
        ...

    async def close(self) -> None:
        """Answer what was accepted, then let go of everything; further calls raise ``StoreUnavailable``."""
        ...
