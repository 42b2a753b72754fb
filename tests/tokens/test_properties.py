"""What must hold for every token, caveat and access, and for every text that anybody may send."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from jobpass.errors import ForgedToken, MalformedToken, UnknownKey, WrongKind
from jobpass.tokens import base64url, macaroon, token
from jobpass.tokens.access import Access
from jobpass.tokens.attenuate import admin_token, attenuate
from jobpass.tokens.caveats import Actions, Caveat, Cidr, Events, ExpiresAt, Jobs, Platforms, States
from jobpass.tokens.keyring import Keyring
from jobpass.tokens.mac import chain
from jobpass.tokens.mint import mint_admin_key, mint_credential, mint_document
from jobpass.tokens.token import parse
from jobpass.tokens.verify import Verifier, check_caveats

LONG = settings.get_current_profile_name() == "long"
many = settings(max_examples=100_000 if LONG else 300)  # random bytes and texts
NOW = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
SECOND = int(NOW.timestamp())
REFUSALS = (MalformedToken, UnknownKey, ForgedToken, WrongKind)

JOBS = ["1079f67e-0ef6-51f0-9d5b-0242ac110002", "107a0000-0000-5000-8000-000000000001"]
EVENTS = ["update", "finish", "reset"]
STATES = ["RUNNING", "PENDING"]
ACTIONS = ["jobs.event", "jobs.read"]
PLATFORMS = ["local", "remote"]
NETWORKS = ["10.0.0.0/8", "2001:db8::/32", "::ffff:192.168.0.0/112", "0.0.0.0/0"]
ADDRESSES = ["10.1.2.3", "::ffff:10.1.2.3", "192.168.0.1", "2001:db8::7", "nowhere"]


def some(names: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(names) | st.text(max_size=4).filter(str.isprintable), max_size=3).map(tuple)


def maybe(names: list[str]) -> st.SearchStrategy[str | None]:
    return st.none() | st.sampled_from(names)


caveats: st.SearchStrategy[Caveat] = st.one_of(
    st.builds(ExpiresAt, st.integers(SECOND - 2, SECOND + 2) | st.just(SECOND + 3600)),
    st.builds(Jobs, some(JOBS)),
    st.builds(Events, some(EVENTS)),
    st.builds(States, st.dictionaries(st.sampled_from(STATES), some(EVENTS))),
    st.builds(Actions, some(ACTIONS)),
    st.builds(Platforms, some(PLATFORMS)),
    st.builds(Cidr, st.lists(st.sampled_from(NETWORKS), max_size=3).map(tuple)),
)
accesses = st.builds(
    Access,
    st.sampled_from(ACTIONS),
    st.sampled_from([NOW, NOW.replace(second=1), NOW.replace(microsecond=999_999)]),
    maybe(JOBS),
    maybe(EVENTS),
    maybe(STATES),
    maybe(PLATFORMS),
    maybe(ADDRESSES),
)
ROOT, KID = bytes(range(32)), bytes.fromhex("0a1b2c3d")
KEYRING = Keyring.generate(KID, ROOT)
COLD = Verifier(KEYRING, cache_size=0)
WARM = Verifier(KEYRING, cache_size=64)
ADMIN_KEY = mint_admin_key(KEYRING, "0f" * 16, 3600)
makers: dict[str, Callable[[], str]] = {
    "document": lambda: mint_document(KEYRING, KID.hex(), JOBS[0], 2**63 + 1),
    "login": lambda: mint_credential(KEYRING, "login", "00" * 16),
    "job": lambda: mint_credential(KEYRING, "job", "0a" * 16),
    "apikey": lambda: mint_credential(KEYRING, "apikey", "ff" * 16),
    "admin": lambda: admin_token(ADMIN_KEY, NOW),
    "admin, too early": lambda: admin_token(ADMIN_KEY, NOW.replace(hour=20)),
}
TEXTS = {kind: make() for kind, make in makers.items()}
tokens = st.sampled_from(sorted(TEXTS.values()))
narrowed = st.builds(attenuate, tokens, st.lists(caveats, max_size=4))


def refused(text: Any) -> None:
    """No verifier accepts ``text``, nor the second time, and each refuses with one of the classes for that."""
    for verifier in (COLD, WARM, WARM):
        try:
            verifier.verify(text)
        except REFUSALS:
            continue
        raise AssertionError(f"accepted: {text!r}")


@given(tokens, st.lists(caveats, max_size=3), st.lists(caveats, max_size=3), accesses)
def test_attenuation_never_turns_a_refusal_into_a_grant(
    text: str, first: list[Caveat], second: list[Caveat], access: Access
) -> None:
    wide = COLD.verify(attenuate(text, first))
    narrow = COLD.verify(attenuate(attenuate(text, first), second))
    before, after = check_caveats(wide, access), check_caveats(narrow, access)
    assert set(before) <= set(after)


@given(tokens, st.lists(caveats, max_size=4), accesses)
def test_a_token_allows_exactly_what_no_caveat_prohibits(text: str, added: list[Caveat], access: Access) -> None:
    verified = COLD.verify(attenuate(text, added))
    assert verified.caveats[len(verified.caveats) - len(added) :] == tuple(added)
    expected = [c.code for c in verified.caveats if c.prohibits(access) is not None]
    assert [o.code for o in check_caveats(verified, access) if o.code != "admin_window"] == expected
    assert WARM.verify(attenuate(text, added)) == verified


@given(narrowed, st.data())
def test_any_flipped_bit_of_the_bytes_is_refused(text: str, data: st.DataObject) -> None:
    raw = bytearray(base64url.decode(text[7:].encode()))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    refused(text[:7] + base64url.encode(bytes(raw)))


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_every_flipped_bit_of_the_text_is_refused(kind: str) -> None:
    text = attenuate(TEXTS[kind], [ExpiresAt(SECOND)]).encode()
    for bit in range(8 * len(text)):
        changed = bytearray(text)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(REFUSALS):
            COLD.verify(changed.decode("latin-1"))


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_every_truncation_is_refused(kind: str) -> None:
    text = attenuate(TEXTS[kind], [ExpiresAt(SECOND)])
    for size in range(len(text)):
        refused(text[:size])
        refused(text[size + 1 :])


@given(narrowed, st.text(min_size=1, max_size=8) | st.text("AQgw=-_", min_size=1, max_size=50))
def test_any_extension_is_refused(text: str, more: str) -> None:
    refused(text + more)
    refused(more + text)
    refused(text[:7] + more + text[7:])


@given(narrowed, st.binary(min_size=1, max_size=40), st.data())
def test_any_inserted_or_removed_bytes_are_refused(text: str, more: bytes, data: st.DataObject) -> None:
    raw = base64url.decode(text[7:].encode())
    at = data.draw(st.integers(0, len(raw)))
    assume((at, more) != (1, b"\x01\x00"))  # an empty location, the one thing let through
    refused(text[:7] + base64url.encode(raw[:at] + more + raw[at:]))
    end = data.draw(st.integers(0, len(raw)))
    assume(at != end)
    refused(text[:7] + base64url.encode(raw[: min(at, end)] + raw[max(at, end) :]))


@given(narrowed)
def test_every_other_base64_spelling_is_refused(text: str) -> None:
    body = text[7:]
    for other in ("=", "==", "====", "\n", "\n" * 4, " ", "A", "!!!!", "++++", "\r\n"):
        refused(text + other)
    for old, new in (("-", "+"), ("_", "/")):
        if old in body:
            refused(text[:7] + body.replace(old, new))
    for unused_bits in range(1, 4 if len(body) % 4 == 3 else 16 if len(body) % 4 == 2 else 1):
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        refused(text[:-1] + alphabet[alphabet.index(text[-1]) | unused_bits])
    refused(text[:7].upper() + body)
    if body.swapcase() != body:
        refused(text[:7] + body.swapcase())


@given(narrowed, st.sampled_from(["jp_doc_", "jp_adm_", "jp_log_", "jp_job_", "jp_key_", "jp_adk_"]))
def test_every_kind_swap_is_refused(text: str, prefix: str) -> None:
    assume(text[:7] != prefix)
    refused(prefix + text[7:])
    read = parse(text)
    number = {"jp_doc_": 1, "jp_adm_": 2, "jp_log_": 3, "jp_job_": 4, "jp_key_": 5, "jp_adk_": 2}[prefix]
    size = {1: 30, 2: 26}.get(number, 22)
    identifier = (b"\x01" + bytes((number,)) + read.identifier[2:].ljust(28, b"\x01"))[:size]
    refused(token.write(prefix, identifier, read.caveats, read.signature))


@given(tokens, st.lists(caveats, min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_caveats_reordered_dropped_doubled_or_replaced_are_refused(text: str, added: list[Caveat], random: Any) -> None:
    read = parse(attenuate(text, added))
    shuffled = list(read.caveats)
    random.shuffle(shuffled)
    changed = [tuple(shuffled), read.caveats[1:], read.caveats[:-1], (*read.caveats, read.caveats[-1]), ()]
    changed.append((b'["events",["reset"]]', *read.caveats[1:]))
    changed.append((read.caveats[0] + b" ", *read.caveats[1:]))
    changed.append((b"".join(read.caveats),))
    for others in changed:
        if others != read.caveats:
            refused(token.write(read.prefix, read.identifier, others, read.signature))


@pytest.mark.timeout(3600)
@many
@given(st.text(max_size=300) | st.text(st.characters(codec="ascii"), max_size=300) | st.text(st.characters()))
def test_random_texts_never_verify_and_never_crash(text: str) -> None:
    refused(text)
    refused("jp_doc_" + text)


@pytest.mark.timeout(3600)
@many
@given(st.sampled_from(sorted(token.PREFIXES.values())), st.binary(max_size=200))
def test_random_bytes_never_verify_and_never_crash(prefix: str, data: bytes) -> None:
    refused(prefix + base64url.encode(data))
    refused(prefix + base64url.encode(b"\x02" + data))
    refused(prefix + data.decode("latin-1"))


@pytest.mark.timeout(3600)
@many
@given(
    st.sampled_from(sorted(TEXTS)),
    st.lists(st.binary(max_size=60) | caveats.map(lambda c: b'["' + c.code.encode() + b'",[]]'), max_size=4),
    st.binary(min_size=32, max_size=32),
)
def test_random_macaroons_on_real_identifiers_never_verify(kind: str, added: list[bytes], signature: bytes) -> None:
    read = parse(TEXTS[kind])
    refused(read.prefix + base64url.encode(macaroon.pack(read.identifier, added, signature)))
    refused(read.prefix + base64url.encode(macaroon.pack(read.identifier, added, read.signature[:31] + b"\x00")))


@pytest.mark.timeout(3600)
@many
@given(st.sampled_from(sorted(TEXTS)), st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8")))
def test_a_rightly_signed_caveat_of_random_bytes_refuses(kind: str, caveat: bytes) -> None:
    """A holder can add any bytes with a right MAC: they are read as a caveat or refuse the token."""
    read = parse(TEXTS[kind])
    refused(token.write(read.prefix, read.identifier, (*read.caveats, caveat), chain(read.signature, [caveat])))


@given(st.one_of(st.integers(), st.binary(), st.lists(st.text()), st.none(), st.floats(), st.tuples(st.text())))
def test_what_is_no_text_is_refused(value: Any) -> None:
    refused(value)
