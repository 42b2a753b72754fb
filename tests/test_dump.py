"""Documents of a dump: however they are written and cut, the same ones, and never a wrong one."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass.compose import dump
from jobpass.errors import InvalidInput

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(['"', "\\", "}{", "][", '\\"', "\n"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=4), max_size=6)


class Slow(io.RawIOBase):
    """A stream that gives a few bytes at a time, whatever it is asked for."""

    def __init__(self, text, size):
        self._text = io.BytesIO(text)
        self._size = size

    def read(self, size=-1):
        return self._text.read(self._size)


def found(text, size=7):
    return [json.loads(document) for _, document in dump.documents(Slow(text, size))]


@given(DOCUMENTS, st.integers(1, 50), st.booleans())
def test_lines_are_the_documents(documents, size, ascii_only):
    text = b"".join(
        json.dumps(one, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass") + b"\n" for one in documents
    )
    assert found(text, size) == documents


@given(DOCUMENTS, st.integers(1, 50), st.sampled_from([None, 0, 3]))
def test_an_array_has_the_same_documents(documents, size, indent):
    assert found(json.dumps(documents, indent=indent).encode(), size) == documents


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b" \n\r\n"])
@pytest.mark.parametrize("text", [b'{"a":1}\r\n\r\n  {"b":2}', b'[{"a":1},{"b":2}]', b'[\n{"a":1}\n,\n{"b":2}\n]\n \n'])
def test_space_and_the_mark_of_utf_8_do_not_count(before, text):
    assert found(before + text, 10_000) == [{"a": 1}, {"b": 2}]


@pytest.mark.parametrize(("text", "lines"), [
    (b'{"a":1}\n\n{"b":2}\n', [1, 3]),
    (b'[\n{"a":\n1},\n\n{"b":2}]', [2, 5]),
    (b'[{"a":1},{"b":2}]', [1, 1]),
])  # fmt: skip
def test_each_document_has_the_line_on_which_it_begins(text, lines):
    assert [line for line, _ in dump.documents(io.BytesIO(text))] == lines


@pytest.mark.parametrize("text", [
    b"[", b'[{"a":1}', b'[{"a":1},', b'[{"a":1},]', b'[{"a":1}{"b":2}]', b'[{"a":1}] x', b"[1]", b'["a"]', b'[{"a":"]}',
    b'[{"a":1}]]', b"[,]",
])  # fmt: skip
def test_an_array_that_breaks_off_is_told_and_not_mended(text):
    with pytest.raises(InvalidInput, match="breaks off on line 1"):
        list(dump.documents(io.BytesIO(text)))


def test_nothing_has_no_documents():
    assert [found(text) for text in (b"", b"\n\n", b"[]", b" [ ] ")] == [[], [], [], []]


@pytest.mark.parametrize("length", [1001, 1100, 5000, 100_000])
def test_a_line_that_is_too_long_is_passed_over(monkeypatch, length):
    monkeypatch.setattr(dump, "MAX_DOCUMENT_BYTES", 1000)
    monkeypatch.setattr(dump, "READ_BYTES", 100)
    text = b'{"a":1}\n' + b"x" * length + b'\n{"b":2}\n' + b"y" * length
    read = list(dump.documents(io.BytesIO(text)))
    assert read == [(1, b'{"a":1}'), (2, None), (3, b'{"b":2}'), (4, None)]
    assert dump.read(*read[1]).flaw == "is longer than 1000 bytes"


def test_an_array_ends_at_a_document_that_is_too_long(monkeypatch):
    monkeypatch.setattr(dump, "MAX_DOCUMENT_BYTES", 1000)
    monkeypatch.setattr(dump, "READ_BYTES", 100)
    documents = dump.documents(io.BytesIO(b'[{"a":1},\n{"a":"' + b"x" * 5000))
    assert next(documents) == (1, b'{"a":1}')
    with pytest.raises(InvalidInput, match="line 2 is longer than 1000"):
        next(documents)


def peak(work):
    """The memory that Python asks for at the most while ``work`` is done."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("unit", [b"x", b" ", b'{"a":"', b"\n", b"[", b'{"a":1}'])
def test_a_small_packed_file_does_not_become_a_large_one_in_memory(tmp_path, monkeypatch, unit):
    """A hundred times the bound, which is as much as any bomb has."""
    monkeypatch.setattr(dump, "MAX_DOCUMENT_BYTES", 30_000)
    monkeypatch.setattr(dump, "READ_BYTES", 3_000)
    file = tmp_path / "bomb.gz"
    file.write_bytes(gzip.compress(unit * (3_000_000 // len(unit))))

    def read():
        with suppress(InvalidInput), dump.opened(file) as (stream, _):
            assert all(text is None for _, text in dump.documents(stream))

    assert file.stat().st_size < 30_000
    assert peak(read) < 1_000_000


@pytest.mark.parametrize("value", [b"[]", b"{}", b'""', b'"a1"', b"[[[[[[[[]]]]]]]]", b'{"a":1}'])
def test_many_small_values_do_not_become_a_large_one_either(monkeypatch, value):
    monkeypatch.setattr(dump, "MAX_TOKENS", 10_000)
    text = b'{"a":[' + b",".join([value] * (400_000 // len(value))) + b"]}"
    flaws = []
    assert peak(lambda: flaws.append(dump.read(1, text).flaw)) < 10_000_000
    assert flaws == ["holds more than 10000 texts, commas and opening brackets"]
    assert dump.read(1, b'{"a":"' + b"," * 20_000 + b'"}').flaw is None


@pytest.mark.parametrize(("text", "flaw"), [
    (b'{"a":1,"a":2}', "a: comes twice"),
    (b'{"a":{"b":1,"b":1}}', "b: comes twice"),
    (b'{"a":NaN}', "NaN"),
    (b'{"a":1', "not JSON"),
    (b'{"a":"\xff"}', "UTF-8"),
    (b'{"a":' + b"[" * 70 + b"]" * 70 + b"}", "nested deeper"),
    (b'{"a":' + b"[" * 100_000, "nested deeper"),
])  # fmt: skip
def test_what_two_readers_could_understand_differently_is_a_flaw(text, flaw):
    read = dump.read(3, text)
    assert flaw in read.flaw
    assert (read.line, read.text) == (3, b"")


def test_a_packed_file_is_unpacked_and_a_broken_one_told(tmp_path):
    file = tmp_path / "dump"
    packed = gzip.compress(b'{"a":1}\n' * 10_000)
    file.write_bytes(packed)
    with dump.opened(file) as (stream, _):
        assert len(list(dump.documents(stream))) == 10_000
    file.write_bytes(packed[:-20])
    with pytest.raises(InvalidInput, match="broken gzip"), dump.opened(file) as (stream, _):
        list(dump.documents(stream))


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be read"), dump.opened(tmp_path / "none"):
        pass
