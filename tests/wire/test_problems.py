"""Errors to problems and back: every leaf, the same class on the other side, nothing of the inside."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobpass import errors
from jobpass.errors import Error
from jobpass.wire.problems import INTERNAL, TABLE, from_problem, scrub, status_of, to_problem


def descendants(cls: type[Error]) -> list[type[Error]]:
    return [cls, *(below for child in cls.__subclasses__() for below in descendants(child))]


OURS = [cls for cls in descendants(Error) if cls.__module__ == "jobpass.errors"]
LEAVES = [cls for cls in OURS if not cls.__subclasses__()]
INSIDE = "the secret inside"


def make(cls: type[Error]) -> Error:
    error = cls.__new__(cls)
    Error.__init__(error, "A sentence.", extra=[1, "two"])
    return error


def test_every_leaf_is_in_the_table() -> None:
    assert len(LEAVES) > 25
    assert [cls.__name__ for cls in LEAVES if cls not in TABLE] == []


@pytest.mark.parametrize("cls", LEAVES)
def test_the_other_side_raises_the_same_class(cls: type[Error]) -> None:
    status, _, body = to_problem(make(cls), "r1")
    back = from_problem(status, body)
    assert TABLE[cls] == (status, json.loads(body)["detail"]["code"])
    assert back.detail["request_id"] == "r1"
    if issubclass(cls, errors.InvalidToken):
        assert type(back) is errors.InvalidToken
    elif TABLE[cls][1] == INTERNAL:
        assert type(back) is errors.UnexpectedAnswer
        assert back.detail["status"] == 500
    else:
        assert type(back) is cls
        if cls is not errors.StoreUnavailable:
            assert back.message == "A sentence."
            assert back.detail["extra"] == [1, "two"]


def test_codes_tell_the_classes_apart() -> None:
    told = [(cls, code) for cls, (_, code) in TABLE.items() if code not in ("invalid_token", INTERNAL)]
    assert len({code for _, code in told}) == len(told)


def test_all_bad_tokens_have_one_body() -> None:
    bodies = {to_problem(make(cls), "r")[2] for cls in descendants(errors.InvalidToken)}
    assert len(bodies) == 1
    (body,) = bodies
    assert json.loads(body) == {
        "error": "The token is not valid.",
        "detail": {"code": "invalid_token"},
        "request_id": "r",
    }


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (errors.MissingToken("m"), (b"www-authenticate", b"Bearer")),
        (errors.ForgedToken("m"), (b"www-authenticate", b'Bearer error="invalid_token"')),
        (errors.InvalidToken("m"), (b"www-authenticate", b'Bearer error="invalid_token"')),
        (errors.WrongMethod("m", allowed=["GET", "HEAD"]), (b"allow", b"GET, HEAD")),
        (errors.TooMany("m", retry_after_seconds=7), (b"retry-after", b"7")),
        (errors.TooMany("m", retry_after_seconds=0.2), (b"retry-after", b"1")),
        (errors.TooMany("m"), (b"retry-after", b"1")),
        (errors.StoreUnavailable("m"), (b"retry-after", b"1")),
    ],
)
def test_headers_that_belong_to_a_problem(error: Error, header: tuple[bytes, bytes]) -> None:
    assert to_problem(error, "r")[1] == [header]


def test_other_problems_have_no_headers() -> None:
    for cls in (errors.LoginFailed, errors.Denied, errors.UnknownJob, errors.IllegalTransition, errors.UnknownEvent):
        assert to_problem(make(cls), "r")[1] == []


def test_details_are_told() -> None:
    illegal = errors.IllegalTransition("finish", "CREATED", {"run", "fail"}, uuid="u")
    _, _, body = to_problem(illegal, "r")
    assert json.loads(body)["detail"] == {
        "code": "illegal_transition",
        "event": "finish",
        "state": "CREATED",
        "legal": ["fail", "run"],
        "uuid": "u",
    }
    back = from_problem(409, body)
    assert isinstance(back, errors.IllegalTransition)
    assert back.message == illegal.message
    denied = to_problem(errors.Denied(reasons=["a", "b"]), "r")[2]
    assert json.loads(denied)["detail"] == {"code": "denied", "reasons": ["a", "b"]}


def test_bad_input_names_place_and_field() -> None:
    fields = {"json.name": ["is required"], "query.limit": ["must be…", "and"], "json.a.b": ["x"], "odd": ["y"]}
    status, _, body = to_problem(errors.InvalidInput("Two things.", fields), "r")
    assert (status, json.loads(body)) == (
        422,
        {
            "error": "Two things.",
            "detail": {
                "code": "invalid_input",
                "json": {"name": ["is required"], "a.b": ["x"], "odd": ["y"]},
                "query": {"limit": ["must be…", "and"]},
            },
            "request_id": "r",
            "message": "Validation error",
        },
    )
    back = from_problem(status, body)
    assert back.detail["fields"] == {
        "json.name": ["is required"],
        "json.a.b": ["x"],
        "json.odd": ["y"],
        "query.limit": ["must be…", "and"],
    }


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError(INSIDE),
        errors.KeyringError(INSIDE),
        errors.BrokenRecord(INSIDE, where=INSIDE),
        errors.StoreUnavailable(INSIDE, path=INSIDE),
        errors.RevokedToken(INSIDE, why=INSIDE),
        errors.Error(INSIDE, why=INSIDE),
    ],
)
def test_the_inside_is_not_told(error: BaseException) -> None:
    _, headers, body = to_problem(error, "r")
    assert INSIDE.encode() not in body
    assert INSIDE not in repr(headers)


def test_a_class_of_tomorrow_is_its_ancestor() -> None:
    class Newer(errors.UnknownJob):
        code = "newer"

    assert status_of(Newer("u")) == (404, "unknown_job")
    assert status_of(errors.Error("m")) == (500, INTERNAL)


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (401, errors.InvalidToken),
        (403, errors.Denied),
        (404, errors.NotFound),
        (405, errors.WrongMethod),
        (409, errors.Conflict),
        (413, errors.TooLarge),
        (415, errors.WrongContentType),
        (422, errors.InvalidInput),
        (429, errors.TooMany),
        (503, errors.StoreUnavailable),
        (500, errors.UnexpectedAnswer),
        (418, errors.UnexpectedAnswer),
    ],
)
def test_a_code_of_tomorrow_counts_as_its_status_says(status: int, cls: type[Error]) -> None:
    body = b'{"error":"New.","detail":{"code":"of_tomorrow","self":1,"message":2},"request_id":"r","more":1}'
    back = from_problem(status, body)
    assert type(back) is cls
    assert (back.message, back.detail["request_id"]) == ("New.", "r")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"\xff",
        b'{"error":1,"detail":{},"request_id":"r"}',
        b'{"error":"e","detail":[],"request_id":"r"}',
        b'{"error":"e","detail":{"a":' + b"[" * 100_000,
    ],
)
def test_what_is_no_problem_is_unexpected(body: bytes) -> None:
    back = from_problem(502, body)
    assert type(back) is errors.UnexpectedAnswer
    assert back.detail["status"] == 502


@given(st.binary(max_size=200), st.integers(100, 599))
def test_no_answer_makes_it_fail(body: bytes, status: int) -> None:
    assert isinstance(from_problem(status, body), Error)


@given(st.text(), st.dictionaries(st.text(), st.lists(st.text(), max_size=2), max_size=3))
def test_any_text_can_be_told(message: str, fields: dict[str, list[str]]) -> None:
    status, _, body = to_problem(errors.InvalidInput(message, fields), "r")
    assert isinstance(json.loads(body.decode()), dict)
    assert type(from_problem(status, body)) is errors.InvalidInput


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        (b"nothing here", b"nothing here"),
        (b"jp_doc_AbC-_1=x!", "jp_doc_…!".encode()),
        (b'{"jp_log_AAAA":"jp_adk_BBBB"}', '{"jp_log_…":"jp_adk_…"}'.encode()),
    ],
)
def test_tokens_are_cut(text: bytes, scrubbed: bytes) -> None:
    assert scrub(text) == scrubbed
