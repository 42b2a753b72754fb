"""Narrow a token without asking the server and without any key; make admin tokens from an admin key."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from jobpass.errors import InvalidInput, WrongKind
from jobpass.tokens import token
from jobpass.tokens.caveats import Caveat, ExpiresAt, without_expiry, write_all
from jobpass.tokens.mac import chain
from jobpass.tokens.token import ADMIN_KEY_PREFIX, MAX_CAVEATS, MAX_TEXT_CHARS, PREFIXES, Unverified

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def attenuate(text: str, caveats: Iterable[Caveat]) -> str:
    """The token (or admin key) with ``caveats`` added: it can do less, never more, and cannot be turned back.

    Raises MalformedToken if ``text`` is not one, InvalidInput if a caveat is not sound, the result too long, or an
    admin key would get an ``expires_at``.
    """
    read = token.parse(text)
    if read.prefix == ADMIN_KEY_PREFIX:
        caveats = without_expiry(caveats)
    return _add(read, read.prefix, caveats)


def admin_token(key_text: str, now: datetime) -> str:
    """The admin token of the present window, made from an admin key; ``now`` is aware.

    It expires at ``(floor(t / L) + 2) * L`` for the key's lifetime of L seconds: after more than L, at most 2 L
    seconds; all who make it in the same window get the same text. Raises MalformedToken, or WrongKind for a text
    that is no admin key.
    """
    key = _admin_key(key_text)
    lifetime = admin_lifetime(key_text)
    window = (now - _EPOCH) // _SECOND // lifetime
    return _add(key, PREFIXES["admin"], [ExpiresAt((window + 2) * lifetime)])


def admin_lifetime(key_text: str) -> int:
    """The lifetime L of an admin key in seconds; MalformedToken, or WrongKind for a text that is no admin key."""
    lifetime = _admin_key(key_text).identity.lifetime_seconds
    if lifetime is None:  # pragma: no cover - an admin identifier always has one
        raise WrongKind("This is not an admin key.")
    return lifetime


def _admin_key(text: str) -> Unverified:
    key = token.parse(text)
    if key.prefix != ADMIN_KEY_PREFIX:
        raise WrongKind("This is not an admin key.")
    return key


def _add(read: Unverified, prefix: str, caveats: Iterable[Caveat]) -> str:
    added = write_all(caveats)
    signature = chain(read.signature, added)
    try:
        return token.write(prefix, read.identifier, read.caveats + added, signature)
    except ValueError:
        raise InvalidInput(f"A token has at most {MAX_CAVEATS} conditions and {MAX_TEXT_CHARS} characters.") from None
