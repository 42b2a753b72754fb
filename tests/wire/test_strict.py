"""Strict JSON: the fast way and the slow way accept the same bodies, and keep them byte for byte."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass.errors import InvalidInput
from jobpass.ids import MAX_DEPTH
from jobpass.wire.messages import NewEvent, NewJob
from jobpass.wire.strict import BODY, MAX_CONTAINERS, check, decode, decode_event, depth, to_python

EVENT = msgspec.json.Decoder(NewEvent)
NAMES = st.sampled_from(["a", "b", "a:b", "\\u0061", "\\u0062", "", "{", "[", '\\"', "é"])


def refused(body: bytes) -> str | None:
    """The field that ``decode_event`` complains of, or None."""
    try:
        decode_event(body)
    except InvalidInput as error:
        (field,) = error.detail["fields"]
        return field
    return None


def texts(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """JSON containers of values, with members that may come twice."""
    members = st.lists(st.tuples(NAMES, values), max_size=4)
    objects = members.map(lambda pairs: "{" + ",".join(f'"{name}":{value}' for name, value in pairs) + "}")
    arrays = st.lists(values, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
    return objects | arrays


SCALARS = st.sampled_from(["1", "-0.5e10", "null", "true", '""', '"x:y"', '"{\\"a\\":[1]}"', "9" * 400, '"é"'])
JSON = st.recursive(SCALARS, texts, max_leaves=12)


def repeats(text: str) -> bool:
    """Whether an object anywhere in ``text`` has a member twice: the plain way to tell."""
    found = False

    def hook(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found |= len({name for name, _ in pairs}) < len(pairs)

    json.loads(text, object_pairs_hook=hook)
    return found


@given(JSON)
def test_a_member_twice_is_found_wherever_it_is(data: str) -> None:
    body = f'{{"name":"update","data":{data}}}'
    assert (refused(body.encode()) is not None) is repeats(body)
    if not repeats(body):
        assert bytes(decode_event(body.encode()).data).decode() == data


@given(st.lists(st.tuples(st.sampled_from(['"name"', '"data"', '"n\\u0061me"']), SCALARS), max_size=4))
def test_a_member_twice_is_found_at_the_top(pairs: list[tuple[str, str]]) -> None:
    body = "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"
    if refused(body.encode()) is None:
        assert not repeats(body)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    refused(body)
    refused(b'{"name":"x","data":' + body + b"}")


@given(st.text(alphabet='{}[]",:\\u0019aebnullNI+-. \n\x00é\ud800', max_size=40))
def test_whatever_is_accepted_is_json_for_others_too(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    body = b'{"name":"x","data":' + data + b"}"
    if refused(body) is None:
        json.loads(body.decode(), parse_constant=lambda name: pytest.fail(name))


@pytest.mark.parametrize("shape", [b"[%b]", b'{"a":%b}', b'["[[",{"b":"{"},%b,[]]'])
def test_depth_is_bounded_exactly(shape: bytes) -> None:
    def nested(levels: int) -> bytes:
        data = b"[]"
        for _ in range(levels - 1):
            data = shape % data
        return data

    def body(data: bytes) -> bytes:
        return b'{"name":"x","data":%b}' % data

    assert refused(body(nested(MAX_DEPTH))) is None
    assert refused(body(nested(MAX_DEPTH + 1))) == BODY
    assert refused(body(nested(900))) == BODY
    assert refused(body(nested(50_000))) == BODY


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        (b"1", 0),
        (b"[]", 1),
        (b"[[],[[]]]", 3),
        (b'{"[[[[":"]]"}', 1),
        (b'["\\"[[[", []]', 2),
        (b'["\\\\", [[]]]', 3),
        (b"[[[", 3),
        (b"]]]", -1),
    ],
)
def test_depth_does_not_count_texts(text: bytes, levels: int) -> None:
    assert depth(text) == levels


def test_more_brackets_than_levels_are_fine() -> None:
    assert refused(b'{"name":"x","data":[' + b"[]," * 1000 + b"1]}") is None
    assert refused(b'{"name":"x","data":"' + b"[" * 1000 + b'"}') is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"x","data":[' + b"[]," * 340_000 + b"1]}",
        b'{"name":"x","data":"' + b'\\"[' * 340_000 + b'"}',
        b'{"name":"x","data":"' + b'"' * 1_000_000,
        b'{"name":"x","data":' + b"[" * 1_000_000,
        b'{"name":"x","data":' + b'{"a":' * 200_000,
        b'{"name":"x","data":' + b"9" * 1_000_000 + b"}",
        b'{"name":"x","data":{' + b",".join(b'"%d":1' % n for n in range(80_000)) + b"}}",
    ],
    ids=["brackets", "quotes", "open text", "deep", "deeper", "number", "members"],
)
def test_no_body_takes_long(body: bytes) -> None:
    started = time.perf_counter()
    refused(body)
    assert time.perf_counter() - started < 2


def test_numbers_are_kept_and_told_when_too_long_for_python() -> None:
    long = b"9" * 5000
    assert bytes(decode_event(b'{"name":"x","data":' + long + b"}").data) == long
    with pytest.raises(InvalidInput) as refusal:
        to_python(long, "json.data")
    assert list(refusal.value.detail["fields"]) == ["json.data"]
    assert to_python(b"9" * 400, "json.data") == int("9" * 400)
    assert to_python(b'{"a":1.5,"b":"\xc3\xa9"}', "json.data") == {"a": 1.5, "b": "é"}
    with pytest.raises(InvalidInput):
        to_python(b"{", "json.data")


def test_other_structs_are_read_the_same_way() -> None:
    decoder = msgspec.json.Decoder(NewJob)
    job = decode(b'{"pipeline_uuid":"p","data":{"a": [1]}}', decoder)
    assert bytes(job.data) == b'{"a": [1]}'
    for body, field in (
        (b'{"pipeline_uuid":"p","data":{"a":1,"a":2}}', "json.a"),
        (b'{"pipeline_uuid":"p","data":{},"child_of":["x",1]}', "json.child_of[1]"),
        (b'{"pipeline_uuid":"p"}', "json.data"),
        (b"[]", BODY),
    ):
        with pytest.raises(InvalidInput) as refusal:
            decode(body, decoder)
        assert list(refusal.value.detail["fields"]) == [field]


def test_the_name_of_an_unknown_member_cannot_pass_for_a_place() -> None:
    assert refused(b'{"name":"x","a` - at `$.name`":1}') == "json.a` - at `$.name`"
    assert refused(b'{"name":"x","' + b"y" * 1000 + b'":1}') == "json." + "y" * 64


@given(JSON)
def test_what_is_checked_once_is_fine_again(data: str) -> None:
    body = data.encode()
    try:
        check(body, MAX_DEPTH)
    except InvalidInput:
        assert repeats(data)
    else:
        assert not repeats(data)


def test_no_body_holds_more_containers_than_others_may_be_kept_waiting_for() -> None:
    most = b"[" + b",".join([b"[]"] * (MAX_CONTAINERS - 2)) + b"]"
    decode_event(b'{"name":"update","data":' + most + b"}")
    with pytest.raises(InvalidInput, match="more than 200,000 arrays and objects"):
        decode_event(b'{"name":"update","data":' + most[:-1] + b",{}]}")
    decode_event(b'{"name":"update","data":"' + b"[" * MAX_CONTAINERS + b'"}')  # in a text they are none
