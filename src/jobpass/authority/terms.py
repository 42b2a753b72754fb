"""What a job token or an API key may be: its label, how long it lives, its priority, what it is limited to."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from jobpass.authority.policy import ACTIONS
from jobpass.errors import InvalidInput, LimitExceeded
from jobpass.records import Terms
from jobpass.tokens.caveats import Actions, Caveat, Platforms, earliest_expiry, moment
from jobpass.tokens.token import scrub

if TYPE_CHECKING:
    from jobpass.records import Credential, Principal

DEFAULT_LABEL: Final = "unknown"
MAX_LABEL_LENGTH: Final = 128
MAX_SECONDS: Final = 10 * 366 * 86_400
"""Ten years, with every leap day that they could have."""


def check(label: str | None, duration_seconds: int, terms: Terms) -> None:
    """``InvalidInput`` for a label, a duration or limits that no credential can have."""
    if label is not None:
        check_label(label)
    if not 1 <= duration_seconds <= MAX_SECONDS:
        raise InvalidInput.at("json.duration", f"must be 1 to {MAX_SECONDS} seconds")
    unknown = set(terms.actions or ()) - ACTIONS.keys()
    if unknown:
        raise InvalidInput.at("json.actions", "names what is no action")


def check_label(label: str) -> None:
    """``InvalidInput`` for a label that no credential can have."""
    if not 1 <= len(label) <= MAX_LABEL_LENGTH or not label.isprintable() or label != label.strip():
        problem = f"must have 1 to {MAX_LABEL_LENGTH} printable characters, and no blanks around them"
        raise InvalidInput.at("json.label", problem)
    if scrub(label) != label:
        raise InvalidInput.at("json.label", "holds a token; whoever reads it could use it")


def check_priority(priority: int, owner: Principal, parent: Credential | None) -> None:
    """``InvalidInput`` below 0, ``LimitExceeded`` above the owner's and above the parent's."""
    if priority < 0:
        raise InvalidInput.at("json.priority", "must be at least 0")
    ceiling = owner.profile.priority if parent is None else min(owner.profile.priority, parent.priority)
    if priority > ceiling:
        raise LimitExceeded(f"The priority cannot be higher than {ceiling}.", limit=ceiling)


def limits(terms: Terms) -> tuple[Caveat, ...]:
    """The conditions that hold the token to its terms."""
    platforms = () if terms.platforms is None else (Platforms(terms.platforms),)
    actions = () if terms.actions is None else (Actions(terms.actions),)
    return (*platforms, *actions)


def effective(terms: Terms, caveats: tuple[Caveat, ...]) -> Terms:
    """The terms as the conditions leave them, for who looks at the record."""
    platforms = [set(one.allowed) for one in caveats if isinstance(one, Platforms)]
    actions = [set(one.allowed) for one in caveats if isinstance(one, Actions)]
    return replace(
        terms,
        platforms=tuple(sorted(set.intersection(*platforms))) if platforms else None,
        actions=tuple(sorted(set.intersection(*actions))) if actions else None,
    )


def end_of(
    at: datetime, duration_seconds: int, caveats: tuple[Caveat, ...], parent: Credential | None = None
) -> datetime:
    """When the token ends: no later than what it is made with."""
    ends = [at + timedelta(seconds=duration_seconds)]
    expiry = earliest_expiry(caveats)
    if expiry is not None:
        ends.append(moment(expiry))
    if parent is not None and parent.expires_at is not None:
        ends.append(parent.expires_at)
    return min(ends)
