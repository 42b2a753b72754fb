"""Users and workers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

Role = Literal["operator", "author"]


class Profile(Struct, frozen=True, omit_defaults=True):
    """What is known of a principal beside who it is, and the limits of what it may do at once.

    ``priority`` is the highest that a token of its may have. ``platform_ids`` are the platforms that it may use, None
    for all. ``max_jobs_in_queue`` counts jobs that wait or run, ``max_concurrent_jobs`` those that run.
    """

    first_name: str = ""
    last_name: str = ""
    priority: int = 2
    company_id: int | None = None
    platform_ids: tuple[str, ...] | None = None
    max_jobs_in_queue: int = 50
    max_concurrent_jobs: int = 5


class Principal(Struct, frozen=True):
    """A user or worker who asks. ``id`` is the integer of the contract; ``email`` is stored in lower case."""

    id: int
    email: str
    role: Role
    active: bool
    created_at: datetime
    profile: Profile = Profile()


class Login(Struct, frozen=True):
    """A principal with the argon2 hash of the password; the hash leaves the authority nowhere."""

    principal: Principal
    password_hash: str

    def __repr__(self) -> str:
        return f"Login(principal={self.principal!r}, password_hash=…)"


class Renewal(Struct, frozen=True):
    """What became of a principal, and how many of its credentials ended with that."""

    before: Principal
    after: Principal
    ended: int
