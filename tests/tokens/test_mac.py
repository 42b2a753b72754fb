"""Our HMAC is the standard library's HMAC, and our HKDF that of RFC 5869."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass.tokens.mac import MacKey, chain, hkdf_sha256, hmac_sha256

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


@pytest.mark.parametrize(
    ("secret", "salt", "info", "made"),
    [
        (
            b"\x0b" * 22,
            bytes(range(13)),
            bytes(range(0xF0, 0xFA)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            bytes(range(80)),
            bytes(range(0x60, 0xB0)),
            bytes(range(0xB0, 0x100)),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            b"\x0b" * 22,
            b"",
            b"",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ],
)
def test_hkdf_is_that_of_rfc_5869_appendix_a(secret: bytes, salt: bytes, info: bytes, made: str) -> None:
    expected = bytes.fromhex(made)
    assert hkdf_sha256(secret, info, len(expected), salt) == expected
    assert hkdf_sha256(secret, info, 5, salt) == expected[:5]


def test_hkdf_gives_what_it_can() -> None:
    assert len(hkdf_sha256(b"secret", b"", 8160)) == 8160
    for size in (0, -1, 8161):
        with pytest.raises(ValueError, match="8160"):
            hkdf_sha256(b"secret", b"", size)
