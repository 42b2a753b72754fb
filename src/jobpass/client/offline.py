"""What the holder of a token makes of it alone: neither a server nor a root key is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from jobpass.client.narrow import narrow
from jobpass.clock import SystemClock
from jobpass.tokens import attenuate as tokens


def admin_token(key: str, now: datetime | None = None) -> str:
    """The admin token of the present window (or that of ``now``, which is aware), made from an admin key ``jp_adk_…``.

    It lives more than the key's lifetime L and at most 2 L; all who make it in the same window get the same text.
    Raises ``MalformedToken``, or ``WrongKind`` for a text that is no admin key.
    """
    return tokens.admin_token(key, SystemClock().now() if now is None else now)


def admin_lifetime(key: str) -> int:
    """L of an admin key ``jp_adk_…``, in seconds. Raises ``MalformedToken``, or ``WrongKind`` for another text."""
    return tokens.admin_lifetime(key)


def attenuate(
    token: str,
    *,
    expires_in_seconds: float | None = None,
    expires_at: datetime | None = None,
    jobs: Iterable[str] | None = None,
    events: Iterable[str] | None = None,
    states: Mapping[str, Iterable[str]] | None = None,
    actions: Iterable[str] | None = None,
    platforms: Iterable[str] | None = None,
    cidr: Iterable[str] | None = None,
    now: datetime | None = None,
) -> str:
    """A narrower copy of ``token``, as ``Client.attenuate`` makes it, whose arguments these are."""
    return narrow(
        token,
        SystemClock().now() if now is None else now,
        expires_in_seconds=expires_in_seconds,
        expires_at=expires_at,
        jobs=jobs,
        events=events,
        states=states,
        actions=actions,
        platforms=platforms,
        cidr=cidr,
    )
