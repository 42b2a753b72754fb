"""Write the vectors: ``python tests/tokens/make_vectors.py`` (the tests hold the files against this script).

Every value is fixed, so the output changes only when the format does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobpass.errors import InvalidToken
from jobpass.tokens import base64url, macaroon, token
from jobpass.tokens.access import Access
from jobpass.tokens.attenuate import admin_token, attenuate
from jobpass.tokens.caveats import read_all
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mac import chain, hmac_sha256
from jobpass.tokens.mint import mint_admin_key, mint_credential, mint_document
from jobpass.tokens.token import KIND_BYTES, PREFIXES, parse
from jobpass.tokens.verify import Verifier, check_caveats

FOLDER = Path(__file__).parent / "vectors"
ROOT = bytes(range(32))
KID = bytes.fromhex("0a1b2c3d")
UNKNOWN = Keyring.generate(bytes.fromhex("ffeeddcc"), bytes(range(32, 64)))
KEYRING = Keyring.generate(KID, ROOT)
JOB = "1079f67e-0ef6-51f0-9d5b-0242ac110002"
OTHER_JOB = "107a0000-0000-5000-8000-000000000001"
SERIAL = 0xFEDCBA9876543210
CREDENTIAL = "00112233445566778899aabbccddeeff"
LIFETIME = 3600
NOW = 1795366800  # 2026-11-22T17:00:00Z


def keys() -> dict[str, Any]:
    generator = b"macaroons-key-generator".ljust(32, b"\0")
    kinds = {}
    for kind in KIND_BYTES:
        of_kind = hmac_sha256(ROOT, b"jobpass/v1/" + kind.encode())
        kinds[kind] = {"kind_key": of_kind.hex(), "macaroon_key": hmac_sha256(generator, of_kind).hex()}
    return {
        "root_key": ROOT.hex(),
        "kid": KID.hex(),
        "keyring": json.loads(KEYRING.dump()),
        "kinds": kinds,
        "chain_key": KEYRING.chain_key(KID.hex()).hex(),
        "record_keys": {"audit": KEYRING.record_key(KID.hex(), "audit").hex()},
    }


def _texts() -> dict[str, str]:
    credentials = {kind: mint_credential(KEYRING, kind, CREDENTIAL) for kind in ("login", "job", "apikey")}
    document = mint_document(KEYRING, KID.hex(), JOB, SERIAL)
    return {"document": document, "admin_key": mint_admin_key(KEYRING, CREDENTIAL, LIFETIME)} | credentials


def _described(text: str) -> dict[str, Any]:
    read = parse(text)
    said = read.identity
    fields = {"job_uuid": said.job_uuid, "credential_id": said.credential_id, "lifetime_seconds": said.lifetime_seconds}
    if said.serial is not None:
        fields["serial"] = str(said.serial)  # more than 53 bits, so not as a JSON number
    return {
        "text": text,
        "kind": read.kind,
        "kid": read.kid,
        **{name: value for name, value in fields.items() if value is not None},
        "identifier": read.identifier.hex(),
        "caveats": [caveat.decode() for caveat in read.caveats],
        "signature": read.signature.hex(),
        "macaroon": base64url.decode(text[7:].encode()).hex(),
    }


def _with_location(text: str) -> str:
    raw = base64url.decode(text[7:].encode())
    return text[:7] + base64url.encode(raw[:1] + b"\x01\x00" + raw[1:])


def tokens() -> dict[str, Any]:
    texts = _texts()
    texts["admin"] = admin_token(texts["admin_key"], datetime.fromtimestamp(NOW, UTC))
    narrowed = attenuate(
        texts["document"],
        read_all(
            [f'["expires_at",{NOW}]'.encode(), f'["jobs",["{JOB}"]]'.encode(), b'["events",["update","resource"]]']
        ),
    )
    long = attenuate(texts["login"], read_all([b'["actions",["' + b"x" * 200 + b'"]]']))
    cases = texts | {"document, narrowed": narrowed, "a length of two bytes": long}
    return {
        "note": "All verify with the root key of keys.json, but admin_key, which is no bearer.",
        "tokens": [{"name": name} | _described(text) for name, text in cases.items()],
        "with_an_empty_location": {
            "note": "Other libraries write an empty location: accepted, and means the same.",
            "text": _with_location(narrowed),
            "same_as": narrowed,
        },
    }


def attenuation() -> dict[str, Any]:
    texts = _texts()
    steps = []
    text = texts["document"]
    for added in (f'["expires_at",{NOW}]', '["events",["update"]]', '["states",{"RUNNING":["update"]}]'):
        before, text = text, attenuate(text, read_all([added.encode()]))
        steps.append({"text": before, "add": added, "gives": text})
    return {
        "steps": steps,
        "admin_tokens": {
            "key": texts["admin_key"],
            "lifetime_seconds": LIFETIME,
            "made_at": [
                {
                    "at": at,
                    "expires_at": (at // LIFETIME + 2) * LIFETIME,
                    "text": admin_token(texts["admin_key"], datetime.fromtimestamp(at, UTC)),
                }
                for at in (NOW - 1, NOW, NOW + LIFETIME - 1, NOW + LIFETIME)
            ],
        },
        "admin_window": {
            "note": "The first token of made_at[1] presented at these seconds.",
            "accepted_at": [NOW - 60, NOW, NOW + 2 * LIFETIME - 1],
            "refused_at": [NOW - 61, NOW + 2 * LIFETIME],
        },
    }


_ACCESS = {"action": "jobs.event", "at": NOW, "job": JOB, "event": "update", "state": "RUNNING"}
_READ = {"action": "jobs.read", "at": NOW, "job": JOB}
_CAVEATS: list[tuple[str, list[dict[str, Any]]]] = [
    (f'["expires_at",{NOW}]', [_ACCESS | {"at": NOW - 1}, _ACCESS, _READ, _READ | {"at": NOW + 1}]),
    (f'["jobs",["{JOB}"]]', [_ACCESS, _ACCESS | {"job": OTHER_JOB}, {"action": "jobs.create", "at": NOW}]),
    ('["jobs",[]]', [_ACCESS, _READ]),
    ('["events",["update"]]', [_ACCESS, _ACCESS | {"event": "finish"}, _ACCESS | {"event": "UPDATE"}, _READ]),
    ('["events",[]]', [_ACCESS, _READ]),
    (
        '["states",{"RUNNING":["update"],"PENDING":[]}]',
        [_ACCESS, _ACCESS | {"event": "finish"}, _ACCESS | {"state": "PENDING"}, _ACCESS | {"state": "PAUSED"}, _READ],
    ),
    ('["actions",["jobs.read"]]', [_ACCESS, _READ]),
    ('["platforms",["local"]]', [_READ | {"platform": "local"}, _READ | {"platform": "remote"}, _READ]),
    (
        '["cidr",["10.0.0.0/8","2001:db8::/32","192.168.1.7"]]',
        [
            *(
                _READ | {"address": address}
                for address in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "192.168.1.7")
            ),
            *(_READ | {"address": address} for address in ("11.0.0.1", "192.168.1.8", "2001:db9::1", "nowhere")),
            _READ,
        ],
    ),
]
_UNREADABLE = [
    "",
    "expires_at",
    "{}",
    '["expires_at"]',
    '["expires_at",1.0]',
    '["expires_at","1"]',
    '["expires_at",-1]',
    '["expires_at",253402300800]',
    '["expires_at",1,2]',
    '["Expires_at",1]',
    '["newer_rule",1]',
    '["jobs","a"]',
    '["jobs",[1]]',
    '["jobs",["a"],{}]',
    '["states",{"RUNNING":[],"RUNNING":["update"]}]',
    '["cidr",["10.0.0.1/8"]]',
    '["cidr",["10.0.0.0/255.0.0.0"]]',
    '["cidr",["localhost"]]',
]


def caveats() -> dict[str, Any]:
    login = _texts()["login"]
    rules = []
    for text, attempts in _CAVEATS:
        verified = Verifier(KEYRING).verify(attenuate(login, read_all([text.encode()])))
        allowed, refused = [], []
        for attempt in attempts:
            access = Access(**(attempt | {"at": datetime.fromtimestamp(attempt["at"], UTC)}))
            (refused if check_caveats(verified, access) else allowed).append(attempt)
        rules.append({"caveat": text, "allows": allowed, "forbids": refused})
    unreadable = [{"caveat": text, "text": _signed(login, text.encode())} for text in _UNREADABLE]
    return {"rules": rules, "unreadable": unreadable}


def _signed(text: str, *added: bytes) -> str:
    """The token with bytes added as caveats, rightly signed, whatever they are."""
    read = parse(text)
    return token.write(read.prefix, read.identifier, read.caveats + added, chain(read.signature, added))


def _refused() -> Iterator[tuple[str, str]]:
    texts = _texts()
    login, document = texts["login"], texts["document"]
    raw = base64url.decode(login[7:].encode())

    def encoded(data: bytes) -> str:
        return "jp_log_" + base64url.encode(data)

    yield "nothing", ""
    yield "only a prefix", "jp_log_"
    yield "no prefix", login[7:]
    yield "an unknown prefix", "jp_xyz_" + login[7:]
    yield "a prefix in capitals", "JP_LOG_" + login[7:]
    yield "a space before it", " " + login
    yield "a line end behind it", login + "\n"
    yield "padding", login + "="
    yield "unused bits set", login[:-1] + chr(ord(login[-1]) + 1)
    yield "the other alphabet of base64", _with_a(login, "-_", "+/")
    yield "a character outside the alphabet", login[:20] + "!" + login[21:]
    yield "cut by one byte", encoded(raw[:-1])
    yield "a trailing byte", encoded(raw + b"\0")
    yield "a location", encoded(raw[:1] + b"\x01\x01x" + raw[1:])
    yield "a length that is no shortest varint", encoded(raw[:2] + b"\x96\x00" + raw[3:])
    yield "macaroon version 1", encoded(b"\x01" + raw[1:])
    yield "another version of the identifier", encoded(raw.replace(b"\x16\x01\x03", b"\x16\x02\x03", 1))
    yield "an identifier that is too short", token.write("jp_log_", parse(login).identifier[:-1], (), bytes(32))
    yield "a prefix that does not fit the identifier", "jp_job_" + login[7:]
    yield "a document identifier as a login token", "jp_log_" + document[7:]
    yield "a third-party caveat", encoded(raw[:26] + b"\x02\x01x\x04\x01v\x00" + raw[26:])
    yield "65 caveats", encoded(macaroon.pack(parse(login).identifier, [b"[]"] * 65, bytes(32)))
    yield "a caveat that is not known, rightly signed", _signed(login, b'["newer_rule",1]')
    yield "another key's id", mint_credential(UNKNOWN, "login", CREDENTIAL)
    yield "a signature of zeros", encoded(raw[:-32] + bytes(32))
    yield "the last bit flipped", encoded(raw[:-1] + bytes((raw[-1] ^ 1,)))
    narrowed = parse(_signed(login, b'["events",[]]', b'["expires_at",1]'))
    yield "a caveat removed", _unsigned(narrowed, narrowed.caveats[:1])
    yield "the caveats reordered", _unsigned(narrowed, narrowed.caveats[::-1])
    yield (
        "the kind changed in prefix and identifier",
        token.write("jp_job_", b"\x01\x04" + parse(login).identifier[2:], (), parse(login).signature),
    )
    yield "an admin key as a bearer", texts["admin_key"]
    yield "an admin key under the prefix of an admin token", PREFIXES["admin"] + texts["admin_key"][7:]


def _with_a(text: str, old: str, new: str) -> str:
    """A token whose base64 has a character of ``old``, with the one of ``new`` in its place."""
    for at in range(100):
        changed = _signed(text, f'["expires_at",{at}]'.encode())
        body = changed[7:].translate(str.maketrans(old, new))
        if body != changed[7:]:
            return changed[:7] + body
    raise AssertionError("no such text")


def _unsigned(read: token.Unverified, others: tuple[bytes, ...]) -> str:
    return token.write(read.prefix, read.identifier, others, read.signature)


def refused() -> dict[str, Any]:
    cases = []
    verifier = Verifier(KEYRING)
    for name, text in _refused():
        try:
            verifier.verify(text)
        except InvalidToken as error:
            cases.append({"name": name, "text": text, "code": error.code})
        else:
            raise AssertionError(f"accepted: {name}")
    return {"note": "None verifies with the root key of keys.json.", "refused": cases}


FILES = {
    "keys.json": keys,
    "tokens.json": tokens,
    "attenuation.json": attenuation,
    "caveats.json": caveats,
    "refused.json": refused,
}


def render(name: str) -> str:
    """The text of one file."""
    return json.dumps(FILES[name](), indent=2, ensure_ascii=True) + "\n"


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    for name in FILES:
        (FOLDER / name).write_text(render(name), encoding="utf-8")


if __name__ == "__main__":
    main()
