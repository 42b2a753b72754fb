"""What an account may be like: its address, its names, its priority and limits."""

from __future__ import annotations

from typing import Final

from jobpass.errors import InvalidInput
from jobpass.records import Profile
from jobpass.tokens.token import scrub

MAX_NAME_LENGTH: Final = 100
MAX_PRIORITY: Final = 1000
MAX_JOBS: Final = 1_000_000
MAX_EMAIL_LENGTH: Final = 254
"""Characters of an address, RFC 5321 §4.5.3.1.3 less the angle brackets."""


def check_profile(profile: Profile) -> None:
    """``InvalidInput`` for names, a priority or limits that no account can have."""
    fields: dict[str, list[str]] = {}
    for name in ("first_name", "last_name"):
        text = getattr(profile, name)
        if len(text) > MAX_NAME_LENGTH or (text and not text.isprintable()):
            fields[f"json.{name}"] = [f"must have at most {MAX_NAME_LENGTH} printable characters"]
        elif scrub(text) != text:
            fields[f"json.{name}"] = ["holds a token; whoever reads it could use it"]
    bounds = {"priority": MAX_PRIORITY, "max_jobs_in_queue": MAX_JOBS, "max_concurrent_jobs": MAX_JOBS}
    for name, most in bounds.items():
        if not 0 <= getattr(profile, name) <= most:
            fields[f"json.{name}"] = [f"must be 0 to {most}"]
    if fields:
        raise InvalidInput("The account cannot be like that.", fields)


def read_address(email: str) -> str:
    """The address as it is stored; ``InvalidInput`` if it cannot be one (one ``@``, something on both sides)."""
    address = email.strip().lower()
    local, at, domain = address.partition("@")
    printable = address.isprintable() and " " not in address
    if not (local and at and domain) or "@" in domain or len(address) > MAX_EMAIL_LENGTH or not printable:
        raise InvalidInput.at("json.email", "is not an e-mail address")
    return address
