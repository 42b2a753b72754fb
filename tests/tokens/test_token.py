"""The text and the identifier of each kind, read without a key."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given as given_values
from hypothesis import strategies as st

from jobpass.errors import MalformedToken
from jobpass.tokens import base64url, token
from jobpass.tokens.caveats import Jobs
from jobpass.tokens.token import Verified, parse, scrub

SIGNATURE = bytes(range(200, 232))


def test_the_prefix_tells_the_kind(texts: dict[str, str]) -> None:
    assert {kind: text[:7] for kind, text in texts.items()} == {
        "document": "jp_doc_",
        "admin": "jp_adk_",
        "login": "jp_log_",
        "job": "jp_job_",
        "apikey": "jp_key_",
    }


def test_parse_tells_what_the_identifier_says(texts: dict[str, str], given: Any) -> None:
    document = parse(texts["document"]).identity
    assert (document.kind, document.kid, document.job_uuid, document.serial) == (
        "document",
        given.kid_text,
        given.job,
        given.serial,
    )
    assert document.credential_id is document.lifetime_seconds is None
    for kind in ("login", "job", "apikey", "admin"):
        read = parse(texts[kind]).identity
        assert (read.kind, read.kid, read.credential_id) == (kind, given.kid_text, given.credential)
        assert read.job_uuid is read.serial is None
        assert read.lifetime_seconds == (given.lifetime if kind == "admin" else None)


@given_values(st.uuids(), st.integers(0, 2**64 - 1), st.binary(min_size=4, max_size=4))
def test_document_identifiers(job: Any, serial: int, kid: bytes) -> None:
    identifier = token.document_identifier(kid.hex(), str(job), serial)
    assert identifier == b"\x01\x01" + kid + job.bytes + serial.to_bytes(8, "big")
    read = parse(token.write("jp_doc_", identifier, (), SIGNATURE)).identity
    assert (read.kid, read.job_uuid, read.serial) == (kid.hex(), str(job), serial)


@given_values(st.binary(min_size=16, max_size=16), st.integers(1, 2**32 - 1), st.binary(min_size=4, max_size=4))
def test_admin_and_credential_identifiers(credential: bytes, lifetime: int, kid: bytes) -> None:
    identifier = token.admin_identifier(kid.hex(), credential.hex(), lifetime)
    assert identifier == b"\x01\x02" + kid + credential + lifetime.to_bytes(4, "big")
    read = parse(token.write("jp_adk_", identifier, (), SIGNATURE)).identity
    assert (read.kid, read.credential_id, read.lifetime_seconds) == (kid.hex(), credential.hex(), lifetime)
    for kind, number in (("login", 3), ("job", 4), ("apikey", 5)):
        identifier = token.credential_identifier(kind, kid.hex(), credential.hex())
        assert identifier == bytes((1, number)) + kid + credential


JOB = "1079f67e-0ef6-51f0-9d5b-0242ac110002"


@pytest.mark.parametrize(
    ("kid", "job", "serial"),
    [
        ("0A1B2C3D", JOB, 1),
        ("0a1b2c", JOB, 1),
        ("0a1b2c3d", JOB.upper(), 1),
        ("0a1b2c3d", JOB.replace("-", ""), 1),
        ("0a1b2c3d", JOB + "0", 1),
        ("0a1b2c3d", "{" + JOB + "}", 1),
        ("0a1b2c3d", "", 1),
        ("0a1b2c3d", JOB, -1),
        ("0a1b2c3d", JOB, 2**64),
    ],
)
def test_an_unsound_document_identifier_is_not_written(kid: str, job: str, serial: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - int or hex: both say what is wrong
        token.document_identifier(kid, job, serial)


@pytest.mark.parametrize(
    ("credential", "lifetime"),
    [("00" * 15, 1), ("00" * 17, 1), ("AB" * 16, 1), ("", 1), ("00" * 16, 0), ("00" * 16, 2**32)],
)
def test_an_unsound_admin_identifier_is_not_written(credential: str, lifetime: int) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - int or hex: both say what is wrong
        token.admin_identifier("0a1b2c3d", credential, lifetime)


@pytest.mark.parametrize("kind", ["document", "admin", "nothing"])
def test_other_kinds_are_not_made_from_a_credential_alone(kind: Any) -> None:
    with pytest.raises(ValueError, match="not made from a credential"):
        token.credential_identifier(kind, "0a1b2c3d", "00" * 16)


DOCUMENT = bytes.fromhex("01010a1b2c3d") + bytes(24)


@pytest.mark.parametrize(
    ("prefix", "identifier"),
    [
        ("jp_doc_", b""),
        ("jp_doc_", b"\x01"),
        ("jp_doc_", b"\x02" + DOCUMENT[1:]),
        ("jp_doc_", b"\x00" + DOCUMENT[1:]),
        ("jp_doc_", DOCUMENT[:-1]),
        ("jp_doc_", DOCUMENT + b"\x00"),
        ("jp_doc_", b"\x01\x06" + DOCUMENT[2:]),
        ("jp_doc_", b"\x01\x03" + DOCUMENT[2:]),
        ("jp_log_", DOCUMENT),
        ("jp_log_", b"\x01\x03" + bytes(19)),
        ("jp_log_", b"\x01\x03" + bytes(21)),
        ("jp_key_", b"\x01\x03" + bytes(20)),
        ("jp_adm_", b"\x01\x02" + bytes(24)),
        ("jp_adk_", b"\x01\x02" + bytes(24)),
        ("jp_adm_", b"\x01\x02" + bytes(20)),
        ("jp_adk_", b"\x01\x03" + bytes(20)),
        ("JP_DOC_", DOCUMENT),
        ("jp_doc-", DOCUMENT),
        ("jp_xyz_", DOCUMENT),
        ("", DOCUMENT),
    ],
)
def test_an_identifier_that_does_not_fit_is_refused(prefix: str, identifier: bytes) -> None:
    with pytest.raises(MalformedToken):
        parse(token.write(prefix, identifier, (), SIGNATURE))


def test_bounds_of_the_text() -> None:
    def made(caveats: tuple[bytes, ...]) -> str:
        return token.write("jp_doc_", DOCUMENT, caveats, SIGNATURE)

    def unbounded(caveats: tuple[bytes, ...]) -> str:
        return "jp_doc_" + base64url.encode(token.macaroon.pack(DOCUMENT, caveats, SIGNATURE))

    longest = 6065  # the next byte would make two characters
    assert len(made((b"x" * longest,))) == token.MAX_TEXT_CHARS - 1
    assert parse(made((b"x" * longest,))).caveats == (b"x" * longest,)
    assert len(parse(made((b"x",) * token.MAX_CAVEATS)).caveats) == token.MAX_CAVEATS
    for beyond in ((b"x" * (longest + 1),), (b"x",) * (token.MAX_CAVEATS + 1)):
        with pytest.raises(ValueError, match="at most"):
            made(beyond)
        with pytest.raises(MalformedToken):
            parse(unbounded(beyond))


@pytest.mark.parametrize(
    "text",
    [
        *("", "jp_doc_", "jp_doc", "Bearer jp_doc_AA", "\x00", "jp_doc_\x00", "jp_doc_\ud800", "\ud800", "jp_doc_é"),
        *("x" * 100_000, "jp_doc_" + "A" * 100_000, None, b"jp_doc_AA", 7, ["jp_doc_"], ("j", "p"), {}, object()),
    ],
    ids=lambda text: (
        (type(text).__name__ if type(text) is object else repr(text))[:30].encode("ascii", "backslashreplace").decode()
    ),
)
def test_what_is_no_token(text: Any) -> None:
    with pytest.raises(MalformedToken) as caught:
        parse(text)
    assert caught.value.__context__ is None, "the cause may hold the text"


def test_an_unverified_token_does_not_show_itself(texts: dict[str, str]) -> None:
    for text in texts.values():
        read = parse(text)
        shown = repr(read) + str(read) + repr(read.__rich_repr__())
        for secret in (read.signature.hex()[:8], repr(read.signature)[2:10], text[-10:]):
            assert secret not in shown
        with pytest.raises(TypeError):
            pickle.dumps(read)


def test_verified_is_another_type_than_unverified(texts: dict[str, str]) -> None:
    read = parse(texts["login"])
    assert not isinstance(read, token.Identity)
    assert not isinstance(read, Verified)
    assert not isinstance(Verified("login", read.kid, None, None, "0" * 32, None, (Jobs(()),)), type(read))


def test_scrub(texts: dict[str, str]) -> None:
    for text in texts.values():
        line = f"failed: token={text}, cut {text[:20]} and (again {text})"
        assert scrub(line) == f"failed: token={text[:7]}…, cut {text[:7]}… and (again {text[:7]}…)"
    assert scrub("no jp_ token, jp_docs neither") == "no jp_ token, jp_docs neither"
