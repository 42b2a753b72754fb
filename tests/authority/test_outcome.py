"""Results as they come, in pieces of any size."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobpass.authority import outcome
from jobpass.authority.outcome import ResultCheck
from jobpass.errors import InvalidInput

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=12,
)


def _check(text: bytes, size: int) -> None:
    check = ResultCheck()
    for start in range(0, len(text), size):
        check.feed(text[start : start + size])
    check.finish()


@pytest.fixture(params=[10**9, 0], ids=["whole", "followed"])
def bound(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Results are read whole, or followed as large ones are."""
    monkeypatch.setattr(outcome, "WHOLE_BYTES", request.param)
    monkeypatch.setattr(outcome, "MAX_NAME_BYTES", 64)
    return int(request.param)


@settings(max_examples=150, deadline=None)
@given(
    members=st.dictionaries(st.text(max_size=8), VALUES, max_size=4), size=st.integers(1, 9), ascii_only=st.booleans()
)
@pytest.mark.parametrize("whole", [True, False])
def test_an_object_is_a_result_however_it_is_cut(
    members: dict[str, object], size: int, ascii_only: bool, whole: bool
) -> None:
    before, outcome.WHOLE_BYTES = outcome.WHOLE_BYTES, 10**9 if whole else 0  # type: ignore[misc]
    try:
        text = json.dumps(members, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        _check(text, size)
        with pytest.raises(InvalidInput):
            _check(json.dumps(members | {"job_context": members}, ensure_ascii=ascii_only).encode(), size)
        _check(json.dumps({"in": {"job_context": members}, "as": "job_context"}).encode(), size)
        for cut in (text[:-1], text + b"{}", text + b"1", b"[" + text + b"]", text + b'"'):
            with pytest.raises(InvalidInput):
                _check(cut, size)
    finally:
        outcome.WHOLE_BYTES = before  # type: ignore[misc]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100, 10_000])
def test_the_name_that_is_forbidden_is_found_in_every_spelling(bound: int, size: int) -> None:
    long = b"x" * 200 + rb"\\" * 3 + rb"\"" + b"y" * 200
    for name in (b"job_context", rb"job\u005fcontext", rb"\u006aob_context"):
        with pytest.raises(InvalidInput, match="job_context"):
            _check(b'{"a": "%b" , "%b" : 1}' % (long, name), size)
    _check(b'{"a": "%b", "%b": {"b": ["job_context", {"job_context": 1}]}}  ' % (long, long), size)
    _check(rb'{"a": "\\", "b": "\"job_context\":"}', size)


@pytest.mark.parametrize("size", [1, 5, 1000])
@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"   ",
        b"{",
        b"}",
        b"[]",
        b'"a"',
        b"1",
        b"{}{}",
        b"{}]",
        b'{"a":"',
        b'{"a":"\xc3"}',
        b'{"a":"\xed\xa0\x80"}',
    ],
)
def test_what_is_no_object_is_no_result(bound: int, size: int, text: bytes) -> None:
    with pytest.raises(InvalidInput):
        _check(text, size)


def test_brackets_without_end_are_refused_early(bound: int) -> None:
    with pytest.raises(InvalidInput):
        _check(b'{"a":' + b"[" * 100_000, 1000)
