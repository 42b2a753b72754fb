"""Requests for administrative power."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from jobpass.ports.audit import Note
from jobpass.records import AdminKey, Page


class AdminKeyStore(Protocol):
    """Requests for administrative power."""

    async def add_admin_key(self, key: AdminKey, *, note: Note[AdminKey] | None = None) -> None:
        """Keep a new request; ``UnknownPrincipal`` without its requester, ``AlreadyExists`` when the id is taken."""
        ...

    async def find_admin_key(self, key_id: str) -> AdminKey | None:
        """The request of this id."""
        ...

    async def list_admin_keys(self, *, requester: int | None, after: str | None, limit: int) -> Page[AdminKey]:
        """Requests in order of asking; ``after`` as in ``list_jobs``."""
        ...

    async def change_admin_key(
        self, key_id: str, judge: Callable[[AdminKey | None], AdminKey], *, note: Note[AdminKey] | None = None
    ) -> AdminKey:
        """Replace the request by what the pure ``judge`` says of it as it stands, in one transaction.

        ``judge`` refuses by raising; then nothing changes. Of a request that is unknown (None) it must.
        """
        ...
