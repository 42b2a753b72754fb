"""A real server in a thread, a server that behaves badly, and one face for both clients."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from inspect import isasyncgen
from pathlib import Path
from typing import Any

import pytest
import uvloop
from argon2 import PasswordHasher

from jobpass.archives import FileArchives
from jobpass.authority.authority import Authority
from jobpass.authority.passwords import Passwords
from jobpass.client.aio import AsyncClient
from jobpass.client.exchange import Retries
from jobpass.client.sync import Client
from jobpass.clock import SystemClock
from jobpass.lifecycle.standard import STANDARD
from jobpass.server.app import create_app
from jobpass.server.run import serve
from jobpass.stores.sqlite import SqliteStore
from jobpass.tokens.keyring import Keyring
from support.house import MEMBERS, PASSWORD

OPERATOR = "operator@example.org"
AUTHOR = "author@example.org"
OTHER = "other@example.org"


@dataclass
class Served:
    """A server that runs, and who may log in to it."""

    url: str
    keyring: Keyring
    password: str = PASSWORD
    operator: str = OPERATOR
    author: str = AUTHOR
    other: str = OTHER
    members: dict[str, Any] = field(default_factory=lambda: dict(MEMBERS))

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


class Bridge:
    """An ``AsyncClient`` with the face of a ``Client``: each call runs to its end on a loop of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        if name == "with_token":
            return lambda token: self._around(value(token))
        if name.startswith("_") or not callable(value) or name in ("attenuate", "admin_token"):
            return value

        def call(*args: Any, **kwargs: Any) -> Any:
            result = value(*args, **kwargs)
            return self._each(result) if isasyncgen(result) else self._runner.run(result)

        return call

    def _around(self, client: AsyncClient) -> Bridge:
        bridge = object.__new__(Bridge)
        bridge._runner, bridge._client = self._runner, client
        return bridge

    def _each(self, items: Any) -> Iterator[Any]:
        while True:
            try:
                yield self._runner.run(items.__anext__())
            except StopAsyncIteration:
                return

    def __repr__(self) -> str:
        return repr(self._client)

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.close()


Make = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes clients of one kind, closed at the end; ``slept`` gets the pauses instead of anybody waiting."""
    with contextlib.ExitStack() as stack:

        def make(url: str, token: str | None = None, *, slept: list[float] | None = None, **kwargs: Any) -> Any:
            if slept is not None:
                kwargs["sleep"] = slept.append if request.param == "sync" else _recorder(slept)
            kwargs.setdefault("retries", Retries(random=lambda: 1.0))
            client = (Client if request.param == "sync" else Bridge)(url, token, **kwargs)
            stack.callback(client.close)
            return client

        yield make


def _recorder(slept: list[float]) -> Callable[[float], Any]:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    return sleep


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real server on loopback, over the SQLite store, in a thread of its own."""
    keyring = Keyring.generate(secrets.token_bytes(4), secrets.token_bytes(32))
    place = tmp_path_factory.mktemp("served") / "jobpass.sqlite"
    started: Future[tuple[Any, Any, str]] = Future()

    async def live() -> None:
        authority = await _authority(place, keyring)
        for email, role in ((OPERATOR, "operator"), (AUTHOR, "author"), (OTHER, "author")):
            await authority.accounts.create(email, PASSWORD, role)
        app = create_app(authority, randomness=secrets.token_bytes)

        def ready(host: str, port: int) -> None:
            started.set_result((asyncio.get_running_loop(), task, f"http://{host}:{port}"))

        task = asyncio.create_task(serve(app, ready=ready))
        with contextlib.suppress(asyncio.CancelledError):
            await task

    def run() -> None:
        try:
            uvloop.run(live())
        except BaseException as error:
            started.set_exception(error)

    thread = threading.Thread(target=run)
    thread.start()
    loop, task, url = started.result(20)
    yield Served(url, keyring)
    loop.call_soon_threadsafe(task.cancel)
    thread.join(20)
    assert not thread.is_alive()


async def _authority(place: Path, keyring: Keyring) -> Authority:
    passwords = Passwords(2, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    return Authority(
        await SqliteStore.open(place),
        keyring,
        STANDARD,
        passwords,
        SystemClock(),
        secrets.token_bytes,
        archives=FileArchives(),
    )


Script = Callable[["Line"], None]


@dataclass
class Line:
    """One connection to the hostile server, on which one request was read."""

    socket: socket.socket
    request: bytes

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def reset(self) -> None:
        """End the connection so that the other side gets an error and not an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Hostile:
    """Answers the n-th request as the n-th script says (the last one again and again), each on a new connection."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.scripts: list[Script] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def plays(self, *scripts: Script) -> str:
        """Play these from now on; returns the URL."""
        self.scripts = list(scripts)
        self.requests.clear()
        return self.url

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(10)
            with connection, contextlib.suppress(OSError):
                request = _read(connection)
                self.requests.append(request)
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                script(Line(connection, request))


def _read(connection: socket.socket) -> bytes:
    """One whole request, by its Content-Length; OSError if the other side goes away before its end."""
    head, _, body = _receive_until(connection, b"", lambda data: b"\r\n\r\n" in data).partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            body = _receive_until(connection, body, lambda data, size=int(value): len(data) >= size)
    return head + b"\r\n\r\n" + body


def _receive_until(connection: socket.socket, data: bytes, enough: Callable[[bytes], bool]) -> bytes:
    while not enough(data):
        more = connection.recv(65536)
        if not more:
            raise ConnectionError
        data += more
    return data


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    """A server that does what a test tells it."""
    server = Hostile()
    yield server
    server.close()


@pytest.fixture
def play() -> type[Play]:
    """The scripts."""
    return Play


class Play:
    """Scripts for the hostile server."""

    @staticmethod
    def answer(status: int, body: bytes = b"{}", *headers: str) -> Script:
        """A whole answer."""
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers]
        return Play.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    @staticmethod
    def raw(data: bytes) -> Script:
        """These bytes, then the end."""
        return lambda line: line.send(data)

    @staticmethod
    def reset(line: Line) -> None:
        """Break the connection without an answer."""
        line.reset()

    @staticmethod
    def half(line: Line) -> None:
        """Break the connection in the middle of an answer."""
        line.send(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"mess')
        line.reset()

    @staticmethod
    def silent(line: Line) -> None:
        """Answer nothing until the other side goes away."""
        line.socket.recv(1)

    @staticmethod
    def dripping(line: Line) -> None:
        """An answer whose every byte comes in time, and whose whole never does."""
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(100):
            line.send(b" ")
            time.sleep(0.05)

    @staticmethod
    def through(port: int, *, deliver: bool) -> Script:
        """Hand the request to the server on ``port``; give its answer back, or lose it."""

        def script(line: Line) -> None:
            with socket.create_connection(("127.0.0.1", port), 10) as onward:
                onward.sendall(line.request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
                answer = b"".join(iter(lambda: onward.recv(65536), b""))
            if deliver:
                line.send(answer)
            else:
                line.reset()

        return script


@pytest.fixture
def author(make: Make, served: Served) -> Any:
    """A client that is logged in as an author."""
    client = make(served.url)
    client.login(served.author, served.password)
    return client


@pytest.fixture
def operator(make: Make, served: Served) -> Any:
    """A client that is logged in as an operator."""
    client = make(served.url)
    client.login(served.operator, served.password)
    return client


@pytest.fixture
def job(author: Any, served: Served) -> Any:
    """A fresh job of the author, with its token."""
    pipeline = author.create_pipeline(served.members)
    return author.create_job(pipeline["uuid"], {"case": secrets.token_hex(8)})


@pytest.fixture
def own_client(make: Make, served: Served, job: Any) -> Any:
    """A client that holds nothing but the job's token."""
    return make(served.url, job.token)


@dataclass
class TlsServer:
    """A server whose certificate nobody but its own file vouches for."""

    url: str
    certificate: Path


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[TlsServer]:
    """A TLS server on loopback that answers every request alike."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
            *["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
            *["-keyout", str(key), "-out", str(certificate)],
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    answer = Play.answer(200, b'{"message": "over TLS"}')

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.settimeout(10)
            secure = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            with secure, contextlib.suppress(OSError):
                answer(Line(secure, _read(secure)))

    thread = threading.Thread(target=serve)
    thread.start()
    yield TlsServer(f"https://127.0.0.1:{listener.getsockname()[1]}", certificate)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(20)
