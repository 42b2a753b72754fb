"""Each byte string has one text, and no other text is read."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass.tokens import base64url

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(st.binary(max_size=100))
def test_round_trip_as_the_standard_library_spells_it(data: bytes) -> None:
    text = base64url.encode(data)
    assert text == base64.urlsafe_b64encode(data).decode().rstrip("=")
    assert base64url.decode(text.encode()) == data


@given(st.one_of(st.binary(max_size=12), st.lists(st.sampled_from(ALPHABET), max_size=12).map(bytes)))
def test_what_is_read_is_the_one_spelling(text: bytes) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data).encode() == text


def test_every_text_of_two_characters() -> None:
    read = {}
    for first in range(256):
        for second in range(256):
            try:
                read[bytes((first, second))] = base64url.decode(bytes((first, second)))
            except ValueError:
                continue
    assert sorted(read.values()) == [bytes((byte,)) for byte in range(256)]


@pytest.mark.parametrize(
    "text",
    [
        b"A",
        b"QQ==",
        b"QQ=",
        b"QUI=",
        b"+A",
        b"/A",
        b"Q Q",
        b"QQ\n",
        b"\nQQ",
        b"QR",
        b"QUJ",
        b"=",
        b"AAAA=",
        b"AAAA====",
        b"AAAA!!!!",
        b"AAAA++++",
        b"!!!!AAAA",
        b"\xff\xff",
    ],
)
def test_other_spellings_are_refused(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - binascii's own class, a ValueError
        base64url.decode(text)
