"""pymacaroons, a library that we did not write, reads, narrows and makes our tokens."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from hypothesis import given as given_values
from hypothesis import strategies as st
from pymacaroons import MACAROON_V1, MACAROON_V2, Macaroon
from pymacaroons import Verifier as TheirVerifier
from pymacaroons.serializers import BinarySerializer

from jobpass.errors import MalformedToken
from jobpass.tokens import token
from jobpass.tokens.attenuate import admin_token, attenuate
from jobpass.tokens.caveats import Events, ExpiresAt, Jobs, States
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.token import KIND_BYTES, PREFIXES, parse
from jobpass.tokens.verify import Verifier

KINDS = ["document", "login", "job", "apikey"]


def key_of(root: bytes, kind: str) -> bytes:
    """What an implementer derives by hand and gives to a macaroon library, which adds its key generator."""
    return hmac.digest(root, b"jobpass/v1/" + kind.encode(), "sha256")


def theirs(text: str) -> Any:
    return Macaroon.deserialize(text[7:])


@pytest.mark.parametrize("kind", KINDS)
def test_it_reads_and_verifies_ours(texts: dict[str, str], given: Any, kind: str) -> None:
    read = theirs(attenuate(texts[kind], [ExpiresAt(1795352384), Jobs((given.job,))]))
    ours = parse(texts[kind])
    assert (read.version, read.location, read.identifier_bytes) == (MACAROON_V2, "", ours.identifier)
    assert [c.caveat_id_bytes for c in read.caveats] == [
        b'["expires_at",1795352384]',
        b'["jobs",["' + given.job.encode() + b'"]]',
    ]
    verifier = TheirVerifier()
    verifier.satisfy_general(lambda _predicate: True)
    assert verifier.verify(read, key_of(given.root, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_it_narrows_ours_and_we_accept_that(texts: dict[str, str], cold: Verifier, kind: str) -> None:
    read = theirs(attenuate(texts[kind], [ExpiresAt(7)]))
    read.add_first_party_caveat('["events", ["update"]]')
    read.add_first_party_caveat('["states",{"RUNNING":["update"]}]')
    back = texts[kind][:7] + read.serialize()
    verified = cold.verify(back)
    assert verified.caveats == (ExpiresAt(7), Events(("update",)), States({"RUNNING": ("update",)}))
    assert cold.verify(attenuate(back, [ExpiresAt(5)])).caveats == (*verified.caveats, ExpiresAt(5))


@pytest.mark.parametrize("kind", KINDS)
def test_it_re_serialises_ours_and_we_accept_that(texts: dict[str, str], cold: Verifier, kind: str) -> None:
    text = attenuate(texts[kind], [Events(("x" * 200,))])
    again = text[:7] + theirs(text).serialize()
    assert again != text, "it writes an empty location"
    assert cold.verify(again) == cold.verify(text)
    assert attenuate(again, []) == text, "we write none"


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_makes_with_our_keys_verifies(texts: dict[str, str], cold: Verifier, given: Any, kind: str) -> None:
    made = Macaroon(
        location="", identifier=parse(texts[kind]).identifier, key=key_of(given.root, kind), version=MACAROON_V2
    )
    assert cold.verify(PREFIXES[kind] + made.serialize()) == cold.verify(texts[kind])
    made.add_first_party_caveat('["expires_at",9]')
    assert cold.verify(PREFIXES[kind] + made.serialize()).caveats == (ExpiresAt(9),)
    assert attenuate(texts[kind], [ExpiresAt(9)]) == attenuate(PREFIXES[kind] + made.serialize(), [])


def test_it_makes_an_admin_token_from_our_key(texts: dict[str, str], cold: Verifier, given: Any) -> None:
    key = theirs(texts["admin"])
    seconds = int(given.now.timestamp())
    key.add_first_party_caveat(f'["expires_at",{(seconds // given.lifetime + 2) * given.lifetime}]')
    made = "jp_adm_" + key.serialize()
    assert cold.verify(made) == cold.verify(admin_token(texts["admin"], given.now))


def test_what_it_can_make_and_we_do_not_take(texts: dict[str, str], cold: Verifier, given: Any) -> None:
    identifier = parse(texts["login"]).identifier
    key = key_of(given.root, "login")
    located = Macaroon(location="https://example.org", identifier=identifier, key=key, version=MACAROON_V2)
    version_1 = Macaroon(location="", identifier="text", key=key, version=MACAROON_V1)
    third_party = theirs(texts["login"])
    third_party.add_third_party_caveat("https://example.org", "their key", "their caveat")
    for made in (located, version_1, third_party):
        with pytest.raises(MalformedToken):
            cold.verify("jp_log_" + made.serialize(BinarySerializer()))


@given_values(
    st.binary(min_size=32, max_size=32).filter(lambda root: len(set(root)) > 1),
    st.binary(min_size=4, max_size=4),
    st.sampled_from(["login", "job", "apikey"]),
    st.binary(min_size=16, max_size=16),
    st.lists(st.integers(0, 10**9), max_size=4),
)
def test_both_make_the_same_token(root: bytes, kid: bytes, kind: Any, credential: bytes, ends: list[int]) -> None:
    identifier = token.credential_identifier(kind, kid.hex(), credential.hex())
    assert identifier == bytes((1, KIND_BYTES[kind])) + kid + credential
    made = Macaroon(location="", identifier=identifier, key=key_of(root, kind), version=MACAROON_V2)
    for at in ends:
        made.add_first_party_caveat(f'["expires_at",{at}]')
    verified = Verifier(Keyring.generate(kid, root)).verify(PREFIXES[kind] + made.serialize())
    assert (verified.kind, verified.kid, verified.credential_id) == (kind, kid.hex(), credential.hex())
    assert verified.caveats == tuple(ExpiresAt(at) for at in ends)
