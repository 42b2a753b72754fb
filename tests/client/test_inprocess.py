"""An application in this process behind the same client, without a server."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import apsw
import pytest
import uvloop

import jobpass
from jobpass.client.exchange import ONCE, Lost, Request, Response, Retries
from jobpass.client.inprocess import InProcess
from jobpass.client.sync import Client
from jobpass.clock import SystemClock
from jobpass.errors import Error, LoginFailed, ServerUnavailable, SetupError, UnexpectedAnswer
from jobpass.server.app import create_app
from support.house import MEMBERS, PASSWORD, make_house

Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


async def echo(_method: str, path: str, _query: bytes, _headers: Any, body: bytes) -> Answer:
    """Answers with the path and the body, after a moment if the path asks for it."""
    if path == "/slow":
        await asyncio.sleep(0.3)
    if path == "/broken":
        raise ValueError("canary")
    return 200, [], path.encode() + body


def ask(channel: InProcess, path: str, limit: float = 5, content: bytes | None = None, **params: str) -> Response:
    reply = channel.ask(Request("POST", path, {"X-Some": "thing"}, content, params, timeout_seconds=limit))
    assert isinstance(reply, Response)
    return reply


@pytest.mark.parametrize("loop_factory", [None, uvloop.new_event_loop])
def test_requests_and_answers_pass_whole(loop_factory: Any) -> None:
    with InProcess(lambda: nullcontext(echo), loop_factory=loop_factory) as channel:
        answer = ask(channel, "/a%20b", content=b"body")
        assert (answer.status, answer.body) == (200, b"/a bbody")
        assert ask(channel, "/", content=b"\0" * 1_000_000).body == b"/" + b"\0" * 1_000_000
        assert (ask(channel, "/").body, ask(channel, "/").cut) == (b"/", False)


def test_the_application_sees_what_a_server_would_show_it() -> None:
    seen: list[Any] = []

    async def look(*asked: Any) -> Answer:
        seen.append(asked)
        return 404, [(b"x-some", b"thing")], b""

    with InProcess(lambda: nullcontext(look)) as channel:
        answer = ask(channel, "/api/%C3%A4%2Fb/%ED%A0%80", c="d e&f")
    assert (answer.status, answer.headers, answer.body) == (404, {"x-some": "thing"}, b"")
    path = "/api/ä/b/\ufffd\ufffd\ufffd"
    assert seen == [("POST", path, b"c=d%20e%26f", [(b"x-some", b"thing")], b"")]


def test_an_answer_that_is_too_long_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobpass.client.inprocess_call.MAX_ANSWER_BYTES", 10)
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
    while not channel._left:
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
        yield create_app(house.authority, randomness=secrets.token_bytes).answer
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


def here(seen: list[str]) -> Any:
    """An application that notes its threads, before and after it had to wait if the path says so."""

    async def app(_method: str, path: str, *_: Any) -> Answer:
        seen.append(threading.current_thread().name)
        if path.startswith("/wait"):
            await asyncio.sleep(0.05)
            seen.append(threading.current_thread().name)
        if path.startswith("/wait/broken"):
            raise ValueError("canary")
        return 200, [], path.encode()

    return app


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keeper does nothing by itself."""
    monkeypatch.setattr("jobpass.client.inprocess.IDLE_SECONDS", 3600)


@pytest.mark.usefixtures("quiet")
def test_an_event_is_worked_on_by_the_thread_that_sends_it() -> None:
    seen: list[str] = []
    with InProcess(lambda: nullcontext(here(seen)), loop_factory=uvloop.new_event_loop) as channel:
        assert ask(channel, "/job/events").body == b"/job/events"
        assert ask(channel, "/other").body == b"/other"
        while channel._helm.locked():
            time.sleep(0.001)
        other = threading.Thread(target=lambda: ask(channel, "/job/events"), name="sender")
        other.start()
        other.join()
    assert seen == ["MainThread", "jobpass-inprocess", "sender"]


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("loop_factory", [None, uvloop.new_event_loop])
def test_an_event_that_has_to_wait_is_finished_by_the_keeper(loop_factory: Any) -> None:
    seen: list[str] = []
    with InProcess(lambda: nullcontext(here(seen)), loop_factory=loop_factory) as channel:
        assert ask(channel, "/wait/events").body == b"/wait/events"
        assert ask(channel, "/wait/broken/events").status == 500
        late = channel.ask(Request("POST", "/wait/events", timeout_seconds=0.01))
        assert isinstance(late, Lost)
        assert late.sent
        assert ask(channel, "/job/events").body == b"/job/events"
    assert seen[:2] == ["MainThread", "jobpass-inprocess"]
    assert len(seen) == 7, "what was late was finished, too"


async def test_a_thread_with_a_running_loop_leaves_its_events_to_the_keeper() -> None:
    seen: list[str] = []
    with InProcess(lambda: nullcontext(here(seen))) as channel:
        assert ask(channel, "/job/events").status == 200
    assert seen == ["jobpass-inprocess"]


def test_a_deep_stack_leaves_its_events_to_the_keeper() -> None:
    seen: list[str] = []

    def deep(left: int) -> Response:
        return deep(left - 1) if left else ask(channel, "/job/events")

    with InProcess(lambda: nullcontext(here(seen))) as channel:
        assert deep(sys.getrecursionlimit() - 200).status == 200
    assert seen == ["jobpass-inprocess"]


@pytest.mark.usefixtures("quiet")
def test_a_signal_waits_until_the_event_is_done() -> None:
    done: list[str] = []

    async def app(_method: str, path: str, *_: Any) -> Answer:
        if path == "/1/events":
            signal.raise_signal(signal.SIGINT)
        done.append(path)
        return 200, [], b""

    handler = signal.default_int_handler  # a run in a shell's background ignores the signal
    before = signal.signal(signal.SIGINT, handler)
    try:
        with InProcess(lambda: nullcontext(app)) as channel:
            with pytest.raises(KeyboardInterrupt):
                ask(channel, "/1/events")
            assert signal.getsignal(signal.SIGINT) is handler
            assert ask(channel, "/2/events").status == 200
    finally:
        signal.signal(signal.SIGINT, before)
    assert done == ["/1/events", "/2/events"]


@pytest.mark.usefixtures("quiet")
def test_the_handler_of_a_signal_may_send_an_event_itself() -> None:
    answers: list[bytes] = []

    async def app(_method: str, path: str, *_: Any) -> Answer:
        if path == "/first/events":
            signal.raise_signal(signal.SIGUSR1)
        return 200, [], path.encode()

    with InProcess(lambda: nullcontext(app)) as channel:
        before = signal.signal(signal.SIGUSR1, lambda *_: answers.append(ask(channel, "/last/events").body))
        try:
            answers.append(ask(channel, "/first/events").body)
        finally:
            signal.signal(signal.SIGUSR1, before)
    assert answers == [b"/last/events", b"/first/events"]


def test_many_threads_and_every_way_to_an_answer() -> None:
    seen: list[str] = []
    failures: list[object] = []

    def work(n: int) -> None:
        for i in range(60):
            path = ("/job/events", "/other", "/wait/events", "/wait")[(n + i) % 4 if i % 10 == 0 else (n + i) % 2]
            if ask(channel, path, limit=30).body != path.encode():
                failures.append((n, i))

    with InProcess(lambda: nullcontext(here(seen)), loop_factory=uvloop.new_event_loop) as channel:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not any(thread.is_alive() for thread in threads)
    assert failures == []


def test_threads_that_send_events_of_one_job(tmp_path: Path) -> None:
    with jobpass.open(f"sqlite://{tmp_path}", secret="the secret of this test", account="a@b", environ={}) as client:
        job = client.create_job(client.create_pipeline(MEMBERS)["uuid"], {"n": 1})
        client.send(job.uuid, "run")
        sequences: list[int] = []

        def work() -> None:
            worker = client.with_token(job.token)
            sequences.extend(worker.send(job.uuid, "update", n).sequence for n in range(40))

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(sequences) == list(range(3, 243))
        assert client.verify(job.uuid).intact


def test_events_have_keys_of_their_own_only_where_answers_may_be_lost(tmp_path: Path) -> None:
    with jobpass.open(f"sqlite://{tmp_path}", secret="the secret of this test", account="a@b", environ={}) as client:
        job = client.create_job(client.create_pipeline(MEMBERS)["uuid"], {"n": 1})
        worker = client.with_token(job.token)
        first = worker.send(job.uuid, "run", idempotency_key="mine")
        assert worker.send(job.uuid, "run", idempotency_key="mine") == first
        worker.send(job.uuid, "update")
    connection = apsw.Connection(str(tmp_path / "jobpass.sqlite"))
    keys = [key for (key,) in connection.execute("SELECT key FROM event ORDER BY sequence")]
    connection.close()
    assert keys == [None, "mine", None]


@pytest.mark.parametrize(("status", "tries"), [(503, 3), (429, 3), (502, 3), (409, 1)])
def test_an_event_in_process_is_sent_again_after_a_refusal_that_had_no_effect(status: int, tries: int) -> None:
    seen: list[Any] = []

    async def app(_method: str, _path: str, _query: bytes, headers: Any, _body: bytes) -> Answer:
        seen.append(dict(headers))
        return status, [], b"{}"

    channel = InProcess(lambda: nullcontext(app))
    retries = Retries(3, first_seconds=0)
    client = Client("http://localhost", "jp_doc_x", channel=channel, retries=retries)
    with client, pytest.raises(Error):
        client.send("uuid", "run")
    assert len(seen) == tries
    assert b"idempotency-key" not in seen[0]


def test_an_event_in_process_that_may_have_been_recorded_is_not_sent_again() -> None:
    begun: list[str] = []

    async def app(_method: str, path: str, *_: Any) -> Answer:
        begun.append(path)
        await asyncio.sleep(0.2)
        return 200, [], b""

    channel = InProcess(lambda: nullcontext(app))
    retries = Retries(3, first_seconds=0)
    with Client("http://localhost", "jp_doc_x", channel=channel, timeout_seconds=0.01, retries=retries) as client:
        with pytest.raises(ServerUnavailable, match="no answer in time"):
            client.send("uuid", "run")
        assert begun == ["/api/pipelinejobs/uuid/events"]
        with pytest.raises(ServerUnavailable):
            client.send("uuid", "run", idempotency_key="mine")
        assert len(begun) == 4, "with a key it is"


def test_what_the_application_does_by_itself_goes_on_without_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobpass.client.inprocess.IDLE_SECONDS", 0.01)
    turns: list[str] = []

    async def chores() -> None:
        while True:
            turns.append(threading.current_thread().name)
            await asyncio.sleep(0)

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[Any]:
        task = asyncio.create_task(chores())
        try:
            yield here([])
        finally:
            task.cancel()

    with InProcess(lifespan) as channel:
        deadline = time.monotonic() + 10
        while len(turns) < 1000 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert ask(channel, "/other").status == 200
    assert len(turns) >= 1000
    assert set(turns) == {"jobpass-inprocess"}


def test_a_process_that_was_forked_off_is_told_that_it_has_no_application() -> None:
    seen: list[str] = []
    with InProcess(lambda: nullcontext(here(seen))) as channel:
        child = os.fork()
        if child == 0:  # nothing of pytest may go on in here
            reply = channel.ask(Request("POST", "/job/events"))
            channel.close()
            os._exit(0 if isinstance(reply, Lost) and not reply.sent and not seen else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert ask(channel, "/job/events").status == 200
