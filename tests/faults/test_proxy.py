"""The network of the tests does to a real connection what it says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from faults.proxy import Proxy, proxy

SECONDS = 0.3
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[Proxy], Awaitable[Connection]]


class Echo:
    """Answers each line with the same line, and says what it has seen of its ends."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.second = asyncio.Event()
        self.ended = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.lines.append(line)
                if len(self.lines) == 2:
                    self.second.set()
                writer.write(line)
                await writer.drain()
        except OSError:
            pass
        finally:
            self.ended.set()
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Proxy, Echo]]:
    made = Echo()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    async with proxy(server.sockets[0].getsockname()[:2]) as between:
        yield between, made
    server.close()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    made = []

    async def to(between: Proxy) -> Connection:
        made.append(await asyncio.open_connection("127.0.0.1", between.port))
        return made[-1]

    yield to
    for _, writer in made:
        writer.transport.abort()


async def say(connection: Connection, line: bytes) -> bytes:
    connection[1].write(line)
    async with asyncio.timeout(5):
        return await connection[0].readline()


async def test_it_passes_on_and_slows(echo: tuple[Proxy, Echo], connect: Connect) -> None:
    between, _ = echo
    connection = await connect(between)
    assert await say(connection, b"one\n") == b"one\n"
    between.delay_seconds = SECONDS / 2
    since = time.monotonic()
    assert await say(connection, b"two\n") == b"two\n"
    assert time.monotonic() - since >= SECONDS
    assert await say(connection, b"x" * 60_000 + b"\n") == b"x" * 60_000 + b"\n"
    await between.mend()
    since = time.monotonic()
    assert await say(connection, b"three\n") == b"three\n"
    assert time.monotonic() - since < SECONDS
    assert between.connections == 1


async def test_a_cut_resets_and_refuses_until_it_is_mended(echo: tuple[Proxy, Echo], connect: Connect) -> None:
    between, served = echo
    connection = await connect(between)
    assert await say(connection, b"one\n") == b"one\n"
    await between.cut()
    with pytest.raises(ConnectionResetError):
        await say(connection, b"two\n")
    with pytest.raises(ConnectionRefusedError):
        await connect(between)
    await asyncio.wait_for(served.ended.wait(), 5)
    port = between.port
    await between.mend()
    assert between.port == port
    assert await say(await connect(between), b"three\n") == b"three\n"
    between.reset()
    assert await say(await connect(between), b"four\n") == b"four\n"


async def test_what_is_swallowed_arrives_when_it_is_mended(echo: tuple[Proxy, Echo], connect: Connect) -> None:
    between, served = echo
    connection = await connect(between)
    assert await say(connection, b"one\n") == b"one\n"
    between.swallow()
    second = await connect(between)  # the system takes the connection
    for one in (connection, second):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(say(one, b"two\n"), SECONDS)
    assert served.lines == [b"one\n"]
    await between.mend()
    for one in (connection, second):
        assert await asyncio.wait_for(one[0].readline(), 5) == b"two\n"


async def test_half_of_a_connection_is_closed(echo: tuple[Proxy, Echo], connect: Connect) -> None:
    between, served = echo
    connection = await connect(between)
    assert await say(connection, b"one\n") == b"one\n"
    between.close_half("client")
    assert await say(connection, b"two\n") == b""
    async with asyncio.timeout(5):
        await served.second.wait()
    assert served.lines == [b"one\n", b"two\n"]
    other = await connect(between)
    assert await say(other, b"three\n") == b"three\n"
    served.ended.clear()
    between.close_half("server")
    await asyncio.wait_for(served.ended.wait(), 5)
    assert await asyncio.wait_for(other[0].readline(), 5) == b""


async def test_the_target_can_be_another(echo: tuple[Proxy, Echo], connect: Connect) -> None:
    between, _ = echo
    other = Echo()
    server = await asyncio.start_server(other.serve, "127.0.0.1", 0)
    between.target = server.sockets[0].getsockname()[:2]
    assert await say(await connect(between), b"one\n") == b"one\n"
    assert other.lines == [b"one\n"]
    server.close()
    between.target = ("127.0.0.1", 1)
    async with asyncio.timeout(5):
        reader, _ = await connect(between)
        with pytest.raises(ConnectionResetError):
            await reader.readline()
