"""An application in this process behind the same client, without a server."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import pytest
import uvloop

from jobpass.client.exchange import ONCE, Lost, Request, Response
from jobpass.client.inprocess import InProcess
from jobpass.client.sync import Client
from jobpass.clock import SystemClock
from jobpass.errors import LoginFailed, ServerUnavailable, SetupError, UnexpectedAnswer
from jobpass.server.app import create_app
from support.house import MEMBERS, PASSWORD, make_house


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the path, after a moment if the path asks for it."""
    message = await receive()
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    if scope["path"] == "/broken":
        raise ValueError("canary")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-seen", scope["query_string"])]})
    await send({"type": "http.response.body", "body": scope["path"].encode(), "more_body": True})
    await send({"type": "http.response.body", "body": message["body"]})
    assert (await receive())["type"] == "http.disconnect"


def ask(channel: InProcess, path: str, limit: float = 5, content: bytes | None = None, **params: str) -> Response:
    reply = channel.ask(Request("POST", path, {"X-Some": "thing"}, content, params, timeout_seconds=limit))
    assert isinstance(reply, Response)
    return reply


@pytest.mark.parametrize("loop_factory", [None, uvloop.new_event_loop])
def test_requests_and_answers_pass_whole(loop_factory: Any) -> None:
    with InProcess(lambda: nullcontext(echo), loop_factory=loop_factory) as channel:
        answer = ask(channel, "/a%20b", content=b"body", c="d e&f")
        assert (answer.status, answer.body, answer.headers) == (200, b"/a bbody", {"x-seen": "c=d%20e%26f"})
        assert ask(channel, "/", content=b"\0" * 1_000_000).body == b"/" + b"\0" * 1_000_000
        assert (ask(channel, "/").body, ask(channel, "/").cut) == (b"/", False)


def test_the_application_sees_what_a_server_would_show_it() -> None:
    seen: list[dict[str, Any]] = []

    async def look(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope))
        await send({"type": "http.response.start", "status": 404})
        await send({"type": "http.response.body"})

    with InProcess(lambda: nullcontext(look)) as channel:
        answer = ask(channel, "/api/%C3%A4%2Fb/%ED%A0%80")
    assert (answer.status, answer.headers, answer.body) == (404, {}, b"")
    told = {name: seen[0][name] for name in ("method", "path", "raw_path", "query_string", "headers", "client")}
    assert told == {
        "method": "POST",
        "path": "/api/ä/b/\ufffd\ufffd\ufffd",
        "raw_path": b"/api/%C3%A4%2Fb/%ED%A0%80",
        "query_string": b"",
        "headers": [(b"x-some", b"thing")],
        "client": ("127.0.0.1", 0),
    }


def test_an_answer_that_is_too_long_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobpass.client.inprocess.MAX_ANSWER_BYTES", 10)
    with InProcess(lambda: nullcontext(echo)) as channel:
        whole, cut = ask(channel, "/", content=bytes(9)), ask(channel, "/", content=bytes(10))
    assert (len(whole.body), whole.cut, cut.body, cut.cut) == (10, False, b"", True)


def test_threads_share_it_and_slow_answers_hold_up_nobody() -> None:
    with InProcess(lambda: nullcontext(echo)) as channel:
        answers: list[bytes] = []
        threads = [
            threading.Thread(target=lambda n=n: answers.extend(ask(channel, f"/{n}-{i}").body for i in range(50)))
            for n in range(8)
        ]
        slow = threading.Thread(target=lambda: answers.append(ask(channel, "/slow").body))
        for thread in (slow, *threads):
            thread.start()
        for thread in (slow, *threads):
            thread.join(20)
    assert sorted(answers) == sorted([b"/slow", *(f"/{n}-{i}".encode() for n in range(8) for i in range(50))])


def test_what_fails_inside_is_answered_as_by_a_server(caplog: pytest.LogCaptureFixture) -> None:
    with InProcess(lambda: nullcontext(echo)) as channel:
        answer = ask(channel, "/broken")
        assert (answer.status, answer.body) == (500, b"")
        assert ask(channel, "/fine").body == b"/fine"
    assert "ValueError" in caplog.text


def test_time_is_bounded() -> None:
    with InProcess(lambda: nullcontext(echo)) as channel:
        reply = channel.ask(Request("POST", "/slow", timeout_seconds=0.05))
        assert isinstance(reply, Lost)
        assert (reply.sent, reply.elapsed_seconds >= 0.05) == (True, True)
        assert ask(channel, "/slow", limit=1e12).body == b"/slow"


def test_closing_waits_for_what_was_accepted_and_leaves_the_lifespan() -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Any]:
        seen.append(f"open {threading.current_thread().name}")
        try:
            yield echo
        finally:
            seen.append("closed")

    channel = InProcess(lifespan)
    answers: list[bytes] = []
    slow = threading.Thread(target=lambda: answers.append(ask(channel, "/slow").body))
    slow.start()
    while not channel._running:
        time.sleep(0.001)
    channel.close()
    channel.close()
    slow.join(5)
    assert answers == [b"/slow"]
    assert seen == ["open jobpass-inprocess", "closed"]
    reply = channel.ask(Request("GET", "/"))
    assert isinstance(reply, Lost)
    assert not reply.sent
    with pytest.raises(ServerUnavailable):
        Client("http://localhost", channel=channel, retries=ONCE).health()
    with pytest.raises(ServerUnavailable):
        channel.run(nothing)


async def nothing() -> None:
    """No work."""


def test_a_coroutine_runs_where_the_application_does() -> None:
    seen: list[str] = []

    async def note() -> None:
        seen.append(threading.current_thread().name)

    async def fail() -> None:
        raise LoginFailed("No.")

    async def give_up() -> None:
        raise asyncio.CancelledError

    with InProcess(lambda: nullcontext(echo)) as channel:
        channel.run(note)
        with pytest.raises(LoginFailed):
            channel.run(fail)
        with pytest.raises(ServerUnavailable):
            channel.run(give_up)
    assert seen == ["jobpass-inprocess"]


def test_what_cannot_be_opened_says_so() -> None:
    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Any]:
        raise SetupError("There is no data here.")
        yield

    before = threading.active_count()
    with pytest.raises(SetupError, match="no data"):
        InProcess(lifespan)
    assert threading.active_count() == before


def test_the_whole_application_in_process() -> None:
    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Any]:
        house = make_house(SystemClock())  # type: ignore[arg-type]
        await house.authority.accounts.create("a@example.org", PASSWORD, "author")
        yield create_app(house.authority, randomness=secrets.token_bytes)
        await house.authority.close()

    channel = InProcess(lifespan, loop_factory=uvloop.new_event_loop)
    with Client("http://localhost", channel=channel) as client:
        client.login("a@example.org", PASSWORD)
        pipeline = client.create_pipeline(MEMBERS)
        job = client.create_job(pipeline["uuid"], {"n": 1})
        worker = client.with_token(job.token)
        worker.send(job.uuid, "run")
        worker.send(job.uuid, "finish", {"lines": 3})
        assert [event.state for event in client.watch(job.uuid)] == ["CREATED", "RUNNING", "FINISHED"]
        assert client.verify(job.uuid).intact


def test_an_application_that_is_not_jobpass() -> None:
    channel = InProcess(lambda: nullcontext(echo))
    with Client("http://localhost", channel=channel) as client, pytest.raises(UnexpectedAnswer):
        client.health()
