"""A fingerprint lets the server recognise the one text that it is of, and gives nobody a token."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import assume
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from jobpass.errors import ForgedToken, InvalidToken, MalformedToken, UnknownKey
from jobpass.tokens import token
from jobpass.tokens.attenuate import admin_token, attenuate
from jobpass.tokens.caveats import Actions, Caveat, Cidr, Events, ExpiresAt, Platforms
from jobpass.tokens.fingerprint import Fingerprint, completed, fingerprint
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mint import mint_admin_key, mint_credential, mint_document
from jobpass.tokens.verify import Verifier

ROOT = bytes(range(32))
KID = bytes.fromhex("0a1b2c3d")
KEYRING = Keyring.generate(KID, ROOT)
OTHERS = Keyring.generate(KID, bytes(range(32, 64)))
VERIFIER = Verifier(KEYRING)
CREDENTIAL = "00112233445566778899aabbccddeeff"
JOB = "1079f67e-0ef6-51f0-9d5b-0242ac110002"
KINDS = ("document", "admin", "key", "login", "job", "apikey")

caveats: st.SearchStrategy[list[Caveat]] = st.lists(
    st.one_of(
        st.builds(ExpiresAt, st.integers(0, 2**33)),
        st.builds(Events, st.lists(st.text(max_size=4).filter(str.isprintable), max_size=2).map(tuple)),
        st.just(Actions(("jobs.read",))),
        st.just(Platforms(())),
        st.just(Cidr(("10.0.0.0/8",))),
    ),
    max_size=4,
)


def minted(keyring: Keyring, kind: str, given: Any) -> str:
    """A token, or admin key, of this kind."""
    if kind == "document":
        return mint_document(keyring, KID.hex(), JOB, 17)
    if kind in ("admin", "key"):
        key = mint_admin_key(keyring, CREDENTIAL, 3600)
        return key if kind == "key" else admin_token(key, given.now)
    return mint_credential(keyring, kind, CREDENTIAL)  # type: ignore[arg-type]


def narrowed(text: str, added: list[Caveat]) -> str:
    """A narrower copy, of what can have one such."""
    assume(not text.startswith("jp_adk_") or not any(isinstance(one, ExpiresAt) for one in added))
    return attenuate(text, added) if added else text


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_recognised_as_what_it_is(kind: str, given: Any) -> None:
    text = minted(KEYRING, kind, given)
    found = VERIFIER.recognise(fingerprint(text))
    if kind == "key":
        assert (found.kind, found.credential_id, found.lifetime_seconds) == ("admin", CREDENTIAL, 3600)
    else:
        assert found == VERIFIER.verify(text)


@for_all(kind=st.sampled_from(KINDS), added=caveats)
def test_so_is_every_narrower_copy(kind: str, added: list[Caveat], given: Any) -> None:
    text = narrowed(minted(KEYRING, kind, given), added)
    assert VERIFIER.recognise(fingerprint(text)).caveats[-len(added) or 99 :] == tuple(added)


@for_all(kind=st.sampled_from(KINDS), added=caveats)
def test_only_the_right_text_is(kind: str, added: list[Caveat], given: Any) -> None:
    """Whoever knows all of a token but its signature can make no fingerprint of it that is accepted."""
    known = token.parse(minted(KEYRING, kind, given))
    guessed = narrowed(minted(OTHERS, kind, given), added)  # the same parts with another signature
    assert token.parse(guessed).identifier == known.identifier
    with pytest.raises(ForgedToken):
        VERIFIER.recognise(fingerprint(guessed))


@for_all(kind=st.sampled_from(KINDS), digest=st.binary(min_size=32, max_size=32))
def test_no_other_digest_is(kind: str, digest: bytes, given: Any) -> None:
    with pytest.raises(ForgedToken):
        VERIFIER.recognise(replace(fingerprint(minted(KEYRING, kind, given)), digest=digest))


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_that_is_changed_is_another_token(kind: str, given: Any) -> None:
    made = fingerprint(minted(KEYRING, kind, given))
    flipped = made.identifier[:-1] + bytes([made.identifier[-1] ^ 1])
    unknown = made.identifier[:2] + bytes(4) + made.identifier[6:]
    changed = [
        replace(made, identifier=flipped),
        replace(made, identifier=unknown),
        replace(made, identifier=made.identifier[:-1]),
        replace(made, identifier=b""),
        replace(made, caveats=(*made.caveats, b'["actions",[]]')),
        replace(made, prefix="jp_doc_" if made.prefix != "jp_doc_" else "jp_log_"),
        replace(made, prefix="jp_adm_" if made.prefix == "jp_adk_" else "jp_adk_"),
        replace(made, prefix=""),
        replace(made, digest=b""),
    ]
    for one in changed:
        with pytest.raises(InvalidToken):
            VERIFIER.recognise(one)
    with pytest.raises(UnknownKey):
        VERIFIER.recognise(replace(made, identifier=unknown))


@for_all(
    prefix=st.sampled_from(["jp_doc_", "jp_adk_", "jp_log_", "x", ""]) | st.text(max_size=9),
    identifier=st.binary(max_size=40),
    written=st.lists(st.binary(max_size=9), max_size=70).map(tuple),
    digest=st.binary(max_size=40),
)
def test_whatever_is_sent_is_refused_and_no_more(
    prefix: str, identifier: bytes, written: tuple[bytes, ...], digest: bytes
) -> None:
    with pytest.raises(InvalidToken):
        VERIFIER.recognise(Fingerprint(prefix, identifier, written, digest))


@pytest.mark.parametrize("kind", KINDS)
def test_it_holds_no_signature_and_makes_no_token(kind: str, given: Any) -> None:
    text = attenuate(minted(KEYRING, kind, given), [Actions(("jobs.read",))])
    signature = token.parse(text).signature
    made = fingerprint(text)
    assert made.digest == sha256(text.encode()).digest()
    held = b"".join([made.prefix.encode(), made.identifier, *made.caveats, made.digest])
    encoded = base64.urlsafe_b64encode(signature)[:20]
    assert signature[:8] not in held
    assert encoded not in held
    # What it holds in the place of a signature is none.
    for guess in (made.digest, bytes(32), sha256(made.digest).digest()):
        with pytest.raises(InvalidToken):
            VERIFIER.verify(completed(made, guess))
    assert completed(made, signature) == text


@for_all(st.text(max_size=60) | st.sampled_from(["jp_job_", "jp_job_AAAA", "jp_log_\ud800", "jp_job_" + "A" * 9000]))
def test_what_is_no_token_has_none(text: str) -> None:
    with pytest.raises(MalformedToken) as caught:
        fingerprint(text)
    assert caught.value.__cause__ is None
