"""Real servers on loopback: they start, answer over TCP, and stop without losing what was accepted."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from jobpass.errors import SetupError
from jobpass.server import app as app_module
from jobpass.server import protocol as protocol_module
from jobpass.server.listening import listen
from jobpass.server.run import serve
from jobpass.stores.memory import MemoryStore
from support.process import Folder, make_folder, process
from support.site import PASSWORD, Site, make_site


@pytest.fixture
async def folder(tmp_path: Path) -> Folder:
    return await make_folder(tmp_path)


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[tuple[str, int]]:
    """A server in this process, on this loop."""
    told: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(site.app, ready=lambda *where: told.set_result(where)))
    await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield await told
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.fixture
async def site() -> Site:
    return make_site(MemoryStore())


async def exchange(where: tuple[str, int], data: bytes, *, end: bool = False, seconds: float = 10) -> bytes:
    """What comes back on a connection of its own until it closes (or nothing more came for a while)."""
    reader, writer = await asyncio.open_connection(*where)
    writer.write(data)
    if end:
        writer.write_eof()
    got = b""
    try:
        async with asyncio.timeout(seconds):
            while chunk := await reader.read(1 << 16):
                got += chunk
    except TimeoutError:
        got += b"<open>"
    except ConnectionResetError:
        got += b"<reset>"
    writer.close()
    return got


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_order(folder: Folder, number: int) -> None:
    with process(folder) as (server, url):
        with httpx2.Client(base_url=url, headers={"authorization": f"Bearer {folder.login}"}) as client:
            assert client.get("/health").json() == {"message": "ok"}
            assert client.get("/ready").json() == {"message": "ready"}
            me = client.get("/api/me")
            assert (me.status_code, me.json()["email"]) == (200, "ann@example.org")
            assert "server" not in me.headers
            server.send_signal(number)
            assert server.wait(timeout=10) == 0
        assert server.stdout is not None
        assert server.stdout.read() == "closed\n"


async def test_what_was_accepted_is_answered(folder: Folder) -> None:
    """A request that takes long is under way when the signal comes; new ones are not accepted."""
    with process(folder, "0", "1500") as (server, url):
        body = {"email": "nobody@example.org", "password": "whatever it may be"}
        async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
            slow = asyncio.create_task(client.post("/api/login", json=body))
            await asyncio.sleep(0.2)
            server.send_signal(signal.SIGTERM)
            await until_refused(url)
            assert not slow.done()  # accepted before the signal, and still at work
            answer = await slow
        assert (answer.status_code, answer.json()["detail"]["code"]) == (401, "invalid_login")
        assert await asyncio.to_thread(server.wait, 10) == 0


async def until_refused(url: str) -> None:
    """Return once the server takes no connections any more."""
    async with asyncio.timeout(10):
        while True:
            try:
                async with httpx2.AsyncClient(base_url=url) as client:
                    await client.get("/health")
            except httpx2.TransportError:
                return
            await asyncio.sleep(0.02)


async def test_every_acknowledged_event_is_kept_over_stop_and_start(folder: Folder) -> None:
    acknowledged: set[int] = set()
    headers = {"authorization": f"Bearer {folder.job.token}"}

    async def sender(client: httpx2.AsyncClient) -> None:
        while True:
            try:
                answer = await client.post(folder.job.events, json={"name": "update"}, headers=headers)
            except httpx2.TransportError:
                return
            assert answer.status_code == 200, answer.text
            assert answer.json()["sequence"] not in acknowledged
            acknowledged.add(answer.json()["sequence"])

    for _ in range(2):
        with process(folder) as (server, url):
            async with httpx2.AsyncClient(base_url=url, timeout=20) as client:
                senders = [asyncio.create_task(sender(client)) for _ in range(16)]
                await asyncio.sleep(0.5)
                server.send_signal(signal.SIGTERM)
                await asyncio.gather(*senders)
            assert await asyncio.to_thread(server.wait, 10) == 0
    assert len(acknowledged) > 50
    with process(folder) as (server, url), httpx2.Client(base_url=url, headers=headers) as client:
        verified = client.get(f"{folder.job.path}/verify").json()
        assert verified["intact"] is True
        # Answers can be lost on a connection that closes; nothing is recorded that was not sent.
        assert max(acknowledged) <= verified["events"] <= len(acknowledged) + 1 + 2 * 16


async def test_a_replay_after_a_kill(folder: Folder) -> None:
    headers = {"authorization": f"Bearer {folder.job.token}", "idempotency-key": "once"}
    with process(folder) as (server, url):
        first = httpx2.post(url + folder.job.events, json={"name": "run", "data": {"n": 1}}, headers=headers)
        assert first.status_code == 200
        server.kill()
        server.wait(timeout=10)
    with process(folder) as (server, url):
        again = httpx2.post(url + folder.job.events, json={"name": "run", "data": {"n": 1}}, headers=headers)
        assert again.json() == first.json()
        history = httpx2.get(f"{url}{folder.job.path}/history", headers=headers).json()["events"]
        assert [event["name"] for event in history] == ["create", "run"]


async def test_a_port_that_is_taken(site: Site) -> None:
    async with serving(site) as (host, port):
        other = make_site(MemoryStore())
        with pytest.raises(SetupError, match=f"{host}:{port}"):
            await serve(other.app, host=host, port=port)
        with pytest.raises(SetupError):
            await serve(other.app, host="no.such.host.invalid")
        with pytest.raises(SetupError):
            await serve(other.app, port=70_000)
        assert (await exchange((host, port), b"GET /health HTTP/1.0\r\n\r\n")).endswith(b'{"message":"ok"}')


async def test_the_whole_way_over_tcp(site: Site) -> None:
    async with serving(site) as (host, port), httpx2.AsyncClient(base_url=f"http://{host}:{port}") as client:
        ann = await site.login("ann")
        job = await site.job(ann)
        headers = {"authorization": f"Bearer {job.token}"}
        ran = await client.post(job.events + "//", json={"name": "run"}, headers=headers)
        assert (ran.status_code, ran.json()["token"]) == (200, job.token)
        head = await client.head(job.path, headers=headers)
        assert (head.status_code, head.content) == (200, b"")
        wrong = await client.put(job.events)
        assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
        login = await client.post("/api/login", json={"email": "ann@example.org", "password": PASSWORD})
        assert login.json()["token"].startswith("jp_log_")
        big = await client.post(job.events, content=b"x" * 3_000_000, headers=headers)
        assert (big.status_code, big.headers["connection"]) == (413, "close")
        assert big.json()["detail"]["code"] == "too_large"


GARBAGE = [
    b"\0" * 100 + b"\r\n\r\n",
    b"hello\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /health HTTP/9.9\r\n\r\n",
    b"BREW /health HTTP/1.1\r\n\r\n",
    b"GET /health HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET /health HTTP/1.1\r\ncontent-length: x\r\n\r\n",
    b"GET /health HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
    b"POST /api/login HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
    b"POST /api/login HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /api/login HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
    b"CONNECT example.org:443 HTTP/1.1\r\nhost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET http://example.org/health HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /%00%ff%zz HTTP/1.1\r\nhost: x\r\n\r\n",
    b"GET /api/pipelinejobs/%00/history HTTP/1.1\r\nauthorization: Bearer \xff\r\n\r\n",
    b"GET /api/me?%00=%ff HTTP/1.1\r\nauthorization: Bearer \x01\r\n\r\n",
    b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
    b"GET /health HTTP/1.1\r\nx: " + b"y" * 200_000 + b"\r\n\r\n",
    b"GET /health HTTP/1.1\r\n" + b"x: y\r\n" * 50_000 + b"\r\n",
    b"GET /health HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.mark.parametrize("data", GARBAGE, ids=lambda data: ascii(data[:24]))
async def test_what_is_not_http_is_no_failure(site: Site, data: bytes) -> None:
    async with serving(site) as where:
        got = await exchange(where, data, end=True, seconds=2)
        assert b" 500 " not in got[:20]
        assert got.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200")) or got in (b"", b"<reset>"), got[:200]
        if b"\r\n\r\n{" in got:
            assert b"content-type: application/json" in got
        assert b'"ok"' in await exchange(where, b"GET /health HTTP/1.0\r\n\r\n")


async def test_not_http_is_answered_in_json(site: Site) -> None:
    async with serving(site) as where:
        got = await exchange(where, b"hello\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 400 ")
        assert b'"malformed_request"' in got


@pytest.mark.parametrize(
    "head",
    [
        b"GET /health HTTP/1.1\r\nhost: x\r\nx: %b\r\nconnection: close\r\n\r\n",
        b"GET /health?%b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    ],
)
@pytest.mark.parametrize(("size", "status"), [(60_000, b"HTTP/1.1 "), (66_000, b"HTTP/1.1 400 "), (10**6, b"")])
async def test_a_head_is_bounded(site: Site, head: bytes, size: int, status: bytes) -> None:
    data = head % (b"y" * size)
    async with serving(site) as where:
        whole = await exchange(where, data)
        reader, writer = await asyncio.open_connection(*where)
        for start in range(0, len(data), 20_000):  # in pieces it is no other head
            writer.write(data[start : start + 20_000])
            await asyncio.sleep(0.005)
        try:
            in_pieces = await reader.read()
        except ConnectionError:
            in_pieces = b""
        writer.close()
        for got in (whole, in_pieces):
            if size < 65_536:
                assert got.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 422 ")), got[:100]
            else:  # of a head far too long the answer may be lost in the closing
                assert got.startswith(b"HTTP/1.1 400 ") or (not status and got in (b"", b"<reset>")), got[:100]


async def test_a_body_before_it_does_not_count_as_head(site: Site) -> None:
    ann = await site.login("ann")
    post = f"POST /api/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ann}\r\ncontent-length: 60000\r\n\r\n"
    async with serving(site) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(post.encode() + b"x" * 60_000 + b"GET /health HTTP/1.0\r\nx: " + b"y" * 10_000)
        await asyncio.sleep(0.1)
        writer.write(b"y" * 10_000 + b"\r\n\r\n")
        got = await reader.read()
        assert b" 405 " in got
        assert got.endswith(b'{"message":"ok"}')
        writer.close()


async def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    async with serving(site) as where:
        one, two = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n", b"GET /nowhere HTTP/1.0\r\n\r\n"
        got = await exchange(where, one * 20 + two)
        assert got.count(b"HTTP/1.1 200 OK") == 20
        assert got.count(b"HTTP/1.1 404 ") == 1
        assert got.rindex(b"200 OK") < got.index(b" 404 ")


async def test_a_bad_bearer_is_told_before_any_body(site: Site) -> None:
    async with serving(site) as where:
        head = b"POST /api/pipelines HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 1000000\r\n"
        got = await exchange(where, head + b"authorization: Bearer jp_log_x\r\n\r\n", seconds=1)
        assert got.startswith(b"HTTP/1.1 401 "), got
        good = b"authorization: Bearer " + (await site.login("ann")).encode()
        got = await exchange(where, head + good + b"\r\n\r\n", seconds=1)
        assert got == b"HTTP/1.1 100 Continue\r\n\r\n<open>"


async def test_a_body_in_pieces(site: Site) -> None:
    ann = await site.login("ann")
    job = await site.job(ann)
    async with serving(site) as where:
        start = f"POST {job.events} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {job.token}\r\nconnection: close\r\n"
        start += "content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        reader, writer = await asyncio.open_connection(*where)
        writer.write(start.encode())
        for piece in (b'{"na', b'me":"r', b'un"}'):
            await asyncio.sleep(0.02)
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        writer.write(b"0\r\n\r\n")
        got = await reader.read()
        assert got.startswith(b"HTTP/1.1 200 OK"), got
        writer.close()
        assert (await site.ask("GET", job.path, token=ann)).json()["state"] == "RUNNING"


async def test_a_body_that_stops_halfway_hurts_nobody(site: Site) -> None:
    """The client goes away in the middle: nothing is recorded, and nothing is logged as a failure."""
    ann = await site.login("ann")
    job = await site.job(ann)
    head = f"POST {job.events} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {job.token}\r\ncontent-length: 14\r\n\r\n"
    async with serving(site) as where:
        _, writer = await asyncio.open_connection(*where)
        writer.write(head.encode() + b'{"name":"run"')
        await asyncio.sleep(0.1)
        writer.transport.abort()
        await asyncio.sleep(0.1)
        assert b'"ok"' in await exchange(where, b"GET /health HTTP/1.0\r\n\r\n")
        assert (await site.send(job, "update")).json()["sequence"] == 2


async def test_slow_clients_are_ended(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "READ_SECONDS", 0)
    monkeypatch.setattr(protocol_module, "HEAD_SECONDS", 0.5)
    ann = await site.login("ann")
    head = f"POST /api/pipelines HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ann}\r\n"
    async with serving(site) as where:
        silent, half_head, half_body, good = await asyncio.gather(
            exchange(where, b""),
            exchange(where, head.encode()),
            exchange(where, head.encode() + b"content-length: 100\r\n\r\n{"),
            exchange(where, b"GET /health HTTP/1.0\r\n\r\n"),
        )
    assert (silent, half_head) == (b"", b"")
    assert half_body.startswith(b"HTTP/1.1 422 ")
    assert b"did not come in time" in half_body
    assert b"connection: close" in half_body
    assert b'"ok"' in good


@pytest.mark.parametrize("rest", [b"", b"content-length: 100000\r\n", b"transfer-encoding: chunked\r\n"])
@pytest.mark.parametrize("drip", [[b"\r\n"], [b"\r\n"] * 8])
async def test_what_follows_an_answer_does_not_keep_the_connection(
    site: Site, monkeypatch: pytest.MonkeyPatch, rest: bytes, drip: list[bytes]
) -> None:
    """An empty line, or some of a body that nobody reads, ends the time of an idle connection, and begins another."""
    monkeypatch.setattr(protocol_module, "HEAD_SECONDS", 0.3)
    async with serving(site) as where:
        reader, writer = await asyncio.open_connection(*where)
        writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n" + rest + b"\r\n")
        assert b'"ok"' in await reader.readuntil(b'"ok"}')
        if b"chunked" in rest:
            drip = [b"0\r\n", b"a: b\r\n"]
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionError):  # closed already
                for data in drip:
                    writer.write(data)
                    await asyncio.sleep(0.05)
                assert await reader.read() == b""
        writer.close()


@pytest.mark.parametrize(("pause", "whole"), [(0.1, True), (1.0, False)])
async def test_an_answer_that_nobody_reads_is_not_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch, pause: float, whole: bool
) -> None:
    """A slow client is waited for, one that takes nothing is not."""
    monkeypatch.setattr(protocol_module, "UNREAD_SECONDS", 0.5)
    count = 100  # more than the system's own buffers hold
    async with serving(site) as where:
        with socket.socket() as client:
            client.connect(where)
            client.setblocking(False)
            loop, got = asyncio.get_running_loop(), b""
            asked = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * (count - 1)
            await loop.sock_sendall(client, asked + b"GET /openapi.json HTTP/1.0\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(20):
                    for _ in range(2):
                        await asyncio.sleep(pause)
                        got += await loop.sock_recv(client, 1 << 20)
                    while data := await loop.sock_recv(client, 1 << 20):
                        got += data
        assert (got.count(b"HTTP/1.1 200") == count) is whole


@pytest.mark.parametrize("kind", [b"a%06d: b\r\n", b"y%06d"])
async def test_trailers_without_end_are_not_kept(site: Site, kind: bytes) -> None:
    head = (
        b"GET /health HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
        + b"x: y"[: 4 * (b":" not in kind)]
    )
    async with serving(site) as where:
        _, writer = await asyncio.open_connection(*where)
        writer.write(head)
        block = b"".join(kind % number for number in range(1000))

        async def flood() -> None:
            for _ in range(200 * protocol_module.HEAD_BYTES // len(block)):
                writer.write(block)
                await writer.drain()

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(flood(), 10)
        writer.close()


async def test_trailers_are_no_headers(site: Site) -> None:
    """What comes behind a body tells nothing of it, whatever it is called."""
    ann = await site.login("ann")
    job = await site.job(ann)
    head = (
        f"POST {job.events} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {job.token}\r\ntransfer-encoding: chunked\r\n"
    )
    body = b'\r\ne\r\n{"name":"run"}\r\n0\r\n'
    kind = b"content-type: application/json\r\n"
    async with serving(site) as where:
        behind = await exchange(where, head.encode() + b"connection: close\r\n" + body + kind + b"\r\n")
        assert behind.startswith(b"HTTP/1.1 415 "), behind
        both = await exchange(where, head.encode() + b"connection: close\r\n" + kind + body + kind + b"\r\n")
        assert both.startswith(b"HTTP/1.1 200 "), both


UPGRADE = b" HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-type: application/json\r\n"


async def test_a_body_never_becomes_a_request(site: Site) -> None:
    """A head that asks for another protocol ends what the parser sees of its request; so nothing may follow it."""
    inner = b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n"
    for method, more in (
        (b"POST /api/login", b"content-length: %d\r\n\r\n" % len(inner)),
        (b"POST /api/login", b"transfer-encoding: chunked\r\n\r\n"),
        (b"CONNECT /health", b"\r\n"),
        (b"GET /nowhere", b"\r\n"),
    ):
        async with serving(site) as where:
            reader, writer = await asyncio.open_connection(*where)
            writer.write(method + UPGRADE + more)
            got = await reader.read(20)
            writer.write(inner)
            with contextlib.suppress(ConnectionError):
                got += await reader.read()
            writer.close()
            assert got.startswith(b"HTTP/1.1 404 " if method == b"GET /nowhere" else b"HTTP/1.1 400 "), (method, got)
            assert got.count(b"HTTP/1.1 ") == 1, got
            assert b'"ok"' not in got


async def test_half_sent_requests_do_not_hold_up_the_stop(folder: Folder) -> None:
    with process(folder) as (server, url):
        host, port = url.removeprefix("http://").split(":")
        head = f"POST {folder.job.events} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {folder.job.token}\r\n"
        held = []
        for data in (b"", head.encode(), head.encode() + b"content-length: 100\r\n\r\n{"):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.write(data)
            held.append(writer)
        await asyncio.sleep(0.2)
        started = time.monotonic()
        server.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(server.wait, 20) == 0
        assert time.monotonic() - started < 10
        for writer in held:
            writer.close()


async def test_a_thousand_connections_at_once(folder: Folder) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip(f"no more than {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    with process(folder) as (_server, url):
        host, port = url.removeprefix("http://").split(":")
        held = [await asyncio.open_connection(host, int(port)) for _ in range(1000)]
        for _ in range(2):
            for _reader, writer in held:
                writer.write(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            for reader, _writer in held:
                assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 OK")
        for _reader, writer in held:
            writer.close()


def test_answers_are_not_held_back_for_more() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
