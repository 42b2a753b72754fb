"""The binary format, byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass.tokens.macaroon import MAX_FIELD_BYTES, pack, unpack

SIGNATURE = bytes(range(100, 132))
TAIL = b"\x00\x06\x20" + SIGNATURE
fields = st.one_of(st.binary(max_size=40), st.binary(min_size=120, max_size=300))


@given(fields, st.lists(fields, max_size=6), st.binary(min_size=32, max_size=32))
def test_round_trip(identifier: bytes, caveats: list[bytes], signature: bytes) -> None:
    assert unpack(pack(identifier, caveats, signature)) == (identifier, tuple(caveats), signature)


@given(st.binary(max_size=120))
def test_what_is_read_packs_to_the_same_bytes_but_for_an_empty_location(data: bytes) -> None:
    try:
        read = unpack(b"\x02" + data)
    except (ValueError, IndexError):
        return
    packed = pack(*read)
    assert b"\x02" + data in (packed, b"\x02\x01\x00" + packed[1:])


def test_the_bytes_are_those_of_the_format() -> None:
    long = b"c" * 200
    assert pack(b"id", [b"x", long], SIGNATURE) == (
        b"\x02" + b"\x02\x02id\x00" + b"\x02\x01x\x00" + b"\x02\xc8\x01" + long + b"\x00" + TAIL
    )


def test_an_empty_location_is_read() -> None:
    assert unpack(b"\x02\x01\x00\x02\x02id\x00" + TAIL)[0] == b"id"


@pytest.mark.parametrize(
    "data",
    {
        "nothing": b"",
        "version 1 text": b"0021location",
        "version 1": b"\x01\x02\x02id\x00" + TAIL,
        "version 3": b"\x03\x02\x02id\x00" + TAIL,
        "no identifier": b"\x02" + TAIL,
        "no identifier, but a section": b"\x02\x00" + TAIL,
        "a location": b"\x02\x01\x01x\x02\x02id\x00" + TAIL,
        "a location that is empty by a long varint": b"\x02\x01\x80\x00\x02\x02id\x00" + TAIL,
        "two locations": b"\x02\x01\x00\x01\x00\x02\x02id\x00" + TAIL,
        "location after the identifier": b"\x02\x02\x02id\x01\x00\x00" + TAIL,
        "two identifiers in the header": b"\x02\x02\x02id\x02\x01x\x00" + TAIL,
        "a caveat with a location": b"\x02\x02\x02id\x00\x01\x00\x02\x01x\x00" + TAIL,
        "a third-party caveat": b"\x02\x02\x02id\x00\x02\x01x\x04\x01v\x00" + TAIL,
        "a long varint for a length": b"\x02\x02\x82\x00id\x00" + TAIL,
        "a long varint for a field": b"\x02\x82\x00\x02id\x00" + TAIL,
        "a varint of three bytes": b"\x02\x02\x80\x80\x01" + b"i" * 16384 + b"\x00" + TAIL,
        "a varint that goes on": b"\x02\x02\x80\x80" + b"i" * 16384 + b"\x00" + TAIL,
        "an endless varint": b"\x02\x02" + b"\xff" * 60,
        "a length beyond the end": b"\x02\x02\x7fid\x00" + TAIL,
        "no end of the caveats": b"\x02\x02\x02id\x00\x06\x20" + SIGNATURE,
        "a short signature": b"\x02\x02\x02id\x00\x00\x06\x1f" + SIGNATURE[1:],
        "a long signature": b"\x02\x02\x02id\x00\x00\x06\x21" + SIGNATURE + b"x",
        "a signature cut off": (b"\x02\x02\x02id\x00" + TAIL)[:-1],
        "trailing bytes": b"\x02\x02\x02id\x00" + TAIL + b"\x00",
        "an unknown field": b"\x02\x02\x02id\x00\x03\x01x\x00" + TAIL,
        "nothing after the header": b"\x02\x02\x02id\x00",
    }.items(),
    ids=lambda item: item[0],
)
def test_what_is_not_exactly_a_macaroon_is_refused(data: tuple[str, bytes]) -> None:
    with pytest.raises((ValueError, IndexError)):
        unpack(data[1])


def test_a_field_that_no_length_of_two_bytes_can_tell_is_not_written() -> None:
    assert unpack(pack(b"id", [b"c" * MAX_FIELD_BYTES], SIGNATURE))[1] == (b"c" * MAX_FIELD_BYTES,)
    with pytest.raises(ValueError, match="at most 16383 bytes"):
        pack(b"id", [b"c" * (MAX_FIELD_BYTES + 1)], SIGNATURE)
