"""What a token is: its kinds, its text, its identifier; ``Unverified`` as read, ``Verified`` as proved."""

from __future__ import annotations

import re
from struct import Struct
from typing import Any, Final, Literal, NoReturn

import msgspec

from jobpass.errors import MalformedToken
from jobpass.tokens import base64url, macaroon
from jobpass.tokens.caveats import Caveat

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
_SHOWN_HEX = 12  # of a credential's id are shown with how its text begins
_REFUSAL = "The text is not a token."

# Identifiers, big-endian: version, kind, kid, then what the kind needs.
_DOCUMENT = Struct(">BB4s16sQ")
_ADMIN = Struct(">BB4s16sL")
_CREDENTIAL = Struct(">BB4s16s")
_SERIAL, _LIFETIME = Struct(">Q"), Struct(">L")
_SHAPES: dict[str, Struct] = {"document": _DOCUMENT, "admin": _ADMIN}
_NO_SECONDS = bytes(4)  # an admin key's lifetime
# Prefix -> kind, prefix, the identifier's first two bytes, its size.
_OF_PREFIX: dict[bytes, tuple[Kind, str, bytes, int]] = {
    prefix.encode(): (kind, prefix, bytes((FORMAT_VERSION, KIND_BYTES[kind])), _SHAPES.get(kind, _CREDENTIAL).size)
    for prefix, kind in [*((prefix, kind) for kind, prefix in PREFIXES.items()), (ADMIN_KEY_PREFIX, "admin")]
}

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


class Unverified(msgspec.Struct, frozen=True, gc=False):
    """A token as it was read: anybody may have written it. Never a reason to allow anything."""

    kind: Kind
    prefix: str
    identifier: bytes
    caveats: tuple[bytes, ...]
    signature: bytes

    @property
    def kid(self) -> str:
        """The id of the root key that the token names."""
        return kid_of(self.identifier)

    @property
    def identity(self) -> Identity:
        """What the token says it is."""
        return Identity(*identity_fields(self.kind, self.identifier))

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
    return Unverified(*take_apart(to_bytes(text)))


def to_bytes(text: str) -> bytes:
    """The bytes of a text that may be a token; MalformedToken for what is no text, or none that can be encoded."""
    try:
        return str.encode(text)
    except (UnicodeEncodeError, TypeError):
        pass  # raised below: the cause would carry the text along
    raise MalformedToken(_REFUSAL)


def take_apart(data: bytes) -> tuple[Kind, str, bytes, tuple[bytes, ...], bytes]:
    """The fields of ``Unverified``, in its order, from an encoded text; MalformedToken as for ``parse``."""
    try:
        kind, prefix, head, size = _OF_PREFIX[data[:_PREFIX_CHARS]]
        if len(data) > MAX_TEXT_CHARS:
            raise ValueError("too long")
        identifier, caveats, signature = macaroon.unpack(base64url.decode(data[_PREFIX_CHARS:]))
        fits = len(identifier) == size and identifier.startswith(head) and len(caveats) <= MAX_CAVEATS
    except (ValueError, IndexError, KeyError):
        fits = False  # and raised below, so that no cause carries a part of the text along
    if not fits or (kind == "admin" and identifier.endswith(_NO_SECONDS)):
        raise MalformedToken(_REFUSAL)
    return kind, prefix, identifier, caveats, signature


def kid_of(identifier: bytes) -> str:
    """The kid in an identifier."""
    return identifier[2:6].hex()


def identity_fields(kind: Kind, identifier: bytes) -> tuple[Kind, str, str | None, int | None, str | None, int | None]:
    """The fields of ``Identity``, in its order; ``identifier`` is one of that kind, as ``parse`` leaves it."""
    text = identifier.hex()
    kid = text[4:12]
    if kind == "document":
        job = "-".join((text[12:20], text[20:24], text[24:28], text[28:32], text[32:44]))
        return kind, kid, job, _SERIAL.unpack_from(identifier, 22)[0], None, None
    lifetime = _LIFETIME.unpack_from(identifier, 22)[0] if kind == "admin" else None
    return kind, kid, None, None, text[12:44], lifetime


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
    identifier = _DOCUMENT.pack(FORMAT_VERSION, KIND_BYTES["document"], kid_bytes(kid), data, serial)
    if identity_fields("document", identifier)[2] != job_uuid:
        raise ValueError("a job's uuid is in its canonical lower-case form")
    return identifier


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


def beginning(kind: Kind, kid: str, credential_id: str) -> str:
    """How the text of a login token, job token or API key begins, for who has it to know it by; it opens nothing."""
    return f"{PREFIXES[kind]}{base64url.encode(_beginnings[kind] + bytes.fromhex(kid + credential_id[:_SHOWN_HEX]))}…"


_beginnings: Final = {
    kind: macaroon.pack(bytes((FORMAT_VERSION, KIND_BYTES[kind])).ljust(_CREDENTIAL.size, b"\0"), (), b"")[:5]
    for kind in PREFIXES
}
"""What stands before the kid in the bytes of such a token."""


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
