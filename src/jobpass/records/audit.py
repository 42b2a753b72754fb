"""The audit chains."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class AuditEntry(Struct, frozen=True):
    """One entry of a node's audit chain.

    ``principal`` and ``credential`` say who, ``address`` from where, ``subject`` what it was about (a job's uuid, a
    credential's id, a principal's id as text); ``data`` is a JSON object without secrets.
    """

    node: str
    sequence: int
    at: datetime
    name: str
    principal: int | None
    credential: str | None
    address: str | None
    subject: str | None
    data: bytes
    kid: str
    link: bytes
