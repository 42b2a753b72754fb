"""From a text that anybody may have sent to a ``Verified`` token, and from that to what its caveats object to."""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import Final, NamedTuple

from jobpass.errors import ForgedToken, MalformedToken, UnknownKey, WrongKind
from jobpass.tokens.access import Access
from jobpass.tokens.caveats import first_expiry, read_all
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mac import chain
from jobpass.tokens.token import ADMIN_KEY_PREFIX, Verified, parse

DEFAULT_CACHE_SIZE: Final = 16_384  # tokens; about 1 KB each with three caveats
ADMIN_SKEW_SECONDS: Final = 60  # how far the clock of an admin key's holder may be ahead


class Verifier:
    """Verifies texts with one keyring; another keyring is another verifier, and so another cache.

    The cache remembers about ``cache_size`` good tokens by a hash of their text and spares the MAC, nothing else:
    caveats, record and clock are asked again each time. Refusals are not remembered. 0 switches it off.
    """

    __slots__ = ("_half", "_keyring", "_new", "_old")

    def __init__(self, keyring: Keyring, cache_size: int = DEFAULT_CACHE_SIZE) -> None:
        self._keyring = keyring
        # Two generations: what is used while the new one fills moves there, the rest goes when they change places.
        self._half = cache_size // 2 if cache_size > 1 else cache_size
        self._new: dict[bytes, Verified] = {}
        self._old: dict[bytes, Verified] = {}

    def verify(self, text: str) -> Verified:
        """The token of ``text``, if its MAC is right and every caveat readable.

        Raises MalformedToken, UnknownKey, ForgedToken, or WrongKind for an admin key (also under the prefix of an
        admin token: one without ``expires_at``); for any argument nothing else.
        """
        digest = _digest(text)
        found = self._new.get(digest)
        if found is not None:
            return found
        found = self._old.get(digest)
        if found is None:
            found = self._prove(text)
        self._remember(digest, found)
        return found

    @property
    def cached(self) -> int:
        """How many tokens the cache remembers."""
        return len(self._new) + len(self._old)

    def _prove(self, text: str) -> Verified:
        token = parse(text)
        if token.prefix == ADMIN_KEY_PREFIX:
            raise WrongKind("An admin key is not a token: make an admin token from it.", kid=token.kid)
        key = self._keyring.token_key_of(token.identifier)
        if key is None:
            raise UnknownKey("The token names a key that this server does not have.", kid=token.kid)
        if not compare_digest(chain(key.mac(token.identifier), token.caveats), token.signature):
            raise ForgedToken("The token's signature is wrong.", kid=token.kid)
        caveats = read_all(token.caveats)
        if token.lifetime_seconds is not None and first_expiry(caveats) is None:
            raise WrongKind("An admin token must say when it expires.", kid=token.kid)
        return Verified(
            token.kind, token.kid, token.job_uuid, token.serial, token.credential_id, token.lifetime_seconds, caveats
        )

    def _remember(self, digest: bytes, found: Verified) -> None:
        if len(self._new) >= self._half:
            if not self._half:
                return
            self._old = self._new
            self._new = {}
        self._new[digest] = found


def _digest(text: str) -> bytes:
    """64 bytes that stand for ``text`` in the cache."""
    try:
        data = str.encode(text)
    except (UnicodeEncodeError, TypeError):  # the first would carry the text along, so it is not chained
        data = None
    if data is None:
        raise MalformedToken("The text is not a token.")
    return blake2b(data).digest()


class Objection(NamedTuple):
    """Why a token forbids an access.

    ``code`` is the caveat's name, or ``admin_window``; ``expired`` says that the token's time is not now, which
    refuses the token (401) and not just the access (403).
    """

    code: str
    sentence: str
    expired: bool


def check_caveats(verified: Verified, access: Access) -> tuple[Objection, ...]:
    """Every objection that the token itself has to ``access``; empty if it has none.

    Whether the token's record, job and owner allow it is the gate's business.
    """
    objections: tuple[Objection, ...] = ()
    for caveat in verified.caveats:
        sentence = caveat.prohibits(access)
        if sentence is not None:
            objections += (Objection(caveat.code, sentence, caveat.code == "expires_at"),)
    if verified.lifetime_seconds is not None:
        objections += check_admin_window(verified, access)
    return objections


def check_admin_window(verified: Verified, access: Access) -> tuple[Objection, ...]:
    """The objection to an admin token that would live longer than its key of lifetime L allows.

    Made at second t it expires at most 2 L later; its maker's clock may be a minute ahead. Only its first
    ``expires_at`` counts: were it the earliest, adding one would turn this refusal into a grant.
    """
    lifetime = verified.lifetime_seconds
    if lifetime is None:
        return ()
    expiry = first_expiry(verified.caveats)
    now = int(access.at.timestamp())
    if expiry is not None and expiry <= now + 2 * lifetime + ADMIN_SKEW_SECONDS:
        return ()
    return (Objection("admin_window", "The admin token would live longer than its key allows.", True),)
