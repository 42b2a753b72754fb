"""What a client is without a server: its URL, its token, its face."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import ssl
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jobpass.client.address import Address
from jobpass.client.aio import AsyncClient
from jobpass.client.exchange import Retries
from jobpass.client.flow import Flow
from jobpass.client.sync import Client
from jobpass.errors import InvalidInput, InvalidToken, MalformedToken, ServerUnavailable


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "//example.org",
        "ftp://127.0.0.1",
        "sqlite:///x",
        "http://",
        "http:///x",
        "https://user:secret@example.org",
        "https://example.org/?token=secret",
        "https://example.org/#secret",
        "https://example.org?",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
        "https://exa\nmple.org",
    ],
)
def test_a_url_that_is_none_is_refused_without_showing_it(make: Any, url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        make(url)
    assert "secret" not in str(caught.value) + repr(caught.value.detail)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org",
        "http://192.0.2.1",
        "http://0.0.0.0",
        "http://localhost.example.org",
        "http://127.1.example",
    ],
)
def test_plain_http_is_for_loopback(make: Any, url: str) -> None:
    with pytest.raises(InvalidInput, match="https"):
        make(url)
    assert make(url, allow_plain_http=True).url == url


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://localhost", "http://localhost"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("HTTPS://Example.org/jobpass//", "https://example.org/jobpass"),
    ],
)
def test_good_urls(url: str, base: str) -> None:
    assert Address.parse(url).base == base


def test_a_path_before_the_contracts_is_kept(make: Any, hostile: Any, play: Any) -> None:
    client = make(hostile.plays(play.answer(200, b'{"message": "ok"}')) + "/behind/a/proxy/")
    client.health()
    assert hostile.requests[0].startswith(b"GET /behind/a/proxy/health HTTP/1.1\r\n")


@pytest.mark.parametrize("token", ["", "a b", "a\nb", "jp_doc_a\r\nX-Other: canary", "ä", "x" * 9000])
def test_a_token_that_no_header_can_carry_is_refused_without_showing_it(make: Any, token: str) -> None:
    with pytest.raises(MalformedToken) as caught:
        make("http://127.0.0.1:9", token)
    assert str(caught.value) == "The text is not a token."
    assert isinstance(caught.value, InvalidToken)


def test_repr_shows_the_kind_of_token_only(make: Any) -> None:
    assert repr(make("http://localhost", "jp_doc_canary")).endswith("Client('http://localhost', token=jp_doc_…)")
    assert repr(make("http://localhost", "canary")).endswith("Client('http://localhost', token=…)")
    assert repr(make("http://localhost")).endswith("Client('http://localhost', token=None)")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_traceback_with_local_variables_shows_no_token(kind: Any, tmp_path: Path) -> None:
    """As those who collect crashes have it; what the caller's own variables hold is the caller's."""
    (tmp_path / "token").write_text("jp_doc_canary")

    async def ask() -> None:
        client = kind("http://127.0.0.1:1", (tmp_path / "token").read_text(), retries=Retries(attempts=1))
        answer = client.me()
        if inspect.isawaitable(answer):
            await answer

    with pytest.raises(ServerUnavailable) as caught:
        asyncio.run(ask())
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "authorization" in told  # that what is sent was looked at
    assert "canary" not in told


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_is_not_pickled_or_copied(kind: Any) -> None:
    client = kind("http://localhost", "jp_doc_canary")
    for refuse in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            refuse(client)


async def test_clients_are_context_managers(served: Any) -> None:
    with Client(served.url) as client:
        assert client.health().message
    async with AsyncClient(served.url) as other:
        assert (await other.health()).message


def test_threads_may_share_a_client(served: Any, job: Any) -> None:
    with Client(served.url, job.token) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: client.send(job.uuid, "update", n), range(80)))
    assert sorted(answer.sequence for answer in answers) == list(range(2, 82))


async def test_many_calls_at_once_and_one_given_up(served: Any, job: Any) -> None:
    async with AsyncClient(served.url, job.token) as client:
        given_up = asyncio.create_task(client.send(job.uuid, "update", "given up"))
        await asyncio.sleep(0)
        given_up.cancel()
        answers = await asyncio.gather(*(client.send(job.uuid, "update", n) for n in range(80)))
        assert len({answer.sequence for answer in answers}) == 80
        assert given_up.cancelled()
        events = [event.data async for event in client.iter_history(job.uuid, after=1)]
    assert sorted(data for data in events if data != "given up") == list(range(80))


def test_both_clients_have_every_operation_with_the_same_parameters() -> None:
    found = dict(inspect.getmembers(Flow, inspect.isfunction))
    operations = {name: one for name, one in found.items() if not name.startswith("_") and name != "with_token"}
    assert len(operations) >= 90
    for kind in (Client, AsyncClient):
        methods = {name: method for name, method in vars(kind).items() if hasattr(method, "__wrapped__")}
        assert methods.keys() == operations.keys()
        for name, method in methods.items():
            assert method.__wrapped__ is operations[name]
            assert inspect.signature(method) == inspect.signature(operations[name])
            assert method.__doc__ == operations[name].__doc__
            streams = operations[name].__annotations__["return"].startswith("Stream[")
            assert (method.__code__ is kind.watch.__code__) == streams
            assert (method.__code__ is kind.login.__code__) == (not streams)


def test_with_another_token_the_connections_are_shared(make: Any, served: Any, author: Any, job: Any) -> None:
    other = author.with_token(job.token)
    assert (other.send(job.uuid, "run").state, other.token, author.token != job.token) == ("RUNNING", job.token, True)
    (other.close if isinstance(other, Client) else lambda: None)()
    assert author.job(job.uuid).state == "RUNNING"
    with pytest.raises(MalformedToken):
        author.with_token("a\nb")


def test_settings_that_make_no_sense_are_refused(make: Any) -> None:
    for seconds in (0, -1, float("nan")):
        with pytest.raises(InvalidInput):
            make("http://localhost", timeout_seconds=seconds)
    for wrong in ({"attempts": 0}, {"deadline_seconds": 0}, {"first_seconds": -1}, {"longest_seconds": -1}):
        with pytest.raises(InvalidInput):
            Retries(**wrong)


def test_proxies_of_the_environment_are_not_used(
    make: Any, served: Any, hostile: Any, play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile.plays(play.answer(200, b'{"message": "from the proxy"}'))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, hostile.url)
    assert make(served.url).health().message != "from the proxy"
    assert hostile.requests == []
    assert make(served.url, proxy=hostile.url).health().message == "from the proxy"


def test_a_certificate_that_is_not_trusted_is_not_asked_twice(make: Any, tls_server: Any) -> None:
    slept: list[float] = []
    client = make(tls_server.url, "jp_doc_canary", slept=slept)
    with pytest.raises(ServerUnavailable, match="certificate"):
        client.health()
    with pytest.raises(ServerUnavailable, match="certificate"):
        client.job("10700000-0000-5000-8000-000000000000")
    assert slept == []
    trusting = ssl.create_default_context(cafile=str(tls_server.certificate))
    assert make(tls_server.url, tls=trusting).health().message == "over TLS"
