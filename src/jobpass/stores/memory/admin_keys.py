"""Requests for administrative power in memory."""

from __future__ import annotations

from collections.abc import Callable

from jobpass.ports import Note
from jobpass.records import AdminKey, Page
from jobpass.stores.listing import read_cursor
from jobpass.stores.memory.part import Part, page
from jobpass.stores.rules import check_replacement, id_taken


class AdminKeys(Part):
    """``ports.AdminKeyStore``."""

    def __init__(self) -> None:
        super().__init__()
        self._admin_keys: dict[str, AdminKey] = {}

    async def add_admin_key(self, key: AdminKey, *, note: Note[AdminKey] | None = None) -> None:
        """As ``ports.AdminKeyStore``."""
        self._check_open()
        self._principal(key.requester)
        if key.id in self._admin_keys:
            raise id_taken("An admin key")
        self._admin_keys[key.id] = self._note(note, key)

    async def find_admin_key(self, key_id: str) -> AdminKey | None:
        """As ``ports.AdminKeyStore``."""
        self._check_open()
        return self._admin_keys.get(key_id)

    async def list_admin_keys(self, *, requester: int | None, after: str | None, limit: int) -> Page[AdminKey]:
        """As ``ports.AdminKeyStore``."""
        self._check_open()
        numbered = enumerate(self._admin_keys.values(), 1)
        wanted = ((number, key) for number, key in numbered if requester is None or key.requester == requester)
        return page(wanted, read_cursor(after, len(self._admin_keys)), limit)

    async def change_admin_key(
        self, key_id: str, judge: Callable[[AdminKey | None], AdminKey], *, note: Note[AdminKey] | None = None
    ) -> AdminKey:
        """As ``ports.AdminKeyStore``."""
        self._check_open()
        standing = self._admin_keys.get(key_id)
        changed = judge(standing)
        check_replacement(changed, standing)
        self._admin_keys[key_id] = self._note(note, changed)
        return changed
