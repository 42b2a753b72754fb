"""Rows of principals."""

from __future__ import annotations

from typing import Any

import msgspec

from jobpass.clock import from_microseconds, to_microseconds
from jobpass.records import Principal, Profile
from jobpass.stores.rows.columns import Row

_decode_profile = msgspec.json.Decoder(Profile).decode
_PLAIN_PROFILE = Profile()


def principal_from(row: Row) -> Principal:
    """The columns id, email, role, active, created_at, profile."""
    number, email, role, active, created_at, profile = row
    known = _PLAIN_PROFILE if profile == b"{}" else _decode_profile(profile)
    return Principal(number, email, role, bool(active), from_microseconds(created_at), known)


def profile_text(profile: Profile) -> bytes:
    """The column ``profile``."""
    return msgspec.json.encode(profile)


def principal_row(principal: Principal, password_hash: str | None) -> dict[str, Any]:
    """The bindings of ``change_principal``."""
    return {
        "id": principal.id,
        "email": principal.email,
        "role": principal.role,
        "active": principal.active,
        "created_at": to_microseconds(principal.created_at),
        "profile": profile_text(principal.profile),
        "password_hash": password_hash,
    }
