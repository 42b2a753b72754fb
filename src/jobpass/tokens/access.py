"""What is attempted, as a value: the one thing that caveats are asked about."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Access(msgspec.Struct, frozen=True, gc=False):
    """One attempt: its verb, when, and what it touches; None where there is no such thing.

    ``action`` is a verb like ``jobs.read``, ``jobs.event``, ``jobs.create``. ``at`` is aware, UTC, and the only time
    that a decision knows. ``event`` is set when the attempt sends one, with the job's ``state`` before it. ``job`` is
    a uuid in its canonical lower-case text, ``address`` the caller's IP address as text.
    """

    action: str
    at: datetime
    job: str | None = None
    event: str | None = None
    state: str | None = None
    platform: str | None = None
    address: str | None = None
