"""From a text that anybody may have sent to a ``Verified`` token, and from that to what its caveats object to."""

from __future__ import annotations

from hashlib import blake2b
from hmac import compare_digest
from typing import Final, NamedTuple

from jobpass.errors import ForgedToken, UnknownKey, WrongKind
from jobpass.tokens.access import Access
from jobpass.tokens.caveats import first_expiry, read_all
from jobpass.tokens.fingerprint import Fingerprint, completed, digest
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mac import chain
from jobpass.tokens.token import ADMIN_KEY_PREFIX, Verified, identity_fields, kid_of, take_apart, to_bytes

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
        data = to_bytes(text)
        name = blake2b(data).digest()
        found = self._new.get(name)
        if found is not None:
            return found
        found = self._old.get(name)
        if found is None:
            found = self._prove(data)
        self._remember(name, found)
        return found

    def recognise(self, found: Fingerprint) -> Verified:
        """The token, or admin key, that the fingerprint is of; refuses as ``verify`` does, but for an admin key.

        Proves that whoever made the fingerprint had the text, and opens nothing.
        """
        key = self._keyring.token_key_of(found.identifier)
        if key is None:
            raise UnknownKey("The fingerprint names a key that this server does not have.")
        text = completed(found, chain(key.mac(found.identifier), found.caveats))
        if not compare_digest(digest(text), found.digest):
            raise ForgedToken("The fingerprint is not of a token of this server.")
        kind, _, identifier, written, _ = take_apart(to_bytes(text))
        kind, kid, job_uuid, serial, credential_id, lifetime_seconds = identity_fields(kind, identifier)
        return Verified(kind, kid, job_uuid, serial, credential_id, lifetime_seconds, read_all(written))

    @property
    def cached(self) -> int:
        """How many tokens the cache remembers."""
        return len(self._new) + len(self._old)

    def _prove(self, data: bytes) -> Verified:
        kind, prefix, identifier, written, signature = take_apart(data)
        if prefix == ADMIN_KEY_PREFIX:
            raise WrongKind("An admin key is not a token: make an admin token from it.", kid=kid_of(identifier))
        key = self._keyring.token_key_of(identifier)
        if key is None:
            raise UnknownKey("The token names a key that this server does not have.", kid=kid_of(identifier))
        if not compare_digest(chain(key.mac(identifier), written), signature):
            raise ForgedToken("The token's signature is wrong.", kid=kid_of(identifier))
        caveats = read_all(written)
        if kind == "admin" and first_expiry(caveats) is None:
            raise WrongKind("An admin token must say when it expires.", kid=kid_of(identifier))
        kind, kid, job_uuid, serial, credential_id, lifetime_seconds = identity_fields(kind, identifier)
        return Verified(kind, kid, job_uuid, serial, credential_id, lifetime_seconds, caveats)

    def _remember(self, name: bytes, found: Verified) -> None:
        if len(self._new) >= self._half:
            if not self._half:
                return
            self._old = self._new
            self._new = {}
        self._new[name] = found


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
