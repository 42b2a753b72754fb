"""Both clients against servers, proxies and networks that behave badly: retries, time-outs, answers that are none."""

from __future__ import annotations

import pickle
import socket
import time
import traceback
from typing import Any

import pytest

from jobpass.client.exchange import MAX_ANSWER_BYTES, ONCE, Retries
from jobpass.errors import (
    Denied,
    Error,
    IllegalTransition,
    InvalidToken,
    LoginFailed,
    ServerUnavailable,
    StoreUnavailable,
    TooMany,
    UnexpectedAnswer,
)

OK = b'{"message": "ok"}'
ACCEPTED = (
    b'{"uuid":"u","state":"RUNNING","last_event":"run","sequence":2,"event_uuid":"e",'
    b'"at":"2026-11-22T12:00:00Z","token":null}'
)
JOB = "10700000-0000-5000-8000-000000000000"
EVENT = (
    b'{"sequence":1,"event_uuid":"e","name":"n","data":%s,'
    b'"at":"2026-01-01T00:00:00Z","state":"S","credential":"c","hash":""}'
)


def problem(code: str, message: str = "No.") -> bytes:
    return b'{"error": "%s", "detail": {"code": "%s"}, "request_id": "r-1"}' % (message.encode(), code.encode())


def test_an_event_is_sent_again_after_each_kind_of_trouble(make: Any, hostile: Any, play: Any) -> None:
    slept: list[float] = []
    url = hostile.plays(
        play.reset,
        play.half,
        play.answer(502, b"<html>Bad Gateway</html>"),
        play.answer(503, problem("store_unavailable")),
        play.answer(504, b""),
        play.answer(200, ACCEPTED),
    )
    answer = make(url, "jp_doc_x", slept=slept).send(JOB, "run", {"a": 1})
    assert (answer.state, answer.sequence) == ("RUNNING", 2)
    assert slept == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert len(hostile.requests) == 6
    assert len(set(hostile.requests)) == 1  # the very same request, with the same key
    assert b"\r\nidempotency-key: " in hostile.requests[0].lower()


def test_retries_are_bounded_by_their_number(make: Any, hostile: Any, play: Any) -> None:
    slept: list[float] = []
    client = make(
        hostile.plays(play.reset), slept=slept, retries=Retries(attempts=3, longest_seconds=0.15, random=lambda: 0.0)
    )
    with pytest.raises(ServerUnavailable) as caught:
        client.job(JOB)
    assert caught.value.message == "The server cannot be reached: the connection broke."
    assert slept == [0.05, 0.075]
    assert len(hostile.requests) == 3


def test_retries_are_bounded_by_their_deadline(make: Any, hostile: Any, play: Any) -> None:
    slept: list[float] = []
    client = make(
        hostile.plays(play.answer(503, problem("store_unavailable"))),
        slept=slept,
        retries=Retries(attempts=1000, deadline_seconds=4, random=lambda: 1.0),
    )
    with pytest.raises(StoreUnavailable):
        client.job(JOB)
    assert slept == [0.1, 0.2, 0.4, 0.8, 1.6]  # the next pause would end after the deadline


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (401, "invalid_token", InvalidToken),
        (403, "denied", Denied),
        (409, "illegal_transition", IllegalTransition),
        (404, "code_of_a_newer_server", Error),
        (500, "internal_error", UnexpectedAnswer),
    ],
)
def test_what_cannot_get_better_is_not_tried_again(
    make: Any, hostile: Any, play: Any, status: int, code: str, expected: type[Error]
) -> None:
    client = make(hostile.plays(play.answer(status, problem(code, "A sentence."))), "jp_doc_x", slept=[])
    with pytest.raises(expected, match=r"A sentence\.") as caught:
        client.send(JOB, "run")
    assert caught.value.detail["request_id"] == "r-1"
    assert len(hostile.requests) == 1


def test_retry_after_is_waited_for(make: Any, hostile: Any, play: Any) -> None:
    slept: list[float] = []
    url = hostile.plays(
        play.answer(429, problem("too_many"), "Retry-After: 7"),
        play.answer(503, b"", "Retry-After: Sun, 22 Nov 2026 10:00:09 GMT", "Date: Sun, 22 Nov 2026 10:00:00 GMT"),
        play.answer(503, b"", "Retry-After: soon"),
        play.answer(503, b"", "Retry-After: -5"),
        play.answer(200, ACCEPTED),
    )
    make(url, "jp_doc_x", slept=slept).send(JOB, "run")
    assert slept == [7, 9, 0.4, 0.8]


def test_a_wait_beyond_the_deadline_is_not_begun(make: Any, hostile: Any, play: Any) -> None:
    slept: list[float] = []
    for body in (problem("too_many"), b"<html>slow down</html>"):
        client = make(hostile.plays(play.answer(429, body, "Retry-After: 999")), slept=slept)
        with pytest.raises(TooMany) as caught:
            client.job(JOB)
        assert caught.value.detail["retry_after_seconds"] == 999
    assert slept == []


def test_a_login_is_not_sent_twice(make: Any, hostile: Any, play: Any) -> None:
    slept: list[float] = []
    client = make(hostile.url, slept=slept)
    for script, expected in (
        (play.reset, ServerUnavailable),
        (play.half, ServerUnavailable),
        (play.answer(503, problem("store_unavailable")), StoreUnavailable),
        (play.answer(429, problem("too_many")), TooMany),
        (play.answer(401, problem("invalid_login")), LoginFailed),
    ):
        hostile.plays(script)
        with pytest.raises(expected):
            client.login("a@example.org", "password")
        assert len(hostile.requests) == 1
    assert slept == []
    assert client.token is None


def test_a_server_that_is_not_there_yet_is_asked_again(make: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    slept: list[float] = []
    client = make(f"http://127.0.0.1:{port}", slept=slept)
    with pytest.raises(ServerUnavailable, match="no connection"):
        client.login("a@example.org", "password")  # it was never sent
    assert len(slept) == 5
    with pytest.raises(ServerUnavailable):
        client.ready()  # a probe asks once
    assert len(slept) == 5


def test_the_time_of_an_attempt_is_bounded(make: Any, hostile: Any, play: Any) -> None:
    for script in (play.silent, play.dripping):
        started = time.monotonic()
        client = make(hostile.plays(script), timeout_seconds=0.2, retries=ONCE)
        with pytest.raises(ServerUnavailable, match="no answer in time"):
            client.job(JOB)
        assert 0.15 < time.monotonic() - started < 2


def test_the_deadline_bounds_an_attempt_too(make: Any, hostile: Any, play: Any) -> None:
    started = time.monotonic()
    client = make(hostile.plays(play.silent), retries=Retries(deadline_seconds=0.3))
    with pytest.raises(ServerUnavailable):
        client.job(JOB)
    assert time.monotonic() - started < 2


def test_an_answer_that_was_lost_is_given_again(
    make: Any, hostile: Any, play: Any, served: Any, job: Any, own_client: Any
) -> None:
    """The event was stored and its answer lost on the way: sent again, it is in the history once."""
    lost, given = play.through(served.port, deliver=False), play.through(served.port, deliver=True)
    client = make(hostile.plays(lost, lost, given), job.token, slept=[])
    answer = client.send(job.uuid, "run", {"n": 1})
    assert (answer.sequence, answer.state, len(hostile.requests)) == (2, "RUNNING", 3)
    assert [event.name for event in own_client.iter_history(job.uuid)] == ["create", "run"]


def test_a_job_whose_answer_was_lost_is_found_again(
    make: Any, hostile: Any, play: Any, served: Any, author: Any, job: Any
) -> None:
    lost, given = play.through(served.port, deliver=False), play.through(served.port, deliver=True)
    client = make(hostile.plays(lost, given), author.token, slept=[])
    made = client.create_job(job.pipeline_uuid, {"lost": job.uuid})
    assert [event.name for event in author.iter_history(made.uuid)] == ["create"]
    assert make(served.url, made.token).send(made.uuid, "run").sequence == 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome to the hotel's network</html>",
        b"[]",
        b"null",
        b'"ok"',
        b"{}",
        b'{"message": 1}',
        b"\xff\xfe",
        b'{"message": "\xff"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\x1f\x8b\x08\x00garbage",
        b"NaN",
    ],
)
def test_a_body_that_is_not_jobpass_is_told_as_such(make: Any, hostile: Any, play: Any, body: bytes) -> None:
    client = make(hostile.plays(play.answer(200, body)), slept=[])
    with pytest.raises(UnexpectedAnswer) as caught:
        client.health()
    assert caught.value.detail["status"] == 200
    with pytest.raises(UnexpectedAnswer):
        client.job(JOB)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 303, 307, 308, 304])
def test_only_200_is_success_and_no_redirect_is_followed(make: Any, hostile: Any, play: Any, status: int) -> None:
    elsewhere = f"Location: {hostile.url}/elsewhere"
    client = make(hostile.plays(play.answer(status, b"" if status in (204, 304) else OK, elsewhere)), "jp_log_x")
    with pytest.raises(UnexpectedAnswer) as caught:
        client.job(JOB)
    assert caught.value.detail["status"] == status
    assert len(hostile.requests) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 999999 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 200_000,
        b"\x00" * 1000,
    ],
)
def test_what_is_not_http_is_unavailable(make: Any, hostile: Any, play: Any, raw: bytes) -> None:
    client = make(hostile.plays(play.raw(raw)), slept=[], retries=ONCE)
    with pytest.raises(ServerUnavailable):
        client.job(JOB)


def test_an_answer_without_end_is_not_read_to_its_end(make: Any, hostile: Any, play: Any) -> None:
    sent = 0

    def flood(line: Any) -> None:
        nonlocal sent
        line.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(2 * MAX_ANSWER_BYTES >> 20):
            line.send(b" " * (1 << 20))
            sent += 1 << 20

    client = make(hostile.plays(flood), slept=[], timeout_seconds=30)
    with pytest.raises(UnexpectedAnswer) as caught:
        client.job(JOB)
    assert caught.value.detail["limit_bytes"] == MAX_ANSWER_BYTES
    assert len(hostile.requests) == 1
    assert sent < 2 * MAX_ANSWER_BYTES


def test_half_a_surrogate_pair_in_a_history_can_be_read(make: Any, hostile: Any, play: Any) -> None:
    body = b'{"events": [%s], "next": null}' % (EVENT % b'{"\\ud800": "\\udfff"}')
    (event,) = make(hostile.plays(play.answer(200, body))).history(JOB).events
    assert event.data == {"\ud800": "\udfff"}


def test_no_cookie_is_kept(make: Any, hostile: Any, play: Any) -> None:
    client = make(hostile.plays(play.answer(200, OK, "Set-Cookie: a=b; Path=/")))
    client.health()
    client.health()
    assert b"cookie" not in hostile.requests[1].lower()


def test_no_error_carries_a_token_or_a_password(make: Any, hostile: Any, play: Any) -> None:
    token, password = "jp_doc_" + "canary" * 5, "canary" * 3
    echo = problem("denied", f"You sent {token}.")
    scripts = [
        play.reset,
        play.half,
        play.raw(b"x"),
        play.answer(302, OK, f"Location: /{token}"),
        play.answer(200, f'"{token}"'.encode()),
        play.answer(403, echo),
        play.answer(404, token.encode()),
    ]
    for script in scripts:
        client = make(hostile.plays(script), token, retries=ONCE)
        for call in (lambda c=client: c.send(JOB, "run"), lambda c=client: c.login("a@example.org", password)):
            with pytest.raises(Error) as caught:
                call()
            error = caught.value
            shown = "".join(traceback.format_exception(error)) + repr(error.detail) + repr(vars(error))
            assert "canary" not in shown + repr(pickle.loads(pickle.dumps(error)))
            assert error.__cause__ is None
            assert error.__context__ is None  # no frames of the HTTP library with its headers


def test_the_token_goes_in_the_header_alone(make: Any, hostile: Any, play: Any) -> None:
    client = make(hostile.plays(play.answer(200, ACCEPTED)), "jp_doc_canary")
    client.send(JOB, "run")
    head, _, body = hostile.requests[0].partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    assert first == f"POST /api/pipelinejobs/{JOB}/events HTTP/1.1".encode()
    assert [h.lower() for h in headers if b"canary" in h] == [b"authorization: bearer jp_doc_canary"]
    assert b"canary" not in body
    hostile.plays(play.answer(200, OK))
    client.health()
    assert b"canary" not in hostile.requests[0]  # a probe is nobody's
    hostile.plays(play.answer(401, problem("invalid_login")))
    with pytest.raises(LoginFailed):
        client.login("a@example.org", "password")
    assert b"canary" not in hostile.requests[0]
