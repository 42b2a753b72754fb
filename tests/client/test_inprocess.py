"""An application in this process behind the same client, without a server."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import httpx2
import pytest
import uvloop

from jobpass.client.exchange import ONCE
from jobpass.client.inprocess import InProcessTransport
from jobpass.client.sync import Client
from jobpass.clock import SystemClock
from jobpass.errors import ServerUnavailable, SetupError, UnexpectedAnswer
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


def ask(transport: InProcessTransport, path: str, limit: float | None = 5, **kwargs: Any) -> httpx2.Response:
    timeout = {"read": limit}
    request = httpx2.Request("POST", f"http://localhost{path}", extensions={"timeout": timeout}, **kwargs)
    response = transport.handle_request(request)
    response.read()
    return response


@pytest.mark.parametrize("loop_factory", [None, uvloop.new_event_loop])
def test_requests_and_answers_pass_whole(loop_factory: Any) -> None:
    with InProcessTransport(lambda: nullcontext(echo), loop_factory=loop_factory) as transport:
        answer = ask(transport, "/a%20b?c=d", content=b"body")
        assert (answer.status_code, answer.content, answer.headers["x-seen"]) == (200, b"/a bbody", "c=d")
        assert ask(transport, "/", content=b"\0" * 1_000_000).content == b"/" + b"\0" * 1_000_000


def test_threads_share_it_and_slow_answers_hold_up_nobody() -> None:
    with InProcessTransport(lambda: nullcontext(echo)) as transport:
        answers: list[bytes] = []
        threads = [
            threading.Thread(target=lambda n=n: answers.extend(ask(transport, f"/{n}-{i}").content for i in range(50)))
            for n in range(8)
        ]
        slow = threading.Thread(target=lambda: answers.append(ask(transport, "/slow").content))
        for thread in (slow, *threads):
            thread.start()
        for thread in (slow, *threads):
            thread.join(20)
    assert sorted(answers) == sorted([b"/slow", *(f"/{n}-{i}".encode() for n in range(8) for i in range(50))])


def test_what_fails_inside_is_answered_as_by_a_server(caplog: pytest.LogCaptureFixture) -> None:
    with InProcessTransport(lambda: nullcontext(echo)) as transport:
        answer = ask(transport, "/broken")
        assert (answer.status_code, answer.content) == (500, b"")
        assert ask(transport, "/fine").content == b"/fine"
    assert "ValueError" in caplog.text


def test_time_is_bounded() -> None:
    with InProcessTransport(lambda: nullcontext(echo)) as transport:
        with pytest.raises(httpx2.ReadTimeout):
            ask(transport, "/slow", limit=0.05)
        assert ask(transport, "/slow", limit=None).content == b"/slow"


def test_closing_waits_for_what_was_accepted_and_leaves_the_lifespan() -> None:
    seen: list[str] = []

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Any]:
        seen.append(f"open {threading.current_thread().name}")
        try:
            yield echo
        finally:
            seen.append("closed")

    transport = InProcessTransport(lifespan)
    answers: list[bytes] = []
    slow = threading.Thread(target=lambda: answers.append(ask(transport, "/slow").content))
    slow.start()
    while not transport._running:
        pass
    transport.close()
    transport.close()
    slow.join(5)
    assert answers == [b"/slow"]
    assert seen == ["open jobpass-inprocess", "closed"]
    with pytest.raises(httpx2.ConnectError):
        ask(transport, "/")
    with pytest.raises(ServerUnavailable):
        Client("http://localhost", transport=transport, retries=ONCE).health()


def test_what_cannot_be_opened_says_so() -> None:
    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Any]:
        raise SetupError("There is no data here.")
        yield

    before = threading.active_count()
    with pytest.raises(SetupError, match="no data"):
        InProcessTransport(lifespan)
    assert threading.active_count() == before


def test_the_whole_application_in_process() -> None:
    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Any]:
        house = make_house(SystemClock())  # type: ignore[arg-type]
        await house.authority.accounts.create("a@example.org", PASSWORD, "author")
        yield create_app(house.authority, randomness=secrets.token_bytes)
        await house.authority.close()

    transport = InProcessTransport(lifespan, loop_factory=uvloop.new_event_loop)
    with Client("http://localhost", transport=transport) as client:
        client.login("a@example.org", PASSWORD)
        pipeline = client.create_pipeline(MEMBERS)
        job = client.create_job(pipeline["uuid"], {"n": 1})
        worker = client.with_token(job.token)
        worker.send(job.uuid, "run")
        worker.send(job.uuid, "finish", {"lines": 3})
        assert [event.state for event in client.watch(job.uuid)] == ["CREATED", "RUNNING", "FINISHED"]
        assert client.verify(job.uuid).intact


def test_an_application_that_is_not_jobpass() -> None:
    transport = InProcessTransport(lambda: nullcontext(echo))
    with Client("http://localhost", transport=transport) as client, pytest.raises(UnexpectedAnswer):
        client.health()
