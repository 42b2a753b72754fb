"""Requests for administrative power."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

AdminKeyState = Literal["requested", "approved", "denied", "collected", "revoked"]


class AdminKey(Struct, frozen=True):
    """A request for administrative power, and what became of it; the key itself is stored nowhere.

    ``id`` is also the credential's id once the key is collected. ``scope`` is a JSON object of caveats by name (``{}``:
    everything), ``request_hash`` the hex SHA-256 of what is asked, by which an approval names it.
    """

    id: str
    state: AdminKeyState
    requester: int
    use_case: str
    storage: str
    lifetime_seconds: int
    scope: bytes
    request_hash: str
    requested_at: datetime
    reviewer: int | None = None
    reviewed_at: datetime | None = None
    reason: str | None = None
    collected_at: datetime | None = None
    revoked_at: datetime | None = None
