"""All root keys: one signs, older ones still verify, retired ones only prove old histories.

No secret is stored beside them: every key in use is derived from a root key (``docs/tokens.md``, "Keys").
"""

from __future__ import annotations

from collections.abc import Iterable
from hmac import compare_digest
from typing import Final, Literal, NamedTuple, NoReturn

import msgspec

from jobpass.errors import KeyringError, UnknownKey
from jobpass.tokens.mac import KEY_BYTES, MacKey, hkdf_sha256, hmac_sha256
from jobpass.tokens.token import KID_BYTES, KIND_BYTES, Kind, from_hex, kid_bytes

_PURPOSE = "jobpass/v1/"
_CHAIN = "chain"
# libmacaroons derives the first key of the chain so; the key is padded with zeros to 32 bytes.
_GENERATOR = b"macaroons-key-generator".ljust(KEY_BYTES, b"\0")

MIN_SECRET_CHARS: Final = 16
_SECRET = b"jobpass/v1/secret"
_ROOT, _KID = b"root key", b"kid"

RESERVED_PURPOSES: Final = frozenset((*KIND_BYTES, _CHAIN))

State = Literal["active", "verifying", "retired"]


class _Active(msgspec.Struct, frozen=True, tag_field="state", tag="active", forbid_unknown_fields=True):
    kid: str
    root: str


class _Verifying(msgspec.Struct, frozen=True, tag_field="state", tag="verifying", forbid_unknown_fields=True):
    kid: str
    root: str


class _Retired(msgspec.Struct, frozen=True, tag_field="state", tag="retired", forbid_unknown_fields=True):
    kid: str
    chain: str


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    keys: list[_Active | _Verifying | _Retired]


_decode = msgspec.json.Decoder(_File).decode


class KeyState(NamedTuple):
    """What may be told about a root key."""

    kid: str
    state: State


class _Entry(NamedTuple):
    """``key`` is the root key, or the chain key once retired."""

    kid: str
    state: State
    key: bytes


class Keyring:
    """Root keys by kid, newest first; a value that does not change: ``rotate`` and ``retire`` give another one."""

    __slots__ = ("_chain_keys", "_entries", "_roots", "_signing_kid", "_token_keys")

    def __init__(self, entries: Iterable[tuple[str, State, bytes]]) -> None:
        """``entries`` are (kid, state, root key or for a retired one chain key); KeyringError if they are not sound."""
        self._entries = tuple(_sound(_Entry(*entry)) for entry in entries)
        signing = [entry.kid for entry in self._entries if entry.state == "active"]
        if len(signing) != 1:
            raise KeyringError(f"A keyring has exactly one active key; this one has {len(signing)}.")
        if len({entry.kid for entry in self._entries}) != len(self._entries):
            raise KeyringError("Two keys of the keyring have the same id.")
        if len({entry.key for entry in self._entries}) != len(self._entries):
            raise KeyringError("Two entries of the keyring hold the same key.")
        self._signing_kid = signing[0]
        self._roots = {entry.kid: entry.key for entry in self._entries if entry.state != "retired"}
        self._chain_keys = {entry.kid: entry.key for entry in self._entries if entry.state == "retired"} | {
            kid: _derived(root, _CHAIN) for kid, root in self._roots.items()
        }
        self._token_keys = {
            _name(kid, kind): MacKey(hmac_sha256(_GENERATOR, _derived(root, kind)))
            for kid, root in self._roots.items()
            for kind in KIND_BYTES
        }

    @classmethod
    def generate(cls, kid: bytes, root: bytes) -> Keyring:
        """A keyring with one key, from 4 and 32 random bytes."""
        return cls([(kid.hex(), "active", root)])

    @classmethod
    def from_secret(cls, secret: str) -> Keyring:
        """The keyring of an installation whose one root key follows from a text; KeyringError for one too weak."""
        known = _known(secret)
        kid = hkdf_sha256(known, _KID, KID_BYTES, _SECRET)
        return cls.generate(kid, hkdf_sha256(known, _ROOT, KEY_BYTES, _SECRET))

    @classmethod
    def parse(cls, text: str | bytes) -> Keyring:
        """Read what ``dump`` wrote; KeyringError, which never shows what was read, if it is not exactly that."""
        entries = _read(text)
        if entries is None:
            raise KeyringError("The keyring cannot be read: it is not a keyring of version 1.")
        return cls(entries)

    def dump(self) -> str:
        """The keyring as JSON text, **with all root keys**: for a file that only its owner reads."""
        keys: list[_Active | _Verifying | _Retired] = []
        for kid, state, key in self._entries:
            if state == "retired":
                keys.append(_Retired(kid, key.hex()))
            else:
                keys.append((_Active if state == "active" else _Verifying)(kid, key.hex()))
        text = msgspec.json.format(msgspec.json.encode(_File(1, keys)), indent=2)
        return text.decode("ascii") + "\n"

    @property
    def signing_kid(self) -> str:
        """The id of the key that signs new tokens and history links."""
        return self._signing_kid

    @property
    def keys(self) -> tuple[KeyState, ...]:
        """Each key's id and state, newest first."""
        return tuple(KeyState(entry.kid, entry.state) for entry in self._entries)

    def holds(self, other: Keyring) -> bool:
        """Whether the key that signs in ``other`` is one that signs or verifies here."""
        kid = other.signing_kid
        return kid in self._roots and compare_digest(self._roots[kid], other._roots[kid])

    def rotate(self, kid: bytes, root: bytes) -> Keyring:
        """A keyring in which a new key, from 4 and 32 random bytes, signs; the others still verify."""
        older = [entry._replace(state="verifying") if entry.state == "active" else entry for entry in self._entries]
        return Keyring([(kid.hex(), "active", root), *older])

    def retire(self, kid: str) -> Keyring:
        """A keyring in which tokens of ``kid`` are unknown, while histories that it signed still verify.

        KeyringError for a kid that is not there, and for the one that signs. Retiring twice changes nothing.
        """
        if kid == self._signing_kid:
            raise KeyringError("The active key signs new tokens: rotate first, then retire it.")
        retired = _Entry(kid, "retired", self.chain_key(kid))
        return Keyring([retired if entry.kid == kid else entry for entry in self._entries])

    def token_key(self, kid: str, kind: Kind) -> MacKey:
        """What signs the identifiers of this kind of token; UnknownKey if ``kid`` is retired or was never there."""
        found = self._token_keys.get(_name(kid, kind))
        if found is None:
            raise UnknownKey("The token names a key that this server does not have.", kid=kid)
        return found

    def token_key_of(self, identifier: bytes) -> MacKey | None:
        """The same for a whole identifier (``token.py``), by its bytes of kind and kid; None if there is none."""
        return self._token_keys.get(identifier[1:6])

    def chain_key(self, kid: str) -> bytes:
        """The 32 byte key of the history links of ``kid``, retired or not; KeyringError if it was never there."""
        found = self._chain_keys.get(kid)
        if found is None:
            raise KeyringError("The keyring has no key of this id.", kid=kid)
        return found

    def record_key(self, kid: str, purpose: str) -> bytes:
        """A 32 byte key for another record than the histories, which outlives the retirement of ``kid`` as they do."""
        return _derived(self.chain_key(kid), purpose)

    def derive(self, kid: str, purpose: str) -> bytes:
        """A 32 byte key for a purpose of its own, gone once ``kid`` is retired.

        KeyringError for a kid that is not there or retired, ValueError for a purpose that tokens or histories use.
        """
        if purpose in RESERVED_PURPOSES:
            raise ValueError("this purpose has a method of its own")
        if kid not in self._roots:
            raise KeyringError("The keyring has no key of this id that is still in use.", kid=kid)
        return _derived(self._roots[kid], purpose)

    def __repr__(self) -> str:
        return f"<Keyring signing={self._signing_kid} keys={len(self._roots)} of {len(self._entries)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a keyring is not pickled")


def derive_key(secret: str, purpose: str) -> bytes:
    """A 32 byte key from the secret of ``Keyring.from_secret``, which no root key and no other purpose tells.

    KeyringError for a secret that is too weak.
    """
    return hkdf_sha256(_known(secret), b"purpose/" + purpose.encode(), KEY_BYTES, _SECRET)


def _known(secret: str) -> bytes:
    """The bytes of a secret; KeyringError, which does not show it, for one that cannot be one."""
    if len(secret) < MIN_SECRET_CHARS:
        raise KeyringError(f"A secret has at least {MIN_SECRET_CHARS} characters, and should be random.")
    if len(set(secret)) == 1:
        raise KeyringError("The secret is one character repeated.")
    try:
        known = secret.encode()
    except UnicodeEncodeError:
        known = b""
    if not known:  # raised out here: the caught error would show the secret
        raise KeyringError("The secret is not valid Unicode.")
    return known


def _derived(key: bytes, purpose: str) -> bytes:
    return hmac_sha256(key, (_PURPOSE + purpose).encode())


def _name(kid: str, kind: Kind) -> bytes:
    """Kind and kid as they stand side by side in an identifier; empty, which names no key, for what is no kid."""
    try:
        return bytes((KIND_BYTES[kind],)) + kid_bytes(kid)
    except ValueError:
        return b""


def _sound(entry: _Entry) -> _Entry:
    """The entry, if nothing is wrong with it; the messages say which entry, never what is in it."""
    try:
        kid_bytes(entry.kid)
    except (ValueError, TypeError):
        raise KeyringError(f"The id of a key is {2 * KID_BYTES} lower-case hex characters.") from None
    if len(entry.key) != KEY_BYTES:
        raise KeyringError(f"Key {entry.kid} does not have {KEY_BYTES} bytes.")
    if len(set(entry.key)) == 1:
        raise KeyringError(f"Key {entry.kid} is one byte repeated: it was not made from random bytes.")
    return entry


def _read(text: str | bytes) -> list[tuple[str, State, bytes]] | None:
    """The entries in ``text``; None if it cannot be read (raising here would chain an error that holds keys)."""
    entries: list[tuple[str, State, bytes]] = []
    try:
        for key in _decode(text).keys:
            if isinstance(key, _Retired):
                entries.append((key.kid, "retired", from_hex(key.chain)))
            else:
                state: State = "active" if isinstance(key, _Active) else "verifying"
                entries.append((key.kid, state, from_hex(key.root)))
    except (ValueError, TypeError, RecursionError):
        return None
    return entries
