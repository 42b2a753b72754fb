"""What a token is: its kinds, its text, its identifier; ``Unverified`` as read, ``Verified`` as proved."""

from __future__ import annotations

import re
from struct import Struct
from typing import Any, Final, Literal, NoReturn

import msgspec

from jobpass.errors import MalformedToken
from jobpass.tokens import base64url, macaroon
from jobpass.tokens.caveats import Caveat
from jobpass.tokens.macaroon import Macaroon

Kind = Literal["document", "admin", "login", "job", "apikey"]

FORMAT_VERSION: Final = 1
MAX_TEXT_CHARS: Final = 8192
MAX_CAVEATS: Final = 64
MAX_SERIAL: Final = 2**64 - 1
MAX_LIFETIME_SECONDS: Final = 2**32 - 1
KID_BYTES: Final = 4

KIND_BYTES: Final[dict[Kind, int]] = {"document": 1, "admin": 2, "login": 3, "job": 4, "apikey": 5}
PREFIXES: Final[dict[Kind, str]] = {
    "document": "jp_doc_",
    "admin": "jp_adm_",
    "login": "jp_log_",
    "job": "jp_job_",
    "apikey": "jp_key_",
}
ADMIN_KEY_PREFIX: Final = "jp_adk_"
_PREFIX_CHARS = 7
_KIND_OF_PREFIX: dict[str, Kind] = {prefix: kind for kind, prefix in PREFIXES.items()} | {ADMIN_KEY_PREFIX: "admin"}

# Identifiers, big-endian: version, kind, kid, then what the kind needs.
_DOCUMENT = Struct(">BB4s16sQ")
_ADMIN = Struct(">BB4s16sL")
_CREDENTIAL = Struct(">BB4s16s")

TOKEN_TEXT: Final = re.compile(r"jp_(?:doc|adm|log|job|key|adk)_[A-Za-z0-9_-]*")
"""Matches every token and admin key in a longer text, also one that was cut off."""


def scrub(text: str) -> str:
    """``text`` with the body of each token replaced: ``jp_doc_…``."""
    return TOKEN_TEXT.sub(lambda found: found[0][:_PREFIX_CHARS] + "…", text)


class Identity(msgspec.Struct, frozen=True, gc=False):
    """What a token says it is; all of it may be shown.

    ``kid`` is 8 hex characters. A document token has ``job_uuid`` (canonical text) and ``serial`` (0 to 2**64 - 1),
    every other kind ``credential_id`` (32 hex characters), and an admin token its key's ``lifetime_seconds``.
    """

    kind: Kind
    kid: str
    job_uuid: str | None
    serial: int | None
    credential_id: str | None
    lifetime_seconds: int | None


class Unverified(Identity, frozen=True, gc=False):
    """A token as it was read: anybody may have written it. Never a reason to allow anything."""

    prefix: str
    identifier: bytes
    caveats: tuple[bytes, ...]
    signature: bytes

    def __repr__(self) -> str:
        return f"<Unverified {self.prefix}… kid={self.kid} caveats={len(self.caveats)}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("kid", self.kid)]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token is not pickled")


class Verified(Identity, frozen=True, gc=False):
    """A token whose MAC was found right: proof of what ``Verifier.verify`` checked; it holds no MAC and no text."""

    caveats: tuple[Caveat, ...]


def parse(text: str) -> Unverified:
    """Read a token or an admin key without any key.

    Raises MalformedToken for every text that is not exactly what Jobpass writes (an empty location is let through).
    """
    token = _parse(text)
    if token is None:
        raise MalformedToken("The text is not a token.")
    return token


def _parse(text: str) -> Unverified | None:
    try:
        if len(text) > MAX_TEXT_CHARS:
            return None
        prefix = text[:_PREFIX_CHARS]
        kind = _KIND_OF_PREFIX[prefix]
        read = macaroon.unpack(base64url.decode(text[_PREFIX_CHARS:].encode()))
        if len(read.caveats) > MAX_CAVEATS:
            return None
        return _identified(kind, prefix, read)
    except (ValueError, IndexError, KeyError, TypeError, AttributeError):  # the last two: it was no text at all
        return None


def _identified(kind: Kind, prefix: str, read: Macaroon) -> Unverified | None:
    """The token with its identifier unpacked; None if that is not an identifier of this kind."""
    identifier = read.identifier
    if identifier[0] != FORMAT_VERSION or identifier[1] != KIND_BYTES[kind]:
        return None
    job = serial = credential = lifetime = None
    if kind == "document":
        if len(identifier) != _DOCUMENT.size:
            return None
        _, _, kid, job_bytes, serial = _DOCUMENT.unpack(identifier)
        job = _uuid_text(job_bytes)
    elif kind == "admin":
        if len(identifier) != _ADMIN.size:
            return None
        _, _, kid, credential_bytes, lifetime = _ADMIN.unpack(identifier)
        credential = credential_bytes.hex()
        if lifetime < 1:
            return None
    else:
        if len(identifier) != _CREDENTIAL.size:
            return None
        _, _, kid, credential_bytes = _CREDENTIAL.unpack(identifier)
        credential = credential_bytes.hex()
    return Unverified(
        kind, kid.hex(), job, serial, credential, lifetime, prefix, identifier, read.caveats, read.signature
    )


def _uuid_text(data: bytes) -> str:
    text = data.hex("-", 2)  # a third faster than cutting the plain hex in five: three of these dashes go
    return f"{text[:4]}{text[5:29]}{text[30:34]}{text[35:]}"


def write(prefix: str, identifier: bytes, caveats: tuple[bytes, ...], signature: bytes) -> str:
    """The text of a token; ValueError if it has too many caveats or is too long for any server to read."""
    if len(caveats) > MAX_CAVEATS:
        raise ValueError(f"a token has at most {MAX_CAVEATS} conditions")
    text = prefix + base64url.encode(macaroon.pack(identifier, caveats, signature))
    if len(text) > MAX_TEXT_CHARS:
        raise ValueError(f"a token has at most {MAX_TEXT_CHARS} characters")
    return text


def document_identifier(kid: str, job_uuid: str, serial: int) -> bytes:
    """The 30 identifier bytes of a job's document token; ValueError if a part is not what ``Identity`` says."""
    job = job_uuid.replace("-", "")
    if not 0 <= serial <= MAX_SERIAL:
        raise ValueError("a serial is a number of 64 bits")
    data = _sized(job, 16, "a job's uuid")
    if _uuid_text(data) != job_uuid:
        raise ValueError("a job's uuid is in its canonical lower-case form")
    return _DOCUMENT.pack(FORMAT_VERSION, KIND_BYTES["document"], kid_bytes(kid), data, serial)


def admin_identifier(kid: str, credential_id: str, lifetime_seconds: int) -> bytes:
    """The 26 identifier bytes of an admin key; ValueError if a part is not what ``Identity`` says."""
    if not 1 <= lifetime_seconds <= MAX_LIFETIME_SECONDS:
        raise ValueError("a lifetime is 1 to 2**32 - 1 seconds")
    credential = _sized(credential_id, 16, "a credential's id")
    return _ADMIN.pack(FORMAT_VERSION, KIND_BYTES["admin"], kid_bytes(kid), credential, lifetime_seconds)


def credential_identifier(kind: Kind, kid: str, credential_id: str) -> bytes:
    """The 22 identifier bytes of a login token, job token or API key; ValueError for another kind or unsound parts."""
    if kind not in ("login", "job", "apikey"):
        raise ValueError("this kind of token is not made from a credential's id alone")
    credential = _sized(credential_id, 16, "a credential's id")
    return _CREDENTIAL.pack(FORMAT_VERSION, KIND_BYTES[kind], kid_bytes(kid), credential)


def kid_bytes(kid: str) -> bytes:
    """The 4 bytes of a kid; ValueError if it is not 8 lower-case hex characters."""
    return _sized(kid, KID_BYTES, "a kid")


def from_hex(text: str) -> bytes:
    """The bytes of ``text``; ValueError for what is not lower-case hex without spaces."""
    data = bytes.fromhex(text)
    if data.hex() != text:
        raise ValueError("not lower-case hex")
    return data


def _sized(text: str, size: int, what: str) -> bytes:
    data = from_hex(text)
    if len(data) != size:
        raise ValueError(f"{what} is {2 * size} hex characters")
    return data
