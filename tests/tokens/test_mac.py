"""Our HMAC is the standard library's HMAC."""

from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from jobpass.tokens.mac import MacKey, chain, hmac_sha256

keys = st.binary(min_size=32, max_size=32)


@given(keys, st.binary(max_size=300))
def test_is_the_hmac_of_the_standard_library(key: bytes, message: bytes) -> None:
    expected = hmac.digest(key, message, "sha256")
    assert hmac_sha256(key, message) == expected
    assert MacKey(key).mac(message) == expected


@given(keys, st.lists(st.binary(max_size=80), max_size=5))
def test_chain_signs_each_message_with_the_mac_before_it(key: bytes, messages: list[bytes]) -> None:
    expected = key
    for message in messages:
        expected = hmac.digest(expected, message, "sha256")
    assert chain(key, messages) == expected


def test_a_key_can_be_used_again() -> None:
    key = MacKey(bytes(range(32)))
    assert key.mac(b"first") != key.mac(b"second")
    assert key.mac(b"first") == hmac_sha256(bytes(range(32)), b"first")


def test_a_key_does_not_show_itself() -> None:
    assert bytes(range(32)).hex()[:8] not in repr(MacKey(bytes(range(32))))
